"""Answers of the simulator to reference cases: for `accuracy.py`."""

from __future__ import annotations

import functools
import json
import math
from typing import Any

import numpy as np
from reference_queues import within

from perfplan.models.simulate import Arrivals, Draw, Fork, Free, Maybe, Pool, Seize, Share, Spend, Step, simulate, warm_up

Answer = tuple[float, str] | None


def _times(law: dict[str, Any]) -> Draw:
    """A law as the simulator draws it."""
    if law["law"] == "exponential":
        return Draw.exponential(law["mean"])
    if law["law"] == "deterministic":
        return Draw.constant(law["mean"])
    if law["law"] == "lognormal":
        sigma = math.sqrt(math.log1p(law["scv"]))
        return Draw.lognormal(law["mean"] / math.exp(sigma**2 / 2), sigma)
    of_law, at = within(law), np.linspace(0, 1, 200_001)[:-1] + 2.5e-6
    grid = law["mean"] * np.concatenate([np.linspace(0, 4, 400_001), np.geomspace(4, 1e5, 400_000)[1:]])
    return Draw.samples(np.interp(at, of_law(grid), grid))


def system_of(params: dict[str, Any]) -> tuple[dict[str, Pool], dict[str, tuple[float, tuple[Step, ...]]], Arrivals] | None:
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
    system = system_of(params)
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


def answer(params: dict[str, Any], metric: dict[str, Any]) -> Answer:
    """The mean over replications of what the simulator saw."""
    found = _runs(json.dumps(params)) if REPLICATIONS else None
    return (float(np.mean(observed(*found, metric))), "models.simulate") if found else None
