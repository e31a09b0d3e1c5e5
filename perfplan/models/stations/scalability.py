"""The universal scalability law: X(n) = gamma n / (1 + alpha (n - 1) + beta n (n - 1)), fitted to measured throughputs.

alpha is contention (what is done one after the other), beta coherency (what each must tell every other). beta = 0: Amdahl's law.
Cores that hinder each other so are a `Crew`, and so are hyper-threads, of which the second on a core adds less than the first.

Shapes: loads broadcast with the parameters of a `Crew`, such as (worlds, months); measured points are (n,).

References
----------
Gunther: Guerrilla Capacity Planning, 2007, ch. 4 to 6.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from perfplan.quantity import Count, FloatArray, Fraction, Value, median


@dataclass(frozen=True, kw_only=True)
class Usl:
    """A fitted law; `half_width` holds the 95 % half widths of alpha, beta and gamma (linearised; nan with three points or fewer).

    *superlinear*: by how much throughput over load exceeds, somewhere, what it is at the smallest load; 0 where it does not.
    """

    alpha: float
    beta: float
    gamma: float
    rss: float = 0.0
    half_width: tuple[float, float, float] = (np.nan, np.nan, np.nan)
    superlinear: float = 0.0

    def throughput(self, load: Value) -> FloatArray:
        """X at *load*.

        >>> float(Usl(alpha=0.0, beta=0.0, gamma=90.0).throughput(4))
        360.0
        """
        n = np.asarray(load, dtype=float)
        return np.asarray(self.gamma * n / (1 + self.alpha * (n - 1) + self.beta * n * (n - 1)))

    @property
    def peak_load(self) -> float:
        """Load of the highest throughput, 1 at least; inf where more always brings more."""
        return max(float(np.sqrt(max(1 - self.alpha, 0.0) / self.beta)), 1.0) if self.beta > 0 else np.inf

    @property
    def peak_throughput(self) -> float:
        """The highest throughput; where there is none, its limit."""
        return float(self.throughput(self.peak_load)) if self.beta > 0 else self.limit

    @property
    def optimal_load(self) -> float:
        """Load at which linear scaling meets the limit of contention, 1 / alpha, or the peak where that comes first."""
        return min(1 / self.alpha if self.alpha > 0 else np.inf, self.peak_load)

    @property
    def remark(self) -> str:
        """What the law cannot say of its points; "" where there is nothing.

        >>> fit_usl(np.array([1.0, 2, 4]), np.array([100.0, 230, 500])).remark[:37]
        'throughput grows faster than the load'
        """
        if not self.superlinear:
            return ""
        return (
            f"throughput grows faster than the load (up to {self.superlinear * 100:.3g} % more of it per unit than at the smallest): "
            "something is shared that pays, such as a cache or a batch; where that ends these points do not say"
        )

    @property
    def limit(self) -> float:
        """What contention alone would allow: gamma / alpha."""
        return self.gamma / self.alpha if self.alpha > 0 else np.inf


@dataclass(frozen=True)
class Crew:
    """*servers* that hinder each other when they work at once; by default they do not.

    *hyperthread_gain*: half of them are second threads of a core, and each adds this share of what the first does; idle cores are
    filled first.

    >>> float(Crew(8, contention=0.05, coherency=0.002).full.round(3))  # the work of so many that do not hinder each other
    5.472
    >>> crew = Crew(8, hyperthread_gain=0.3)
    >>> crew.speed(np.array([4.0, 6.0, 8.0])).tolist()
    [4.0, 4.6, 5.2]
    """

    servers: Count
    contention: Fraction = 0.0
    coherency: Fraction = 0.0
    hyperthread_gain: Fraction = 1.0

    @property
    def independent(self) -> bool:
        """Whether they do not hinder each other."""
        return not (np.any(self.contention) or np.any(self.coherency) or np.any(np.less(self.hyperthread_gain, 1)))

    def speed(self, busy: Count) -> FloatArray:
        """Work done with *busy* of them at work, in servers that work alone."""
        n = np.asarray(busy, dtype=float)
        cores = np.ceil(np.asarray(self.servers, dtype=float) / 2)
        threads = np.minimum(n, cores) + np.maximum(n - cores, 0) * self.hyperthread_gain
        return np.asarray(threads / (1 + self.contention * (n - 1) + self.coherency * n * (n - 1)))

    @property
    def count(self) -> int:
        """Whole servers, at the median."""
        return max(round(median(self.servers)), 1)

    @property
    def middle(self) -> Crew:
        """The same of whole servers, at the medians: one for all cells."""
        hindrances = (self.contention, self.coherency, self.hyperthread_gain)
        return Crew(self.count, *(median(h) for h in hindrances))

    @property
    def full(self) -> FloatArray:
        """Work done with all of them at work."""
        return self.speed(self.servers)

    def settled(self, load: Value) -> tuple[FloatArray, FloatArray]:
        """Probability that all are busy, and mean number there, at *load* erlang of Poisson arrivals: (1, inf) where saturated.

        The birth and death process of `BirthDeath.at_speed` without a limit, by a recursion that runs over all cells at once: shares
        and means of up to n customers. Exact for exponential services; for those who share the servers for any.

        >>> all_busy, there = Crew(servers=2).settled(1.0)  # M/M/2: 1/3 and 4/3
        >>> float(all_busy.round(9)), float(there.round(9))
        (0.333333333, 1.333333333)
        """
        load = np.asarray(np.maximum(load, 1e-12), dtype=float)
        servers = np.maximum(np.rint(np.asarray(self.servers, dtype=float)), 1)
        last, mean = np.ones_like(load), np.zeros_like(load)  # share of n among 0 .. n, and their mean
        for n in range(1, int(servers.max()) + 1):
            step = load / self.speed(float(n)) * last
            then = step / (1 + step)
            last, mean = np.where(n <= servers, (then, mean + then * (n - mean)), (last, mean))
        rho = load / self.speed(servers)
        with np.errstate(divide="ignore", invalid="ignore"):
            busy = last / (1 - rho * (1 - last))
            fewer = (mean - servers * last) / (1 - last)
            there = (1 - busy) * fewer + busy * (servers + rho / (1 - rho))
        return np.where(rho < 1, busy, 1.0), np.where(rho < 1, there, np.inf)


FEWEST_LOADS = 3
NOTICED = 0.03  # share by which throughput over load must rise to be called superlinear
NEARLY_NONE = 1e-3  # contention of points that may rise so
WORTH = 1e-6  # a parameter must save more than this share of the squared residuals, or of the points themselves, to be kept


def fit_usl(load: FloatArray, throughput: FloatArray) -> Usl:
    """Least squares of the law, unweighted, with alpha within 0 and 1 and beta not below 0; either is 0 where it explains nothing.

    *load*, *throughput*: (n,), above 0, at FEWEST_LOADS different loads or more; raises ValueError else.

    >>> n = np.array([1.0, 2, 4, 8, 16, 32])
    >>> found = fit_usl(n, Usl(alpha=0.05, beta=0.001, gamma=100.0).throughput(n))
    >>> round(found.alpha, 6), round(found.beta, 6), round(found.gamma, 3)
    (0.05, 0.001, 100.0)
    """
    from scipy.optimize import least_squares
    from scipy.special import stdtrit

    n, x = _points(load, throughput)
    scale, most, largest = float((x / n).max()), float(x.max()), float(n.max())

    def residuals(p: FloatArray) -> FloatArray:
        return np.asarray((Usl(alpha=p[0], beta=p[1], gamma=p[2] * scale).throughput(n) - x) / most)

    starts = [(a, b, 1.0) for a in (0.01, 0.1, 0.5) for b in (1e-5, 1e-3, 1e-2)]
    starts += [(min(a / largest, 0.5), b / largest**2, 1.0) for a in (0.3, 3.0) for b in (0.1, 1.0)]
    sizes = [min(0.01, 1 / largest), min(1e-4, 1 / largest**2), 1.0]
    fits = [
        least_squares(
            residuals,
            s,
            bounds=([0, 0, 0], [1, np.inf, np.inf]),
            x_scale=sizes,
            xtol=1e-15,
            ftol=1e-15,
            gtol=1e-15,
            max_nfev=5000,
        )
        for s in starts
    ]
    best = min(fits, key=lambda f: f.cost)
    alpha, beta, gamma = (float(v) for v in best.x * [1, 1, scale])
    rss, free = float(2 * best.cost) * most**2, n.size - 3
    half = (np.nan, np.nan, np.nan)
    if free > 0:
        jacobian = np.asarray(best.jac) * sizes  # of parameters that are alike in size, so that none is lost in rounding
        covariance = np.linalg.pinv(jacobian.T @ jacobian) * float(2 * best.cost) / free
        wide = float(stdtrit(free, 0.975)) * np.sqrt(np.diag(covariance)) * sizes * [1, 1, scale]
        half = (float(wide[0]), float(wide[1]), float(wide[2]))
    found = _plainer(Usl(alpha=alpha, beta=beta, gamma=gamma, rss=rss, half_width=half), n, x)
    return replace(found, superlinear=_superlinear(n, x)) if found.alpha < NEARLY_NONE else found


def _points(load: FloatArray, throughput: FloatArray) -> tuple[FloatArray, FloatArray]:
    n, x = np.asarray(load, dtype=float), np.asarray(throughput, dtype=float)
    if n.ndim != 1 or n.shape != x.shape:
        raise ValueError(f"load and throughput must be rows of the same length; got shapes {n.shape} and {x.shape}")
    for name, values in (("load", n), ("throughput", x)):
        bad = values[~(np.isfinite(values) & (values > 0))]
        if bad.size:
            raise ValueError(f"{name} must be finite and above 0; got {bad[0]:g} (leave such points out)")
    if np.unique(n).size < FEWEST_LOADS:
        raise ValueError(f"must have {FEWEST_LOADS} different loads at least, as three parameters are fitted; got {np.unique(n).size}")
    return n, x


def _superlinear(n: FloatArray, x: FloatArray) -> float:
    """By how much throughput over load, the mean at each load, exceeds that at the smallest load."""
    loads = np.unique(n)
    per_unit = np.array([(x / n)[n == one].mean() for one in loads])
    rise = float(per_unit.max() / per_unit[0] - 1)
    return rise if rise > NOTICED else 0.0


def _plainer(found: Usl, n: FloatArray, x: FloatArray) -> Usl:
    """The law without beta, and without alpha, where that fits as well: a peak far beyond all points is none."""
    best = found
    for law in (replace(found, beta=0.0), replace(found, alpha=0.0, beta=0.0)):
        unit = law.throughput(n) / law.gamma
        plain = replace(law, gamma=float(unit @ x / (unit @ unit)))
        rss = float(((plain.throughput(n) - x) ** 2).sum())
        if rss <= best.rss * (1 + WORTH) + n.size * (WORTH * float(x.max())) ** 2:
            best = replace(plain, rss=rss)
    return best
