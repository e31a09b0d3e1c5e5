"""What is there, how much of it is used, and when it runs out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from perfplan.models import capacity
from perfplan.models.capacity import month_quantile
from perfplan.models.stations import queueing
from perfplan.operate.kind import run_out, today, worst
from perfplan.plan import Resource
from perfplan.plan.resources import STORAGE, lead_time_s, unit_price_usd
from perfplan.quantity import median
from perfplan.study import RunOut, Study, confidence
from perfplan.study.verdicts import HOLDS, RISK, early, limits_kept, of_run_out, order_by
from perfplan.subjects.kind import ARCHITECTURE, IMPLEMENTATION, OPTIMIZATION, REQUIREMENTS, Finding, Found, Item, by_tier, parts
from perfplan.tiers import bought_of, kind_of
from perfplan.tiers.place import LINK, Place
from perfplan.words import capital, count, day_name, money, percent, share, size, weeks


def findings(study: Study) -> Iterator[Finding]:
    """Each resource: whether it runs out within the months asked for, and by when more must be ordered."""
    for out in study.run_outs:
        resource, (month, _) = out.resource, early(study.scenario, out)
        yield Finding(
            kind=HOLDS if of_run_out(study, out) == HOLDS else RISK,
            phase=2,
            about=str(resource.place),
            month=month,
            price_usd=unit_price_usd(study.scenario, resource.place) if resource.ours else None,
            title=_title(study, out, month),
            rule=_rule(study, resource),
            value=f"{_used(resource)} used today; runs out {_run_out_dates(study, out)}",
            reason=_reason(study, resource),
            remedy=_remedy(study, out) if np.isfinite(month) else "",
        )


def _title(study: Study, out: RunOut, month: float) -> str:
    name, one = capital(out.resource.label), not out.resource.ours
    if np.isfinite(out.quantile(0.5)):
        return f"{name} {'runs' if one else 'run'} out in {study.named(out.quantile(0.5))}"
    if np.isfinite(month):
        return f"{name} may run out from {study.named(month)}"
    return f"{name} {'lasts' if one else 'last'} for the whole plan"


def _rule(study: Study, resource: Resource) -> str:
    beyond = " (N + 1 and the peak second included)" if _one_by_one(study, resource) else ""
    return f"utilization at the peak hour at most {share(median(resource.limit))}{beyond}"


def _one_by_one(study: Study, resource: Resource) -> bool:
    """Whether one of it may be lost: it is neither a size of nodes nor a pool."""
    if not resource.ours:
        return False
    one = bought_of(study.scenario.tiers[resource.place.tier], resource.place.field)
    return not one.by_size and not one.pool


def _used(resource: Resource) -> str:
    used = share(median(resource.utilization[:, 0]))
    return f"{used} of {count(resource.count)}" if resource.ours else used


def _run_out_dates(study: Study, out: RunOut) -> str:
    return ", ".join(f"P{round(100 * p)} {study.named(out.quantile(p), short=True)}" for p in (0.05, 0.5, 0.95))


def _reason(study: Study, resource: Resource) -> str:
    used = median(resource.utilization[:, study.last])
    return f"{share(used) if np.isfinite(used) else 'saturated'} in {study.named(study.last)} at the median"


def _remedy(study: Study, out: RunOut) -> str:
    resource = out.resource
    lead = lead_time_s(study.scenario, resource.place)
    price = unit_price_usd(study.scenario, resource.place) if resource.ours else None
    due, asked = order_by(study, out), percent(confidence(study.scenario))
    more = f"; one more costs {money(price)} a month" if price else ""
    if isinstance(due, str):
        return (
            f"none of it: with the orders of the plan its limit is kept with {percent(limits_kept(study)[out.resource.place])} probability"
        )
    return f"order by {day_name(due)} (lead time {weeks(lead)}, {asked} confidence){more}"


# ---- items ----


def _storage(study: Study) -> Found | None:
    names = list(study.middle.stored_bytes)
    if not names:
        return None
    texts, verdicts = zip(*(_volume(study, name) for name in names), strict=True)
    return Found(text="; ".join(texts), verdict=worst(verdicts))


def _volume(study: Study, tier: str) -> tuple[str, str]:
    place, held = Place(tier, STORAGE), study.middle.stored_bytes[tier]
    text, verdict = run_out(study, place) if place in study.middle.resources else ("no limit of its own", "met")
    return f"{tier}: {size(today(study, held))} now, {size(today(study, held, 36))} in 36 months, {text}", verdict


def _bandwidth(study: Study) -> Found:
    text, verdict = run_out(study, LINK)
    out, back = (size(today(study, sent)) for sent in (study.middle.sent_bytes, study.middle.received_bytes))
    return Found(text=f"{out}/s out, {back}/s in at the peak hour; the link {text}", verdict=verdict)


def _sharding(study: Study) -> Found | None:
    said = parts(study, "2.3.5")
    needed = any(part.verdict != "not applicable" for part in said)
    return Found(text="; ".join(part.text for part in said), verdict="at risk" if needed else "not applicable") if said else None


def _shared(study: Study) -> Found | None:
    """What services share, and how much of it is used."""
    names = [name for name, tier in study.scenario.tiers.items() if not kind_of(tier).stands.enters]
    outs = [out for out in study.run_outs if out.resource.place.tier in names]
    if not outs:
        return None
    text = "; ".join(f"{out.resource.label} {_used(out.resource)}, {run_out(study, out.resource.place)[0]}" for out in outs)
    return Found(text=f"shared by all instances: {text}", verdict=worst(tuple(run_out(study, out.resource.place)[1] for out in outs)))


def _first(study: Study) -> Found:
    soonest = min(month_quantile(out.months, 0.05) for out in study.run_outs)
    first = (
        f"first resource runs out in {study.named(soonest)} (P5)" if np.isfinite(soonest) else "no resource runs out within the plan (P5)"
    )
    return Found(text=f"{first}; orders and dates stand in chapter 0", answer="artefact")


ITEMS = (
    Item("1.3.3", _storage, REQUIREMENTS, capacity.first_month),
    Item("1.3.4", _bandwidth, REQUIREMENTS, capacity.first_month),
    Item("2.1.1.c", _shared, ARCHITECTURE, capacity.first_month),
    Item("2.1.2", _sharding, ARCHITECTURE, capacity.month_quantile),
    by_tier("2.3.1.a", ARCHITECTURE, queueing.MMc),
    by_tier("2.3.1.c", ARCHITECTURE, queueing.MMc),
    by_tier("2.3.4", ARCHITECTURE, queueing.MMc, after="; lag is not modelled yet"),
    Item("2.3.5", _sharding, ARCHITECTURE, capacity.month_quantile),
    by_tier("3.2.3.b", IMPLEMENTATION, parts),
    by_tier("3.1.3", IMPLEMENTATION, queueing.MMc),
    by_tier("3.4.1.a", IMPLEMENTATION, queueing.MMc),
    by_tier("6.2.7", OPTIMIZATION, queueing.MMc),
    Item("6.3.5", _first, OPTIMIZATION, capacity.month_quantile),
)
