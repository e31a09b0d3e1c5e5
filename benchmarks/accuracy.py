"""How far the library is from reference cases, family by family.

    python benchmarks/accuracy.py queueing|caches FILE [--csv OUT]

FILE has the columns `params_json`, `metric_json`, `value`, `floor`, `halfwidth` of tests/data/*_cases.csv; every row is answered
from its parameters, never by its name. Error = max(0, |computed - value| - halfwidth) / max(|value|, floor). Prints, per
family: cases, answered, median and worst error. OUT gets the input's columns plus `computed` and `method`.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from perfplan.models.caching import lru_hit_ratio
from perfplan.models.distributions import Exponential, Lognormal, Mixture
from perfplan.models.latency import percentiles_s
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


def _drain(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    if metric["name"] != "mean_drain_time":
        return None
    rate = params["arrivals"]["rate"]
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
