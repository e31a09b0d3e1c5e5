"""What a traffic history gives a scenario: the peak, which beats what is stated, and the growth where none is stated."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace

from perfplan.quantity import Misread
from perfplan.reading.history import HOURS_PER_WEEK, History
from perfplan.record import declared
from perfplan.scenario import Traffic
from perfplan.scenario.statement import Entry

OLD_DAYS = 31  # from the end of a history, after which it does not beat what is stated
RIVALS = {  # fields that say what a history says, too
    "peak_rps": ("traffic.peak_users", "traffic.requests_per_user", "traffic.peak"),
    "growth_per_month": ("traffic.growth",),
}


def fitted(entries: dict[str, Entry], history: History, wrong: Callable[[str, str], None]) -> dict[str, str]:
    """Fields and paths of what *history* gives, with their entries in *entries*; what is wrong is told to *wrong*, by path.

    The peak that was measured is used unless an override asks for another, or the history is old; a stated growth is a belief, and stays.
    """
    fields, found = declared(Traffic), {}
    for name, law, where in (("peak_rps", history.peak, history.peak_where), ("growth_per_month", history.growth, history.growth_where)):
        one = fields[name]
        path, quantity = f"traffic.{one.key}", one.kind
        text = f"{quantity.show(float(law.quantile(0.05)))} to {quantity.show(float(law.quantile(0.95)))}" if law else ""
        try:
            if law:
                one.believe(law, text)
        except Misread as error:
            wrong("traffic.history", f"{history.file} says of {one.key}: {error}")
        said = f"{history.file} says {text}, {where}" if law else f"{history.file} says {where}"
        rivals = [rival for rival in RIVALS[name] if rival in entries]
        used = law is not None and (not rivals or (name == "peak_rps" and _beats(entries, rivals, history)))
        if law and used:
            beside = f"not used: stated as {entries[path].text}" if path in entries else ""
            for rival in rivals:
                entries[rival] = replace(entries[rival], beside=f"not used: {said}")
            of = f"{history.file}: {where}"
            entries[path] = Entry(path=path, text=text, value=law, declared=one, source="fitted", where=of, beside=beside)
            found[name] = path
        elif rivals:
            entries[rivals[0]] = replace(entries[rivals[0]], beside=said)
        else:
            wrong(path, f"must be stated, such as {quantity.example}: {history.file} says {where}, which nobody can carry on for months")
    return found


def _beats(entries: dict[str, Entry], rivals: list[str], history: History) -> bool:
    """Whether nothing is asked for by an override, and the history ends near the day of the plan."""
    if any(entries[rival].source == "override" for rival in rivals):
        return False
    try:
        then = datetime.date.fromisoformat(entries["as_of"].text)
    except ValueError:  # said elsewhere
        return True
    ended = datetime.datetime.fromtimestamp(float(history.times[-1]) + HOURS_PER_WEEK * 3600, datetime.UTC).date()
    return (then - ended).days <= OLD_DAYS
