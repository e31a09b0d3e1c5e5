"""The calculator: models by themselves, for whoever needs one answer. Numbers are stated with their units, as in a scenario.

Each function answers with a sentence, numbers and a figure. This is the one place that may use `perfplan.models.beyond`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from scipy.interpolate import PchipInterpolator

from perfplan.models.beyond import laws
from perfplan.models.beyond.network import Visited, closed
from perfplan.models.beyond.renewal import GIGc
from perfplan.models.caching import items_in_memory, lru_hit_ratio
from perfplan.models.slo import burn_rate, error_budget_s
from perfplan.models.stations.queueing import MMc, erlang_b, erlang_c
from perfplan.models.stations.scalability import fit_usl
from perfplan.models.stations.service import Shape, Station
from perfplan.quantity import BYTES, COUNT, FRACTION, HOUR, RATIO, RPS, SECONDS, WHOLE, FloatArray, Misread, Quantity
from perfplan.reading import BadScenario, Problem
from perfplan.shown import look
from perfplan.shown.blocks import BODY, Column, Table, bundle
from perfplan.shown.drawing import figure
from perfplan.shown.frames import Rows, frame_of, number_text
from perfplan.stated import parse
from perfplan.subjects.alerts import ALERTS
from perfplan.words import count, duration, number, percent, rate, share, size

MOST_SERVERS = 100_000  # that are tried
POINTS, FEW = 60, 6  # of a curve, and those of them that are solved where that takes long


@dataclass(frozen=True, kw_only=True, repr=False)
class Answer:
    """A sentence, the numbers in it and beside it, what they rest on, and a figure."""

    sentence: str
    numbers: dict[str, str]
    model: str
    figure: go.Figure

    def __repr__(self) -> str:
        return "\n".join([self.sentence, *(f"{name}: {value}" for name, value in self.numbers.items()), self.model])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        rows: Rows = [{"what": name, "value": value} for name, value in self.numbers.items()]
        table = Table(name="", title=self.sentence, subtitle=self.model, frame=frame_of(rows), columns=NUMBERS, stack=1, first=True)
        return bundle(table.html(), BODY)


NUMBERS = (Column("what", "What"), Column("value", "Value", number_text))


def _number(name: str, text: str, quantity: Quantity) -> float:
    """What *text* states; raises `BadScenario` that names the parameter."""
    try:
        return parse(str(text), quantity).mid
    except Misread as error:
        raise _refused(name, str(error)) from None


def _refused(name: str, message: str) -> BadScenario:
    return BadScenario("calculator", [Problem(0, name, message)])


def _steady(load: float, servers: float, name: str) -> None:
    if load >= servers:
        raise _refused(name, f"must be more than the {number(load)} that are busy on average; got {servers:g}")


def _fewest(good: Callable[[FloatArray], Any], least: float, name: str) -> int:
    """The smallest whole number above *least* that is good enough; more is always as good."""
    low, high = int(np.floor(least)), max(int(np.ceil(least)), 1)
    while not bool(np.all(good(np.array(float(high))))):
        if high >= MOST_SERVERS:
            raise _refused(name, f"must be reachable with {MOST_SERVERS:,} servers or fewer")
        low, high = high, min(2 * high, MOST_SERVERS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if bool(np.all(good(np.array(float(middle))))) else (middle, high)
    return high


def _line(fig: go.Figure, x: FloatArray, y: FloatArray, name: str, index: int, unit: str) -> None:
    fig.add_scatter(
        x=[float(v) for v in x],
        y=[float(v) if np.isfinite(v) else None for v in y],
        name=name,
        mode="lines",
        line=dict(color=look.colour(look.SERIES[index]), dash=look.DASHES[index]),
        hovertemplate=f"%{{y:,.3r}}{unit}",
    )


def _lines(fig: go.Figure, x: FloatArray, lines: dict[str, FloatArray], unit: str, top: float = np.inf) -> None:
    """Several lines, each named where it ends or leaves the figure through its *top*."""
    for index, (name, y) in enumerate(lines.items()):
        _line(fig, x, y, name, index, unit)
        shown = np.flatnonzero(np.isfinite(y) & (y <= top) & (y > 0))
        if not shown.size:
            continue
        end = int(shown[-1])
        look.label(fig, _on(fig.layout.xaxis, x[end]), _on(fig.layout.yaxis, y[end]), name, xshift=6)


def _on(axis: Any, value: float) -> float:
    """Where a value stands on an axis, as plotly counts it for labels."""
    return float(np.log10(value)) if axis.type == "log" else float(value)


# ---- the answers ----


def erlang(arrivals: str, holding: str, servers: str, at_most: str) -> Answer:
    """Erlang B and C: who finds all servers busy is turned away, or waits; and how many servers keep that below *at_most*."""
    rps, hold_s = _number("arrivals", arrivals, RPS), _number("holding", holding, SECONDS)
    there, limit = _number("servers", servers, WHOLE), _number("at_most", at_most, FRACTION)
    load = rps * hold_s
    lost, waits = float(erlang_b(load, there)), float(erlang_c(load, there))
    enough_b = _fewest(lambda c: erlang_b(load, c) <= limit, 0.0, "at_most")
    enough_c = _fewest(lambda c: erlang_c(load, c) <= limit, load, "at_most")
    fig = figure(
        f"{count(enough_b)} servers turn at most {share(limit)} away; with {count(enough_c)} at most that wait",
        f"Share that finds all servers busy (%, log scale) against servers, {number(load)} erlang",
        margin=dict(r=90),
    )
    fig.update_layout(yaxis=dict(type="log", ticksuffix=" %", dtick=1), xaxis=dict(nticks=8))
    tried = np.unique(np.round(np.linspace(max(load * 0.7, 1), max(enough_c, there) * 1.15, POINTS)))
    late = 100 * np.where(tried > load, erlang_c(load, tried), np.nan)
    _lines(fig, tried, {"turned away (B)": 100 * erlang_b(load, tried), "waits (C)": late}, " %")
    look.moment(fig, there, f"{count(there)} servers")
    return Answer(
        sentence=f"{number(load)} erlang on {count(there)} servers: {share(lost)} are turned away where nobody may wait, "
        f"{share(waits)} wait where they may",
        numbers={
            "Turned away (Erlang B)": share(lost),
            "Wait (Erlang C)": share(waits),
            f"Servers, at most {share(limit)} turned away": count(enough_b),
            f"Servers, at most {share(limit)} wait": count(enough_c),
        },
        model="Poisson arrivals. Erlang B: holding times of any law; Erlang C: exponential ones. Exact.",
        figure=fig,
    )


def waits(arrivals: str, service: str, servers: str, service_varies: str = "1", arrivals_vary: str = "1") -> Answer:
    """Waits and response times of a queue, from M/M/c to GI/G/c.

    *service_varies*, *arrivals_vary*: standard deviation over mean, of service times and of the gaps between arrivals; 1 is exponential.
    """
    rps, mean_s, there = _number("arrivals", arrivals, RPS), _number("service", service, SECONDS), _number("servers", servers, WHOLE)
    vary, gaps = _number("service_varies", service_varies, RATIO), _number("arrivals_vary", arrivals_vary, RATIO)
    _steady(rps * mean_s, there, "servers")
    make, model = _queue(mean_s, int(there), vary, gaps)
    try:
        here = make(rps)
        tried = there / mean_s * np.linspace(0.05, 0.97, POINTS)
        lines = {f"p{100 * p:g}": 1e3 * _by_load(make, p, tried, there / mean_s, POINTS if gaps == 1 else FEW) for p in (0.5, 0.95, 0.99)}
    except ValueError as error:
        raise _refused("service_varies, arrivals_vary", str(error)) from None
    p50, p95, p99 = (float(here.response_quantile_s(p)) for p in (0.5, 0.95, 0.99))
    used = rps * mean_s / there
    fig = figure(
        f"At {rate(rps)} the servers are {share(used)} used: p95 {duration(p95)}",
        "Response time (ms) against arrivals per second",
        margin=dict(r=60),
    )
    top = 4e3 * max(p99, mean_s)
    fig.update_layout(yaxis=dict(range=[0, top], ticksuffix=" ms"), xaxis=dict(ticksuffix=" rps", nticks=6, rangemode="tozero"))
    _lines(fig, tried, lines, " ms", top)
    look.moment(fig, rps, f"{number(rps)} a second", high=True)
    return Answer(
        sentence=f"{share(float(here.prob_wait))} wait, {duration(float(here.mean_wait_s))} on average over all; "
        f"95 of 100 are answered within {duration(p95)}",
        numbers={
            "Response p50 / p95 / p99": f"{duration(p50)} / {duration(p95)} / {duration(p99)}",
            "P(wait)": share(float(here.prob_wait)),
            "Mean wait": duration(float(here.mean_wait_s)),
            "Utilization": share(used),
        },
        model=model,
        figure=fig,
    )


def _by_load(make: Callable[[float], Any], p: float, tried: FloatArray, full_rps: float, points: int) -> FloatArray:
    """A percentile of the response at the loads *tried*, solved at *points* of them: between, it is smooth times the distance to full."""
    known = tried if points >= tried.size else np.linspace(tried[0], tried[-1], points)
    solved = np.array([float(make(float(x)).response_quantile_s(p)) for x in known]) * (1 - known / full_rps)
    return np.asarray(PchipInterpolator(known, solved)(tried) / (1 - tried / full_rps))


def _queue(mean_s: float, servers: int, vary: float, gaps: float) -> tuple[Callable[[float], Any], str]:
    """A queue by its arrival rate, and what its numbers rest on."""
    if gaps == 1 and vary == 1:
        return lambda rps: MMc(arrival_rps=rps, service_s=mean_s, servers=servers), "M/M/c, first come first served: exact."
    sigma = float(np.sqrt(np.log1p(vary**2)))
    if gaps == 1:
        shape = Shape.lognormal(sigma)
        law = "M/G/c, lognormal service times: one server exact; several within 4 % of simulations, 13 % where they vary 2 to 3 times"
        return lambda rps: Station(arrival_rps=rps, service_s=mean_s, servers=servers, shape=shape, scv=vary**2), f"{law}."
    service = laws.exponential(mean_s) if vary == 1 else laws.lognormal(mean_s, vary**2)
    law = "GI/G/c, gaps of a gamma law, lognormal service times (exponential at 1)"
    return lambda rps: GIGc(laws.gamma(1 / rps, gaps**2), service, servers), f"{law}: one server exact, several by fitted phases."


def scaling(loads: Sequence[float], throughputs: Sequence[float]) -> Answer:
    """The universal scalability law through measured points: contention, coherency, and the load of the highest throughput."""
    try:
        found = fit_usl(np.asarray(loads, dtype=float), np.asarray(throughputs, dtype=float))
    except ValueError as error:
        raise _refused("loads, throughputs", str(error)) from None
    most = found.peak_load
    ends = f"falls beyond {number(most)}, at {number(found.peak_throughput)} a second" if np.isfinite(most) else "never falls"
    fig = figure(f"Throughput {ends}", "Throughput (1/s) against load; points as measured, line as fitted", margin=dict(r=60))
    x = np.linspace(0.0, 1.5 * max(max(loads), min(most, 3 * max(loads))), POINTS)
    _line(fig, x, found.throughput(x), "fitted", 0, "/s")
    fig.add_scatter(x=list(loads), y=list(throughputs), mode="markers", name="measured", marker=dict(color=look.colour("orange"), size=9))
    fig.update_layout(xaxis=dict(rangemode="tozero"), yaxis=dict(rangemode="tozero"))
    halves = [f" ± {number(h)}" if np.isfinite(h) else "" for h in found.half_width]
    return Answer(
        sentence=f"Throughput {ends}; {share(found.alpha)} of the work is done by one at a time",
        numbers={
            "Contention (alpha)": f"{number(found.alpha)}{halves[0]}",
            "Coherency (beta)": f"{number(found.beta)}{halves[1]}",
            "Throughput of one (gamma)": f"{number(found.gamma)}{halves[2]}",
            "Highest throughput at": number(most) if np.isfinite(most) else "no load",
        },
        model=f"Gunther's law by least squares; ± half of the 95 % interval. {found.remark}".strip(),
        figure=fig,
    )


def cache(items: str, item: str, memory: str, skew: str = "0.9") -> Answer:
    """Hit ratio of an LRU cache by its memory; *skew*: exponent of Zipf's law of popularity."""
    there, each = _number("items", items, COUNT), _number("item", item, BYTES)
    held, exponent = _number("memory", memory, BYTES), _number("skew", skew, RATIO)
    tried = np.geomspace(each, max(there * each, 2 * held), POINTS)
    hits = [float(lru_hit_ratio(there, exponent, items_in_memory(m, each, 1))) for m in tried]
    here, twice = (float(lru_hit_ratio(there, exponent, items_in_memory(times * held, each, 1))) for times in (1, 2))
    fig = figure(f"{size(held)} hits {share(here)}; twice as much {share(twice)}", "Hit ratio (%) against memory (log scale)")
    fig.update_layout(xaxis=dict(type="log", ticksuffix=" MB", dtick=1), yaxis=dict(range=[0, 102], ticksuffix=" %"))
    fig.add_scatter(
        x=[float(m) / 1e6 for m in tried], y=[100 * h for h in hits], mode="lines", name="hit ratio", hovertemplate="%{y:.1f} %"
    )
    look.moment(fig, held / 1e6, size(held))
    return Answer(
        sentence=f"{size(held)} holds {share(min(float(items_in_memory(held, each, 1)) / there, 1.0))} of all items and hits {share(here)}",
        numbers={"Hit ratio": share(here), "With twice the memory": share(twice), "All items": size(there * each)},
        model="LRU, Zipf popularity, independent requests (Che's characteristic time): within a hundredth for caches of useful size.",
        figure=fig,
    )


def pool(calls: str, hold: str, wait_at_most: str, of_calls: str = "99%") -> Answer:
    """The smallest pool in which a share *of_calls* waits no longer than *wait_at_most* for a connection."""
    rps, hold_s = _number("calls", calls, RPS), _number("hold", hold, SECONDS)
    limit_s, p = _number("wait_at_most", wait_at_most, SECONDS), _number("of_calls", of_calls, FRACTION)

    def wait_s(connections: FloatArray) -> FloatArray:
        return np.asarray(MMc(arrival_rps=rps, service_s=hold_s, servers=connections).wait_quantile_s(p))

    enough = _fewest(lambda c: wait_s(c) <= limit_s, rps * hold_s, "wait_at_most")
    longest = duration(float(wait_s(np.array(float(enough)))))
    tried = np.arange(int(rps * hold_s) + 1, int(1.3 * enough) + 3, dtype=float)
    fig = figure(f"{count(enough)} connections are enough", f"{percent(p)} of calls wait no longer than (ms), against connections")
    _line(fig, tried, 1e3 * wait_s(tried), "wait", 0, " ms")
    look.threshold(fig, 1e3 * limit_s, duration(limit_s))
    look.moment(fig, enough, count(enough))
    fig.update_layout(yaxis=dict(range=[0, 6e3 * limit_s], ticksuffix=" ms"), xaxis=dict(nticks=8))
    return Answer(
        sentence=f"{count(enough)} connections: {percent(p)} of calls wait at most {longest} for one",
        numbers={
            "Connections": count(enough),
            "Busy on average": number(rps * hold_s),
            "Utilization": share(rps * hold_s / enough),
        },
        model="M/M/c: exact for exponential hold times. One pool; the same connections in separate pools wait longer.",
        figure=fig,
    )


def budget(availability: str, window: str = "30d") -> Answer:
    """The error budget of an availability, and the burn rates at which it is told."""
    target, window_s = _number("availability", availability, FRACTION), _number("window", window, SECONDS)
    if target >= 1:
        raise _refused("availability", f"must be less than 100%, as nothing never fails; got {availability}")
    left_s = float(error_budget_s(target, window_s))
    rates = [(one.spent, one.hours, one.urgency, float(burn_rate(one.spent, one.hours * HOUR, window_s))) for one in ALERTS]
    fig = figure(
        f"{share(target)} allows {duration(left_s)} of failure in {duration(window_s)}",
        "Minutes until an alert fires (log scale) against the share of requests that fail (%, log scale)",
        margin=dict(r=110),
    )
    fig.update_layout(xaxis=dict(type="log", ticksuffix=" %", dtick=1), yaxis=dict(type="log", ticksuffix=" min", dtick=1))
    bad = np.geomspace(1 - target, 1.0, POINTS)
    allowed, lines = 1 - target, {}
    for _, hours, urgency, factor in rates:
        lines[f"{urgency}, {hours} h"] = np.where(bad >= factor * allowed, 60 * hours * factor * allowed / bad, np.nan)
    _lines(fig, 100 * bad, lines, " min")
    return Answer(
        sentence=f"{share(target)} over {duration(window_s)} allows {duration(left_s)} of full outage",
        numbers={"Error budget": duration(left_s)} | {_alert(*row[:3]): _burns(row[3], allowed) for row in rates},
        model="Burn rate = share spent x window / alert window (The Site Reliability Workbook, chapter 5).",
        figure=fig,
    )


def _alert(spent: float, hours: int, urgency: str) -> str:
    return f"{urgency.capitalize()}: {share(spent)} in {hours} h"


def _burns(factor: float, allowed: float) -> str:
    return f"burn rate {number(factor)}{', never fires' if factor * allowed >= 1 else ''}"


def users(online: str, think: str, service: str, servers: str = "1") -> Answer:
    """Users who wait for an answer, think, and ask again: a closed system."""
    there, think_s = _number("online", online, WHOLE), _number("think", think, SECONDS)
    service_s, each = _number("service", service, SECONDS), _number("servers", servers, WHOLE)
    if there > MOST_USERS:
        raise _refused("online", f"must be at most {MOST_USERS:,}, as each is followed; got {online}")
    station = (Visited(service_s=service_s, servers=int(each)),)
    here = closed(station, int(there), think_s)
    tried = np.unique(np.round(np.linspace(1, 1.5 * there, 25))).astype(int)
    found = [closed(station, int(n), think_s) for n in tried]
    bound = (think_s + service_s) * each / service_s
    fig = figure(
        f"{count(there)} users get {rate(here.throughput_rps)}, and {duration(here.mean_response_s)} for each answer",
        f"Throughput (1/s) against users; beyond {number(bound)} users the servers are the limit",
    )
    _line(fig, tried.astype(float), np.array([one.throughput_rps for one in found]), "throughput", 0, "/s")
    look.threshold(fig, each / service_s, f"most {number(each / service_s)}")
    look.moment(fig, there, f"{count(there)} users")
    fig.update_layout(yaxis=dict(rangemode="tozero"), xaxis=dict(rangemode="tozero"))
    return Answer(
        sentence=f"{count(there)} users ask {rate(here.throughput_rps)} and wait {duration(here.mean_response_s)} for an answer on average",
        numbers={
            "Throughput": rate(here.throughput_rps),
            "Mean response": duration(here.mean_response_s),
            "Utilization": share(here.throughput_rps * service_s / each),
            "Users at which servers become the limit": number(bound),
        },
        model="Exact product form (convolution), exponential service times, thinking of any law.",
        figure=fig,
    )


MOST_USERS = 2_000
