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
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from perfplan.models.birthdeath import BirthDeath, drain_quantile_s, drain_variance_s2, load_for_blocking
from perfplan.models.caching import lru_hit_ratio
from perfplan.models.distributions import Exponential, Lognormal, Mixture
from perfplan.models.latency import percentiles_s
from perfplan.models.phase import MapPhC, MarkovianArrivals, PhaseType
from perfplan.models.queueing import MMc, drain_time_s, erlang_b, erlang_c

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


FAMILIES: dict[str, Callable[[dict[str, Any], dict[str, Any]], Answer]] = {
    "erlang": _erlang,
    "mmc": _mmc,
    "ph_ph_c": _phases,
    "mmpp2_m_c": _phases,
    "mmck": _birth_death,
    "erlang_a": _birth_death,
    "erlang_b_inverse": _blocking,
    "backlog_drain": _drain,
    "irm_exact": _lru,
    "irm_policy": _lru,
    "latency_mixture": _mixture,
}


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
