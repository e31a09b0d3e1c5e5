"""Options in the same worlds, and what each input moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from perfplan.quantity import median
from perfplan.scenario import Option
from perfplan.shown import look
from perfplan.shown.blocks import Column, Table
from perfplan.shown.drawing import figure, short
from perfplan.shown.frames import (
    Below,
    frame_of,
    more_dollars,
    more_months,
    of_field,
)
from perfplan.study import Fleet, Study, Tried, Way, confidence, once
from perfplan.study.options import HARDWARE, PLAN, SECOND
from perfplan.study.remedy import all_of
from perfplan.words import (
    capital,
    change,
    count,
    listed,
    money,
    number,
    percent,
    share,
    weeks,
)


def _effort(value: float) -> str:
    return weeks(value) if value else "–"


def _milliseconds(value: float) -> str:
    return change(round(value * 1e3, 1))


def _whole_months(value: float) -> str:
    return change(value, count)


@once
def options(study: Study) -> Table:
    """Options in the same worlds: what is enough first, the cheapest first."""
    asked = confidence(study.scenario)
    return Table(
        name="options",
        title=_title(study, asked),
        subtitle=f"Planned in the same worlds. P: every promise holds in {study.named(study.last)}; "
        f"months gained until P falls below {percent(asked)}; ms: mean over journeys of p95 at today's load. Hollow bars: less "
        "than asked for.",
        frame=frame_of([_option(one) for one in study.options]),
        columns=(
            Column("option", "Option"),
            Column("p_all", f"P {study.named(study.last, short=True)}", percent, bar=True, hollow=Below(asked)),
            Column("months_gained", "Months gained", _whole_months),
            Column("p95_change_s", "p95, ms", _milliseconds),
            Column("total_usd", f"$ to {study.named(study.last, short=True)}", more_dollars),
            Column("cost_change_usd", "$ per month", more_dollars),
            of_field(Option, "effort_s", _effort),
            Column("by", "From"),
        ),
        stack=3,
        first=True,
    )


def _option(one: Tried) -> dict[str, Any]:
    return {
        "option": one.name,
        "p_all": one.p_all,
        "months_gained": one.months_gained,
        "p95_change_s": one.p95_change_s,
        "cost_change_usd": one.cost_change_usd,
        "price_usd": one.price_usd,
        "effort_s": one.effort_s,
        "lead_time_s": one.lead_time_s,
        "by": one.by,
        "total_usd": one.total_usd,
    }


def _title(study: Study, asked: float) -> str:
    """What options reach alone."""
    stated = [one for one in study.options if one.by in ("stated", "proposed")]
    nothing = next(one for one in study.options if not one.by)
    best = max(stated, key=lambda one: (one.p_lowest, -one.total_usd), default=nothing)
    if nothing.p_lowest >= asked:
        return "Nothing has to be done: no option is needed"
    if best.p_lowest >= asked:
        return f"{capital(best.name)} alone keeps {percent(best.p_lowest)} in every month from when it works"
    if best.p_lowest <= nothing.p_lowest:
        return "No option alone helps in the month that is worst"
    return f"No option alone reaches {percent(asked)}; {best.name} comes nearest, with {percent(best.p_lowest)} in the worst month"


SENSITIVITIES = (
    Column("input", "Input"),
    Column("months", "Months", more_months, bar=True),
    Column("cost_usd", "$ per month", more_dollars),
)


@once
def sensitivities(study: Study) -> Table:
    """What each uncertain input moves."""
    top, title = study.moved[0] if study.moved else None, "No uncertain input moves the date of the first broken promise"
    if top and top.months:
        title = f"{top.path} moves the first broken promise most: measure it again first"
    return Table(
        name="sensitivities",
        title=title,
        subtitle="Mean over worlds where the input is in its upper third, less its lower third (– : within sampling error): "
        f"months until a promise breaks, and cost in {study.named(study.last)}.",
        frame=frame_of([{"input": m.path, "months": m.months, "cost_usd": m.cost_usd} for m in study.moved], SENSITIVITIES),
        columns=SENSITIVITIES,
    )


WAYS = (
    Column("way", "Way"),
    Column("what", "Buys and does"),
    Column("p", "P lowest month", percent, bar=True),
    Column("together", "P all months", percent),
    Column("usd", "$ in all", more_dollars),
    Column("monthly_usd", "$ per month then", more_dollars),
)


@once
def ways(study: Study) -> Table:
    """The plan beside what it was chosen from: the best with other options, counts alone, and the cheapest ways to other probabilities."""
    fleet, asked, end = study.fleet, confidence(study.scenario), study.named(study.last)
    rows = [_way(study, name, way) for name, way in _named_ways(study)]
    return Table(
        name="ways",
        detail=True,
        title=_chosen(study),
        subtitle=f"{_judged_in(study.worlds.rps.shape[0])} In all: dollars beyond the bill of today's fleet until {end}, with the prices "
        f"of options{' and their effort at the day rate' if _priced(study) else '; effort is not priced'}. "
        f"P is asked to be {percent(asked)} in every month; all months: that no month breaks a promise. {_kept(study)}"
        f"{_not_searched(fleet)}",
        frame=frame_of(rows, WAYS),
        columns=WAYS,
    )


def _judged_in(worlds: int) -> str:
    """Where each way was judged."""
    if worlds == 1:
        return "Nothing is uncertain: one world says all."
    return f"Each judged in the {count(worlds)} worlds of the plan, not in those that it was searched in."


def _named_ways(study: Study) -> list[tuple[str, Way]]:
    """The ways that are told apart, the plan first."""
    fleet, found = study.fleet, list[tuple[str, Way]]()
    others = [(f"on the way to {percent(way.p)}", way) for way in fleet.frontier]
    for name, way in ((PLAN, fleet.way), (SECOND, fleet.second), (HARDWARE, fleet.hardware), *others):
        if way is not None and all(way.orders != known.orders for _, known in found):
            found.append((name, way))
    return found


def _way(study: Study, name: str, way: Way) -> dict[str, Any]:
    return {
        "way": name,
        "what": all_of(study, way.orders) or "nothing",
        "p": way.p,
        "together": way.together,
        "usd": way.usd,
        "monthly_usd": way.monthly_usd,
    }


def _chosen(study: Study) -> str:
    """What was chosen, whether it is the cheapest, and what the cheapest with other options costs more."""
    fleet, asked = study.fleet, confidence(study.scenario)
    if fleet.way is None or not fleet.way.orders:
        return f"Nothing has to be bought or done for {percent(asked)}"
    usd = money(fleet.way.usd) if fleet.way.usd >= 1 else "no money"
    how = "the cheapest way" if not fleet.gap and not fleet.hindered else "the cheapest way that was found"
    how += f", at most {share(fleet.gap, 1)} from the best," if fleet.gap and not fleet.hindered else ""
    second = fleet.second.usd - fleet.way.usd if fleet.second else 0.0
    other = f"; the cheapest with other options costs {f'{money(second)} more' if second >= 1 else 'as much'}" if fleet.second else ""
    if fleet.second and fleet.way.monthly_usd - fleet.second.monthly_usd >= 1:
        months = second / (fleet.way.monthly_usd - fleet.second.monthly_usd)
        other += f" until then, and less a month then: it has paid back after {number(max(months, 0.0), 2)} months more"
    return f"{capital(usd)} is {how} to {percent(asked)}{other}"


def _priced(study: Study) -> bool:
    return bool(median(study.scenario.day_rate_usd)) or not any(median(o.effort_s) for o in study.scenario.options.values())


def _kept(study: Study) -> str:
    """What limits that are kept beside promises cost, where it was computed."""
    fleet = study.fleet
    rows = (("Utilization limits cost", fleet.limits_usd, " of it"), ("One node to spare of each costs", fleet.spare_usd, " of it"))
    return "".join(f"{what} {f'{money(usd)}{of}' if usd >= 1 else 'nothing more'}. " for what, usd, of in rows if usd is not None)


def _not_searched(fleet: Fleet) -> str:
    late = f"; {listed(list(fleet.unsearched))} would come too late" if fleet.unsearched else ""
    alone = f"; {listed(list(fleet.apart))} may hurt, and were searched by themselves" if fleet.apart else ""
    hurts = (
        f"; more {listed([place.words for place in fleet.hindered])} would hurt some worlds: nothing is proven" if fleet.hindered else ""
    )
    never = "fewer of anything than today, discounts for commitment, sizes of nodes other than of databases, and memory"
    return f"Not searched: {never}{late}{alone}{hurts}."


# ---- figures ----


def frontier(study: Study) -> go.Figure:
    """P of the lowest month against dollars to the last month asked for: the cheapest ways as a line, options alone as marks."""
    asked, fleet, then = confidence(study.scenario), study.fleet, study.named(study.last)
    line = sorted({(way.usd, 100 * way.p) for way in (*fleet.frontier, *([fleet.way] if fleet.way else []))})
    alone = [(t.total_usd, 100 * t.p_lowest, t.name) for t in study.options if t.by != "search"]
    marks = [(way.usd, 100 * way.p, name) for name, way in _named_ways(study) if not name.startswith("on the way")]
    fig = figure(
        _chosen(study),
        f"P(every promise holds) in the lowest month against dollars until {then}, beyond today’s bill. Line: the cheapest ways that the "
        "search found; squares: one option alone",
        height=380,
        margin=dict(t=28, r=30),
    )
    fig.add_scatter(
        x=[usd for usd, _ in line],
        y=[p for _, p in line],
        mode="lines+markers",
        line=dict(color=look.colour("ink"), width=2, shape="hv"),
        marker=dict(size=7),
        hovertemplate="%{x:,.0f} USD: %{y:.1f} %<extra></extra>",
    )
    fig.add_scatter(
        x=[usd for usd, *_ in alone],
        y=[p for _, p, _ in alone],
        mode="markers",
        marker=dict(color=look.colour("blue"), size=10),
        text=[short(name, 40) for *_, name in alone],
        hovertemplate="%{text}: %{y:.0f} %<extra></extra>",
    )
    fig.add_scatter(
        x=[usd for usd, *_ in marks],
        y=[p for _, p, _ in marks],
        mode="markers",
        marker=dict(color=look.colour("orange"), size=12, symbol="diamond"),
        text=[name for *_, name in marks],
        hovertemplate="%{text}: %{y:.1f} %<extra></extra>",
    )
    costs = [*(usd for usd, _ in line), *(usd for usd, _, _ in alone), *(usd for usd, _, _ in marks)]
    room = max(max(costs) - min(costs), 1.0)
    _name(fig, [*marks, *sorted(alone, key=lambda row: -row[1])], room, 100 * asked)
    look.threshold(fig, 100 * asked, f"asked for: {percent(asked)}", side="top", right=True)
    fig.update_layout(
        xaxis=dict(range=[min(costs) - 0.25 * room, max(costs) + 0.35 * room], ticksuffix=" USD", nticks=6),
        yaxis=dict(range=[-4, 108], ticksuffix=" %"),
        hovermode="closest",
    )
    return fig


LETTER = 0.012  # of the range of dollars that is shown, wide, is as wide as a letter
LINE = 7.0  # per cent of P are as high as a line


def _name(fig: go.Figure, marks: Sequence[tuple[float, float, str]], room: float, line: float) -> None:
    """Names beside marks, under them and under *line*: on the right where no mark and no name is, else on the left, else none."""
    taken = [(usd, usd, p) for usd, p, _ in marks]
    for usd, p, name in marks:
        text = short(name, 30)
        gap, wide = LETTER * room, LETTER * room * (len(text) + 1)
        for start, end, side in ((usd + gap, usd + wide, "left"), (usd - wide, usd - gap, "right")):
            if all(end < low or high < start or abs(p - y) > LINE for low, high, y in taken):
                shift = 9 if side == "left" else -9
                look.label(fig, usd, p, text, "wide", xanchor=side, xshift=shift, yshift=-17 if 0 < p - line < LINE else -9)
                taken.append((start, end, p))
                break


def tornado(study: Study) -> go.Figure:
    """What each uncertain input moves, in months of the first broken promise."""
    rows = [m for m in study.moved if abs(m.months) > 0.05][:10][::-1]
    fig = figure(
        f"{study.moved[0].path} decides the date: measure it again first"
        if rows
        else "No uncertain input moves the date of the first broken promise",
        "Months by which the first broken promise moves between the upper and the lower third of each input; left: earlier when "
        "the input is high",
        height=36 * max(len(rows), 1) + 70,
        margin=dict(r=60),
    )
    if rows:
        names = [short(m.path, 30) for m in rows]
        fig.add_bar(
            y=names, x=[m.months for m in rows], orientation="h", marker=dict(color=look.colour("blue")), hovertemplate="%{x:.1f} months"
        )
        for name, m in zip(names, rows, strict=True):
            look.label(
                fig,
                m.months,
                name,
                f"{m.months:+.1f}".replace("-", "−"),
                xanchor="left" if m.months > 0 else "right",
                xshift=6 if m.months > 0 else -6,
            )
        wide = 1.35 * max(abs(m.months) for m in rows)
        fig.update_layout(xaxis=dict(range=[-wide, wide], ticksuffix=" months"), yaxis=dict(showgrid=False), hovermode="closest")
    else:
        fig.update_layout(xaxis=dict(visible=False), yaxis=dict(visible=False))
    return fig
