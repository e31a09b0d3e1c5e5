"""What every kind of tier answers, in eight small records; nobody asks anything else of a tier, and nobody asks what kind it is.

A kind that leaves an answer out does not type-check; where there is nothing to say, `nothing` says so on purpose. Answers are functions:
they are looked up by a tier's class and never stored in a plan, which is pickled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Protocol, TypeVar

import numpy as np

from perfplan.models.cost import machines_month_usd
from perfplan.models.simulate import Pool, Step
from perfplan.models.stations.service import Station
from perfplan.models.times.distributions import Named
from perfplan.models.times.frequencies import Distribution
from perfplan.quantity import DAY, FloatArray, Value, median
from perfplan.record import Reference
from perfplan.record import field as stated
from perfplan.tiers.rungs import Outlasted, Rungs, Seen

TierName = Annotated[str, Reference(section="tiers")]
T = TypeVar("T")
Steps = tuple[Step, ...]
Proposal = tuple[str, Mapping[str, float]]  # how it is called, and its fields as they would be
FixedProblem = tuple[str, str]  # field, what is wrong with it
STEP = 0.05  # of a count, between two rungs of a search
MONTH_AHEAD_S = 30 * DAY  # what is somebody else's to give is asked for so far ahead


@dataclass(frozen=True, kw_only=True)
class Entered:
    """Requests of one journey that enter by the tier: their rate, and what each calls beside it."""

    rps: Value
    calls: Mapping[str, Value]


@dataclass(frozen=True, kw_only=True)
class Here:
    """What a tier sees of the plan around it: calls per second, hit ratio, responses of the tiers below, journeys that enter by it."""

    name: str  # its own
    rps: Value
    hit: Value
    below: Mapping[str, Distribution]
    entered: Sequence[Entered]

    def own(self, part: Distribution) -> Distribution:
        """A part of the response that is the tier's own: its waits and its work."""
        return Named(name=self.name, part=part)


@dataclass(frozen=True, kw_only=True)
class Carriage:
    """What a load does to a tier: its stations by the field that sizes them, and the response to a call."""

    response: Distribution
    stations: Mapping[str, Station] = field(default_factory=dict)


class Priced(Protocol):
    """A tier whose nodes are limited, delivered and paid by the hour."""

    @property
    def utilization_limit(self) -> Value:
        """Highest utilization that is planned for."""

    @property
    def lead_time_s(self) -> Value:
        """From order to running."""

    @property
    def price_usd_per_hour(self) -> Value:
        """Price of one."""


def node_limit(tier: Priced) -> Value:
    """The highest utilization of a node, as stated."""
    return tier.utilization_limit


def node_lead_s(tier: Priced) -> Value:
    """How long a node takes to come."""
    return tier.lead_time_s


def node_usd(tier: Priced) -> float:
    """What one more node costs a month."""
    return float(machines_month_usd(1.0, tier.price_usd_per_hour))


def endless(_: object) -> float:
    """As many as one likes."""
    return np.inf


def twentieth(_: object, count: float) -> float:
    """A twentieth more, at least one."""
    return count + max(1.0, round(count * STEP))


def as_needed(_: object, count: float, wanted: float) -> float:
    """What utilization asks for."""
    return max(wanted, count + 1)


@dataclass(frozen=True, kw_only=True)
class Bought(Generic[T]):
    """A count of a tier that is bought: how it is called, limited, sized, delivered and paid."""

    field: str
    unit: str
    order: int  # what is called before what calls it, as waits shrink
    limit: Callable[[T], Value]
    lead_s: Callable[[T], Value]
    price_usd: Callable[[T], float]  # of one more, a month
    larger: Callable[[T, float], float]  # the next larger count, for a search
    sized: Callable[[T, float, float], float]  # from the count and what its utilization asks for
    servers: str = ""  # what of it serves, where that is not the field
    spare: int = 0  # how many may be lost
    replaced_by: str = ""  # the field of what does the work of a lone one that is lost
    pool: bool = False  # callers wait for one of it and keep it while they are served
    by_size: bool = False  # comes in sizes of nodes, not one by one
    each: bool = False  # each is a station of its own
    first: bool = False  # what a call waits for before anything else is done for it
    waits: bool = False  # jobs wait until a peak second is over
    most: Callable[[T], float] = endless


@dataclass(frozen=True, kw_only=True)
class Held:
    """Data that a tier holds, and the lead time of a larger volume where it is limited."""

    now_bytes: Value
    growth_bytes: Value
    limit_bytes: Value | None
    lead_s: Value


@dataclass(frozen=True, kw_only=True)
class Carries(Generic[T]):
    """How a tier takes part in a path."""

    carry: Callable[[T, Here], Carriage]
    passes: Callable[[T, Value], Mapping[str, Value]]  # calls to other tiers for each call to it, at a hit ratio
    hit_ratio: Callable[[T], Value | None]  # of a tier that answers some calls without what it passes them to


@dataclass(frozen=True, kw_only=True)
class Stands(Generic[T]):
    """Where it stands in a path."""

    blocks: Callable[[T], bool]  # whether its servers are held while those it calls answer
    enters: bool  # makes the calls of the journeys that name it
    misses: bool  # passes on what it does not hold
    reads: bool  # may be asked for what is missed


@dataclass(frozen=True, kw_only=True)
class Owned(Generic[T]):
    """What of a tier is bought, held, limited and paid."""

    bought: tuple[Bought[T], ...]
    held: Callable[[T], Held | None]
    rate_limit: Callable[[T], Value | None]  # calls a second that it accepts
    month_usd: Callable[[T, Value, Value], Value]  # of bytes held and calls a month


@dataclass(frozen=True, kw_only=True)
class Kept(Generic[T]):
    """What can go wrong with a tier."""

    available: Callable[
        [T, Mapping[str, Value], Value], Value
    ]  # at the utilization of what is bought, and a share of calls that is refused
    times_out: Callable[[T, Seen, Rungs], Sequence[Outlasted]]  # puts its time-outs; what a caller must outlast
    problems: Callable[[T], Iterator[FixedProblem]]  # between its own fields


NODE, ZONE, LOST, BROKER = "a node", "a zone", "all nodes", "its broker"  # what a failure takes
SLOW, COLD = "it hangs", "it is cold"
HANGS = "hangs until time-outs"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One way in which a tier fails, and what is left of it meanwhile."""

    takes: str  # one of those above
    what: str  # in words, such as "1 of 36 instances lost"
    fields: Mapping[str, float] = field(default_factory=dict)  # its fields meanwhile
    hit: float = 1.0  # of its hit ratio, what is left
    fails: float = 0.0  # share of the calls to it that fail
    hangs: bool = False  # they fail only after their time-out
    stops: bool = False  # nothing works on its jobs, which wait
    back_s: Value = 0.0  # until what was lost is back
    refills: bool = False  # and then until it holds again what it held


@dataclass(frozen=True, kw_only=True)
class Fails(Generic[T]):
    """How it fails."""

    failures: Callable[[T], Sequence[Failure]]
    filling: Callable[[T, FloatArray], Value | None]  # hit ratio, so many look-ups after it was empty; None: that is not known
    zones: Callable[[T], Value | None]  # that its nodes are spread over; None where it has none
    calls: str = ""  # its field of the calls that it makes one after the other, where it makes any


def zones() -> Any:
    """The field of a tier with nodes."""
    return stated("zones that its nodes are spread over evenly", "1", reason="not spread unless stated", most="100")


def restart(default: str, reason: str) -> Any:
    """The field of a tier whose nodes come back."""
    return stated("time until a lost node is back, its detection included", default, reason=reason, most="30d")


class Spread(Protocol):
    """A tier whose nodes are spread over zones and come back."""

    @property
    def zones(self) -> Value:
        """Zones that its nodes are spread over."""

    @property
    def restart_s(self) -> Value:
        """Until a lost node is back."""


def spread_over(tier: Spread) -> Value:
    """The zones that its nodes are spread over."""
    return tier.zones


def fewer(tier: Spread, name: str, unit: str, count: float) -> list[Failure]:
    """A node lost, and a zone, of the *count* in the field *name*; where something is left."""
    found = []
    for takes, lost in ((NODE, 1.0), (ZONE, float(np.ceil(count / median(tier.zones))))):
        if lost < count and (takes == NODE or median(tier.zones) > 1):
            what = f"{lost:g} of {count:g} {unit} lost" + ("" if takes == NODE else f" (a zone of {median(tier.zones):g})")
            found.append(Failure(takes=takes, what=what, fields={name: count - lost}, back_s=tier.restart_s))
    return found


def all_of(tier: Spread, count: Value, unit: str) -> str:
    """What is said of the loss of everything."""
    where = " (one zone)" if median(tier.zones) == 1 else ""
    return f"all {median(count):g} {unit} lost{where}" if median(count) > 1 else f"the only one of its {unit} lost"


@dataclass(frozen=True, kw_only=True)
class ByMemory:
    """Hit ratios of a tier by the memory of all its nodes, and who is asked on a miss."""

    memory_bytes: FloatArray
    hit_ratio: FloatArray
    now_bytes: float
    items: float  # different ones that are asked for
    popularity: float  # exponent of their Zipf law
    held_items: float  # now
    origin: str


@dataclass(frozen=True, kw_only=True)
class Advised(Generic[T]):
    """What could be tried with a tier."""

    proposals: Callable[[str, T], Sequence[Proposal]]  # by its name
    sliders: Mapping[str, str]  # fields worth turning by hand, and how they are called


@dataclass(frozen=True, kw_only=True)
class Varied(Generic[T]):
    """What is varied to see what it does."""

    doubled: Mapping[str, str]  # what may be doubled: how it is called, and its field
    halved: Mapping[str, tuple[str, ...]]  # times that may be half or twice as long: how they are called, and their fields
    by_memory: Callable[[T, FloatArray], ByMemory | None]  # other sizes of its memory, over today's


@dataclass(frozen=True, kw_only=True)
class There:
    """What a simulated call sees: its tier's name, the hit ratio, how to call others, and what the journey calls beside it."""

    name: str
    hit: float
    call: Callable[[str, float], Steps]  # so many calls to a tier, one after the other
    beside: Steps


@dataclass(frozen=True, kw_only=True)
class Program(Generic[T]):
    """How a call runs in the simulator, which takes nothing from the formulas."""

    pools: Callable[[str, T], Mapping[str, Pool]]
    steps: Callable[[T, There], Steps]


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[T]):
    """All answers of one kind of tier."""

    carries: Carries[T]
    stands: Stands[T]
    owned: Owned[T]
    kept: Kept[T]
    advised: Advised[T]
    varied: Varied[T]
    program: Program[T]
    fails: Fails[T]


def nothing(*_: object) -> None:
    """There is none."""


def never(_: object) -> bool:
    """It does not."""
    return False


def no_calls(*_: object) -> Mapping[str, Value]:
    """It calls nobody."""
    return {}


def no_proposals(*_: object) -> Sequence[Proposal]:
    """Nothing to propose."""
    return ()


def no_problems(_: object) -> Iterator[FixedProblem]:
    """Its fields are independent."""
    return iter(())


def no_pools(*_: object) -> Mapping[str, Pool]:
    """No request waits for anything of it."""
    return {}


def month_of(machines: Value, tier: Priced) -> FloatArray:
    """What *machines* at a tier's price cost a month."""
    return machines_month_usd(machines, tier.price_usd_per_hour)


def whole(value: Value) -> int:
    """The middle of a count, at least 1, for a simulation."""
    return max(round(median(value)), 1)
