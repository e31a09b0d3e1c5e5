"""What can run out: how far everything that is bought, held or accepted is used, and the limit that is planned for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from perfplan import promises as promised
from perfplan.models.capacity import SPARE_LIMIT, usable_limit
from perfplan.models.growth import grown
from perfplan.models.stations.queueing import MMc
from perfplan.plan.paths import Carried, carry, traffic_bytes
from perfplan.quantity import FloatArray, Value, median
from perfplan.scenario import Scenario
from perfplan.tiers import bought_of, count_of, kind_of
from perfplan.tiers.kind import MONTH_AHEAD_S
from perfplan.tiers.place import LINK, Place

STORAGE_LIMIT, LINK_LIMIT, CALLS_LIMIT = 0.85, 0.70, 0.90  # planned for at most; the checklist alerts disks at 90 %
STORAGE, RATE = "storage_limit", "limit"  # names of the places of what is held, and of what is accepted, of any kind


@dataclass(frozen=True, kw_only=True)
class Resource:
    """Something that is bought or booked, and can run out."""

    place: Place  # the field of the scenario that states it
    count: float
    unit: str
    utilization: FloatArray  # (worlds, months)
    limit: FloatArray  # highest utilization that is planned for, N + 1 included
    used: str  # how much of it is used, in words
    trust: str  # how far that can be trusted
    ours: bool = False  # whether its count is ours to choose

    @property
    def formula(self) -> Any:
        """What computes how much of it is used."""
        return {STORAGE: stored_bytes, RATE: carry, LINK.field: traffic_bytes}.get(self.place.field, MMc.utilization)

    @property
    def label(self) -> str:
        """Its name in sentences."""
        return Place(self.place.tier, self.unit).words


def resources(scenario: Scenario, carried: Carried, stored: Mapping[str, FloatArray], sent: FloatArray) -> dict[Place, Resource]:
    """Everything that can run out, by where it is stated: what is bought, what holds data, what limits calls, the link."""
    flat = 0 * carried.rps
    found: list[Resource] = []
    for place, station in carried.stations.items():
        one = bought_of(scenario.tiers[place.tier], place.field)
        found.append(
            Resource(
                place=place,
                count=count_of(scenario.tiers[place.tier], place.field),
                unit=one.unit,
                utilization=station.utilization + flat,
                limit=limit_of(scenario, place, carried),
                used=f"arrivals x time held / {place.tier} {one.unit}",
                trust="Utilization is offered load over what there is: exact for any arrivals and service times.",
                ours=True,
            )
        )
    for name, tier in scenario.tiers.items():
        if (held := kind_of(tier).owned.held(tier)) is not None and held.limit_bytes is not None:
            found.append(
                Resource(
                    place=Place(name, STORAGE),
                    count=1.0,
                    unit="storage",
                    utilization=stored[name] / held.limit_bytes,
                    limit=np.asarray(STORAGE_LIMIT),
                    used=f"data today and what each month since adds, at its traffic / size of the volume of {name}",
                    trust="What a month adds grows with the traffic of that month; nothing is taken for deleted or compacted.",
                )
            )
    for name, tier in scenario.tiers.items():
        if (accepted := kind_of(tier).owned.rate_limit(tier)) is not None:
            found.append(
                Resource(
                    place=Place(name, RATE),
                    count=1.0,
                    unit="rate limit",
                    utilization=carried.calls_rps[name] / np.asarray(accepted) + flat,
                    limit=np.asarray(CALLS_LIMIT),
                    used=f"calls to {name} / rate that it accepts",
                    trust="Calls follow from the journeys' shares and their calls; retries are not among them.",
                )
            )
    found.append(
        Resource(
            place=LINK,
            count=1.0,
            unit="network link",
            utilization=sent / scenario.link_bytes_per_s,
            limit=np.asarray(LINK_LIMIT),
            used="bytes sent per second / what the link carries",
            trust="Bytes follow from the sizes of responses and files as stated; protocol overhead is not among them.",
        )
    )
    return {one.place: one for one in found}


def steady_limit(scenario: Scenario, place: Place) -> Value:
    """Highest utilization in the peak hour that is planned for: as stated, and so that the peak second is carried where that is
    promised."""
    tier = scenario.tiers[place.tier]
    one = bought_of(tier, place.field)
    if one.waits or not any(promised.kind_of(o).judges.peak_second for o in scenario.objectives.values()):
        return one.limit(tier)
    return np.minimum(one.limit(tier), 1 / np.asarray(scenario.traffic.peak_second, dtype=float))


def spares(scenario: Scenario, place: Place) -> int:
    """How many may be lost: one of what a load balancer or broker spreads over."""
    return bought_of(scenario.tiers[place.tier], place.field).spare


def limit_of(scenario: Scenario, place: Place, carried: Carried, *, spare: bool = True) -> FloatArray:
    """Highest utilization that is planned for; *spare*: with one lost, too, the rest must carry the load (of a lone one, what takes its
    place)."""
    tier, steady = scenario.tiers[place.tier], steady_limit(scenario, place)
    one, count = bought_of(tier, place.field), count_of(tier, place.field)
    if one.replaced_by and count == 1 and spare:
        return np.asarray(np.minimum(steady, SPARE_LIMIT - carried.stations[Place(place.tier, one.replaced_by)].utilization))
    return usable_limit(count, steady, one.spare if spare else 0)


def stored_bytes(scenario: Scenario, rps: FloatArray, first: int) -> dict[str, FloatArray]:
    """Data held at the start of each month: it grows with the traffic of the months before, events aside."""
    growth = scenario.traffic.growth_per_month if scenario.traffic.growth_per_month is not None else 0.0
    size = grown(1.0, growth, np.arange(first + rps.shape[-1], dtype=float))
    before = np.concatenate([np.zeros_like(size[..., :1]), np.cumsum(size[..., :-1], axis=-1)], axis=-1)[..., first:]
    held = {name: kind_of(tier).owned.held(tier) for name, tier in scenario.tiers.items()}
    return {name: np.broadcast_to(one.now_bytes + before * one.growth_bytes, rps.shape) for name, one in held.items() if one is not None}


def lead_time_s(scenario: Scenario, place: Place) -> float:
    """Lead time of what stands at *place*; what somebody else limits, and the link, are asked for a month ahead."""
    tier = scenario.tiers.get(place.tier)
    if tier is None:
        return MONTH_AHEAD_S
    owned = kind_of(tier).owned
    held, one = owned.held(tier), next((one for one in owned.bought if one.field == place.field), None)
    if one is None:
        return median(held.lead_s) if held is not None and place.field == STORAGE else MONTH_AHEAD_S
    return median(one.lead_s(tier))


def unit_price_usd(scenario: Scenario, place: Place) -> float:
    """What one more of what stands at *place* costs per month."""
    tier = scenario.tiers[place.tier]
    return next((one.price_usd(tier) for one in kind_of(tier).owned.bought if one.field == place.field), 0.0)
