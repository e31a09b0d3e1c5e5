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
import reference_queues as queues
import reference_simulated as simulated

from perfplan.models.beyond.network import Open, Visited, closed, closed_approximately, closed_classes
from perfplan.models.beyond.transient import over_time
from perfplan.models.caching import lru_hit_ratio
from perfplan.models.stations.birthdeath import BirthDeath
from perfplan.models.stations.scalability import fit_usl
from perfplan.models.times.distributions import Exponential, Lognormal, Mixture
from perfplan.models.times.latency import percentiles_s

Answer = tuple[float, str] | None


def answer(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    """The library's answer to one case and the function that gave it; None where it has none."""
    family = FAMILIES.get(params["family"])
    return family(params, metric) if family else None


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


def _first(*families: Callable[[dict[str, Any], dict[str, Any]], Answer]) -> Callable[[dict[str, Any], dict[str, Any]], Answer]:
    """The first that has an answer."""

    def ask(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
        return next((found for one in families if (found := one(params, metric))), None)

    return ask


FAMILIES: dict[str, Callable[[dict[str, Any], dict[str, Any]], Answer]] = {
    "erlang": queues.erlang,
    "mmc": queues.mmc,
    "mg1": queues.mg1,
    "gi_g_c": _first(queues.gi_g_c, simulated.answer),
    "fork_join": _first(queues.fork_join, simulated.answer),
    "mgck": queues.room,
    "tandem_miss": simulated.answer,
    "layered_pools": simulated.answer,
    "load_balancing": simulated.answer,
    "load_balancing_mean_field": queues.mean_field,
    "mdc": queues.mdc,
    "dmc": queues.dmc,
    "batch_m_1": queues.batch,
    "priority": _first(queues.priority, simulated.answer),
    "mmc_ps": queues.sharing,
    "mgc_ps": queues.sharing,
    "order_statistics": queues.order,
    "mt_mc_transient": _transient,
    "mva_closed": _closed,
    "mva_schweitzer": _closed,
    "mva_closed_multiclass": _closed_classes,
    "jackson_open": _open,
    "usl_fit": _usl,
    "ph_ph_c": queues.phases,
    "mmpp2_m_c": queues.phases,
    "mmck": queues.birth_death,
    "mmc_heterogeneous": queues.heterogeneous,
    "erlang_a": queues.birth_death,
    "erlang_b_inverse": queues.blocking,
    "backlog_drain": queues.drain,
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
