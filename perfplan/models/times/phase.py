"""Queues with phase-type times: PH/PH/c and MAP/PH/c, solved exactly by matrix-analytic methods.

Arrivals are a Markovian arrival process (D0, D1): D1 holds the rates of changes of phase with an arrival, D0 those without
(a renewal process of phase-type times and a Markov-modulated Poisson process are special cases). With c servers of m service
phases, the state of busy servers is how many are in each phase. From level c on, the process repeats (a QBD): stationary
vectors are geometric, pi_(c+k) = pi_c R^k. An arrival that finds k waiting waits for k + 1 completions, so that

    P(W > t) = pi_c G(t) 1,    G'(t) = G S0 + R G S1,    G(0) = (I - R)^-1 (D1 1 (x) I) / lambda,

S0 and S1 being the changes of the busy servers' phases without and with a completion. D1 = E F of low rank (1 for a renewal process),
so that R = (E (x) I) Z and G = (E (x) I) H, with H' = H S0 + Z (E (x) I) H S1 of that many rows only.

Scalars only: each queue is a linear-algebra problem of its own. Sizes: (arrival phases) x (states of c servers) squared;
a few hundred states are solved in a second.

Shapes: phases are (m,), changes between them (m, m); answers are numbers.

References
----------
Latouche, Ramaswami: Introduction to Matrix Analytic Methods in Stochastic Modeling, 1999, ch. 6, 8 (logarithmic reduction).
Asmussen, Moeller: Calculation of the steady state waiting time distribution in GI/PH/c and MAP/PH/c queues, Queueing Systems
37 (2001).
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfplan.models.arrays import check_steady
from perfplan.quantity import FloatArray, Fraction, Ratio, Rps, Seconds

Matrix = NDArray[Any]


@dataclass(frozen=True, eq=False)
class PhaseType:
    """Time to absorption of a Markov chain: start probabilities and generator among its phases."""

    start: Matrix  # (phases,)
    generator: Matrix  # (phases, phases)

    @classmethod
    def exponential(cls, mean_s: Seconds) -> PhaseType:
        """One phase."""
        return cls(np.ones(1), np.array([[-1.0 / float(mean_s)]]))

    @classmethod
    def erlang(cls, mean_s: Seconds, phases: int) -> PhaseType:
        """Equal phases one after the other.

        >>> PhaseType.erlang(2.0, 4).scv
        0.25
        """
        rate = phases / float(mean_s)
        return cls(np.eye(phases)[0], rate * (np.eye(phases, k=1) - np.eye(phases)))

    @classmethod
    def hyperexponential(cls, probabilities: FloatArray, rates: FloatArray) -> PhaseType:
        """One of several exponential phases."""
        return cls(np.asarray(probabilities, dtype=float), -np.diag(np.asarray(rates, dtype=float)))

    @property
    def exits(self) -> Matrix:
        """Rate of absorption from each phase."""
        return np.asarray(-self.generator.sum(axis=1))

    @property
    def mean_s(self) -> Seconds:
        """Mean."""
        return float(self.start @ np.linalg.solve(-self.generator, np.ones(self.start.size)))

    @property
    def scv(self) -> Ratio:
        """Variance over the mean squared."""
        once = np.linalg.solve(-self.generator, np.ones(self.start.size))
        return round(float(2 * self.start @ np.linalg.solve(-self.generator, once)) / float(self.mean_s) ** 2 - 1, 12)


@dataclass(frozen=True, eq=False)
class MarkovianArrivals:
    """A Markovian arrival process."""

    quiet: Matrix  # D0: changes of phase without an arrival
    arriving: Matrix  # D1: with one

    @classmethod
    def renewal(cls, between: PhaseType) -> MarkovianArrivals:
        """Independent phase-type times between arrivals."""
        return cls(between.generator, np.outer(between.exits, between.start))

    @classmethod
    def modulated(cls, rates: FloatArray, switches: FloatArray) -> MarkovianArrivals:
        """A Poisson process whose rate is switched by a Markov chain with generator *switches* (MMPP)."""
        return cls(np.asarray(switches, dtype=float) - np.diag(rates), np.diag(np.asarray(rates, dtype=float)))

    @functools.cached_property
    def phases(self) -> Matrix:
        """Stationary probabilities of the phases."""
        return stationary(self.quiet + self.arriving)

    @property
    def rate_rps(self) -> Rps:
        """Arrivals per second in the long run."""
        return float(self.phases @ self.arriving.sum(axis=1))


def stationary(generator: Matrix) -> Matrix:
    """Stationary probabilities of a Markov chain, shape (states,)."""
    size = generator.shape[0]
    system = np.vstack([generator.T[:-1], np.ones(size)])
    return np.asarray(np.linalg.solve(system, np.append(np.zeros(size - 1), 1.0)))


LARGE = 400  # elements of a matrix equation that is still solved as one system
FINEST, STEPS, MOST_STEPS = 1e-3, 100, 4000  # first step of a tail, in mean waits of those who wait; steps of a length; all of them


@dataclass(frozen=True, eq=False)
class MapPhC:
    """A MAP/PH/c queue, first come first served; utilization below 1, else `ValueError`.

    >>> arrivals = MarkovianArrivals.renewal(PhaseType.exponential(1 / 3.2))
    >>> from perfplan.models.stations.queueing import erlang_c
    >>> queue = MapPhC(arrivals, PhaseType.exponential(1.0), 4)  # M/M/4
    >>> abs(queue.prob_wait - float(erlang_c(3.2, 4))) < 1e-12
    True
    """

    arrivals: MarkovianArrivals
    service: PhaseType
    servers: int

    @property
    def utilization(self) -> Ratio:
        """Share of the time a server is busy."""
        return self.arrivals.rate_rps * self.service.mean_s / self.servers

    @property
    def prob_wait(self) -> float:
        """Probability that an arrival must wait."""
        s = self._solved
        return float(s.left @ s.start @ np.ones(s.start.shape[1]))

    @functools.cached_property
    def mean_wait_s(self) -> float:
        """Mean wait over all arrivals."""
        return float(self._solved.left @ self._integrals[0].sum(axis=1))

    @property
    def wait_second_moment(self) -> float:
        """Mean of the squared wait, s^2."""
        return float(2 * self._solved.left @ self._integrals[1].sum(axis=1))

    @property
    def mean_response_s(self) -> float:
        """Mean of wait and service."""
        return self.mean_wait_s + float(self.service.mean_s)

    def wait_quantile_s(self, p: Fraction) -> float:
        """Time within which a share *p* of arrivals starts service; 0 for those who need not wait."""
        return 0.0 if self.prob_wait <= 1 - float(p) else self._quantile(float(p), of_response=False)

    def response_quantile_s(self, p: Fraction) -> float:
        """Time within which a share *p* of arrivals is served."""
        return self._quantile(float(p), of_response=True)

    @functools.cached_property
    def _solved(self) -> _Solved:
        check_steady(float(self.utilization))
        return _solve(self.arrivals, self.service, self.servers)

    @functools.cached_property
    def _integrals(self) -> tuple[Matrix, Matrix]:
        """I = int H dt and int I dt: I S0 + Z (E (x) I) I S1 = -H(0), and again with I."""
        s = self._solved
        rows, columns = s.start.shape
        if rows * columns > LARGE:  # diagonal: a system for each eigenvalue instead of one of rows x columns
            values, vectors = np.linalg.eig(s.turn)
            systems = (s.silent + values[:, None, None] * s.completing).transpose(0, 2, 1)
            first = np.linalg.solve(systems, -np.linalg.solve(vectors, s.start)[..., None])
            second = np.linalg.solve(systems, -first)
            return (vectors @ first[..., 0]).real, (vectors @ second[..., 0]).real
        system = np.kron(s.silent.T, np.eye(rows)) + np.kron(s.completing.T, s.turn)
        once = np.linalg.solve(system, -s.start.ravel(order="F"))
        twice = np.linalg.solve(system, -once)
        return once.reshape(rows, columns, order="F"), twice.reshape(rows, columns, order="F")

    @functools.cached_property
    def _chain(self) -> tuple[Matrix, Matrix, Matrix]:
        """The wait, then the service, as one linear system x' = A x: A, x(0), and what P(T > t) sums over x."""
        s = self._solved
        rows, columns = s.start.shape
        size, phases = rows * columns, self.service.start.size
        a = np.zeros((size + phases, size + phases))
        a[:size, :size] = np.kron(s.silent.T, np.eye(rows)) + np.kron(s.completing.T, s.turn)
        over = np.kron(np.ones(columns), s.left)  # P(W > t) from vec H
        a[size:, :size] = -np.outer(self.service.start, over @ a[:size, :size])  # whoever starts service
        a[size:, size:] = self.service.generator.T
        begin = np.concatenate([s.start.ravel(order="F"), (1 - self.prob_wait) * self.service.start])
        return a, begin, np.concatenate([over, np.ones(phases)])

    def wait_tail(self, least: Fraction = 1e-6) -> tuple[FloatArray, FloatArray]:
        """Times from 0 on, and P(wait > t) at them, down to *least*: steps that double after every STEPS of them.

        Each eigenvector of Z (E (x) I) goes its own way.
        """
        from scipy.linalg import expm

        s = self._solved
        values, vectors = np.linalg.eig(s.turn)
        rows = np.linalg.solve(vectors, s.start) * (s.left @ vectors)[:, None]
        step_s = FINEST * (self.mean_wait_s / max(self.prob_wait, least) + float(self.service.mean_s) / self.servers)
        turns = expm((s.silent + values[:, None, None] * s.completing) * step_s)
        times, found = [0.0], [float(self.prob_wait)]
        while found[-1] > least and len(times) < MOST_STEPS:
            for _ in range(STEPS):
                rows = (rows[:, None, :] @ turns)[:, 0, :]
                times.append(times[-1] + float(step_s))
                found.append(float(np.real(rows).sum()))
            step_s, turns = 2 * step_s, turns @ turns
        return np.array(times), np.minimum.accumulate(np.maximum(found, 0.0))

    def _quantile(self, p: float, *, of_response: bool) -> float:
        from scipy.linalg import expm
        from scipy.optimize import brentq
        from scipy.sparse.linalg import expm_multiply

        a, x, total = self._chain
        if not of_response:
            size = a.shape[0] - self.service.start.size
            a, x, total = a[:size, :size], x[:size], total[:size]
        step_s = 2 * (self.mean_wait_s + float(self.service.mean_s))
        step = expm(a * step_s)
        t = 0.0
        while total @ (ahead := step @ x) > 1 - p:
            t, x = t + step_s, ahead
        return t + float(
            brentq(lambda s: float(total @ expm_multiply(a * s, x)) - (1 - p), 0.0, step_s, xtol=1e-13 * max(step_s, t), rtol=1e-14)
        )


@dataclass(frozen=True, eq=False)
class _Solved:
    left: Matrix  # pi_c (E (x) I)
    turn: Matrix  # Z (E (x) I)
    start: Matrix  # H(0)
    silent: Matrix  # S0 of c busy servers
    completing: Matrix  # S1


def _solve(arrivals: MarkovianArrivals, service: PhaseType, servers: int) -> _Solved:
    d0, d1 = arrivals.quiet, arrivals.arriving
    inner, leaving, entering = busy_servers(service, servers)
    eye = np.eye(d0.shape[0])
    silent = inner[-1]
    completing = leaving[-1] @ entering[-1]  # the next one starts at once
    up, here, down = (
        np.kron(d1, np.eye(silent.shape[0])),
        np.kron(d0, np.eye(silent.shape[0])) + np.kron(eye, silent),
        np.kron(eye, completing),
    )
    r = rate_matrix(up, here, down)
    below = r  # pi_(n+1) = pi_n R_n, from level c - 1 down
    rates: list[Matrix] = []
    for n in range(servers - 1, -1, -1):
        at = np.kron(d0, np.eye(inner[n + 1].shape[0])) + np.kron(eye, inner[n + 1])
        back = down if n == servers - 1 else np.kron(eye, leaving[n + 1])
        below = np.linalg.solve(-(at + below @ back).T, np.kron(d1, entering[n]).T).T
        rates.append(below)
    bottom = d0 + rates[-1] @ np.kron(eye, leaving[0])
    level = _null(bottom)
    mass = level.sum()
    for rate in reversed(rates):
        level = level @ rate
        mass += level.sum() if rate is not rates[0] else 0.0
    waiting = np.linalg.solve(np.eye(r.shape[0]) - r, np.ones(r.shape[0]))
    level = level / (mass + level @ waiting)
    first, second = _factors(d1)
    wide = np.kron(first, np.eye(silent.shape[0]))
    turn = np.linalg.solve(-(here + r @ down).T, np.kron(second, np.eye(silent.shape[0])).T).T @ wide
    seen = np.kron(second.sum(axis=1, keepdims=True), np.eye(silent.shape[0])) / float(arrivals.rate_rps)
    start = np.linalg.solve(np.eye(turn.shape[0]) - turn, seen)
    return _Solved(left=level @ wide, turn=turn, start=start, silent=silent, completing=completing)


def _factors(d1: Matrix) -> tuple[Matrix, Matrix]:
    """E and F with D1 = E F, of as few columns and rows as it has: each row of D1 is in proportion to F where all are."""
    exits = d1.sum(axis=1, keepdims=True)
    likely = d1[int(exits.argmax())][None, :] / exits.max()
    return (exits, likely) if np.abs(exits @ likely - d1).max() <= 1e-14 * exits.max() else (d1, np.eye(d1.shape[0]))


def states(servers: int, phases: int) -> int:
    """In how many ways busy *servers* can be spread over *phases*.

    >>> states(8, 3)
    45
    """
    return math.comb(servers + phases - 1, servers)


def busy_servers(service: PhaseType, servers: int) -> tuple[list[Matrix], list[Matrix], list[Matrix]]:
    """How many of n busy servers are in each phase, as changes within n = 0 .. c, from n to n - 1, and from n to n + 1."""
    ways = [_states(service.start.size, n) for n in range(servers + 1)]
    inner = [_inner(service, ways[n]) for n in range(servers + 1)]
    leaving = [_leaving(service, ways[n], ways[n - 1]) for n in range(1, servers + 1)]
    entering = [_entering(service, ways[n], ways[n + 1]) for n in range(servers)]
    return inner, leaving, entering


def _null(generator: Matrix) -> Matrix:
    """A positive row vector x with x A = 0."""
    return stationary(generator) if generator.shape[0] > 1 else np.ones(1)


def _states(phases: int, busy: int) -> list[tuple[int, ...]]:
    """How many of *busy* servers are in each phase, all ways."""
    return [s for s in itertools.product(range(busy + 1), repeat=phases) if sum(s) == busy] if phases > 1 else [(busy,)]


def _moved(state: tuple[int, ...], out: int | None, into: int | None) -> tuple[int, ...]:
    return tuple(n - (i == out) + (i == into) for i, n in enumerate(state))


def _inner(service: PhaseType, states: list[tuple[int, ...]]) -> Matrix:
    """Changes of phase within the busy servers, and on the diagonal minus all rates out."""
    place = {s: i for i, s in enumerate(states)}
    found = np.zeros((len(states), len(states)))
    for s, i in place.items():
        for one, count in enumerate(s):
            if count:
                found[i, i] += count * service.generator[one, one]
                for other in range(len(s)):
                    if other != one and service.generator[one, other] > 0:
                        found[i, place[_moved(s, one, other)]] += count * service.generator[one, other]
    return found


def _leaving(service: PhaseType, states: list[tuple[int, ...]], fewer: list[tuple[int, ...]]) -> Matrix:
    place = {s: i for i, s in enumerate(fewer)}
    found = np.zeros((len(states), len(fewer)))
    for i, s in enumerate(states):
        for one, count in enumerate(s):
            if count:
                found[i, place[_moved(s, one, None)]] += count * service.exits[one]
    return found


def _entering(service: PhaseType, states: list[tuple[int, ...]], more: list[tuple[int, ...]]) -> Matrix:
    place = {s: i for i, s in enumerate(more)}
    found = np.zeros((len(states), len(more)))
    for i, s in enumerate(states):
        for one, p in enumerate(service.start):
            found[i, place[_moved(s, None, one)]] += p
    return found


def rate_matrix(up: Matrix, here: Matrix, down: Matrix) -> Matrix:
    """R of the QBD by logarithmic reduction (Latouche, Ramaswami 1999, ch. 8): G first, then R = A0 (-(A1 + A0 G))^-1."""
    size = here.shape[0]
    inverse = np.linalg.inv(-here)
    high: Matrix = inverse @ up
    low: Matrix = inverse @ down
    g, rest = low.copy(), high.copy()
    for _ in range(64):
        mixed = high @ low + low @ high
        inverse = np.linalg.inv(np.eye(size) - mixed)
        high, low = np.asarray(inverse @ high @ high), np.asarray(inverse @ low @ low)
        more = rest @ low
        g += more
        rest = rest @ high
        if np.abs(more).max() < 1e-16:
            break
    return np.asarray(up @ np.linalg.inv(-(here + up @ g)))
