"""The wait at a GI/G/1 queue, by the random walk that it is: W = max(0, W + S - A), on a lattice.

On a lattice of step h the law of W follows from the cepstrum of 1 - phi, phi the transform of S - A (Wiener and Hopf, Spitzer):

    E z^W = exp(sum_k>0 c_k (z^k - 1)),    log((1 - phi(z)) / (1 - 1/z)) = -sum_k c_k z^k,

as the part of positive k belongs to the ladder heights of the walk. Masses of laws are put on the nearest point and moved as a whole to
keep their mean, so that errors are of the order of h^2; a wait below h / 2 is told from none by the density beside it. That the result is
the law of max(0, W + S - A) too is checked: a walk that only goes in multiples of one time is not for this lattice, and refused; so are
queues whose waits are too long for their services (utilization beyond 0.999), and services whose longest lie beyond the lattice.

References
----------
Spitzer: A combinatorial lemma and its application to probability theory, Trans. AMS 82 (1956). Abate, Choudhury, Whitt: Calculation of the
GI/G/1 waiting-time distribution and its cumulants from Pollaczek's formulas, AEU 47 (1993). Grassmann, Jain: Numerical solutions of the
waiting time distribution and idle time distribution of the arithmetic GI/G/1 queue, Oper. Res. 37 (1989).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from perfplan.models.arrays import check_steady
from perfplan.models.beyond.laws import TimeLaw
from perfplan.models.beyond.numbers import Fraction
from perfplan.quantity import FloatArray

POINTS = 1 << 20  # of the lattice, half of them for negative steps
REACH = 25.0  # length of the lattice, in mean waits in heavy traffic
CONSISTENT = 1e-3  # difference of P(wait <= t) before and after one more arrival
COARSEST, SPREAD = 0.05, 0.01  # largest step, in mean services; largest relative error of the second moment of services
RAREST = 1e-8  # share of longer services or gaps that are not told apart


@dataclass(frozen=True, eq=False)
class GIG1:
    """A single server with renewal arrivals, first come first served; utilization below 1, else `ValueError`.

    >>> from perfplan.models.beyond.laws import constant, exponential
    >>> queue = GIG1(exponential(1.25), constant(1.0))  # M/D/1 at 0.8: rho / (2 (1 - rho))
    >>> round(queue.mean_wait_s, 3), round(queue.prob_wait, 3)
    (2.0, 0.8)
    """

    between: TimeLaw
    service: TimeLaw

    def __post_init__(self) -> None:
        check_steady(self.utilization)

    @property
    def utilization(self) -> float:
        """Mean service over mean gap."""
        return self.service.mean / self.between.mean

    @property
    def prob_wait(self) -> float:
        """Probability that an arrival must wait."""
        return 1 - float(self._within[1][0])

    @property
    def mean_wait_s(self) -> float:
        """Mean wait over all arrivals."""
        step, masses = self._waits
        return float(step * float(masses @ np.arange(masses.size)))

    def wait_quantile_s(self, p: Fraction) -> float:
        """Time within which a share *p* starts service; 0 for those who need not wait."""
        return float(np.interp(p, self._within[1], self._within[0]))

    def response_quantile_s(self, p: Fraction) -> float:
        """Time within which a share *p* is served."""
        return float(np.interp(p, self._responses[1], self._responses[0]))

    @functools.cached_property
    def _longest_gap(self) -> tuple[float, float, float]:
        """A gap that empties the queue almost surely, longer ones being like it; mean and variance of gaps that are cut there."""
        heavy = (self.between.variance + self.service.variance) / (2 * (self.between.mean - self.service.mean))
        cut = 1.1 * float(self.service.quantile(1 - RAREST)) + REACH * heavy
        if 1 - float(self.between.within(cut)) < RAREST:
            return cut, self.between.mean, self.between.variance
        t = np.linspace(0.0, cut, 20_001)
        longer = 1 - self.between.within(t)
        mean = float(np.trapezoid(longer, t))
        return cut, mean, max(float(np.trapezoid(2 * t * longer, t)) - mean**2, 0.0)

    @functools.cached_property
    def _step(self) -> float:
        """Distance of two points: half of them reach as far as waits do, and so far down that a sum of steps has forgotten their number."""
        cut, mean, variance = self._longest_gap
        down = 4 * (mean - self.service.mean) ** 3 / max(variance + self.service.variance, 1e-300)
        step = 2 * max(cut, min(down, 2000 * mean) + 30 * mean) / POINTS
        if not step <= COARSEST * self.service.mean:
            raise ValueError(f"waits and services must fit into one lattice; at {self.utilization:g} its step would be {step:g} s")
        return step

    def _masses(self, law: TimeLaw, mean: float, cut: float = np.inf) -> FloatArray:
        """Of *law* on 0, h, 2 h ..; moved to its *mean*; what lies beyond *cut*, or the last, is there."""
        edges = (np.arange(POINTS // 2 + 1) - 0.5) * self._step
        masses = np.diff(np.where(np.append(edges[1:], np.inf) > cut, 1.0, law.within(np.asarray(edges))))
        masses[-1] += 1 - masses.sum()
        ahead = mean / self._step - float(masses @ np.arange(masses.size))  # steps
        moved = np.append(masses[1:], 0.0) if ahead < 0 else np.append(0.0, masses[:-1])
        moved[0] += masses[0] if ahead < 0 else 0.0
        share = min(abs(ahead), 1.0)
        return np.asarray((1 - share) * masses + share * moved)

    @functools.cached_property
    def _waits(self) -> tuple[float, FloatArray]:
        """Step, and masses of the wait at 0, h, 2 h .."""
        cut, mean, _ = self._longest_gap
        services, gaps = self._masses(self.service, self.service.mean), self._masses(self.between, mean, cut)
        number = np.arange(POINTS // 2)
        second = self.service.variance + self.service.mean**2
        if not abs(float(services @ number**2) * self._step**2 / second - 1) < SPREAD:
            raise ValueError("services must not vary so much that the longest ones lie beyond the lattice")
        if np.flatnonzero(services > RAREST)[-1] <= np.flatnonzero(gaps > RAREST)[0]:
            return self._step, np.append(1.0, np.zeros(POINTS // 2 - 1))
        served, between = np.fft.rfft(services, POINTS), np.conj(np.fft.rfft(gaps, POINTS))
        z = np.exp(-2j * np.pi * np.arange(1, POINTS // 2 + 1) / POINTS)
        ladders = np.append(float((gaps - services) @ number), (1 - served * between)[1:] / (1 - 1 / z))
        cepstrum = -np.fft.irfft(np.log(np.abs(ladders)) + 1j * np.unwrap(np.angle(ladders)), POINTS)
        cepstrum[0], cepstrum[POINTS // 2 :] = 0.0, 0.0
        masses = np.fft.irfft(np.exp(np.fft.rfft(cepstrum) - cepstrum.sum()), POINTS)[: POINTS // 2]
        later = np.fft.irfft(np.fft.rfft(masses, POINTS) * served * between, POINTS)
        none = float(later[0] + later[POINTS // 2 :].sum())
        if not abs(none - masses[0]) + np.abs(np.cumsum(later[1 : POINTS // 2] - masses[1:])).max() < CONSISTENT:
            raise ValueError("service less gap must not go in multiples of one time only")
        return self._step, np.maximum(masses, 0.0)

    @functools.cached_property
    def _within(self) -> tuple[FloatArray, FloatArray]:
        """Times from 0 on, and P(wait <= t)."""
        step, masses = self._waits
        total = np.cumsum(masses)
        times = np.append(0.0, (np.arange(masses.size) + 0.5) * step)
        return np.asarray(times), np.append(max(float(total[0] - masses[1] / 2), 0.0), total)

    @functools.cached_property
    def _responses(self) -> tuple[FloatArray, FloatArray]:
        """Times, and P(response <= t)."""
        step, masses = self._waits
        times = (np.arange(masses.size) + 0.5) * step
        served = self.service.within(np.asarray(times))
        both = np.fft.irfft(np.fft.rfft(masses, POINTS) * np.fft.rfft(served, POINTS), POINTS)[: POINTS // 2]
        return np.append(0.0, times), np.maximum.accumulate(np.append(0.0, both))
