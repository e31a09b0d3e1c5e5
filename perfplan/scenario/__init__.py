"""What a person states about a service: frozen records, no arithmetic.

The docstrings and field texts here are the reference table of the docs, the JSON schema and the help in error messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from perfplan.promises import Objective
from perfplan.promises.kind import JourneyName
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
)
from perfplan.record import Choice, Reference, Text, field, hidden, record
from perfplan.signals import OURS, PRESETS
from perfplan.tiers import Tier, words_of
from perfplan.tiers.kind import TierName
from perfplan.tiers.work import File

Name = Annotated[str, Text(name="name", example="Black Friday")]
Month = Annotated[str, Text(name="month", pattern=r"\d{4}-(0[1-9]|1[0-2])", example="2027-11")]
Day = Annotated[str, Text(name="date", pattern=r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", example="2026-11-24")]
MetricName = Annotated[str, Text(name="metric or label name", pattern=r"[a-zA-Z_:][a-zA-Z0-9_:]*", example="requests_total")]
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
Override = Annotated[str, Text(name="override", pattern=r"[^=\s]+\s*=.+", example="tiers.api.instances=30")]


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
        "CSV of time and requests, hourly: gives week profile and peak, which beats a stated one, and growth where none is stated",
        optional=True,
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
    users_per_address: Count | None = field(
        "most people behind one address at a time, such as an office or a mobile carrier; left out, no address is limited",
        optional=True,
        least="1",
    )
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
    worth_usd: Usd = field("what one request brings, and is lost when it fails", "$0", reason="failures have no price unless stated")
    entry: Annotated[str, Reference(section="tiers", kinds=words_of(lambda kind: kind.stands.enters))] | None = field(
        "service that makes these calls and, where it is blocking, waits for them; left out, the only service among them", optional=True
    )


@record
class Measured:
    """What a load test or production showed: of a journey, to be laid beside the prediction, or of a promise, against its budget."""

    journey: JourneyName | None = field("journey that was measured, of points", optional=True)
    points: File | None = field("CSV of rps (of this journey), percentile, seconds and, where it is known, half_width", optional=True)
    objective: Annotated[str, Reference(section="objectives")] | None = field("promise that was measured, of outcomes", optional=True)
    outcomes: File | None = field("CSV of time (UTC), good and total: what came and how much of it was good, a row a slice", optional=True)


@record
class Maintenance:
    """A window in which the service is down on purpose."""

    lasts_s: Seconds = field("how long it lasts", least="1s", most="7d")
    day: Annotated[str, Choice(words=DAYS)] | None = field("day of the week; left out with start, the plan places it", optional=True)
    start: Annotated[str, Text(name="time of day", pattern=r"([01]\d|2[0-3]):[0-5]\d", example="03:30")] | None = field(
        "when it starts, UTC; left out with day, where fewest requests are lost", optional=True
    )
    every_s: Seconds = field("how often it comes", "7d", reason="a weekly window", least="1d", most="1 year")
    counted: Annotated[str, Choice(words=("yes", "no"))] = field(
        "whether what fails in it counts against the budgets", "yes", reason="users do not know that it was planned"
    )


@record
class OnCall:
    """Who is called when an alert pages."""

    people: Count = field("people who take turns", least="1", most="1000")
    hours_s: Seconds = field("hours of a week in which one of them is on call", "7d", reason="round the clock", least="1h", most="7d")


@record
class Tracing:
    """How traces are kept."""

    backend: Annotated[str, Choice(words=("Tempo", "Jaeger"))] = field("what keeps them", "Tempo", reason="it needs nothing but storage")
    retention_s: Seconds = field("how long they are kept", "7d", reason="a week, so that the same day of it can be compared", least="1h")
    sampling: Annotated[str, Choice(words=("tail", "head"))] = field(
        "who decides: the collector when a trace is whole, or the SDK when it begins", "tail", reason="slow and failed ones are all kept"
    )
    percentile: Percentile = field("percentile that an hour of traces must show", "p99", reason="what promises are made of", most="p99.99")
    span_bytes: Bytes = field("size of a span as it is kept", "500B", reason="published sizes are 0.3 to 1 kB", least="10B", most="1MB")
    storage_bytes: Bytes | None = field("storage that there is for them; left out, as much as it takes", optional=True)


@record
class Step:
    """What is done when so little of an error budget is left."""

    left: Fraction = field("share of the budget that is left")
    action: Annotated[str, Text(example="deployments stop")] = field("what is done from there on")
    owner: Name | None = field("who sees to it", optional=True)


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
class Decided:
    """A decision that was taken about the plan, and when it must be looked at again."""

    choice: Annotated[str, Text(example="order one more")] = field("what was decided")
    owner: Name = field("who decided")
    date: Day = field("when")
    reason: Annotated[str, Text(name="reason", example="cheaper than a replica")] = field("why")
    review: Day | None = field("when it must be looked at again; left out, never", optional=True)
    link: Annotated[str, Text(name="link")] | None = field("where it is written down", optional=True)


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
    day_rate_usd: Usd = field(
        "price of a day of people's work, by which `effort` is priced", "$0", reason="effort is not priced unless stated"
    )
    headroom: Ratio = field(
        "load above the forecast peak that is wanted at least", "2x", reason="minimum of the checklist; it recommends 3x", most="1000"
    )
    freeze_at: Fraction = field("error budget left at which deployments stop", "25%", reason="policy of the checklist")
    metrics_preset: Annotated[str, Choice(words=PRESETS)] = field(
        "whose names the metrics of services have", OURS, reason="what clients of Prometheus are documented with"
    )
    host_metrics: Annotated[str, Choice(words=("node_exporter", "cAdvisor"))] = field(
        "who measures CPU, memory and disks: of hosts, or of containers", "node_exporter", reason="it runs everywhere"
    )
    metrics: Mapping[str, MetricName] = field("names that your metrics and labels have, by those that perfplan's files use", many=True)
    budget_policy: Sequence[Step] = field("what is done as budgets run out, beside the stop of deployments at freeze_at", many=True)
    maintenance: Mapping[str, Maintenance] = field("windows in which the service is down on purpose", many=True)
    tracing: Tracing | None = field("how traces are kept", optional=True)
    on_call: OnCall | None = field("who is called when an alert pages", optional=True)
    options: Mapping[str, Option] = field("what could be done", many=True)
    answers: Mapping[str, Answer] = field("answers to items of the checklist, by id", many=True)
    decisions: Mapping[str, Decided] = field("decisions that were taken, each under a name of its own", many=True)
    measured: Mapping[str, Measured] = field("load tests and production, to be compared with the prediction", many=True)
    week: Any = hidden()  # shape (168,): load of each hour of the week over the peak hour's; from the history file
