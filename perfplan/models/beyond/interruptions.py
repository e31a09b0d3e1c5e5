"""Servers that break down, and servers that must warm up.

Work that is interrupted takes its own time and a repair for each interruption (resumed, interruptions come at random while it is worked
on):

    E exp(-s C) = b(s + f (1 - r(s))),    f interruptions per second of work, b and r the transforms of work and repair.

A single server that goes cold when idle and takes a set-up before it serves the first who comes: the wait is that of M/G/1 and an
independent time with transform (a - (a - s) d(s)) / (s (1 + a E D)), d that of the set-up and a the arrival rate. Both exact.

References
----------
Avi-Itzhak, Naor: Some queuing problems with the service station subject to breakdown, Oper. Res. 11 (1963). Welch: On a generalized M/G/1
queuing process in which the first customer of each busy period receives exceptional service, Oper. Res. 12 (1964). Doshi: Queueing
systems with vacations - a survey, Queueing Systems 1 (1986).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from perfplan.models.arrays import check_steady
from perfplan.models.beyond.general import MG1, quantile_of, tail_of
from perfplan.models.beyond.laws import TimeLaw
from perfplan.models.beyond.numbers import Fraction, Rps, Seconds
from perfplan.quantity import FloatArray, Value


class _Interrupted(TimeLaw):
    """Work with a repair for each interruption."""

    def __init__(self, work: TimeLaw, rate_rps: float, repair: TimeLaw) -> None:
        self._work, self._rate, self._repair = work, rate_rps, repair

    def within(self, t_s: Value) -> FloatArray:
        return np.asarray(np.vectorize(lambda t: 1 - tail_of(self.transform, t) if t > 0 else 0.0, otypes=[float])(t_s))

    def transform(self, s: Any) -> Any:
        s = np.asarray(s)
        return self._work.transform(s + self._rate * (1 - self._repair.transform(s)))

    @property
    def mean(self) -> float:
        return self._work.mean * (1 + self._rate * self._repair.mean)

    @property
    def variance(self) -> float:
        repairs = self._rate * self._work.mean * (self._repair.variance + self._repair.mean**2)
        return repairs + self._work.variance * (1 + self._rate * self._repair.mean) ** 2

    def sample(self, rng: np.random.Generator, count: int) -> FloatArray:
        work = self._work.sample(rng, count)
        times = rng.poisson(self._rate * work)
        repairs = self._repair.sample(rng, int(times.sum()))
        return np.asarray(work + np.bincount(np.repeat(np.arange(count), times), repairs, count))


def interrupted(work: TimeLaw, every_s: Seconds, repair: TimeLaw) -> TimeLaw:
    """The time that *work* takes on a server that breaks down after exponential times of mean *every_s* of work and is then repaired.

    With it as service, M/G/1 and M/G/c answer for servers that break down under load; who is repaired holds on to its customer.

    >>> from perfplan.models.beyond.laws import constant, exponential
    >>> law = interrupted(exponential(1.0), 10.0, constant(5.0))
    >>> law.mean, round(law.variance, 9)  # 1 + 0.1 x 5; (1.5)^2 + 0.1 x 25
    (1.5, 4.75)
    """
    return _Interrupted(work, 1 / every_s, repair)


@dataclass(frozen=True, kw_only=True)
class SetUp:
    """An M/G/1 queue whose server takes a *set_up* before the first of each busy period: a cold start; utilization below 1.

    >>> from perfplan.models.beyond.laws import constant, exponential
    >>> SetUp(arrival_rps=0.5, service=exponential(1.0), set_up=constant(2.0)).mean_wait_s  # 1 + (2 x 2 + 0.5 x 4) / (2 (1 + 0.5 x 2))
    2.5
    """

    arrival_rps: Rps
    service: TimeLaw
    set_up: TimeLaw

    def __post_init__(self) -> None:
        check_steady(self._warm.utilization)

    @functools.cached_property
    def _warm(self) -> MG1:
        scv = max(self.service.variance, 0.0) / self.service.mean**2
        return MG1(arrival_rps=self.arrival_rps, service=self.service.transform, service_s=self.service.mean, scv=scv)

    @property
    def mean_wait_s(self) -> Seconds:
        """Mean wait, set-up included."""
        rate, first = self.arrival_rps, self.set_up.mean
        second = self.set_up.variance + first**2
        return self._warm.mean_wait_s + (2 * first + rate * second) / (2 * (1 + rate * first))

    @property
    def prob_set_up(self) -> float:
        """Share of customers that find the server cold: (1 - rho) / (1 + a E D)."""
        return (1 - self._warm.utilization) / (1 + self.arrival_rps * self.set_up.mean)

    def wait(self, s: Any) -> Any:
        """Transform of the wait."""
        rate, s = self.arrival_rps, np.asarray(s)
        cold = (rate - (rate - s) * self.set_up.transform(s)) / (s * (1 + rate * self.set_up.mean))
        return self._warm.wait(s) * cold

    def wait_quantile_s(self, p: Fraction) -> Seconds:
        """Time within which a share *p* starts service."""
        return quantile_of(self.wait, p, self.mean_wait_s)

    def response_quantile_s(self, p: Fraction) -> Seconds:
        """Time within which a share *p* is served."""
        return quantile_of(lambda s: self.wait(s) * self.service.transform(s), p, self.mean_wait_s + self.service.mean)
