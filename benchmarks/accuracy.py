"""How far the library is from reference cases, family by family.

    python benchmarks/accuracy.py queueing|caches FILE [--csv OUT]

FILE has the columns `params_json`, `metric_json`, `value`, `floor`, `halfwidth` of tests/data/*_cases.csv; every row is answered
from its parameters, never by its name. Error = max(0, |computed - value| - halfwidth) / max(|value|, floor). Prints, per
family: cases, answered, median and worst error. OUT gets the input's columns plus `computed` and `method`.
"""

from __future__ import annotations

import argparse
import csv
import functools
import json
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from perfplan.models.beyond import laws
from perfplan.models.beyond.balancing import mean_field_response_s
from perfplan.models.beyond.batches import Batches
from perfplan.models.beyond.forkjoin import ForkJoin
from perfplan.models.beyond.general import MG1, DMc, MDc, priority_waits_s
from perfplan.models.beyond.network import Open, Visited, closed, closed_approximately, closed_classes
from perfplan.models.beyond.priority import Priority, preempted_mean_response_s, preempted_response_quantile_s
from perfplan.models.beyond.renewal import GIGc
from perfplan.models.beyond.room import MGcK
from perfplan.models.beyond.sharing import Sharing, shared_response_quantile_s
from perfplan.models.beyond.transient import over_time
from perfplan.models.caching import lru_hit_ratio
from perfplan.models.simulate import Arrivals, Draw, Fork, Free, Maybe, Pool, Seize, Share, Spend, Step, simulate, warm_up
from perfplan.models.stations.birthdeath import BirthDeath, drain_quantile_s, drain_variance_s2, load_for_blocking
from perfplan.models.stations.queueing import MMc, drain_time_s, erlang_b, erlang_c
from perfplan.models.stations.scalability import fit_usl
from perfplan.models.times.distributions import Exponential, Lognormal, Mixture
from perfplan.models.times.latency import percentiles_s
from perfplan.models.times.phase import MapPhC, MarkovianArrivals, PhaseType

Answer = tuple[float, str] | None


def answer(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    """The library's answer to one case and the function that gave it; None where it has none."""
    family = FAMILIES.get(params["family"])
    return family(params, metric) if family else None


def _erlang(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    function = {"erlang_b": erlang_b, "erlang_c": erlang_c}[metric["name"]]
    return float(function(params["offered_load"], params["servers"])), f"models.queueing.{metric['name']}"


def _mmc(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    if params["service"]["law"] != "exponential" or params["arrivals"]["process"] != "poisson":
        return None
    station = MMc(arrival_rps=params["arrivals"]["rate"], service_s=params["service"]["mean"], servers=params["servers"])
    found = {
        "mean_wait": lambda: station.mean_wait_s,
        "prob_wait": lambda: station.prob_wait,
        "mean_response": lambda: station.mean_response_s,
        "wait_quantile": lambda: station.wait_quantile_s(metric["p"]),
        "response_quantile": lambda: station.response_quantile_s(metric["p"]),
    }.get(metric["name"])
    return (float(found()), f"models.queueing.MMc ({metric['name']})") if found else None


def _phase_type(law: dict[str, Any]) -> PhaseType | None:
    if law["law"] == "exponential":
        return PhaseType.exponential(law["mean"])
    if law["law"] == "erlang":
        return PhaseType.erlang(law["mean"], law["k"])
    return PhaseType.hyperexponential(law["probabilities"], law["rates"]) if law["law"] == "hyperexp2" else None


@functools.lru_cache(maxsize=64)
def _map_ph_c(text: str) -> MapPhC | None:
    params = json.loads(text)
    arrivals, service = params["arrivals"], _phase_type(params["service"])
    if service is None:
        return None
    if arrivals["process"] == "mmpp2":
        a, b = arrivals["switch_rates"]
        return MapPhC(MarkovianArrivals.modulated(np.array(arrivals["rates"]), np.array([[-a, a], [b, -b]])), service, params["servers"])
    between = _phase_type(arrivals["interarrival"]) if arrivals["process"] == "renewal" else PhaseType.exponential(1 / arrivals["rate"])
    return MapPhC(MarkovianArrivals.renewal(between), service, params["servers"]) if between else None


def _phases(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    queue = _map_ph_c(json.dumps({k: params[k] for k in ("arrivals", "service", "servers")}))
    if queue is None:
        return None
    found = {
        "mean_wait": lambda: queue.mean_wait_s,
        "prob_wait": lambda: queue.prob_wait,
        "wait_second_moment": lambda: queue.wait_second_moment,
        "wait_quantile": lambda: queue.wait_quantile_s(metric["p"]),
        "response_quantile": lambda: queue.response_quantile_s(metric["p"]),
    }[metric["name"]]
    return float(found()), "models.phase.MapPhC"


def _within(law: dict[str, Any]) -> Any:
    """P(X <= t) of a law."""
    mean, scv = law["mean"], law["scv"]
    if law["law"] == "lognormal":
        sigma = math.sqrt(math.log1p(scv))
        return stats.lognorm(sigma, scale=mean / math.exp(sigma**2 / 2)).cdf
    if law["law"] in ("gamma", "erlang"):
        return stats.gamma(1 / scv, scale=mean * scv).cdf
    if law["law"] == "uniform":
        return stats.uniform(law["low"], law["high"] - law["low"]).cdf
    if law["law"] == "weibull":
        return stats.weibull_min(law["shape"], scale=law["scale"]).cdf
    if law["law"] == "bounded_pareto":
        a, low, high = law["alpha"], law["low"], law["high"]
        return lambda t: np.clip((1 - (low / np.maximum(t, low)) ** a) / (1 - (low / high) ** a), 0, 1)
    if law["law"] == "deterministic":
        return lambda t: (np.asarray(t) >= mean).astype(float)
    if law["law"] == "hyperexp2":
        return lambda t: sum(p * -np.expm1(-r * np.asarray(t)) for p, r in zip(law["probabilities"], law["rates"], strict=True))
    return stats.expon(scale=mean).cdf


@functools.lru_cache(maxsize=64)
def _gi_g_c_queue(text: str) -> GIGc | None:
    params = json.loads(text)
    between, service = (_of_times(json.dumps(law)) for law in (params["arrivals"]["interarrival"], params["service"]))
    queue = GIGc(between, service, params["servers"])
    try:
        _ = queue.prob_wait
    except ValueError:
        return None
    return queue


def _gi_g_c(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    queue = _gi_g_c_queue(json.dumps(params))
    if queue is None:
        return None
    found = {
        "mean_wait": lambda: queue.mean_wait_s,
        "prob_wait": lambda: queue.prob_wait,
        "wait_quantile": lambda: queue.wait_quantile_s(metric["p"]),
        "response_quantile": lambda: queue.response_quantile_s(metric["p"]),
    }
    return float(found[metric["name"]]()), "models.renewal.GIGc"


def _heterogeneous(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    if params["method"] != "mean_rate":
        return None
    rates = params["service_rates"]
    station = MMc(arrival_rps=params["arrivals"]["rate"], service_s=len(rates) / sum(rates), servers=params["servers"])
    number = float(station.arrival_rps) * float(station.mean_response_s)
    return {"utilization": float(station.utilization), "mean_number": number}[metric["name"]], "models.queueing.MMc (mean rate)"


def _birth_death(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    rate, mean, servers = params["arrivals"]["rate"], params["service"]["mean"], params["servers"]
    queue = (
        BirthDeath.impatient(rate, mean, servers, params["patience"]["mean"])
        if "patience" in params
        else BirthDeath.with_room(rate, mean, servers, params["capacity"])
    )
    name = {"mean_response": "mean_response_s", "mean_wait": "mean_wait_s", "throughput": "throughput_rps"}.get(
        metric["name"], metric["name"]
    )
    return float(getattr(queue, name)), "models.birthdeath.BirthDeath"


def _blocking(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    return load_for_blocking(params["blocking"], params["servers"]), "models.birthdeath.load_for_blocking"


def _drain(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    rate = params["arrivals"]["rate"]
    if metric["name"] != "mean_drain_time":
        rest = (params["backlog"], rate, params["service"]["mean"], params["servers"])
        if metric["name"] == "drain_time_variance":
            return drain_variance_s2(*rest), "models.birthdeath.drain_variance_s2"
        return drain_quantile_s(metric["p"], *rest), "models.birthdeath.drain_quantile_s"
    return float(drain_time_s(params["backlog"], rate, params["service"]["mean"], params["servers"])), "models.queueing.drain_time_s"


def _transform(law: dict[str, Any]) -> Any:
    """Laplace-Stieltjes transform of a law; None where it has no closed one."""
    mean = law["mean"]
    if law["law"] == "deterministic":
        return lambda s: np.exp(-s * mean)
    if law["law"] in ("exponential", "gamma", "erlang"):
        shape = {"exponential": 1.0}.get(law["law"], law.get("shape", law.get("k")))
        return lambda s: (1 + s * mean / shape) ** -shape
    if law["law"] == "hyperexp2":
        return lambda s: sum(p * r / (r + s) for p, r in zip(law["probabilities"], law["rates"], strict=True))
    return None


def _mg1(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    service, transform = params["service"], _transform(params["service"]) or _law_of(params).transform
    queue = MG1(arrival_rps=params["arrivals"]["rate"], service=transform, service_s=service["mean"], scv=service["scv"])
    found = {
        "mean_wait": lambda: queue.mean_wait_s,
        "wait_quantile": lambda: queue.wait_quantile_s(metric["p"]),
        "response_quantile": lambda: queue.response_quantile_s(metric["p"]),
    }[metric["name"]]
    return found(), "models.general.MG1"


@functools.lru_cache(maxsize=64)
def _mdc_queue(rate: float, service_s: float, servers: int) -> MDc:
    return MDc(arrival_rps=rate, service_s=service_s, servers=servers)


def _mdc(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    queue = _mdc_queue(params["arrivals"]["rate"], params["service"]["mean"], params["servers"])
    found = {
        "mean_wait": lambda: queue.mean_wait_s,
        "prob_wait": lambda: queue.prob_wait,
        "wait_quantile": lambda: queue.wait_quantile_s(metric["p"]),
    }
    return found[metric["name"]](), "models.general.MDc"


def _dmc(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    queue = DMc(gap_s=params["arrivals"]["interarrival"]["mean"], service_s=params["service"]["mean"], servers=params["servers"])
    found = {
        "sigma": lambda: queue.sigma,
        "prob_wait": lambda: queue.prob_wait,
        "mean_wait": lambda: queue.mean_wait_s,
        "wait_quantile": lambda: queue.wait_quantile_s(metric["p"]),
    }
    return found[metric["name"]](), "models.general.DMc"


def _batch(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    arrivals = params["arrivals"]
    sizes = [0.0] * (arrivals["batch_size"] - 1) + [1.0]
    queue = Batches(batch_rps=arrivals["batch_rate"], sizes=sizes, service_s=params["service"]["mean"], servers=1)
    return queue.mean_response_s * (arrivals["rate"] if metric["name"] == "mean_number" else 1.0), "models.batches.Batches"


@functools.lru_cache(maxsize=64)
def _of_times(text: str) -> laws.Law:
    """A law of the tables as a value."""
    law = json.loads(text)
    made: dict[str, Callable[[], laws.Law]] = {
        "deterministic": lambda: laws.constant(law["mean"]),
        "exponential": lambda: laws.exponential(law["mean"]),
        "erlang": lambda: laws.erlang(law["mean"], law["k"]),
        "gamma": lambda: laws.gamma(law["mean"], law["scv"]),
        "lognormal": lambda: laws.lognormal(law["mean"], law["scv"]),
        "hyperexp2": lambda: laws.hyperexponential(law["probabilities"], [1 / r for r in law["rates"]]),
        "uniform": lambda: laws.known(stats.uniform(law["low"], law["high"] - law["low"])),
        "weibull": lambda: laws.weibull(law["shape"], law["scale"]),
        "bounded_pareto": lambda: laws.bounded_pareto(law["alpha"], law["low"], law["high"]),
    }
    return made[law["law"]]()


def _law_of(params: dict[str, Any]) -> laws.Law:
    return _of_times(json.dumps(params["service"]))


def _asked(name: str, found: dict[str, Callable[[], float]], method: str) -> Answer:
    return (float(found[name]()), method) if name in found else None


def _preempted(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    rates, name = [c["arrivals"]["rate"] for c in params["classes"]], metric["name"]
    k = [c["name"] for c in params["classes"]].index(metric["class"])
    if params["service"]["law"] != "exponential" or name not in ("mean_wait", "mean_response", "response_quantile"):
        return None
    rest = (sum(rates[:k]), rates[k], params["service"]["mean"], params["servers"])
    if name == "response_quantile":
        return preempted_response_quantile_s(metric["p"], *rest), "models.priority.preempted_response_quantile_s"
    mean = preempted_mean_response_s(*rest) - (params["service"]["mean"] if name == "mean_wait" else 0.0)
    return mean, "models.priority.preempted_mean_response_s"


def _priority(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    if params["preemption"] != "none":
        return _preempted(params, metric)
    rates, k = [c["arrivals"]["rate"] for c in params["classes"]], [c["name"] for c in params["classes"]].index(metric["class"])
    if metric["name"] == "mean_wait" and params["service"]["law"] == "exponential":
        return priority_waits_s(rates, params["service"]["mean"], params["servers"])[k], "models.general.priority_waits_s"
    station = Priority(arrivals_rps=rates, service=_law_of(params), servers=params["servers"])
    found = {
        "mean_wait": lambda: station.mean_wait_s(k),
        "mean_response": lambda: station.mean_response_s(k),
        "wait_quantile": lambda: station.wait_quantile_s(k, metric["p"]),
        "response_quantile": lambda: station.response_quantile_s(k, metric["p"]),
    }
    return _asked(metric["name"], found, "models.priority.Priority")


def _room(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    station = MGcK(arrival_rps=params["arrivals"]["rate"], service=_law_of(params), servers=params["servers"], capacity=params["capacity"])
    found = {
        "prob_block": lambda: station.prob_block,
        "mean_response": lambda: station.mean_response_s,
        "mean_wait": lambda: station.mean_wait_s,
        "throughput": lambda: station.throughput_rps,
        "response_quantile": lambda: station.response_quantile_s(metric["p"]),
    }
    return _asked(metric["name"], found, "models.room.MGcK")


def _fork_join(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    if params["servers_per_branch"] != 1 or params["arrivals"]["process"] != "poisson":
        return None
    station = ForkJoin(
        arrival_rps=params["arrivals"]["rate"], service=_law_of(params), branches=params["branches"], needed=params["needed"]
    )
    found = {"mean_response": lambda: station.mean_response_s, "response_quantile": lambda: station.response_quantile_s(metric["p"])}
    return _asked(metric["name"], found, "models.forkjoin.ForkJoin")


def _mean_field(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    if params["policy"]["name"] != "power_of_d" or params["service"]["law"] != "exponential":
        return None
    answer = mean_field_response_s(params["policy"]["d"], params["utilization"], params["service"]["mean"])
    return answer, "models.balancing.mean_field_response_s"


def _sharing(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    rate, service, servers = params["arrivals"]["rate"], params["service"], params["servers"]
    if metric["name"] == "mean_response":  # insensitive to the law of the service
        return float(
            MMc(arrival_rps=rate, service_s=service["mean"], servers=servers).mean_response_s
        ), "models.queueing.MMc (insensitivity)"
    if metric["name"] == "mean_slowdown":
        return float(MMc(arrival_rps=rate, service_s=service["mean"], servers=servers).mean_response_s) / service[
            "mean"
        ], "models.queueing.MMc (insensitivity)"
    if service["law"] != "exponential":
        station = Sharing(arrival_rps=rate, service=_law_of(params), servers=servers)
        return station.response_quantile_s(metric["p"]), "models.sharing.Sharing"
    return shared_response_quantile_s(metric["p"], rate, service["mean"], servers), "models.sharing.shared_response_quantile_s"


def _order(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    if params["service"]["law"] != "exponential":
        return None
    n, mean = params["fanout"], params["service"]["mean"]
    if metric["name"] == "mean_response":
        return mean * float(np.sum(1 / np.arange(1, n + 1))), "harmonic sum"
    if metric["name"] == "response_quantile":
        return float(-mean * np.log(-np.expm1(np.log(metric["p"]) / n))), "closed form"
    return float(-np.expm1(n * np.log(metric["p"]))), "closed form"


@functools.lru_cache(maxsize=8)
def _moments(text: str, times: tuple[float, ...]) -> dict[float, Any]:
    params = json.loads(text)
    arrivals, service_s, initial = params["arrivals"], params["service"]["mean"], params["initial"]
    servers = [(s["start"], s["servers"]) for s in params["servers"]]
    if arrivals["process"] == "poisson_sine":
        rate = lambda t: arrivals["mean_rate"] + arrivals["amplitude"] * np.sin(2 * np.pi * t / arrivals["period"])  # noqa: E731
        breaks, highest = (), arrivals["mean_rate"] + arrivals["amplitude"]
    else:
        rate = lambda t: arrivals["rates"][np.searchsorted(arrivals["starts"], t, side="right") - 1]  # noqa: E731
        breaks, highest = tuple(arrivals["starts"]), max(arrivals["rates"])
    most = int(
        highest * service_s
        + max(c for _, c in servers)
        + 60 * np.sqrt(highest * service_s)
        + sum(max(highest - c / service_s, 0) for _, c in servers) * 12
    )
    start = None
    if initial["state"] == "stationary":
        start = BirthDeath.with_room(initial["rate"], service_s, initial["servers"], most).probabilities
    return dict(zip(times, over_time(rate, service_s, servers, times, start=start, breaks_s=breaks, most=most), strict=True))


def _transient(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    found = _moments(json.dumps(params), TIMES[json.dumps(params)])[metric["t"]]
    return float(getattr(found, metric["name"])), "models.transient.over_time"


TIMES: dict[str, tuple[float, ...]] = {}  # asked of each transient case, so that it is solved once


def _stations(params: dict[str, Any]) -> list[Visited]:
    return [
        Visited(service_s=s["service_time"], visits=s["visits"], servers=s["servers"] if s["kind"] == "queue" else None)
        for s in params["stations"]
    ]


def _closed(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    solve = closed if params["family"] == "mva_closed" else closed_approximately
    stations = _stations(params)
    found = solve(stations, params["customers"], params["think_time"])
    i = metric.get("station", 1) - 1
    values = {
        "throughput": found.throughput_rps * (stations[i].visits if "station" in metric else 1),
        "mean_response": found.mean_response_s,
        "mean_number": found.mean_number[i],
        "response_per_visit": found.residence_s[i] / stations[i].visits,
    }
    return float(values[metric["name"]]), f"models.network.{solve.__name__}"


def _closed_classes(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    classes = params["classes"]
    demands = np.array([np.multiply(c["service_times"], c["visits"]) for c in classes])
    throughput, number = closed_classes(
        demands, [c["customers"] for c in classes], [c["think_time"] for c in classes], [s["kind"] == "queue" for s in params["stations"]]
    )
    k = metric["class"] - 1
    if metric["name"] == "throughput":
        return float(throughput[k]), "models.network.closed_classes"
    return float(number[k, metric["station"] - 1]), "models.network.closed_classes"


def _open(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    net = Open(arrival_rps=params["arrival_rate"], stations=_stations(params))
    station = net.station(metric["station"] - 1) if "station" in metric else None
    values = {
        "mean_response": lambda: net.mean_response_s,
        "utilization": lambda: station.utilization,
        "throughput": lambda: station.arrival_rps,
        "mean_number": lambda: station.arrival_rps * station.mean_response_s,
        "response_per_visit": lambda: station.mean_response_s,
        "mean_wait": lambda: station.mean_wait_s,
    }.get(metric["name"])
    return (float(values()), "models.network.Open") if values else None


def _usl(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    load, throughput = np.array(params["points"], dtype=float).T
    found = fit_usl(load, throughput)
    name = metric["name"].removeprefix("usl_")  # the tables' optimum is 1 / alpha also where the peak comes first
    optimum = 1 / found.alpha if found.alpha > 0 else np.inf
    return float(optimum if name == "optimal_load" else getattr(found, name)), "models.scalability.fit_usl"


def _lru(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    if params["policy"]["name"] != "lru" or metric["name"] != "hit_ratio" or params["popularity"]["law"] != "zipf":
        return None
    zipf = params["popularity"]
    return float(lru_hit_ratio(zipf["n"], zipf["alpha"], params["capacity"])), "models.caching.lru_hit_ratio (Che)"


def _law(law: dict[str, Any]) -> Any:
    if law["law"] == "exponential":
        return Exponential(mean_s=law["mean"])
    if law["law"] == "lognormal":
        sigma = float(np.sqrt(np.log1p(law["scv"])))
        return Lognormal(median_s=law["mean"] / np.exp(sigma**2 / 2), sigma=sigma)
    return None


def _mixture(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    hit, miss = _law(params["hit_latency_ms"]), _law(params["miss_latency_ms"])
    if hit is None or miss is None:
        return None
    both = Mixture(weights=(params["hit_ratio"], 1 - params["hit_ratio"]), parts=(hit, miss))
    if metric["name"] == "mean_latency_ms":
        return float(both.mean_s), "models.distributions.Mixture"
    if metric["p"] > 0.995:  # the grid is made for percentiles up to p99
        return None
    return float(percentiles_s(both, (metric["p"],))[0]), "models.latency.percentiles_s"


def _times(law: dict[str, Any]) -> Draw:
    """A law as the simulator draws it."""
    if law["law"] == "exponential":
        return Draw.exponential(law["mean"])
    if law["law"] == "deterministic":
        return Draw.constant(law["mean"])
    if law["law"] == "lognormal":
        sigma = math.sqrt(math.log1p(law["scv"]))
        return Draw.lognormal(law["mean"] / math.exp(sigma**2 / 2), sigma)
    within, at = _within(law), np.linspace(0, 1, 200_001)[:-1] + 2.5e-6
    grid = law["mean"] * np.concatenate([np.linspace(0, 4, 400_001), np.geomspace(4, 1e5, 400_000)[1:]])
    return Draw.samples(np.interp(at, within(grid), grid))


def _system(params: dict[str, Any]) -> tuple[dict[str, Pool], dict[str, tuple[float, tuple[Step, ...]]], Arrivals] | None:
    """The pools, journeys and arrivals of a case; None where it is none of the simulator's."""
    family = params["family"]
    if family == "priority" and params["preemption"] == "none":
        work = (Spend(_times(params["service"])), Free("station"))
        journeys = {c["name"]: (c["arrivals"]["rate"], (Seize("station", rank), *work)) for rank, c in enumerate(params["classes"])}
        return (
            {"station": Pool(servers=params["servers"])},
            journeys,
            Arrivals(rates=[sum(c["arrivals"]["rate"] for c in params["classes"])]),
        )
    arrivals = params.get("arrivals", {})
    comes = (
        Arrivals(between=_times(arrivals["interarrival"]))
        if arrivals.get("process") == "renewal"
        else Arrivals(rates=[arrivals.get("rate", 1.0)])
    )
    if family == "fork_join":
        pools = {f"branch {i}": Pool(servers=params["servers_per_branch"]) for i in range(params["branches"])}
        branches = tuple((Seize(n), Spend(_times(params["service"])), Free(n)) for n in pools)
        return pools, {"all": (1.0, (Fork(branches, params["needed"]),))}, comes
    if family == "mgc_ps":
        return {"station": Pool(servers=params["servers"])}, {"all": (1.0, (Share("station", _times(params["service"])),))}, comes
    if family == "layered_pools":
        query = (Seize("connections"), Seize("db"), Spend(_times(params["db"]["service"])), Free("db"), Free("connections"))
        steps = (
            Seize("threads"),
            Seize("cpu"),
            Spend(_times(params["cpu"]["service"])),
            Free("cpu"),
            Maybe(params["db_probability"], query * params["db_calls"]),
            Free("threads"),
        )
        sizes = {
            "threads": params["threads"],
            "connections": params["connections"],
            "cpu": params["cpu"]["servers"],
            "db": params["db"]["servers"],
        }
        closed_arrivals = Arrivals(customers=params["customers"], think=_times(params["think"]))
        return {name: Pool(servers=size) for name, size in sizes.items()}, {"all": (1.0, steps)}, closed_arrivals
    if family == "tandem_miss":
        pools = {str(i): Pool(servers=one["servers"]) for i, one in enumerate(params["stations"])}
        steps: tuple[Step, ...] = ()
        for i, one in reversed(list(enumerate(params["stations"]))):  # who leaves one out is done
            steps = (Maybe(one["visit_probability"], (Seize(str(i)), Spend(_times(one["service"])), Free(str(i)), *steps)),)
        return pools, {"all": (1.0, steps)}, comes
    one = (Seize("station"), Spend(_times(params["service"])), Free("station")) if "service" in params else ()
    if family == "mgck":
        return {"station": Pool(servers=params["servers"], room=params["capacity"] - params["servers"])}, {"all": (1.0, one)}, comes
    if family == "load_balancing":
        policy = {"power_of_d": "two_choices", "join_shortest_queue": "shortest", "round_robin": "round_robin"}.get(
            params["policy"]["name"]
        )
        if policy is None or params["policy"].get("d", 2) != 2:
            return None
        return {"station": Pool(servers=params["servers_per_queue"], copies=params["queues"], policy=policy)}, {"all": (1.0, one)}, comes
    return ({"station": Pool(servers=params["servers"])}, {"all": (1.0, one)}, comes) if family == "gi_g_c" else None


REPLICATIONS = 12  # of a million requests each, or fewer where there are many branches; 0: nothing is simulated


@functools.lru_cache(maxsize=1)  # a case takes half a gigabyte
def _runs(text: str) -> tuple[list[str], list[Any]] | None:
    params = json.loads(text)
    system = _system(params)
    if system is None:
        return None
    requests = 1_000_000 * (3 if params.get("servers", 1) > 50 else 1) // max(1, len(system[0]) // 8)
    return list(system[1]), [simulate(*system, requests, seed=seed) for seed in range(REPLICATIONS)]


def observed(names: list[str], runs: list[Any], metric: dict[str, Any]) -> list[float]:
    """What each replication showed, its warm-up left out; *names*: of the journeys."""
    where = metric.get("resource") or (str(metric["station"] - 1) if "station" in metric else None)
    if where:
        return [run.mean_wait_s[where] for run in runs]
    which = names.index(metric["class"]) if "class" in metric else None
    cut = warm_up([run.response_s for run in runs])
    values = []
    for run in runs:
        mine = slice(int(cut * run.response_s.size), None)
        keep = np.isfinite(run.response_s[mine]) & ((run.journey[mine] == which) if which is not None else True)
        response, wait = run.response_s[mine][keep], run.wait_s[mine][keep]
        values.append(
            {
                "mean_response": response.mean,
                "mean_wait": wait.mean,
                "prob_wait": (wait > 0).mean,
                "prob_block": np.isnan(run.response_s[mine]).mean,
                "throughput": lambda r=run: r.response_s.size / r.end_s,
                "response_quantile": lambda r=response: np.quantile(r, metric["p"]),
                "wait_quantile": lambda w=wait: np.quantile(w, metric["p"]),
            }[metric["name"]]()
        )
    return values


def _simulated(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    """The mean over replications of what the simulator saw."""
    found = _runs(json.dumps(params)) if REPLICATIONS else None
    return (float(np.mean(observed(*found, metric))), "models.simulate") if found else None


def _first(*families: Callable[[dict[str, Any], dict[str, Any]], Answer]) -> Callable[[dict[str, Any], dict[str, Any]], Answer]:
    """The first that has an answer."""

    def ask(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
        return next((found for one in families if (found := one(params, metric))), None)

    return ask


FAMILIES: dict[str, Callable[[dict[str, Any], dict[str, Any]], Answer]] = {
    "erlang": _erlang,
    "mmc": _mmc,
    "mg1": _mg1,
    "gi_g_c": _first(_gi_g_c, _simulated),
    "fork_join": _first(_fork_join, _simulated),
    "mgck": _room,
    "tandem_miss": _simulated,
    "layered_pools": _simulated,
    "load_balancing": _simulated,
    "load_balancing_mean_field": _mean_field,
    "mdc": _mdc,
    "dmc": _dmc,
    "batch_m_1": _batch,
    "priority": _first(_priority, _simulated),
    "mmc_ps": _sharing,
    "mgc_ps": _sharing,
    "order_statistics": _order,
    "mt_mc_transient": _transient,
    "mva_closed": _closed,
    "mva_schweitzer": _closed,
    "mva_closed_multiclass": _closed_classes,
    "jackson_open": _open,
    "usl_fit": _usl,
    "ph_ph_c": _phases,
    "mmpp2_m_c": _phases,
    "mmck": _birth_death,
    "mmc_heterogeneous": _heterogeneous,
    "erlang_a": _birth_death,
    "erlang_b_inverse": _blocking,
    "backlog_drain": _drain,
    "irm_exact": _lru,
    "irm_policy": _lru,
    "latency_mixture": _mixture,
}


def ask_for_times(rows: list[dict[str, str]]) -> None:
    """Note all times that are asked of each transient case, so that each is solved once."""
    for row in rows:
        if "t" in (asked := json.loads(row["metric_json"])):
            key = json.dumps(json.loads(row["params_json"]))
            TIMES[key] = tuple(sorted({*TIMES.get(key, ()), asked["t"]}))


def error_of(computed: float, row: dict[str, str]) -> float:
    """The error of one answer, as the format defines it."""
    value = float(row["value"])
    return max(0.0, abs(computed - value) - float(row["halfwidth"] or 0)) / max(abs(value), float(row["floor"] or 0))


def main() -> int:
    """Answer every row of a file and print the errors by family."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("queueing", "caches"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    with options.file.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    ask_for_times(rows)
    errors: dict[str, list[float]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        params, metric = json.loads(row["params_json"]), json.loads(row["metric_json"])
        counts[params["family"]] += 1
        found = answer(params, metric)
        row["computed"], row["method"] = (repr(found[0]), found[1]) if found else ("", "unanswered")
        if found:
            errors[params["family"]].append(error_of(found[0], row))
    print(f"{'family':28} {'cases':>6} {'answered':>9} {'median error':>13} {'worst error':>12}")
    for family, total in sorted(counts.items()):
        e = errors[family]
        figures = f"{statistics.median(e):13.2e} {max(e):12.2e}" if e else f"{'–':>13} {'–':>12}"
        print(f"{family:28} {total:6} {len(e):9} {figures}")
    print(f"{'all':28} {len(rows):6} {sum(map(len, errors.values())):9}")
    if options.csv:
        with options.csv.open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
