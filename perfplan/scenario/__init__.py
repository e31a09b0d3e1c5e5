"""What a person states about a service: frozen records, no arithmetic.

The docstrings and field texts here are the reference table of the docs, the JSON schema and the help in error messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from perfplan.quantity import (
    Bytes,
    BytesPerSecond,
    Count,
    Fraction,
    Growth,
    Percentile,
    Ratio,
    Rps,
    Seconds,
    Usd,
    UsdPerByte,
    UsdPerByteMonth,
    UsdPerHour,
    Whole,
    WholeOrNone,
)
from perfplan.record import Choice, Reference, Text, field, hidden, record

Name = Annotated[str, Text(name="name", example="Black Friday")]
Month = Annotated[str, Text(name="month", pattern=r"\d{4}-(0[1-9]|1[0-2])", example="2027-11")]
Day = Annotated[str, Text(name="date", pattern=r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", example="2026-11-24")]
File = Annotated[str, Text(name="file below the scenario's folder", example="traffic.csv")]
Override = Annotated[str, Text(name="override", pattern=r"[^=\s]+\s*=.+", example="tiers.api.instances=30")]
TierName = Annotated[str, Reference(section="tiers")]
JourneyName = Annotated[str, Reference(section="journeys")]


@record
class Event:
    """A planned event that multiplies the traffic of one month's peak."""

    name: Name = field("what happens")
    month: Month = field("month in which it happens")
    factor: Ratio = field("peak of that month over the peak it would have without the event", most="1000")
    lasts_s: Seconds = field(
        "how long it lasts: its peak decides what is needed, its days what they cost", "7d", reason="a campaign week", most="1 year"
    )


@record
class Traffic:
    """How much traffic comes at the busiest hour, and how it grows."""

    peak_users: Count | None = field("people online in the busiest hour", optional=True, least="1")
    requests_per_user_rps: Rps | None = field("requests one of them sends", optional=True, least="0.001/day")
    peak_rps: Rps | None = field("requests per second in the busiest hour, where users are not known", optional=True, least="1/day")
    history: File | None = field(
        "CSV of time and requests, hourly: gives peak, week profile and trend where they are not stated", optional=True
    )
    growth_per_month: Growth | None = field("growth of the peak", optional=True)
    peak_second: Ratio = field(
        "busiest second over the mean of the busiest hour",
        "1.4",
        reason="web traffic with flash crowds shows 1.2 to 1.6",
        least="1",
        most="1000",
    )
    burst_s: Seconds = field(
        "how long such a burst lasts", "10s", reason="a push message or a television spot is answered within seconds", most="1d"
    )
    request_bytes: Bytes = field("size of a request", "1.5kB", reason="headers, cookies and a small body", most="1GB")
    events: Sequence[Event] = field("planned events", many=True)


@record
class Region:
    """Where users are."""

    share: Fraction = field("share of the users who are here")
    round_trip_s: Seconds = field("round trip between these users and the service", most="10s")


@record
class Cdn:
    """The content network in front: it answers what may be cached at its edge and carries the static files."""

    hit_ratio: Fraction = field("cacheable requests that the edge answers", "90%", reason="growth target of the quick reference")
    response_s: Seconds = field(
        "time the edge takes for a hit, without the round trip", "4ms", reason="published edge figures are 1 to 10 ms", most="1min"
    )
    round_trip_share: Ratio = field(
        "round trip to the edge over the round trip to the service", "0.35", reason="edges stand in the users' own region", most="10"
    )
    egress_usd_per_byte: UsdPerByte = field("price of traffic from the edge", "$0.04/GB", reason="list prices at tens of TB")


@record
class Journey:
    """What a user does: a kind of request, and the calls to tiers that one such request makes, one after the other."""

    share: Fraction = field("share of all requests")
    think_time_s: Seconds = field(
        "pause of a user between two requests", "20s", reason="reading time on shop pages is 10 to 30 s", most="1d"
    )
    cacheable: Fraction = field("share of its requests that the edge may answer", "0%", reason="nothing is cached unless stated")
    response_bytes: Bytes = field("size of the response", "40kB", reason="a compressed page or JSON document", most="100GB")
    static_bytes: Bytes = field(
        "static files fetched with it, on average", "1kB", reason="next to none: state it where pages carry pictures", most="100GB"
    )
    calls: Mapping[TierName, Ratio] = field("calls to tiers per request", most="10000")
    entry: Annotated[str, Reference(section="tiers", kinds=("service",))] | None = field(
        "service that makes these calls and, where it is blocking, waits for them; left out, the only service among them", optional=True
    )


@record
class ServiceLaw:
    """How service times spread round their mean: by samples, by two percentiles, or by their variation."""

    samples: File | None = field(
        "CSV or CSV.xz with a column `seconds`: times of single requests at an idle server; gives the mean too where it is not stated",
        optional=True,
    )
    p50_s: Seconds | None = field("half are shorter; with p99, taken for a lognormal", optional=True, least="1us", most="1h")
    p99_s: Seconds | None = field("99 of 100 are shorter", optional=True, least="1us", most="1h")
    variation: Ratio | None = field(
        "standard deviation over mean, taken for a lognormal: 0.1 is nearly constant, 1 varies like an exponential time, 2 is bursty",
        optional=True,
        least="0.01",
        most="10",
    )
    shape: Any = hidden()  # of the samples


@record
class Measured:
    """What a load test or production showed of a journey, to be laid beside the prediction."""

    journey: JourneyName = field("journey that was measured")
    points: File = field("CSV of rps (of this journey), percentile, seconds and, where it is known, half_width")


# of cores that are shared, in a service and in a database


def _hyperthread_gain() -> Any:
    return field(
        "work that the second hyper-thread of a core adds to that of the first, where these are hyper-threads, as most of a cloud's are; 100%: whole cores",
        "100%",
        reason="service times are then those of a busy core; state 20% to 40% where they were taken at an idle one",
    )


def _contention() -> Any:
    return field(
        "part of its work that only one core can do at a time (universal scalability law): with 3% 16 cores do the work of 11",
        "0%",
        reason="none until a load test shows it",
    )


def _coherency() -> Any:
    return field(
        "what each core loses to telling each other one (universal scalability law): with 0.1% more than 31 cores do less",
        "0%",
        reason="none until a load test shows it",
    )


@record
class Service:
    """A stateless service: instances behind a random load balancer, each with threads that work on one request each."""

    kind: Literal["service"]
    instances: Whole = field("instances today", most="100000")
    threads: Whole = field(
        "requests that one instance works on at a time", "16", reason="a common default of application servers", most="10000"
    )
    service_time_s: Seconds = field(
        "own work on one call, without waiting for other tiers; `service` may give it", least="0.1us", most="1h"
    )
    discipline: Annotated[str, Choice(words=("fcfs", "ps"))] = field(
        "how requests get its threads: each has one to itself, first come first served (fcfs), or all who are there share them, as processes share cores (ps; threads are then cores, and io is async)",
        "fcfs",
        reason="a worker takes the next request when it has finished one",
    )
    hyperthread_gain: Fraction = _hyperthread_gain()
    contention: Fraction = _contention()
    coherency: Fraction = _coherency()
    service: ServiceLaw | None = field("how its service times spread; left out, exponential", optional=True)
    io: Annotated[str, Choice(words=("blocking", "async"))] = field(
        "whether a thread waits for the tiers it calls (blocking) or does other work (async)",
        "blocking",
        reason="the common case, and the careful one",
    )
    calls: Mapping[TierName, Ratio] = field(
        "calls it makes to other tiers per call to it, beside those of the journeys", many=True, most="10000"
    )
    utilization_limit: Fraction = field(
        "highest utilization that is planned for", "75%", reason="leaves room for minutes above the hour's mean", least="1%"
    )
    node_availability: Fraction = field("availability of one instance", "99.5%", reason="deploys, crashes and machine loss: 3.6 h a month")
    availability: Fraction = field("availability of what all instances share", "99.99%", reason="load balancer and network of a region")
    request_timeout_s: Seconds | None = field(
        "time after which it gives up on a request; left out, it follows from the plan", optional=True, most="1d"
    )
    keep_alive_s: Seconds | None = field(
        "how long it keeps an idle connection of the balancer open; left out, a quarter longer than the balancer does",
        optional=True,
        most="1d",
    )
    price_usd_per_hour: UsdPerHour = field("price of one instance", "$0/h", reason="not priced unless stated")
    lead_time_s: Seconds = field("from order to running", "1d", reason="instances of a cloud are there the same day", most="3 years")


@record
class Cache:
    """A cache of nodes that share the keys; a miss calls its origin."""

    kind: Literal["cache"]
    instances: Whole = field("nodes today", most="10000")
    service_time_s: Seconds = field("time of one look-up", "0.3ms", reason="a look-up over the local network", least="0.1us", most="1min")
    origin: TierName = field("tier that is asked on a miss")
    hit_ratio: Fraction | None = field("stated hit ratio; left out, it follows from the sizes below", optional=True)
    items: Count = field("different items asked for", "1M", reason="a middling catalogue with its variants", least="1")
    popularity: Ratio = field(
        "Zipf exponent of their popularity", "0.9", reason="web and key-value traces show 0.6 to 1.2", least="0.01", most="5"
    )
    item_bytes: Bytes = field("memory of one item, overhead included", "2kB", reason="a small document", least="1B", most="1GB")
    memory_bytes: Bytes = field("memory for items of one node", "8GiB", reason="a small cloud node", least="1B")
    utilization_limit: Fraction = field(
        "highest utilization that is planned for", "60%", reason="one core serves all: a pause queues everybody", least="1%"
    )
    node_availability: Fraction = field("availability of one node", "99.9%", reason="managed nodes fail over within a minute")
    price_usd_per_hour: UsdPerHour = field("price of one node", "$0/h", reason="not priced unless stated")
    lead_time_s: Seconds = field("from order to running", "2d", reason="a node must warm up in a quiet hour", most="3 years")


@record
class Database:
    """A primary with read replicas behind a connection pool; reads go to the replicas where there are any."""

    kind: Literal["database"]
    cores: Whole = field("cores of each node", most="10000")
    replicas: WholeOrNone = field("read replicas today", "0", reason="none unless stated", most="1000")
    connections: Whole = field("size of the connection pool over all nodes", "100", reason="a common default", most="100000")
    max_connections: Whole = field("connections that one node accepts", "400", reason="above that memory and locks suffer", most="100000")
    service_time_s: Seconds = field("work of a core on one query; `service` may give it", least="0.1us", most="1h")
    discipline: Annotated[str, Choice(words=("fcfs", "ps"))] = field(
        "how queries get its cores: all who run share them (ps), or each has one to itself, first come first served (fcfs)",
        "ps",
        reason="the operating system gives every query a turn",
    )
    hyperthread_gain: Fraction = _hyperthread_gain()
    contention: Fraction = _contention()
    coherency: Fraction = _coherency()
    service: ServiceLaw | None = field("how its service times spread; left out, exponential", optional=True)
    hold_time_s: Seconds = field(
        "time the caller keeps the connection per query beyond the query itself, and waits for",
        "1ms",
        reason="driver and transaction overhead",
        most="1h",
    )
    acquire_timeout_s: Seconds | None = field(
        "longest wait for a pooled connection; left out, it follows from the plan", optional=True, most="1d"
    )
    statement_timeout_s: Seconds | None = field("longest query; left out, it follows from the plan", optional=True, most="1d")
    idle_timeout_s: Seconds | None = field(
        "how long the pool keeps an idle connection; left out, three quarters of what the balancer allows", optional=True, most="1d"
    )
    read_share: Fraction = field("queries that only read", "80%", reason="typical of shops")
    utilization_limit: Fraction = field(
        "highest utilization of its cores that is planned for", "65%", reason="vacuum and backups need the rest", least="1%"
    )
    pool_limit: Fraction = field(
        "highest utilization of the pool that is planned for", "85%", reason="above that the wait for a connection explodes", least="1%"
    )
    availability: Fraction = field("availability with failover", "99.95%", reason="service level of managed databases with a standby")
    storage_bytes: Bytes = field("data today", "100GB", reason="a middling shop")
    storage_growth_bytes: Bytes = field(
        "growth of the data per month at today's traffic", "1GB", reason="a few orders per minute with their history"
    )
    storage_limit_bytes: Bytes = field("size of the volume", "1TB", reason="a common volume")
    price_usd_per_hour: UsdPerHour = field("price of one core of a node", "$0/h", reason="not priced unless stated")
    storage_price_usd_per_byte_month: UsdPerByteMonth = field(
        "price of storage", "$0.115/GB/month", reason="list price of fast network volumes"
    )
    lead_time_s: Seconds = field(
        "from order of a node to running", "2 weeks", reason="a migration needs a rehearsal and a window", most="3 years"
    )
    pool_lead_time_s: Seconds = field(
        "from decision to a larger pool", "1d", reason="a setting of the pooler, loaded without a restart", most="3 years"
    )


@record
class Queue:
    """A broker queue with workers; a call publishes a job and does not wait for it."""

    kind: Literal["queue"]
    workers: Whole = field("workers today", most="100000")
    service_time_s: Seconds = field("work on one job; `service` may give it", least="0.1us", most="1d")
    service: ServiceLaw | None = field("how its service times spread; left out, exponential", optional=True)
    publish_time_s: Seconds = field("time to publish a job", "2ms", reason="one acknowledged write", most="1min")
    utilization_limit: Fraction = field("highest utilization that is planned for", "80%", reason="jobs may wait", least="1%")
    availability: Fraction = field("availability of the broker", "99.95%", reason="service level of managed brokers")
    price_usd_per_hour: UsdPerHour = field("price of one worker", "$0/h", reason="not priced unless stated")
    lead_time_s: Seconds = field("from order to running", "1d", reason="workers are containers", most="3 years")


@record
class Partner:
    """A service of somebody else, known by the percentiles it states; its times do not depend on our load."""

    kind: Literal["partner"]
    p50_s: Seconds = field("half of its answers are faster", least="1us", most="1h")
    p99_s: Seconds = field("99 of 100 answers are faster", least="1us", most="1h")
    limit_rps: Rps | None = field("rate it accepts; calls beyond it fail", optional=True, least="1/day")
    availability: Fraction = field("availability it states", "99.9%", reason="common in contracts")
    call_usd: Usd = field("price of one call", "$0", reason="not priced unless stated")
    timeout_s: Seconds | None = field(
        "time after which a call is given up; left out, it follows from the stated percentiles", optional=True, most="1d"
    )
    retries: WholeOrNone = field(
        "calls made again after a failure, at most", "0", reason="a retry doubles the load when it is least wanted", most="100"
    )


Tier = Service | Cache | Database | Queue | Partner


@record
class Latency:
    """A percentile of a journey's response time stays below a target."""

    kind: Literal["latency"]
    journey: JourneyName = field("journey that is promised")
    percentile: Percentile = field("percentile that is promised", "p95", reason="the quick reference promises p95")
    below_s: Seconds = field("target", least="1us", most="1d")
    over: Annotated[str, Choice(words=("peak hour", "28 days"))] = field(
        "over what it is judged: the load of the peak hour, or the share of slow requests in 28 days",
        "peak hour",
        reason="users remember the worst hour",
    )
    confidence: Fraction = field(
        "probability with which it must hold", "95%", reason="one plan in twenty may miss", least="1%", most="99.9%"
    )
    until_s: Seconds = field("how far ahead it must hold", "12 months", reason="a budget year")


@record
class Availability:
    """The share of good requests (or time) stays above a target."""

    kind: Literal["availability"]
    journey: JourneyName = field("journey that is promised")
    above: Fraction = field("target")
    confidence: Fraction = field(
        "probability with which it must hold", "95%", reason="one plan in twenty may miss", least="1%", most="99.9%"
    )
    until_s: Seconds = field("how far ahead it must hold", "12 months", reason="a budget year")


@record
class Errors:
    """The share of failed requests stays below a target."""

    kind: Literal["errors"]
    journey: JourneyName = field("journey that is promised")
    below: Fraction = field("target")
    confidence: Fraction = field(
        "probability with which it must hold", "95%", reason="one plan in twenty may miss", least="1%", most="99.9%"
    )
    until_s: Seconds = field("how far ahead it must hold", "12 months", reason="a budget year")


@record
class Throughput:
    """The service can carry a rate of requests in its peak second with no station saturated."""

    kind: Literal["throughput"]
    above_rps: Rps | None = field("rate it must carry; left out, the forecast peak second", optional=True, least="1/day")
    confidence: Fraction = field(
        "probability with which it must hold", "95%", reason="one plan in twenty may miss", least="1%", most="99.9%"
    )
    until_s: Seconds = field("how far ahead it must hold", "12 months", reason="a budget year")


@record
class Users:
    """The service can carry a number of concurrent users with every latency objective kept at the peak hour's load."""

    kind: Literal["users"]
    above: Count = field("concurrent users it must carry", least="1")
    confidence: Fraction = field(
        "probability with which it must hold", "95%", reason="one plan in twenty may miss", least="1%", most="99.9%"
    )
    until_s: Seconds = field("how far ahead it must hold", "12 months", reason="a budget year")


@record
class Completion:
    """A percentile of a queue's jobs is done within a time after publishing."""

    kind: Literal["completion"]
    queue: Annotated[str, Reference(section="tiers", kinds=("queue",))] = field("queue that is promised")
    percentile: Percentile = field("percentile that is promised", "p99", reason="a late job is seen by its user")
    below_s: Seconds = field("target", least="1us", most="30d")
    confidence: Fraction = field(
        "probability with which it must hold", "95%", reason="one plan in twenty may miss", least="1%", most="99.9%"
    )
    until_s: Seconds = field("how far ahead it must hold", "12 months", reason="a budget year")


Objective = Latency | Availability | Errors | Throughput | Users | Completion


@record
class Option:
    """Something that could be done: overrides in the grammar of `-p`, with its price, effort and lead time."""

    set: Sequence[Override] = field("what it changes, such as tiers.api.instances=30")
    price_usd: Usd = field("one-off price", "$0", reason="free unless stated")
    monthly_usd: Usd = field("running price that the changed fields do not show", "$0", reason="none unless stated")
    effort_s: Seconds = field("work of people", "1d", reason="a change of configuration", most="10 years")
    lead_time_s: Seconds = field("from decision to effect", "1d", reason="a deploy", most="3 years")


@record
class Answer:
    """An answer of a person to an item of the checklist."""

    value: Annotated[str, Text(example="yes")] = field("the answer; 'not applicable' with the reason in `note` takes the item out")
    owner: Name = field("who says so")
    date: Day = field("when it was said")
    review: Day | None = field("when it must be looked at again; left out, a year later", optional=True)
    link: Annotated[str, Text(name="link")] | None = field("where it is written down", optional=True)
    note: Annotated[str, Text(name="note")] | None = field("reason or remark", optional=True)


@record
class Scenario:
    """One service, its traffic, what carries it, what was promised and what could be done."""

    name: Annotated[str, Text(name="name", pattern=r"[^\x00-\x1f\x7f]{1,80}", example="storefront")] = field("name of the service")
    as_of: Day | None = field("day of the plan; left out, today", optional=True)
    currency: Annotated[str, Choice(words=("USD",))] = field("currency of all prices", "USD", reason="list prices are in dollars")
    traffic: Traffic = field("how much comes, and how it grows")
    regions: Mapping[str, Region] = field("where users are")
    cdn: Cdn | None = field("content network in front", optional=True)
    journeys: Mapping[str, Journey] = field("what users do")
    tiers: Mapping[str, Tier] = field("what carries it")
    egress_usd_per_byte: UsdPerByte = field("price of traffic out of the data centre", "$0.07/GB", reason="list prices at tens of TB")
    link_bytes_per_s: BytesPerSecond = field("what the data centre's link carries", "10Gbit/s", reason="a common uplink")
    client_timeout_s: Seconds | None = field(
        "time after which a client gives up; left out, it follows from the plan", optional=True, most="1d"
    )
    balancer_idle_s: Seconds = field(
        "how long load balancer and firewalls keep an idle connection", "60s", reason="default of common cloud balancers", most="1d"
    )
    objectives: Mapping[str, Objective] = field("what was promised")
    order_ahead_s: Seconds = field(
        "how long one order should last", "6 months", reason="two rounds of orders a year", least="1d", most="3 years"
    )
    headroom: Ratio = field(
        "load above the forecast peak that is wanted at least", "2x", reason="minimum of the checklist; it recommends 3x", most="1000"
    )
    freeze_at: Fraction = field("error budget left at which deployments stop", "25%", reason="policy of the checklist")
    options: Mapping[str, Option] = field("what could be done", many=True)
    answers: Mapping[str, Answer] = field("answers to items of the checklist, by id", many=True)
    measured: Mapping[str, Measured] = field("load tests and production, to be compared with the prediction", many=True)
    week: Any = hidden()  # shape (168,): load of each hour of the week over the peak hour's; from the history file
