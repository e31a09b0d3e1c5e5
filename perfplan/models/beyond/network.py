"""Networks of stations with a product form: closed ones by convolution or mean value analysis, open ones by Jackson's theorem.

Stations are first come first served with exponential service, or processor sharing; *servers* of None is a delay. Demands
are service time x visits.

References
----------
Lazowska, Zahorjan, Graham, Sevcik: Quantitative System Performance, 1984, ch. 6, 7 and 8 (exact and Schweitzer's MVA).
Buzen: Computational algorithms for closed queueing networks with exponential servers, Commun. ACM 16 (1973) (convolution).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perfplan.models.beyond.numbers import Rps, Seconds
from perfplan.models.stations.queueing import MMc
from perfplan.quantity import FloatArray

MOST_STEPS = 100_000  # of an iteration that usually takes a few hundred


@dataclass(frozen=True, kw_only=True)
class Visited:
    """A station of a network as a request meets it."""

    service_s: float  # of one visit
    visits: float = 1.0
    servers: int | None = 1  # None: a delay, nobody waits

    def __post_init__(self) -> None:
        for name in ("service_s", "visits"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be a finite number, 0 or more; got {value}")
        if self.servers is not None and not (math.isfinite(self.servers) and self.servers >= 1 and self.servers == int(self.servers)):
            raise ValueError(f"servers must be a whole number, 1 or more, or None for a delay; got {self.servers}")

    @property
    def demand_s(self) -> float:
        """Service of a request in all its visits."""
        return self.service_s * self.visits


@dataclass(frozen=True, kw_only=True)
class Closed:
    """Answers of a closed network: throughput, and response and number at each station."""

    throughput_rps: float
    residence_s: FloatArray  # (stations,): all visits of a request
    mean_number: FloatArray  # (stations,)

    @property
    def mean_response_s(self) -> float:
        """Of a request, without thinking."""
        return float(self.residence_s.sum())


def closed(stations: Sequence[Visited], customers: int, think_s: Seconds = 0.0) -> Closed:
    """The exact product form of one class, by convolution of the stations' weights in logarithms.

    Mean value analysis loses all digits for several servers near saturation (a probability is found as a difference); here
    only positive numbers are added. Work: stations x customers squared.

    >>> machines = closed([Visited(service_s=1.0)], 1, think_s=4.0)
    >>> round(machines.throughput_rps, 12)
    0.2
    """
    _refuse_senseless(customers, think_s, sum(s.demand_s for s in stations))
    customers = int(customers)
    if not customers:
        return _empty(stations)
    thinking = Visited(service_s=think_s, servers=None)
    weights = [_log_weights(s, customers) for s in (*stations, thinking)]
    before = list(itertools.accumulate(weights, _convolve, initial=_nobody(customers)))
    after = list(itertools.accumulate(reversed(weights), _convolve, initial=_nobody(customers)))[::-1]
    whole = before[-1]
    throughput = math.exp(whole[customers - 1] - whole[customers])
    n = np.arange(customers + 1)
    number = np.array(
        [float((n * np.exp(weights[i] + _convolve(before[i], after[i + 1])[::-1] - whole[customers])).sum()) for i in range(len(stations))]
    )
    return Closed(throughput_rps=throughput, residence_s=number / throughput, mean_number=number)


def _refuse_senseless(customers: int, think_s: Seconds, demand_s: float) -> None:
    if not math.isfinite(customers) or customers < 0 or customers != int(customers):
        raise ValueError(f"customers must be a whole number, 0 or more; got {customers}")
    if not (math.isfinite(think_s) and think_s >= 0):
        raise ValueError(f"think_s must be a finite time, 0 or more; got {think_s}")
    if demand_s + think_s == 0:
        raise ValueError("some station, or thinking, must take time; a circle that takes none has no throughput")


def _empty(stations: Sequence[Visited]) -> Closed:
    """Nobody: no throughput; the first to come would meet no queue."""
    return Closed(throughput_rps=0.0, residence_s=np.array([s.demand_s for s in stations]), mean_number=np.zeros(len(stations)))


def _nobody(customers: int) -> FloatArray:
    return np.where(np.arange(customers + 1) == 0, 0.0, -np.inf)


def _log_weights(station: Visited, customers: int) -> FloatArray:
    """log of prod_(i <= n) demand / min(i, c) for n = 0 .. customers."""
    n = np.arange(1, customers + 1)
    if station.demand_s == 0:
        return _nobody(customers)
    served = n if station.servers is None else np.minimum(n, station.servers)
    return np.concatenate([[0.0], np.cumsum(np.log(station.demand_s) - np.log(served))])


def _convolve(one: FloatArray, other: FloatArray) -> FloatArray:
    """log of the convolution of two series given by their logarithms."""
    size = one.size
    shifted = np.full((size, size), -np.inf)
    for k in range(size):
        shifted[k, k:] = one[k] + other[: size - k]
    return np.asarray(np.logaddexp.reduce(shifted, axis=0))


def closed_approximately(stations: Sequence[Visited], customers: int, think_s: Seconds = 0.0) -> Closed:
    """Schweitzer's approximation for single servers and delays: an arrival sees (N - 1) / N of the mean number; within a few percent.

    Raises ValueError for several servers: `closed` answers them.
    """
    several = next((s.servers for s in stations if s.servers is not None and s.servers > 1), None)
    if several is not None:
        raise ValueError(
            f"stations must have one server, or be delays, for this approximation; got {several} servers (closed() answers them)"
        )
    _refuse_senseless(customers, think_s, sum(s.demand_s for s in stations))
    if not customers:
        return _empty(stations)
    number = np.full(len(stations), customers / max(len(stations), 1))
    demand = np.array([s.demand_s for s in stations])
    queues = np.array([s.servers is not None for s in stations])
    for _ in range(MOST_STEPS):
        residence = demand * np.where(queues, 1 + number * (customers - 1) / customers, 1.0)
        throughput = customers / (think_s + residence.sum())
        after = throughput * residence
        moved = float(np.abs(after - number).max(initial=0.0))
        number = after
        if moved < 1e-13 * customers:
            break
    return Closed(throughput_rps=float(throughput), residence_s=residence, mean_number=number)


def closed_classes(
    demands_s: FloatArray, customers: Sequence[int], think_s: Sequence[float], queues: Sequence[bool]
) -> tuple[FloatArray, FloatArray]:
    """Exact mean value analysis of several classes: throughputs (classes,) and mean numbers (classes, stations).

    *demands_s*: (classes, stations). The work grows with the product of the populations. Raises ValueError where shapes differ or a class
    takes no time.
    """
    demands = np.asarray(demands_s, dtype=float)
    waits = np.asarray(queues, dtype=bool)
    if demands.shape != (len(customers), waits.size) or len(think_s) != len(customers):
        raise ValueError(
            f"demands_s must have a row a class and a column a station, think_s a time a class; got {demands.shape} for "
            f"{len(customers)} classes, "
            f"{len(think_s)} times and {waits.size} stations"
        )
    if not (np.isfinite(demands) & (demands >= 0)).all():
        raise ValueError("demands_s must be finite, 0 or more")
    for count, think, row in zip(customers, think_s, demands, strict=True):
        _refuse_senseless(count, think, float(row.sum()))
    customers = [int(count) for count in customers]
    total: dict[tuple[int, ...], FloatArray] = {}
    throughput, number = np.zeros(len(customers)), np.zeros_like(demands)
    for population in itertools.product(*(range(n + 1) for n in customers)):
        throughput, number = np.zeros(len(customers)), np.zeros_like(demands)
        for k, n in enumerate(population):
            if n:
                fewer = tuple(m - (i == k) for i, m in enumerate(population))
                residence = demands[k] * (1 + np.where(waits, total[fewer], 0.0))
                throughput[k] = n / (think_s[k] + residence.sum())
                number[k] = throughput[k] * residence
        total[population] = number.sum(axis=0)
    return throughput, number


@dataclass(frozen=True, kw_only=True)
class Open:
    """An open network of M/M/c stations (Jackson): each is as if alone at its own arrival rate."""

    arrival_rps: Rps
    stations: Sequence[Visited]

    def __post_init__(self) -> None:
        if not (math.isfinite(self.arrival_rps) and self.arrival_rps >= 0):
            raise ValueError(f"arrival_rps must be a finite rate, 0 or more; got {self.arrival_rps}")

    def station(self, index: int) -> MMc:
        """The station as an M/M/c queue."""
        one = self.stations[index]
        return MMc(arrival_rps=self.arrival_rps * one.visits, service_s=one.service_s, servers=float(one.servers or math.inf))

    @property
    def mean_response_s(self) -> float:
        """Of a request, over all its visits."""
        return sum(
            s.demand_s if s.servers is None else s.visits * float(np.asarray(self.station(i).mean_response_s))
            for i, s in enumerate(self.stations)
        )
