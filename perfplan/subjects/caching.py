"""What caches and the edge answer."""

from __future__ import annotations

from perfplan.models import caching, cost
from perfplan.operate import tended
from perfplan.operate.kind import today, worst
from perfplan.plan import paths
from perfplan.plan.paths import origins
from perfplan.quantity import median
from perfplan.study import Study
from perfplan.study.levels import MVP
from perfplan.subjects.kind import ARCHITECTURE, IMPLEMENTATION, Found, Item, by_tier, parts
from perfplan.words import share, size


def _hierarchy(study: Study) -> Found | None:
    caches, made = origins(study.scenario), study.middle
    if not caches and study.scenario.cdn is None:
        return None
    said = [f"{name} hits {share(today(study, made.carried.hit_ratio[name]))}" for name in caches]
    if study.scenario.cdn:
        edge = sum(today(study, made.carried.edge[name]) * median(one.share) for name, one in study.scenario.journeys.items())
        said.insert(0, f"edge answers {share(edge)} of all requests")
    return Found(text="; ".join(said) + "; with a cold cache its origin is not yet modelled", verdict="at risk")


def _edge(study: Study) -> Found | None:
    if study.scenario.cdn is None:
        return None
    hits = median(study.scenario.cdn.hit_ratio)
    return Found(text=f"edge hit ratio {share(hits)} as stated", verdict="met" if hits >= MVP.hits else "at risk")


def _static(study: Study) -> Found | None:
    if study.scenario.cdn is None:
        return None
    edge, sent = (size(today(study, value)) for value in (study.middle.edge_bytes, study.middle.sent_bytes))
    return Found(text=f"the edge carries {edge}/s at the peak, {sent}/s still leave the data centre")


def _cacheable(study: Study) -> Found | None:
    if study.scenario.cdn is None:
        return None
    return Found(text=", ".join(f"{name} {share(median(one.cacheable))} cacheable" for name, one in study.scenario.journeys.items()))


def _sessions(study: Study) -> Found | None:
    """A session store must not lose what it holds."""
    answer = study.scenario.answers.get("2.1.1.b")
    named = [name for name in origins(study.scenario) if answer is not None and name.lower() in answer.value.lower()]
    if not named:
        return None
    answers = [(name, tended(study.scenario.tiers[name]).items.get("2.1.1.b")) for name in named]
    said = [part for name, answer in answers if answer and (part := answer(study, name, study.scenario.tiers[name])) is not None]
    return Found(text="; ".join(part.text for part in said), verdict=worst(tuple(part.verdict for part in said))) if said else None


def _classes(study: Study) -> Found | None:
    """What is sent to users, by journey, and what of it the edge may keep."""
    if study.scenario.cdn is None:
        return None
    rates = {name: today(study, rps) for name, rps in study.middle.carried.journey_rps.items()}
    rows = {}
    for name, one in study.scenario.journeys.items():
        rows[f"static files of {name}"] = rates[name] * median(one.static_bytes), 1.0
        rows[f"responses of {name}"] = rates[name] * median(one.response_bytes), median(one.cacheable)
    total = sum(sent for sent, _ in rows.values())
    said = [
        f"{name} {share(sent / total)} of the bytes, {share(kept)} cacheable" for name, (sent, kept) in rows.items() if sent > total / 100
    ]
    return Found(text="; ".join(said)) if total else None


ITEMS = (
    Item("2.2.1", _hierarchy, ARCHITECTURE, caching.lru_hit_ratio),
    Item("2.2.1.b", _edge, ARCHITECTURE, paths.edge_share),
    by_tier("2.2.1.c", ARCHITECTURE, caching.lru_hit_ratio, sep=", "),
    by_tier("2.2.2.a", ARCHITECTURE, caching.lru_hit_ratio),
    by_tier("2.2.5", ARCHITECTURE, caching.zipf_classes),
    Item("2.1.1.b", _sessions, ARCHITECTURE, paths.origins),
    Item("2.5.1", _classes, ARCHITECTURE, cost.traffic_month_usd),
    by_tier("3.3.1.b", IMPLEMENTATION, parts),
    by_tier("3.3.2.b", IMPLEMENTATION, parts),
    Item("2.5.1.a", _static, ARCHITECTURE, cost.traffic_month_usd),
    Item("2.5.1.b", _cacheable, ARCHITECTURE, paths.edge_share),
)
