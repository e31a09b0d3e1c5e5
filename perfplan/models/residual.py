"""Hyperexponential services that leave the same residual behind as others.

References
----------
Feldmann, Whitt: Fitting mixtures of exponentials to long-tail distributions to analyze network performance models, Performance Evaluation
31 (1998) (the idea of fitting the survival function over many scales).
"""

from __future__ import annotations

import numpy as np

from perfplan.models.laws import Law
from perfplan.models.phase import PhaseType
from perfplan.quantity import FloatArray


def match_residual(law: Law, servers: int) -> PhaseType:
    """Hyperexponential law of three phases, mean and scv those of *law* (scv above 1), with its residual and the least of *servers* such.

    Who finds all servers busy waits for the least of their residual services first: a law with the same moments may have another.
    Least squares on the survival functions at times up to where one residual in 10^4 lasts.
    """
    from scipy.optimize import least_squares

    mean_s, half = law.mean, (1 + law.variance / law.mean**2) / 2  # the mean residual, in mean services
    times, survive = _residual(law)

    def parts(z: FloatArray) -> tuple[FloatArray, FloatArray]:
        weights = np.exp(np.append(z[3:], 0.0) - max(*z[3:], 0.0))
        return np.exp(z[:3]), weights / weights.sum()

    def apart(z: FloatArray) -> FloatArray:
        means, weights = parts(z)
        found = np.maximum(np.exp(-times[:, None] / means) @ weights, 1e-300)
        moments = 30 * np.log(np.array([float((weights / means).sum()), float(weights @ means) / half]))
        return np.concatenate([found**servers - survive**servers, found - survive, 0.1 * np.log(found / survive), moments])

    starts = [np.append(np.log(half * np.geomspace(1 / spread, spread, 3)), [0.0, 0.0]) for spread in (3, 8)]
    means, weights = parts(min((least_squares(apart, z) for z in starts), key=lambda found: found.cost).x)
    chosen = weights / means / (weights / means).sum()
    return PhaseType.hyperexponential(chosen, (chosen @ means) / means / mean_s)


def _residual(law: Law) -> tuple[FloatArray, FloatArray]:
    """Times, in mean services, and P(residual > t) at them."""
    fine = np.concatenate([[0.0], np.geomspace(1e-4, 1e4, 20_001)])
    over = 1 - law.within(fine * law.mean)
    gone = np.concatenate([[0.0], np.cumsum((over[1:] + over[:-1]) / 2 * np.diff(fine))])
    times = np.geomspace(1e-3, 1e3, 240)
    survive = np.interp(times, fine, 1 - gone / gone[-1])
    return times[survive > 1e-4], survive[survive > 1e-4]
