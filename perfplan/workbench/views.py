"""What is shown of a state: verdict, what changed, figures, fleet, pinned states; as markup that is safe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from perfplan.quantity import FRACTION, GROWTH, Quantity
from perfplan.scenario.statement import Statement
from perfplan.shown.blocks import Html, safe
from perfplan.shown.vector import Bar, Level, Line, bars, lines
from perfplan.study.sweeps import NOWHERE
from perfplan.words import NBSP, change, count, duration, listed, money, number, percent, rate, share, short_money
from perfplan.workbench.answering import Answer
from perfplan.workbench.controls import written

SHORT = 9  # letters of the names of journeys beside a line
MOST_ROWS = 9  # of the fleet and of what is used
Pinned = Sequence[tuple[str, Answer]]  # name and answer


def verdict(now: Answer) -> Html:
    """Whether the promises hold, how surely, what runs out first, and what it costs."""
    lowest = int(np.argmin(now.p))
    if now.breaks is None:
        said = f"Every promise holds with {percent(now.asked)} to {now.month(now.last)}"
    else:
        said = f"The promises hold with less than {percent(now.asked)} {now.broken_when}"
    css = "" if now.breaks is None else ' class="broken"'
    resource, month = now.runs_out[0]
    out = f"{resource.label}, {now.month(month)}" if np.isfinite(month) else f"nothing before {now.month(now.last)}"
    rows = (
        (
            "P(every promise holds)",
            f"{percent(float(now.p[0]))} now, {percent(float(now.p[-1]))} in {now.month(now.last)}"
            + (f"; lowest {percent(float(now.p[lowest]))}, in {now.month(lowest)}" if 0 < lowest < now.last else ""),
        ),
        ("Runs out first", out),
        ("Cost", f"{money(now.cost_usd(0))} a month now, {money(now.cost_usd(now.last))} in {now.month(now.last)}"),
    )
    body = "".join(f"<div><dt>{safe(a)}</dt><dd>{safe(b)}</dd></div>" for a, b in rows)
    return Html(
        f"<h2{css}>{safe(said)}</h2><dl class=numbers>{body}</dl><p class=note>{now.worlds} worlds, today’s fleet unless turned</p>"
    )


def what_changed(start: Answer, now: Answer) -> str:
    """What was turned, and what came of it against the start; "" where nothing was."""
    turned = [_turned(path, start.statement, now.statement) for path in _overridden(start.statement, now.statement)]
    if not turned:
        return ""
    if "traffic.peak" in start.statement.entries and "traffic.peak" not in now.statement.entries:
        turned.append("users as stated instead of the peak as measured")
    came = [*_promises(start, now), *_fleet(start, now)]
    usd = now.cost_usd(now.last) - start.cost_usd(start.last)
    if now.last == start.last and abs(usd) >= 1:
        came.append(f"{change(usd, money)} a month in {now.month(now.last)}")
    return f"{', '.join(turned)}: {'; '.join(came) or 'nothing that matters here changes'}"


def _overridden(start: Statement, now: Statement) -> list[str]:
    """The fields that are stated otherwise."""
    return [path for path, entry in now.entries.items() if path not in start.entries or entry.text != start.entries[path].text]


def _turned(path: str, start: Statement, now: Statement) -> str:
    entry, before = now.entries[path], start.entries.get(path)
    name = path.removeprefix("tiers.").removeprefix("traffic.").removeprefix("objectives.").replace(".", " ").replace("_", " ")
    law, old, kind = entry.law, before.law if before is not None else None, entry.declared.kind
    if kind in (GROWTH, FRACTION) and law is not None and old is not None:
        return f"{name} {written(kind, law.mid)} instead of {written(kind, old.mid)}"
    if law is not None and old is not None and isinstance(kind, Quantity) and old.mid > 0:
        return f"{change(100 * (law.mid / old.mid - 1))}{NBSP}% {name}"
    return f"{name} {entry.text}"


def _promises(start: Answer, now: Answer) -> list[str]:
    """Which promise breaks earlier or later, the one that moves most first."""
    rows = []
    for name in now.promises:
        if name not in start.promises:
            continue
        before, after = start.breaks_of(name), now.breaks_of(name)
        if before == after:
            continue
        if before is None or after is None:
            said = f"{name} breaks in {now.month(after)} for the first time" if after is not None else f"{name} holds to the end asked for"
            rows.append((100, said))
        else:
            months = abs(after - before)
            word = f"{months} month{'s' if months != 1 else ''} {'earlier' if after < before else 'later'}"
            rows.append((months, f"{name} breaks its promise {word}"))
    return [said for _, said in sorted(rows, key=lambda row: -row[0])][:3]


def _fleet(start: Answer, now: Answer) -> list[str]:
    """How many more or fewer are needed in the last month."""
    rows = []
    for place, one in now.made.resources.items():
        if place in start.made.resources and one.ours:
            more = now.needed(place, now.last) - start.needed(place, start.last)
            if np.isfinite(more) and abs(more) >= 1:
                rows.append((abs(more), f"{change(more, count)} {one.label} needed"))
    return [said for _, said in sorted(rows, key=lambda row: -row[0])][:3]


# ---- figures ----


def _months(now: Answer) -> list[tuple[float, str]]:
    step = max(1, round(now.last / 4))
    return [(float(m), now.month(m, short=True)) for m in range(0, now.last + 1, step)]


def probability(now: Answer, pinned: Pinned) -> Html:
    """P(every promise holds) by month, of this state and of those pinned."""
    drawn = [Line(name="now", values=now.p, tone=0)]
    drawn += [Line(name=name, values=_fitted(one.p, now.last), tone=i + 1, thin=True) for i, (name, one) in enumerate(pinned)]
    return lines(
        f"P(every promise holds), by month; {percent(now.asked)} asked",
        _months(now),
        np.arange(now.last + 1.0),
        drawn,
        share,
        levels=[Level(name=f"asked {percent(now.asked)}", value=now.asked)],
        top=1.0,
    )


def _fitted(values: np.ndarray, last: int) -> np.ndarray:
    """As many months as the axis has."""
    return np.concatenate([values, np.full(max(0, last + 1 - values.size), np.nan)])[: last + 1]


def response_times(now: Answer, pinned: Pinned) -> Html:
    """The p95 of each journey by month, the promises drawn in; of those pinned the slowest journey's."""
    drawn = [Line(name=name, values=_seen(values), tone=i) for i, (name, values) in enumerate(now.p95_s.items())]
    slow = now.slowest
    for i, (name, one) in enumerate(pinned):
        if slow in one.p95_s:
            drawn.append(Line(name=f"{name} {slow}", values=_fitted(_seen(one.p95_s[slow]), now.last), tone=i + 1, thin=True))
    levels = [Level(name=_promised(journey, s), value=s) for journey, s in _at_once(now.targets_s).items()]
    over = [name for name, values in now.p95_s.items() if not np.isfinite(values).all()]
    more = f"; {listed(over)}: saturated where no line is" if over else ""
    return lines(
        f"p95 of each journey at the peak, median world{more}", _months(now), np.arange(now.last + 1.0), drawn, duration, levels=levels
    )


def _promised(journeys: str, seconds: float) -> str:
    """A promise at its line: with its journeys, where there is room for them."""
    return f"{journeys} ≤ {duration(seconds)}" if len(journeys) <= SHORT else f"≤ {duration(seconds)}"


def _at_once(targets: Mapping[str, float]) -> dict[str, float]:
    """Targets that are the same, once, with the names of all their journeys."""
    found: dict[float, list[str]] = {}
    for journey, value in targets.items():
        found.setdefault(value, []).append(journey)
    return {", ".join(names): value for value, names in found.items()}


def _seen(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan)


def by_load(now: Answer) -> Html:
    """The p95 of the journey nearest to its promise against the load, with the knee."""
    loads, values = now.by_load
    slow, knee = now.slowest, now.knee
    target = now.targets_s.get(slow)
    most = 2 * target if target is not None else None
    peak = float(now.middle.rps[0, 0])
    uprights = [Level(name="today’s peak", value=peak)]
    if np.isfinite(knee.rps) and abs(knee.rps / peak - 1) > 0.02:
        uprights.append(Level(name="first promise breaks", value=knee.rps))
    ticks = [(float(x), number(float(x), 2)) for x in np.linspace(loads[0], loads[-1], 5)]
    where = knee.saturates if any(np.isfinite(v) for v in knee.saturated.values()) else NOWHERE
    return lines(
        f"p95 of {slow} against the load, rps; {where}",
        ticks,
        loads,
        [Line(name=slow, values=_seen(values))],
        duration,
        levels=[Level(name=f"≤ {duration(target)}", value=target)] if target is not None else [],
        uprights=uprights,
        top=most,
    )


def utilization(now: Answer) -> Html:
    """How far everything is used in the last month asked for, against its limit."""
    rows = []
    for place, (used, limit) in sorted(now.used.items(), key=lambda row: -_over(*row[1]))[:MOST_ROWS]:
        text = f"{share(used, 2)} of {share(limit, 2)}" if np.isfinite(used) else "saturated"
        end = min(used, 1.5) if np.isfinite(used) else 1.5
        rows.append(Bar(name=now.made.resources[place].label, text=text, end=end, mark=limit, broken=not used <= limit))
    return bars(f"Used in {now.month(now.last)}, median, of the limit of the plan (the mark)", rows)


def _over(used: float, limit: float) -> float:
    return used / limit if limit > 0 and np.isfinite(used) else np.inf


def waterfall(now: Answer) -> Html:
    """Where the time of a request goes that takes as long as the p95 of the journey nearest to its promise."""
    parts, at, rows = now.parts_s, 0.0, []
    total = sum(parts.values())
    for name, value in parts.items():
        if value > 0.002 * total:
            rows.append(Bar(name=name, text=duration(value), start=at, end=at + value))
        at += value
    target = now.targets_s.get(now.slowest, float("nan"))
    said = f"{duration(total)} of {duration(target)}" if np.isfinite(target) else duration(total)
    rows.append(Bar(name="together", text=said, end=total, mark=target, broken=total > target))
    if not parts:
        return Html(f"<p>{safe(now.slowest)} is saturated at today’s peak: no request has an end to wait for.</p>")
    return bars(f"Where a {now.slowest} request of p95 spends its time today, of what is promised (the mark)", rows)


# ---- tables ----


def fleet(now: Answer) -> Html:
    """What there is, what is needed now and in the last month at the median, and when it runs out."""
    months = {one.place: month for one, month in now.runs_out}
    rows = []
    for place, one in list(now.made.resources.items()):
        month = months[place]
        out = "now" if month == 0 else now.month(month, short=True) if np.isfinite(month) else "–"
        needed = (
            [count(now.needed(place, m)) if np.isfinite(now.needed(place, m)) else "no count" for m in (0, now.last)]
            if one.ours
            else ["–", "–"]
        )
        rows.append((month, [one.label, count(one.count) if one.ours else "–", *needed, out]))
    body = [row for _, row in sorted(rows, key=lambda row: row[0])]
    return _table(
        "Fleet: what utilization limits and a spare ask for, at the median",
        ("", "Stated", "Needed now", f"Needed {now.month(now.last, short=True)}", "Runs out"),
        body[:MOST_ROWS],
    )


def side_by_side(start: Answer, now: Answer, pinned: Pinned) -> Html:
    """The start, the pinned states and this one, a column each."""
    if not pinned:
        return Html("")
    columns = [("start", start), *pinned, ("now", now)]
    last = now.last

    def row(name: str, write: object) -> list[str]:
        return [name, *(write(one) for _, one in columns)]  # type: ignore[operator]

    rows = [
        row("P now", lambda a: percent(float(a.p[0]))),
        row("P lowest", lambda a: percent(float(a.p.min()))),
        row(f"P {now.month(last, short=True)}", lambda a: percent(float(a.p[min(last, a.last)]))),
        row(
            "holds until",
            lambda a: "to the end" if a.breaks is None else "broken now" if a.breaks == 0 else a.month(a.breaks - 1, short=True),
        ),
        row(
            "runs out first",
            lambda a: f"{a.runs_out[0][0].label}, {a.month(a.runs_out[0][1], short=True)}" if np.isfinite(a.runs_out[0][1]) else "–",
        ),
        row("carries", lambda a: rate(a.knee.rps)),
        row("$ a month now", lambda a: short_money(a.cost_usd(0))),
        row(f"$ a month {now.month(last, short=True)}", lambda a: short_money(a.cost_usd(min(last, a.last)))),
    ]
    rows += [
        row(f"{name} p95 now", lambda a, name=name: duration(float(a.p95_s[name][0])) if name in a.p95_s else "–") for name in now.p95_s
    ]
    rows += [
        row(
            "turned",
            lambda a: ", ".join(_turned(p, start.statement, a.statement) for p in _overridden(start.statement, a.statement)) or "–",
        )
    ]
    return _table("Side by side", ("", *(name for name, _ in columns)), rows)


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    head = "".join(f"<th scope=col>{safe(h)}</th>" for h in heads)
    body = "".join(f"<tr><th scope=row>{safe(first)}</th>{''.join(f'<td>{safe(one)}</td>' for one in rest)}</tr>" for first, *rest in rows)
    return Html(f"<table><caption><b>{safe(title)}</b></caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
