"""The universal scalability law: X(n) = gamma n / (1 + alpha (n - 1) + beta n (n - 1)), fitted to measured throughputs.

alpha is contention (what is done one after the other), beta coherency (what each must tell every other). beta = 0: Amdahl's law.

References
----------
Gunther: Guerrilla Capacity Planning, 2007, ch. 4 to 6.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perfplan.quantity import FloatArray, Value


@dataclass(frozen=True, kw_only=True)
class Usl:
    """A fitted law; `half_width` holds the 95 % half widths of alpha, beta and gamma (linearised; nan with three points or fewer)."""

    alpha: float
    beta: float
    gamma: float
    rss: float = 0.0
    half_width: tuple[float, float, float] = (np.nan, np.nan, np.nan)

    def throughput(self, load: Value) -> FloatArray:
        """X at *load*.

        >>> float(Usl(alpha=0.0, beta=0.0, gamma=90.0).throughput(4))
        360.0
        """
        n = np.asarray(load, dtype=float)
        return np.asarray(self.gamma * n / (1 + self.alpha * (n - 1) + self.beta * n * (n - 1)))

    @property
    def peak_load(self) -> float:
        """Load of the highest throughput; inf where more always brings more."""
        return float(np.sqrt((1 - self.alpha) / self.beta)) if self.beta > 0 else np.inf

    @property
    def peak_throughput(self) -> float:
        """The highest throughput; where there is none, its limit."""
        return float(self.throughput(self.peak_load)) if self.beta > 0 else self.limit

    @property
    def optimal_load(self) -> float:
        """Load at which linear scaling meets the limit of contention: 1 / alpha."""
        return 1 / self.alpha if self.alpha > 0 else np.inf

    @property
    def limit(self) -> float:
        """What contention alone would allow: gamma / alpha."""
        return self.gamma / self.alpha if self.alpha > 0 else np.inf


def fit_usl(load: FloatArray, throughput: FloatArray) -> Usl:
    """Least squares of the law, unweighted, with alpha and beta not below 0.

    >>> n = np.array([1.0, 2, 4, 8, 16, 32])
    >>> found = fit_usl(n, Usl(alpha=0.05, beta=0.001, gamma=100.0).throughput(n))
    >>> round(found.alpha, 6), round(found.beta, 6), round(found.gamma, 3)
    (0.05, 0.001, 100.0)
    """
    from scipy.optimize import least_squares
    from scipy.special import stdtrit

    n, x = np.asarray(load, dtype=float), np.asarray(throughput, dtype=float)
    scale = float((x / n).max())

    def residuals(p: FloatArray) -> FloatArray:
        return np.asarray(Usl(alpha=p[0], beta=p[1], gamma=p[2] * scale).throughput(n) - x)

    starts = [(a, b, 1.0) for a in (0.01, 0.1, 0.5) for b in (1e-5, 1e-3, 1e-2)]
    fits = [
        least_squares(
            residuals, s, bounds=([0, 0, 0], np.inf), x_scale=[0.01, 1e-4, 1.0], xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=5000
        )
        for s in starts
    ]
    best = min(fits, key=lambda f: f.cost)
    alpha, beta, gamma = (float(v) for v in best.x * [1, 1, scale])
    rss, free = float(2 * best.cost), n.size - 3
    half = (np.nan, np.nan, np.nan)
    if free > 0:
        jacobian = np.asarray(best.jac)
        covariance = np.linalg.pinv(jacobian.T @ jacobian) * rss / free
        wide = float(stdtrit(free, 0.975)) * np.sqrt(np.diag(covariance)) * [1, 1, scale]
        half = (float(wide[0]), float(wide[1]), float(wide[2]))
    return Usl(alpha=alpha, beta=beta, gamma=gamma, rss=rss, half_width=half)
