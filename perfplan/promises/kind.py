"""What every kind of promise answers, in two small records; nobody asks anything else of a promise, and nobody asks what kind it is.

A promise is judged by a `State`, a scenario at a load, of which it knows no more than is written here. A kind that leaves an answer out
does not type-check; where there is nothing to say, `nothing` says so on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from perfplan.models.slo import BUDGETINGS, OCCURRENCES, WINDOWS
from perfplan.quantity import FloatArray, Value, median
from perfplan.record import Choice, Reference
from perfplan.record import field as declare

JourneyName = Annotated[str, Reference(section="journeys")]
T = TypeVar("T")
PEAK_HOUR, WEEKS = "peak hour", "28 days"  # over what a share of requests is judged


def confidence_field() -> Any:
    """The field that every promise has."""
    return declare("probability with which it must hold", "95%", reason="one plan in twenty may miss", least="1%", most="99.9%")


def until_field() -> Any:
    """The field that every promise has."""
    return declare("how far ahead it must hold", "12 months", reason="a budget year")


Window = Annotated[str, Choice(words=WINDOWS)]
Budgeting = Annotated[str, Choice(words=BUDGETINGS)]


def window_field() -> Any:
    """The field of each promise that has an error budget."""
    return declare(
        "window of its error budget, rolling or of the calendar; left out, 28 days where it is judged over 28 days, else 30 days",
        optional=True,
    )


def budgeting_field() -> Any:
    """The field of each promise that has an error budget."""
    return declare(
        "what its budget counts: events, slices of time that are bad, or the mean over slices; forecasts count events",
        OCCURRENCES,
        reason="each request counts once, at night as at the peak",
    )


def slice_field() -> Any:
    """The field of each promise that has an error budget."""
    return declare("a slice of time, where slices are counted", "1min", reason="OpenSLO's usual slice", least="1min", most="1d")


def slice_good_field() -> Any:
    """The field of each promise that has an error budget."""
    return declare("share of a slice's events that must be good in a good slice", "95%", reason="a slice in which one of 20 fails is felt")


class Windowed(Protocol):
    """What every promise with an error budget states."""

    @property
    def window(self) -> str | None:
        """Over what; None: as usual."""

    @property
    def budgeting(self) -> str:
        """What is counted."""

    @property
    def slice_s(self) -> Value:
        """A slice of time."""

    @property
    def slice_good(self) -> Value:
        """Share that is good in a good slice."""


class Promise(Protocol):
    """What every promise states."""

    @property
    def kind(self) -> str:
        """Its word in a file."""

    @property
    def confidence(self) -> Value:
        """Probability with which it must hold."""

    @property
    def until_s(self) -> Value:
        """How far ahead it must hold."""


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A percentile of a journey's response time that must stay below a target."""

    journey: str
    percentile: Value
    below_s: Value
    over: str


@dataclass(frozen=True, kw_only=True)
class Counted:
    """A share of a journey's requests that must be good."""

    journey: str
    good: Value
    bad: Value
    down: bool  # whether it is stated as a time, too: down for so long


@dataclass(frozen=True, kw_only=True)
class Jobs:
    """How late jobs of a tier may be done."""

    tier: str
    below_s: Value


@dataclass(frozen=True, kw_only=True)
class Budgeted:
    """How an error budget is counted: over which window of `models.slo.WINDOWS`, by which of its methods, in which slices."""

    window: str
    method: str
    slice_s: float
    slice_good: float
    journeys: Sequence[str]  # whose requests are counted
    tier: str  # or whose jobs; "": none
    probes_rps: float | None  # how many are counted a second, where they are neither


def budgeted(
    one: Windowed, usual: str = "30 days", *, journeys: Sequence[str] = (), tier: str = "", probes_rps: Value | None = None
) -> Budgeted:
    """The budget that a promise states, and whose requests or jobs it counts; over *usual* where it names no window."""
    return Budgeted(
        window=one.window or usual,
        method=one.budgeting,
        slice_s=median(one.slice_s),
        slice_good=median(one.slice_good),
        journeys=journeys,
        tier=tier,
        probes_rps=median(probes_rps) if probes_rps is not None else None,
    )


class State(Protocol):
    """What a promise may ask of a scenario at a load; all arrays (worlds, months), or what broadcasts to it."""

    @property
    def rps(self) -> FloatArray:
        """The load."""

    def at(self, rps: FloatArray) -> State:
        """The same scenario at another load."""

    @property
    def second(self) -> State:
        """In the busiest second of each hour."""

    def slow(self, journey: str, below_s: Value, allowed: Value, over: Collection[str]) -> Mapping[str, FloatArray]:
        """Share of the requests of *journey* that are slower, over PEAK_HOUR and WEEKS; precise where it is a hundredth of *allowed*, or
        more."""

    def pages_slow(
        self, journey: str, below_s: Value, allowed: Value, round_trips: Value, bandwidth_bytes_per_s: Value, render_s: Value
    ) -> FloatArray:
        """Share of the pages of *journey* that are there later: so many more round trips, its bytes over the user's line, and the work of
        the browser."""

    def part(self, journey: str) -> Value:
        """Requests of *journey* over all requests."""

    def failed(self, journey: str) -> FloatArray:
        """Share of the requests of *journey* that meet a tier that is not up."""

    def late(self, tier: str, below_s: Value) -> Value:
        """Share of the jobs of *tier* that are done later than this after they were published."""

    @property
    def used(self) -> FloatArray:
        """Highest utilization of anything that a request waits for, or that refuses it."""

    @property
    def per_user_rps(self) -> Value:
        """Requests that one user sends."""

    @property
    def timed(self) -> Sequence[Timed]:
        """All response times that are promised."""

    def counted(self, journey: str) -> Sequence[Counted]:
        """All shares of the requests of *journey* that are promised."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One promise over worlds x months: the share or rate it is judged by, its bound, and whether it holds."""

    objective: Promise
    value: FloatArray  # share of bad requests, or the rate that is carried
    bound: Value
    holds: NDArray[np.bool_]
    also: FloatArray | None = field(default=None)  # the same judged the other way, 28 days or peak hour, where there is one


@dataclass(frozen=True, kw_only=True)
class Judges(Generic[T]):
    """How it is judged."""

    judged: Callable[[T, State, bool], Judged]  # the flag: also the other way, where there is one
    peak_second: bool  # whether the busiest second must be carried, so that limits of utilization know it
    elsewhere: Callable[[T], bool]  # whether it is judged at a load of its own, whatever the forecast says


@dataclass(frozen=True, kw_only=True)
class Says(Generic[T]):
    """What it promises, and of what."""

    timed: Callable[[T], Timed | None]
    counted: Callable[[T], Counted | None]
    jobs: Callable[[T], Jobs | None]
    users: Callable[[T], Value | None]  # how many may be there at once
    pages: Callable[[T], str | None]  # the journey whose pages are there in time
    budget: Callable[[T], Budgeted | None]  # how what is bad is counted


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[T]):
    """All answers of one kind of promise."""

    judges: Judges[T]
    says: Says[T]


def bad_share(objective: Promise, bad: Value, bound: Value) -> Judged:
    """A share of bad ones and the share that may be; a billionth aside, as both are rounded."""
    return Judged(objective=objective, value=np.asarray(bad), bound=bound, holds=np.asarray(bad) <= np.asarray(bound) * (1 + 1e-9))


def nothing(_: object) -> None:
    """There is none."""


def never(_: object) -> bool:
    """It is not."""
    return False
