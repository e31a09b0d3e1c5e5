"""Phase-type laws that stand for others in a queue, fitted to what the queue sees of a law rather than to its moments.

Whoever finds all servers busy waits for the least of their residual services, then for more of them: services are fitted by their residual
law, the least of c residuals, their survival and their second moment. A queue sees of its arrivals the transform of the gaps between
them: gaps are fitted by that, at real arguments round the rate of arrivals. Three moments may say little of either: the third moment of
a lognormal law comes from gaps that hardly anybody meets.

The laws are acyclic: phases in a row, each faster than the one before, with a probability to start in each (Cumani's canonical form,
which all acyclic laws have).

References
----------
Cumani: On the canonical representation of homogeneous Markov processes modelling failure-time distributions, Microelectronics and
Reliability 22 (1982). Feldmann, Whitt: Fitting mixtures of exponentials to long-tail distributions to analyze network performance
models, Performance Evaluation 31 (1998) (the idea of fitting the survival function over many scales).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from perfplan.models.beyond.laws import TimeLaw
from perfplan.models.times.phase import PhaseType
from perfplan.quantity import FloatArray

TIMES = np.geomspace(1e-2, 1e3, 160)  # at which survivals are compared, in means
ARGUMENTS = np.geomspace(1e-2, 8.0, 40)  # at which transforms are compared, over one mean
FEWEST, MOST = 3, 6  # phases of what stands for others
RAREST = 1e-4  # survival below which a residual is not compared
CLOSEST, FARTHEST = 0.02, 300.0  # a rate over the one before it, less one: closer ones cancel each other's digits


def most_phases(law: TimeLaw, fits: Callable[[int], bool]) -> int | None:
    """The most phases, FEWEST to MOST, that can vary as little as *law* and *fits* allows; None where none."""
    least = max(math.ceil(law.mean**2 / max(law.variance, 1e-300) - 1e-9), FEWEST) if law.variance else MOST + 1
    return max((n for n in range(least, MOST + 1) if fits(n)), default=None)


def fit_service(law: TimeLaw, servers: int, phases: int) -> PhaseType:
    """What stands for services of *law* behind *servers*: its mean exactly, its scv within a percent where *phases* allow it.

    >>> from perfplan.models.beyond.laws import lognormal
    >>> found = fit_service(lognormal(2.0, 3.0), 4, 3)
    >>> round(found.mean_s, 9), round(found.scv, 1)
    (2.0, 3.0)
    """
    survive, left = _curves(law)
    seen, half = left > RAREST, (1 + law.variance / law.mean**2) / 2  # the mean residual, in mean services

    def apart(rates: FloatArray, weights: FloatArray) -> FloatArray:
        over = np.exp(-np.outer(TIMES[seen], rates))
        residual = np.maximum(over @ (weights / rates), 1e-300)
        least = residual**servers - left[seen] ** servers
        tail, moment = np.log(residual / left[seen]), np.log((weights / rates**2).sum() / half)
        return np.concatenate([least, residual - left[seen], 0.3 * (over @ weights - survive[seen]), 0.03 * tail, [100 * moment]])

    return _fitted(apart, phases, law.mean)


def fit_gaps(law: TimeLaw, phases: int) -> PhaseType:
    """What stands for gaps of *law* between arrivals.

    >>> from perfplan.models.beyond.laws import erlang
    >>> round(fit_gaps(erlang(0.5, 2), 3).scv, 3)
    0.5
    """
    survive, left = _curves(law)
    seen, half = left > RAREST, (1 + law.variance / law.mean**2) / 2
    transform = np.array([float(np.real(law.transform(s / law.mean))) for s in ARGUMENTS])

    def apart(rates: FloatArray, weights: FloatArray) -> FloatArray:
        over = np.exp(-np.outer(TIMES[seen], rates))
        tail = np.log(np.maximum(over @ (weights / rates), 1e-300) / left[seen])
        found = (weights * rates / (rates + ARGUMENTS[:, None])).sum(axis=1)
        moment = np.log((weights / rates**2).sum() / half)
        return np.concatenate(
            [3 * (found - transform) / (1 - transform), 0.1 * (over @ weights - survive[seen]), 0.03 * tail, [5 * moment]]
        )

    return _fitted(apart, phases, law.mean)


def _curves(law: TimeLaw) -> tuple[FloatArray, FloatArray]:
    """P(X > t) and P(residual > t) at TIMES."""
    fine = np.concatenate([[0.0], np.geomspace(1e-4, 1e4, 20_001)])
    over = 1 - law.within(fine * law.mean)
    gone = np.concatenate([[0.0], np.cumsum((over[1:] + over[:-1]) / 2 * np.diff(fine))])
    return np.interp(TIMES, fine, over), np.interp(TIMES, fine, 1 - gone / gone[-1])


def _fitted(apart: Callable[[FloatArray, FloatArray], FloatArray], phases: int, mean_s: float) -> PhaseType:
    """Least squares over laws of mean 1, from several starts."""
    from scipy.optimize import least_squares

    def shortfall(z: FloatArray) -> FloatArray:
        return apart(*_unit(z)[1:])

    best = min((least_squares(shortfall, start, max_nfev=400) for start in _starts(phases)), key=lambda found: found.cost)
    start, rates, _ = _unit(best.x)
    rates = rates / mean_s
    return PhaseType(start, np.diag(-rates) + np.diag(rates[:-1], 1))


def _unit(z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Start probabilities, rates and weights of P(X > t) = sum w_j exp(-r_j t) of a law of mean 1."""
    phases = z.size // 2 + 1
    rates = np.cumprod(np.append(1.0, 1 + np.exp(np.clip(z[: phases - 1], np.log(CLOSEST), np.log(FARTHEST)))))
    likely = np.append(z[phases - 1 :], 0.0)
    start = np.exp(likely - likely.max())
    start /= start.sum()
    same = np.eye(phases, dtype=bool)
    factor = np.where(same, 1.0, rates[:, None] / np.where(same, 1.0, rates[:, None] - rates))  # of phase k on what exp(-r_j t) weighs
    onward = np.triu(np.cumprod(factor[::-1], axis=0)[::-1])  # of phases i .. n, which a start in i meets
    weights = start @ onward
    mean = float((weights / rates).sum())
    return start, rates * mean, weights


def _starts(phases: int) -> list[FloatArray]:
    found = []
    for spread in (1.2, 3.0, 10.0):
        steps = np.full(phases - 1, np.log(spread ** (2 / (phases - 1)) - 1))
        found += [np.append(steps, np.zeros(phases - 1)), np.append(steps, 3 - 3 * np.arange(phases - 1.0))]
    return found
