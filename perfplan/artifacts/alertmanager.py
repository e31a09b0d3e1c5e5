"""Alertmanager's routes: P0 and P1 to whoever has the turn, P2 to the queue of tickets; the rotation as days of the month."""

from __future__ import annotations

import itertools
from pathlib import Path

from perfplan.judging import File, Judge, Judgement
from perfplan.judging.servers import run
from perfplan.operate.source import Source
from perfplan.operate.text import Tree, block
from perfplan.quantity import median
from perfplan.subjects.alerts import rotation

CHECKED, ROUTED = "amtool check-config", "amtool config routes test"
LONGEST_MONTH = 31
WAITS = {"P0": ("0s", "1m", "1h"), "P1": ("30s", "5m", "4h"), "P2": ("5m", "1h", "1d")}  # group_wait, group_interval, repeat_interval


def turns(people: int) -> list[str]:
    """Days of the month of each person's turn, as Alertmanager writes them.

    >>> turns(4), turns(1)
    (['1:8', '9:16', '17:23', '24:31'], ['1:31'])
    """
    people = min(people, LONGEST_MONTH)
    edges = [round(LONGEST_MONTH * i / people) for i in range(people + 1)]
    return [f"{start + 1}:{end}" for start, end in itertools.pairwise(edges)]


def alertmanager(source: Source) -> str:
    """The file."""
    stated = source.study.scenario.on_call
    days = turns(round(median(stated.people))) if stated is not None else []
    names = [f"person-{i}" for i in range(1, len(days) + 1)]
    pager: list[Tree] = [{"receiver": name, "active_time_intervals": [f"turn-{i}"], "continue": True} for i, name in enumerate(names, 1)]
    routes: list[Tree] = []
    for priority, (wait, interval, repeat) in WAITS.items():
        route: dict[str, Tree] = {
            "matchers": [f'priority="{priority}"'],
            "receiver": "tickets" if priority == "P2" else "pager",
            "group_wait": wait,
            "group_interval": interval,
            "repeat_interval": repeat,
        }
        routes.append(route | ({"routes": pager} if pager and priority != "P2" else {}))
    receivers: list[Tree] = [
        {"name": name, "webhook_configs": [{"url": f"http://127.0.0.1:9099/{name}"}]} for name in ("pager", "tickets", *names)
    ]
    tree: dict[str, Tree] = {
        "route": {"receiver": "pager", "group_by": ["alertname"], "routes": routes},
        "receivers": receivers,
    }
    if days:
        tree["time_intervals"] = [{"name": f"turn-{i}", "time_intervals": [{"days_of_month": [part]}]} for i, part in enumerate(days, 1)]
    return source.head("#", "Alertmanager") + _remarks(source, len(days)) + block(tree) + "\n"


def _remarks(source: Source, people: int) -> str:
    found = rotation(source.study)
    lines = ["where each receiver is reached; replace the addresses. What has no priority pages, so that nothing is lost"]
    if found is not None:
        lines.append(f"on_call: {people} people, each for as many days of the month; whoever has the turn is called for P0 and P1")
        if found.hours_s < 7 * 24 * 3600:
            lines.append(f"on_call.hours: somebody is on call in {found.hours_s / 3600:g} of 168 hours; the others are covered by nobody")
    else:
        lines.append("state on_call (people, hours) for a rotation; until then one pager takes all")
    return "".join(f"# {line}\n" for line in lines)


# ---- its judge ----


def _ask(path: Path, _: Path) -> Judgement:
    """The configuration is checked, and an alert of each priority is asked where it goes."""
    found = run([*CHECKED.split(), path.name], path.parent, CHECKED)
    if not found.accepted:
        return found
    text = path.read_text(encoding="utf-8")
    people = text.count('name: "person-')
    for priority in WAITS:
        wanted = ["tickets"] if priority == "P2" else [f"person-{i}" for i in range(1, people + 1)] or ["pager"]
        asked = ["amtool", "config", "routes", "test", f"--config.file={path.name}", f"--verify.receivers={','.join(wanted)}"]
        found = run([*asked, f"priority={priority}", "alertname=a"], path.parent, ROUTED)
        if not found.accepted:
            return found
    return found


JUDGE = Judge(tool="amtool", ask=_ask, names=(CHECKED, ROUTED), twin=('priority=\\"P2\\"', 'priority=\\"P0\\"'))


def files(source: Source) -> tuple[File, ...]:
    """alertmanager.yml."""
    return (File(name="alertmanager.yml", text=alertmanager(source), judge=JUDGE),)
