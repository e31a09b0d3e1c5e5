"""A runbook: the five common issues with this system's numbers, the review calendar, how each tier is scaled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perfplan.judging import Answers, File
from perfplan.operate import tended
from perfplan.operate.kind import COLD, FAILOVER, GROWS, HANGS, UNSEEN
from perfplan.operate.source import Source, first
from perfplan.operate.text import markdown, slug
from perfplan.plan.paths import origins
from perfplan.promises import counted
from perfplan.quantity import median
from perfplan.study.cures import cures
from perfplan.study.failures import failures
from perfplan.study.remedy import positions
from perfplan.study.sweeps import NOWHERE, todays_knee
from perfplan.subjects.failures import full, priced
from perfplan.tiers import kind_of
from perfplan.tiers.kind import BROKER, LOST, NODE, SLOW, ZONE
from perfplan.tiers.kind import COLD as COLD_CACHE
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
        *(_pages(source)),
        ESCALATION,
        _calendar(source),
        _scaling(source),
    ]
    return "\n".join(parts)


ESCALATION = """## Escalation

1. Whoever is on call works by the page that the alert links to, and says so in the channel of the incident.
2. After 15 minutes without a remedy that works: the next on call, and the owner of the tier.
3. A partner, a provider of the cloud or of the content network that fails: their support at once, with times and request ids.
4. Half of an error budget gone in one incident: whoever decides on deployments, as the policy freezes them below its mark.
"""


def _issue(name: str, symptom: str, check: str, remedy: str, query: str, command: str) -> str:
    return (
        f"### {name}\n\n- **Symptom**: {symptom}\n- **First check**: {check}\n- **Query**: `{query}`\n- **Command**: `{command}`\n"
        f"- **Remedy**: {remedy}\n"
    )


Step = tuple[str, str]  # what to look at or to do, and the query or command for it; "" where there is none


def _page(name: str, when: str, steps: Sequence[Step]) -> str:
    """A page for one failure: what the plan expects of it, and steps."""
    rows = "\n".join(f"{i}. {text}" + (f"\n   `{code}`" if code else "") for i, (text, code) in enumerate(steps, 1))
    return f"### {name}\n\n{when}\n\n{rows}\n"


def _pages(source: Source) -> list[str]:
    """What to do when a tier fails, by how it fails; then what to do where nothing is seen."""
    found = [_hangs(source), _failover(source), _cold(source), _grows(source)]
    missing: list[Step] = [
        ("which metric: the label `metric` of the alert, and since when it is gone", "up == 0"),
        ("whether its exporter answers", "curl -sS http://EXPORTER/metrics | head"),
        (
            "a histogram without the bound that the alert needs (alerts.yml names it): add it to the service, or the alert stays late",
            "count by (le) (http_request_duration_seconds_bucket)",
        ),
        ("until it is back somebody looks at the load balancer's log: share of 5xx and slow requests", BALANCER_LOG),
    ]
    return [*filter(None, found), _page(UNSEEN, "An alert that has no data is silent, whatever happens.", missing)]


BALANCER_LOG = "tail -n 10000 access.log | jq -r '.status + \" \" + (.request_time | tostring)' | sort | uniq -c | sort -rn | head"


FOR_SUPPORT = "tail -n 10000 access.log | jq -c 'select(.status >= \"500\" or .request_time > 1) | [.time, .id, .uri]' > for-support.txt"
WARM = (
    "jq -r 'select(.method == \"GET\") | .uri' access.log | sort | uniq -c | sort -rn | head -n 1000 | awk '{print $2}' "
    "| xargs -P 4 -I{} curl -sS -o /dev/null 'https://HOST{}'"
)


def _set(words: str) -> str:
    """A setting of the services that call, changed while they run; where they are deployed otherwise, as it is done there."""
    return f"kubectl set env deployment/CALLER {words}"


def _expected(source: Source, tier: str, takes: Sequence[str]) -> str:
    """What the plan says of the failures of a tier that take this."""
    rows = [(row, cure) for row, cure in zip(failures(source.study), cures(source.study), strict=True) if row.tier == tier]
    said = []
    for row, cure in rows:
        if row.failure.takes in takes:
            back = f", as before after {duration(row.heals_s, 2)}" if np.isfinite(row.heals_s) else ""
            way = f"; cheapest cure found: {markdown(priced(cure))}" if cure is not None else ""
            first = f", {markdown(full(row))}" if full(row) else ""
            said.append(f"- {markdown(row.tier)}, {markdown(row.failure.what)}: {share(row.share, 2)} of requests fail{first}{back}{way}.")
    return "\n".join(said)


def _hangs(source: Source) -> str:
    tiers = source.study.scenario.tiers
    named = [name for name, tier in tiers.items() if not kind_of(tier).owned.bought]
    if not named:
        return ""
    when = "\n".join(filter(None, (_expected(source, name, (SLOW, LOST)) for name in named)))
    steps: list[Step] = []
    for name in named:
        at = f'{{partner="{slug(name)}"}}'
        slow = f"histogram_quantile(0.99, sum by (le) (rate(http_client_request_duration_seconds_bucket{at}[5m])))"
        longest = duration(source.ladder.longest_s.get(name, 0.0))
        steps.append((f"{markdown(name)}: how long its calls take (given up after {longest}, retries included), and its status page", slow))
    busy = "avg by (service) (http_server_active_requests)"
    steps += [
        ("whether threads are held by it: in use against those that there are", busy),
        ("shorten its time-out to what the cure above says, or switch the feature off", _set("PARTNER_TIMEOUT_MS=NEW")),
        ("stop retries: each doubles what waits", _set("PARTNER_RETRIES=0")),
        ("tell its support, with times and request ids; see escalation", FOR_SUPPORT),
    ]
    return _page(HANGS, when, steps)


def _failover(source: Source) -> str:
    tiers = source.study.scenario.tiers
    named = [name for name, tier in tiers.items() if any(one.pool for one in kind_of(tier).owned.bought)]
    if not named:
        return ""
    when = "\n".join(filter(None, (_expected(source, name, (NODE, ZONE, LOST, SLOW)) for name in named)))
    steps: list[Step] = []
    for name in named:
        pools = f'sum by (database) (pgbouncer_pools_client_waiting_connections{{database=~"{slug(name)}(-reads)?"}})'
        steps += [
            (f"{markdown(name)}: who waits for a connection", pools),
            ("the pools, as they are", "psql -h 127.0.0.1 -p 6432 -U stats pgbouncer -c 'SHOW POOLS'"),
            ("which node is the primary (f), and how far the replicas are behind", REPLICATION),
            ("what runs longest; end what blocks others", LONGEST),
            (f"after a failover: point {markdown(name)} in pgbouncer.ini to the new primary, and reload", RELOAD),
        ]
    return _page(FAILOVER, when, steps)


REPLICATION = "psql -h NODE -c 'SELECT pg_is_in_recovery(), now() - pg_last_xact_replay_timestamp()'"
RUNNING = "SELECT pid, now() - query_start, left(query, 60) FROM pg_stat_activity WHERE state = 'active' ORDER BY 2 DESC LIMIT 10"
LONGEST = f'psql -h NODE -c "{RUNNING}"'
RELOAD = "psql -h 127.0.0.1 -p 6432 -U admin pgbouncer -c 'RELOAD'"


def _cold(source: Source) -> str:
    named = origins(source.study.scenario)
    if not named:
        return ""
    when = "\n".join(filter(None, (_expected(source, name, (COLD_CACHE, NODE, ZONE, LOST, SLOW)) for name in named)))
    steps: list[Step] = []
    for name, origin in named.items():
        hits, misses = (f'sum(rate(redis_keyspace_{what}_total{{cache="{slug(name)}"}}[5m]))' for what in ("hits", "misses"))
        steps += [
            (f"{markdown(name)}: its hit ratio, and whether it rises", f"{hits} / ({hits} + {misses})"),
            ("whether nodes are there, and what they evict", "redis-cli INFO stats | grep -E 'evicted_keys|expired_keys|keyspace'"),
            (
                f"let only so many through to {markdown(origin)} as it carries: shed the least valuable journey at the proxy",
                "nginx -s reload",
            ),
            ("warm it with the most wanted pages before all traffic returns", WARM),
        ]
    return _page(COLD, when, steps)


def _grows(source: Source) -> str:
    tiers = source.study.scenario.tiers
    named = [name for name, tier in tiers.items() if any(one.waits for one in kind_of(tier).owned.bought)]
    if not named:
        return ""
    when = "\n".join(filter(None, (_expected(source, name, (NODE, ZONE, LOST, BROKER, SLOW)) for name in named)))
    ages = {name: f'max(queue_oldest_message_age_seconds{{queue="{slug(name)}"}})' for name in named}
    steps = [(f"{markdown(name)}: the age of its oldest job", query) for name, query in ages.items()]
    steps += [
        ("how many jobs come, and how many are done", "sum by (queue) (rate(job_duration_seconds_count[5m]))"),
        ("the queue's length and its consumers", "rabbitmqctl list_queues name messages consumers"),
        (
            "more workers, as scaling below says; a job that fails again and again goes to the dead letters",
            "kubectl scale deployment/NAME --replicas=NEW",
        ),
    ]
    return _page(GROWS, when, steps)


def _percentile(source: Source, journey: str, p: float) -> float:
    return first(source.study.middle.percentile_s[journey][p], source.study.middle.rps.shape)


SLOWEST = 'tail -n 10000 access.log | jq -r \'(.request_time | tostring) + " " + .upstream_time + " " + .uri\' | sort -rn | head'
FAILED = 'tail -n 10000 access.log | jq -r \'select(.status >= "500") | .status + " " + .upstream\' | sort | uniq -c | sort -rn | head'


def _latency(source: Source) -> tuple[str, str, str, str, str, str]:
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
        "histogram_quantile(0.95, sum by (journey, le) (rate(http_request_duration_seconds_bucket[5m])))",
        SLOWEST,
    )


def _errors(source: Source) -> tuple[str, str, str, str, str, str]:
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
        'sum by (journey, code) (rate(http_requests_total{code=~"5.."}[5m]))',
        FAILED,
    )


def _throughput(source: Source) -> tuple[str, str, str, str, str, str]:
    found = todays_knee(source.study)
    limit = found.saturated[found.soonest]
    return (
        "Low throughput",
        f"arrivals are not answered at the rate they come; the plan expects {rate(found.peak_rps)} at today's peak hour.",
        f"{markdown(found.named)}, at {rate(limit)} of the whole service; requests in flight grow without end there."
        if np.isfinite(limit)
        else f"{NOWHERE}: look at the link and at locks.",
        f"more {markdown(found.first.words)}; limit arrivals at the proxy to what is carried.",
        "avg by (service) (http_server_active_requests)",
        "psql -h 127.0.0.1 -p 6432 -U stats pgbouncer -c 'SHOW POOLS'",
    )


def _memory(source: Source) -> tuple[str, str, str, str, str, str]:
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
        "topk(5, 1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)",
        "ps -eo rss,pid,comm --sort=-rss | head",
    )


def _misses(source: Source) -> tuple[str, str, str, str, str, str]:
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
        "sum by (cache) (rate(redis_keyspace_misses_total[5m]))",
        "redis-cli INFO memory | grep -E 'used_memory_human|maxmemory_human'",
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
