"""What tiers with servers of their own share: how service times spread, and cores that requests share and hinder each other on."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Annotated, Any, Protocol, cast

import numpy as np

from perfplan.models.simulate import Draw, Free, Seize, Share, Spend
from perfplan.models.stations.scalability import Crew
from perfplan.models.stations.service import Served, Shape
from perfplan.models.times.distributions import Exponential, Lognormal
from perfplan.models.times.frequencies import Distribution
from perfplan.quantity import Ratio, Seconds, Value, median
from perfplan.record import Text, field, hidden, record
from perfplan.tiers.kind import FixedProblem, Steps

File = Annotated[str, Text(name="file below the scenario's folder", example="traffic.csv")]
WIDEST = 100  # p99 over p50
Z99 = 2.3263478740408408  # a normal law is below it with 99 %
MOST_HINDERED = 400  # cores whose hindrance is solved


@record
class ServiceLaw:
    """How service times spread round their mean: by samples, by two percentiles, or by their variation."""

    samples: File | None = field(
        "CSV or CSV.xz with a column `seconds`: times of single requests at an idle server; gives the mean too where it is not stated",
        optional=True,
    )
    p50_s: Seconds | None = field("half are shorter; with p99, taken for a lognormal", optional=True, least="1us", most="1h")
    p99_s: Seconds | None = field("99 of 100 are shorter", optional=True, least="1us", most="1h")
    variation: Ratio | None = field(
        "standard deviation over mean, taken for a lognormal: 0.1 is nearly constant, 1 varies like an exponential time, 2 is bursty",
        optional=True,
        least="0.01",
        most="10",
    )
    shape: Any = hidden()  # of the samples


def hyperthread_gain() -> Any:
    """The field of a tier with cores."""
    return field(
        "work that the second hyper-thread of a core adds to that of the first, where these are hyper-threads, as most of a "
        "cloud's are; 100%: whole cores",
        "100%",
        reason="service times are then those of a busy core; state 20% to 40% where they were taken at an idle one",
    )


def contention() -> Any:
    """The field of a tier with cores."""
    return field(
        "part of its work that only one core can do at a time (universal scalability law): with 3% 16 cores do the work of 11",
        "0%",
        reason="none until a load test shows it",
    )


def coherency() -> Any:
    """The field of a tier with cores."""
    return field(
        "what each core loses to telling each other one (universal scalability law): with 0.1% more than 31 cores do less",
        "0%",
        reason="none until a load test shows it",
    )


class Works(Protocol):
    """A tier whose servers do work of their own."""

    @property
    def service_time_s(self) -> Value:
        """Mean work on one call."""

    @property
    def service(self) -> ServiceLaw | None:
        """How it spreads."""


class Shares(Works, Protocol):
    """A tier whose servers may be cores that requests share."""

    @property
    def discipline(self) -> str:
        """`ps` or `fcfs`."""

    @property
    def hyperthread_gain(self) -> Value:
        """Work that a second hyper-thread adds."""

    @property
    def contention(self) -> Value:
        """Part of the work that one core does at a time."""

    @property
    def coherency(self) -> Value:
        """What cores lose to telling each other."""


def shape_of(tier: Works) -> Shape | None:
    """How the service times of *tier* spread; None: exponential. One shape for all worlds: their mean is what differs."""
    law = tier.service
    if law is None:
        return None
    if law.shape is not None:
        return cast(Shape, law.shape)
    if law.variation is not None:
        return _lognormal(float(np.sqrt(np.log1p(median(law.variation) ** 2))))
    assert law.p50_s is not None
    assert law.p99_s is not None
    return _lognormal(float(Lognormal.through(median(law.p50_s), median(law.p99_s)).sigma))


_lognormal = functools.lru_cache(maxsize=64)(Shape.lognormal)


def own_work(tier: Works) -> Distribution:
    """The time of a server of *tier* for one call."""
    shape = shape_of(tier)
    return Exponential(mean_s=tier.service_time_s) if shape is None else Served(mean_s=tier.service_time_s, shape=shape)


def shares(tier: Shares) -> bool:
    """Whether all requests at *tier* share its threads or cores at once."""
    return tier.discipline == "ps"


def crew_of(tier: Shares, servers: Value) -> Crew | None:
    """The *servers* that requests to *tier* share, where they hinder each other."""
    crew = Crew(servers, tier.contention, tier.coherency, tier.hyperthread_gain)
    return None if crew.independent or not shares(tier) else crew


def law_problems(tier: Works) -> Iterator[FixedProblem]:
    """What is wrong with how its service times are stated."""
    law = tier.service
    if law is None:
        return
    ways = [law.samples is not None, law.p50_s is not None or law.p99_s is not None, law.variation is not None]
    if sum(ways) != 1 or (law.p50_s is None) != (law.p99_s is None):
        yield "service", "must be given one way: samples, or p50 with p99, or variation (with service_time)"
    elif law.p50_s is not None and law.p99_s is not None:
        for _, what in percentile_problems(law.p50_s, law.p99_s):
            yield "service.p99", what


def stated_answer(p50_s: Value, p99_s: Value) -> Lognormal:
    """The answer of a server of somebody else, by the percentiles it states."""
    return Lognormal.through(p50_s, p99_s)


def simulated_answer(p50_s: Value, p99_s: Value) -> Spend:
    """The same in the simulator: 2.33 standard deviations of the logarithm lie between its median and its 99th percentile."""
    p50, p99 = median(p50_s), median(p99_s)
    return Spend(Draw.lognormal(p50, float(np.log(p99 / p50) / Z99)))


def percentile_problems(p50_s: Value, p99_s: Value) -> Iterator[FixedProblem]:
    """What is wrong with two percentiles of one law."""
    if p99_s <= p50_s:
        yield "p99", f"must be more than its p50; got {p99_s * 1e3:g}ms against {p50_s * 1e3:g}ms"
    elif p99_s > WIDEST * p50_s:
        yield "p99", too_wide(p50_s, p99_s)


def too_wide(p50_s: Value, p99_s: Value) -> str:
    """What is said of percentiles further apart than WIDEST."""
    return (
        f"must be at most {WIDEST} times its p50, to be believed as one law; got {p99_s * 1e3:g}ms against {p50_s * 1e3:g}ms (two "
        "kinds of calls? make two tiers)"
    )


def crew_problems(tier: Shares, servers: Value, name: str) -> Iterator[FixedProblem]:
    """What is wrong with how its *servers*, stated in the field *name*, hinder each other."""
    hinder = [
        f
        for f, given, none in (
            ("hyperthread_gain", tier.hyperthread_gain, 1),
            ("contention", tier.contention, 0),
            ("coherency", tier.coherency, 0),
        )
        if given != none
    ]
    if hinder and tier.discipline != "ps":
        yield hinder[0], "is about cores that requests share; state discipline: ps, or leave it out"
    elif hinder and servers > MOST_HINDERED:
        yield name, f"must be at most {MOST_HINDERED} where cores hinder each other ({hinder[0]}); got {servers:g}"


# ---- in the simulator ----


def simulated_work(tier: Works) -> Draw:
    """The time of a server for one call, at the median."""
    shape, mean = shape_of(tier), median(tier.service_time_s)
    if shape is None:
        return Draw.exponential(mean)
    order = np.argsort(shape.nodes)
    places = np.searchsorted(np.cumsum(shape.weights[order]), (np.arange(100_000) + 0.5) / 100_000)
    return Draw.samples(shape.nodes[order][np.minimum(places, order.size - 1)] * mean)


def on(tier: Shares, pool: str) -> Steps:
    """Its work, by its discipline."""
    return (Share(pool, simulated_work(tier)),) if shares(tier) else at(pool, simulated_work(tier))


def at(pool: str, law: Draw) -> Steps:
    """A server of a pool to oneself, for a time."""
    return (Seize(pool), Spend(law), Free(pool))
