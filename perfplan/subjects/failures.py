"""What happens when something fails at the peak: the worst, what spreads to others, what stands in one zone, and the cures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from perfplan.plan import with_counts
from perfplan.quantity import median
from perfplan.scenario import Scenario
from perfplan.study import Study, once
from perfplan.study.cures import Cure, cures, in_one_zone, wanted
from perfplan.study.failures import BURST, EVERY, Failed, Failing, busiest, failures
from perfplan.study.ladder import ladder
from perfplan.study.verdicts import RISK
from perfplan.subjects.kind import ARCHITECTURE, IMPLEMENTATION, Finding, Found, Item
from perfplan.tiers import count_of, kind_of
from perfplan.tiers.kind import NODE, SLOW
from perfplan.tiers.place import Place
from perfplan.words import NBSP, capital, change, duration, listed, money, number, percent, share

LITTLE = 0.001  # of all requests: what fails less is not said to spread


def named(row: Failed) -> str:
    """A failure in words."""
    return row.failure.what if row.tier in (BURST, EVERY) else f"{row.tier}: {row.failure.what}"


def spreads(row: Failed) -> bool:
    """Whether requests fail that do not need what failed."""
    return row.beyond > LITTLE


def worst(study: Study) -> Failed | None:
    """The costliest failure until all is as before; None where none makes a request fail."""
    rows = [row for row in failures(study) if row.tier != BURST]
    found = max(rows, key=costliness, default=None)
    return found if found is not None and found.requests > 0 else None


def costliness(row: Failed) -> tuple[float, float]:
    """What failures are compared by: dollars where a request's worth is stated, then requests."""
    return row.lost_usd, row.requests


def full(row: Failed) -> str:
    """What breaks first, or is fullest where nothing does, and the load there over what it carries; "" where nothing has anything to do."""
    if row.first is None or row.used < LITTLE:
        return ""
    return f"{row.first.words} {number(100 * row.used)}{NBSP}%" if np.isfinite(row.used) else f"{row.first.words} stand still"


def cost(row: Failed) -> str:
    """What fails until all is as before, and its price where that is stated."""
    usd = f", {money(row.lost_usd)}" if row.lost_usd > 0 else ""
    more = ", and an unknown number until it is filled" if np.isnan(row.fails_s) else ""
    return f"{number(round(row.requests))} requests{usd}{more}"


def cured(cure: Cure | None) -> str:
    """A cure in words."""
    if cure is None:
        return "none found"
    cuts = f" (gives up {share(cure.cuts, 2)} of the usual calls)" if cure.cuts > 0 else ""
    return (cure.name or listed(list(cure.overrides))) + cuts


def priced(cure: Cure | None) -> str:
    """A cure with its price."""
    if cure is None:
        return cured(cure)
    return f"{cured(cure)}, {price_of(cure)}"


def price_of(cure: Cure | None) -> str:
    """Its price in words."""
    if cure is None:
        return ""
    price = [] if not cure.once_usd else [f"{money(cure.once_usd)} once"]
    price += [] if not cure.monthly_usd else [f"{change(cure.monthly_usd, money)} a month"]
    return " and ".join(price) or "free"


def first_screen(study: Study) -> str:
    """The worst failure as a sentence; "" where none makes a request fail."""
    row = worst(study)
    if row is None:
        return ""
    cure = next(cure for one, cure in zip(failures(study), cures(study), strict=True) if one is row)
    spread = f", {share(row.beyond, 2)} without need ({full(row)} full)" if spreads(row) and np.isfinite(row.used) else ""
    within = f" in {duration(row.fails_s, 2)}" if np.isfinite(row.fails_s) else ""
    way = f" Cheapest cure found: {priced(cure)}." if wanted(study.scenario, row) else ""
    return (
        f"Of {len(failures(study))} failures computed at today's peak the costliest is “{named(row)}”: {share(row.share, 2)} of all "
        f"requests fail{spread}, {cost(row)}{within}.{way}"
    )


def findings(study: Study) -> Iterator[Finding]:
    """Each failure that spreads to what has not failed, and what is lost with one zone."""
    for row, cure in zip(failures(study), cures(study), strict=True):
        if row.tier in (BURST, EVERY) or not spreads(row):
            continue
        yield Finding(
            kind=RISK,
            phase=2,
            about=f"failures.{row.tier}.{row.failure.takes}",
            month=0,
            title=f"{capital(named(row))} fails {share(row.share, 2)} of all requests, {share(row.beyond, 2)} that do not need it",
            rule="what fails takes with it only the requests that need it",
            value=f"{full(row)} at today's peak; {percent(row.p_breaks)} of the worlds",
            reason=f"{cost(row)} until all is as before" + (f", {duration(row.heals_s, 2)}" if np.isfinite(row.heals_s) else ""),
            remedy=priced(cure),
            price_usd=cure.monthly_usd if cure is not None else None,
        )
    if alone := [name for name in study.scenario.tiers if _stands_in_one_zone(study, name)]:
        yield Finding(
            kind=RISK,
            phase=2,
            about="failures.zones",
            month=0,
            title=f"The loss of one zone is the loss of all of {listed(alone)}, as zones are stated or left at one",
            rule="the loss of one zone leaves enough of every tier",
            value=f"zones: 1 of {len(alone)} tiers with nodes",
            reason="zones are 1 unless a tier states more",
            remedy="state `zones:` where nodes are spread already; spread them where they are not",
        )


def _stands_in_one_zone(study: Study, name: str) -> bool:
    return any(row.tier == name and in_one_zone(study.scenario, row) for row in failures(study))


def _breakers(study: Study) -> Found | None:
    """What hangs, and whether it takes others with it."""
    rows = [row for row in failures(study) if row.failure.takes == SLOW]
    if not rows:
        return None
    spread = [row for row in rows if spreads(row)]
    said = [f"{row.tier} hangs: {share(row.share, 2)} of requests fail, {share(row.beyond, 2)} that need not" for row in spread or rows]
    return Found(text=f"{'; '.join(said)}; no breaker is shown to be deployed", verdict="not met" if spread else "at risk")


def _stateless(study: Study) -> Found | None:
    """What the loss of one instance costs."""
    entries = {name for name, tier in study.scenario.tiers.items() if kind_of(tier).stands.enters}
    rows = [row for row in failures(study) if row.failure.takes == NODE and row.tier in entries]
    said = [f"{row.tier}, {row.failure.what}: {full(row)}, {share(row.share, 2)} of requests fail" for row in rows]
    return Found(text="; ".join(said), verdict="at risk" if any(row.breaks for row in rows) else "met") if said else None


@once
def scales(study: Study) -> dict[str, tuple[float, float]]:
    """Of each tier where requests enter, with what is planned in the busiest month: how many instances there are, and the load at which
    something is full over as many times the load at which a single one is."""
    month = busiest(study)
    scenario, rps = study.planned(month), float(study.middle.rps[0, month])

    def carries(scenario: Scenario) -> float:
        return min(Failing.with_timeouts(scenario, rps, ladder(study)).normal.full.values(), default=np.inf)

    found = {}
    for name, tier in scenario.tiers.items():
        if kind_of(tier).stands.enters:
            place = Place(name, kind_of(tier).owned.bought[0].field)
            count, single = median(count_of(tier, place.field)), with_counts(scenario, {place: 1})
            found[name] = count, min(1.0, carries(scenario) / (count * carries(single)))
    return found


EFFICIENT = 0.70  # of what as many single instances would carry, at least


def _scales(study: Study) -> Found | None:
    """How much of what single instances carry the planned ones carry together, before what they share is full."""
    found = scales(study)
    said = [f"{name}: {number(count)} instances carry {share(part)} of as many single ones" for name, (count, part) in found.items()]
    least = min((part for _, part in found.values()), default=1.0)
    return Found(text="; ".join(said), verdict="met" if least >= EFFICIENT else "at risk") if said else None


def _errors(study: Study) -> Found | None:
    """Which dependency fails most requests."""
    row = worst(study)
    return None if row is None else Found(text=f"{named(row)}: {share(row.share, 2)} of requests fail, {cost(row)}")


ITEMS = (
    Item("2.1.1", _scales, ARCHITECTURE, scales),
    Item("2.1.1.a", _stateless, ARCHITECTURE, failures),
    Item("3.4.5", _breakers, IMPLEMENTATION, failures),
    Item("CI.2", _errors, ARCHITECTURE, failures),
)
