"""Answers of the library to reference cases of queues: for `accuracy.py`."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from perfplan.models.beyond import laws
from perfplan.models.beyond.balancing import mean_field_response_s
from perfplan.models.beyond.batches import Batches
from perfplan.models.beyond.forkjoin import ForkJoin
from perfplan.models.beyond.general import MG1, DMc, MDc, priority_waits_s
from perfplan.models.beyond.priority import Priority, preempted_mean_response_s, preempted_response_quantile_s
from perfplan.models.beyond.renewal import GIGc
from perfplan.models.beyond.room import MGcK
from perfplan.models.beyond.sharing import Sharing, shared_response_quantile_s
from perfplan.models.stations.birthdeath import BirthDeath, drain_quantile_s, drain_variance_s2, load_for_blocking
from perfplan.models.stations.queueing import MMc, drain_time_s, erlang_b, erlang_c
from perfplan.models.times.phase import MapPhC, MarkovianArrivals, PhaseType

Answer = tuple[float, str] | None


def erlang(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    function = {"erlang_b": erlang_b, "erlang_c": erlang_c}[metric["name"]]
    return float(function(params["offered_load"], params["servers"])), f"models.queueing.{metric['name']}"


def mmc(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
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


def phases(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
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


def within(law: dict[str, Any]) -> Any:
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


def gi_g_c(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
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


def heterogeneous(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    if params["method"] != "mean_rate":
        return None
    rates = params["service_rates"]
    station = MMc(arrival_rps=params["arrivals"]["rate"], service_s=len(rates) / sum(rates), servers=params["servers"])
    number = float(station.arrival_rps) * float(station.mean_response_s)
    return {"utilization": float(station.utilization), "mean_number": number}[metric["name"]], "models.queueing.MMc (mean rate)"


def birth_death(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
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


def blocking(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    return load_for_blocking(params["blocking"], params["servers"]), "models.birthdeath.load_for_blocking"


def drain(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
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


def mg1(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
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


def mdc(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    queue = _mdc_queue(params["arrivals"]["rate"], params["service"]["mean"], params["servers"])
    found = {
        "mean_wait": lambda: queue.mean_wait_s,
        "prob_wait": lambda: queue.prob_wait,
        "wait_quantile": lambda: queue.wait_quantile_s(metric["p"]),
    }
    return found[metric["name"]](), "models.general.MDc"


def dmc(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    queue = DMc(gap_s=params["arrivals"]["interarrival"]["mean"], service_s=params["service"]["mean"], servers=params["servers"])
    found = {
        "sigma": lambda: queue.sigma,
        "prob_wait": lambda: queue.prob_wait,
        "mean_wait": lambda: queue.mean_wait_s,
        "wait_quantile": lambda: queue.wait_quantile_s(metric["p"]),
    }
    return found[metric["name"]](), "models.general.DMc"


def batch(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
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


def _solved_once(make: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    """*make* of parameters is made once: the rows of a case ask one station for several numbers."""
    kept = functools.lru_cache(maxsize=8)(lambda text: make(json.loads(text)))
    return lambda params: kept(json.dumps(params))


@_solved_once
def _priority(params: dict[str, Any]) -> Priority:
    return Priority(arrivals_rps=[c["arrivals"]["rate"] for c in params["classes"]], service=_law_of(params), servers=params["servers"])


@_solved_once
def _room(params: dict[str, Any]) -> MGcK:
    return MGcK(arrival_rps=params["arrivals"]["rate"], service=_law_of(params), servers=params["servers"], capacity=params["capacity"])


@_solved_once
def _fork_join(params: dict[str, Any]) -> ForkJoin:
    return ForkJoin(arrival_rps=params["arrivals"]["rate"], service=_law_of(params), branches=params["branches"], needed=params["needed"])


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


def priority(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    if params["preemption"] != "none":
        return _preempted(params, metric)
    rates, k = [c["arrivals"]["rate"] for c in params["classes"]], [c["name"] for c in params["classes"]].index(metric["class"])
    if metric["name"] == "mean_wait" and params["service"]["law"] == "exponential":
        return priority_waits_s(rates, params["service"]["mean"], params["servers"])[k], "models.general.priority_waits_s"
    station = _priority(params)
    found = {
        "mean_wait": lambda: station.mean_wait_s(k),
        "mean_response": lambda: station.mean_response_s(k),
        "wait_quantile": lambda: station.wait_quantile_s(k, metric["p"]),
        "response_quantile": lambda: station.response_quantile_s(k, metric["p"]),
    }
    return _asked(metric["name"], found, "models.priority.Priority")


def room(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    station = _room(params)
    found = {
        "prob_block": lambda: station.prob_block,
        "mean_response": lambda: station.mean_response_s,
        "mean_wait": lambda: station.mean_wait_s,
        "throughput": lambda: station.throughput_rps,
        "response_quantile": lambda: station.response_quantile_s(metric["p"]),
    }
    return _asked(metric["name"], found, "models.room.MGcK")


def fork_join(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    if params["servers_per_branch"] != 1 or params["arrivals"]["process"] != "poisson":
        return None
    station = _fork_join(params)
    found = {"mean_response": lambda: station.mean_response_s, "response_quantile": lambda: station.response_quantile_s(metric["p"])}
    return _asked(metric["name"], found, "models.forkjoin.ForkJoin")


def mean_field(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    if params["policy"]["name"] != "power_of_d" or params["service"]["law"] != "exponential":
        return None
    answer = mean_field_response_s(params["policy"]["d"], params["utilization"], params["service"]["mean"])
    return answer, "models.balancing.mean_field_response_s"


def sharing(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
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


def order(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    if params["service"]["law"] != "exponential":
        return None
    n, mean = params["fanout"], params["service"]["mean"]
    if metric["name"] == "mean_response":
        return mean * float(np.sum(1 / np.arange(1, n + 1))), "harmonic sum"
    if metric["name"] == "response_quantile":
        return float(-mean * np.log(-np.expm1(np.log(metric["p"]) / n))), "closed form"
    return float(-np.expm1(n * np.log(metric["p"]))), "closed form"
