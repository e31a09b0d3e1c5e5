"""A runbook: the five common issues with this system's numbers, the review calendar, how each tier is scaled."""

from __future__ import annotations

import numpy as np

from perfplan.judging import Answers, File
from perfplan.operate import tended
from perfplan.operate.source import Source, first
from perfplan.operate.text import markdown
from perfplan.plan.paths import origins
from perfplan.promises import counted
from perfplan.quantity import median
from perfplan.study.remedy import positions
from perfplan.study.sweeps import NOWHERE, todays_knee
from perfplan.tiers import kind_of
from perfplan.tiers.rungs import CALL, POOL, REQUEST
from perfplan.words import day_name, duration, number, percent, rate, share, size, weeks


def runbook(source: Source) -> str:
    """The file, in Markdown."""
    study = source.study
    head = source.head(">", "Runbook").replace("\n", "  \n")
    parts = [
        f"# Runbook of {markdown(study.scenario.name)}\n\n{head}",
        "## When something is wrong\n",
        *(_issue(*row) for row in (_latency(source), _errors(source), _throughput(source), _memory(source), _misses(source))),
        _calendar(source),
        _scaling(source),
    ]
    return "\n".join(parts)


def _issue(name: str, symptom: str, check: str, remedy: str) -> str:
    return f"### {name}\n\n- **Symptom**: {symptom}\n- **First check**: {check}\n- **Remedy**: {remedy}\n"


def _percentile(source: Source, journey: str, p: float) -> float:
    return first(source.study.middle.percentile_s[journey][p], source.study.middle.rps.shape)


def _latency(source: Source) -> tuple[str, str, str, str]:
    made = source.study.middle
    usual = "; ".join(f"{markdown(n)} {duration(_percentile(source, n, 0.95))}" for n in made.scenario.journeys)
    stations = {place.words: first(s.utilization, made.rps.shape) for place, s in made.carried.stations.items()}
    busiest = sorted(stations, key=lambda n: -stations[n])[:3]
    known = ", ".join(f"{markdown(n)} {share(stations[n])}" for n in busiest)
    partners = [n for n, t in made.scenario.tiers.items() if not kind_of(t).owned.bought]  # somebody else runs them
    third = (
        f" A slow partner ({', '.join(map(markdown, partners))}) makes blocking threads wait: see its own status page." if partners else ""
    )
    return (
        "High latency",
        f"p95 above what the plan expects at the peak hour: {usual}.",
        f"utilization of the busiest stations against today's expected peak: {known or 'no station'}; above it, the load or the "
        f"time per call has grown.{third}",
        "more of what is above its limit (see scaling below); until it is there, shed the least valuable journey, or shorten "
        "time-outs so that queues stay short.",
    )


def _errors(source: Source) -> tuple[str, str, str, str]:
    rows = [r for r in source.ladder.rungs if r.role in (POOL, REQUEST, CALL)]
    ladder = ", ".join(f"{markdown(r.label)} {duration(r.value_s)}" for r in rows)
    failing = [
        f"{markdown(n)}: {share(median(j.value[:, 0]))} expected, {share(median(j.bound))} allowed"
        for n, j in source.study.worlds.judged.items()
        if counted(j.objective)
    ]
    return (
        "High error rate",
        f"more failed requests than promised ({'; '.join(failing) or 'no promise is stated'}).",
        f"which time-out ends requests: {ladder or 'none'}. Then the latest deploy, and the partners' status pages.",
        "roll back the latest deploy; stop retries first. Deployments stop below "
        f"{share(median(source.study.scenario.freeze_at))} of the error budget.",
    )


def _throughput(source: Source) -> tuple[str, str, str, str]:
    found = todays_knee(source.study)
    limit = found.saturated[found.soonest]
    return (
        "Low throughput",
        f"arrivals are not answered at the rate they come; the plan expects {rate(found.peak_rps)} at today's peak hour.",
        f"{markdown(found.named)}, at {rate(limit)} of the whole service; requests in flight grow without end there."
        if np.isfinite(limit)
        else f"{NOWHERE}: look at the link and at locks.",
        f"more {markdown(found.first.words)}; limit arrivals at the proxy to what is carried.",
    )


def _memory(source: Source) -> tuple[str, str, str, str]:
    scenario = source.study.scenario
    said = ((name, tended(tier).memory(name, tier)) for name, tier in scenario.tiers.items())
    rows = [text for _, text in sorted(said, key=lambda row: not kind_of(scenario.tiers[row[0]]).stands.misses) if text]  # caches first
    stored = [f"{markdown(n)} {size(first(b, source.study.middle.rps.shape))}" for n, b in source.study.middle.stored_bytes.items()]
    return (
        "Memory",
        "more than 85 % of a machine's memory used for 5 minutes, or processes killed for it.",
        f"what should be there: {'; '.join(rows) or 'no cache and no database is stated'}. Data stored: "
        f"{'; '.join(stored) or 'none stated'}.",
        "restart the leaking process one instance at a time; lower pool and worker counts to those of the plan; then order "
        "larger machines.",
    )


def _misses(source: Source) -> tuple[str, str, str, str]:
    made = source.study.middle
    rows = []
    for name, origin in origins(made.scenario).items():
        hit, reads = first(made.carried.hit_ratio[name], made.rps.shape), first(made.carried.calls_rps[name], made.rps.shape)
        rows.append(
            f"{markdown(name)} hits {share(hit)} and sends {number(reads * (1 - hit))} of {number(reads)} look-ups a second to "
            f"{markdown(origin)}; cold, all of them"
        )
    edge = f"; the edge answers {share(median(made.scenario.cdn.hit_ratio))} of what may be cached" if made.scenario.cdn else ""
    return (
        "Cache misses",
        f"hit ratio below the plan's: {'; '.join(rows) or 'no cache is stated'}{edge}.",
        "evictions and memory used; keys that were deployed anew; an expiry that ends for many keys at once.",
        "warm the cache before traffic returns; spread expiries; limit the calls that misses may make to the origin.",
    )


def _calendar(source: Source) -> str:
    study = source.study
    orders = [f"- {day_name(row.by)}: {markdown(row.text)} (lead time {weeks(row.lead_s)})" for row in positions(study)]
    due = "\n".join(orders) or "- nothing is to be ordered for the months asked for"
    watch = ", ".join(markdown(o.resource.label) for o in study.run_outs[:3])
    weekly = f"p95 of each journey against the plan; {watch}: utilization at the peak hour against the limit of the plan"
    again = "put the new traffic numbers into the scenario and plan again; compare with `perfplan diff`"
    monthly = f"{again}; P(every promise holds) now: {percent(float(study.p_all[0]))}; look at answers of the checklist that are due"
    return f"""## Review calendar

**Every week**: error budgets left; {weekly}.

**Every month**: {monthly}.

**Orders**

{due}
"""


def _scaling(source: Source) -> str:
    said = (tended(tier).scaling(source, name, tier) for name, tier in source.study.scenario.tiers.items())
    return "## Scaling, tier by tier\n\n" + "\n".join(text for text in said if text) + "\n"


def files(source: Source) -> tuple[File, ...]:
    """runbook.md, which people read."""
    return (File(name="runbook.md", text=runbook(source), judge=None, answers=ANSWERS),)


ANSWERS = (
    Answers(
        item="6.1.1", text="what to look at every week and every month, and the orders by date", place="6_optimization", formula=runbook
    ),
    Answers(item="6.3.4", text="how each tier grows: order, counts and limits", place="6_optimization", formula=runbook),
    Answers(item="6.3.3", text="the five common issues with this system's numbers", place="6_optimization", formula=runbook),
)
