"""The analytic answers for renewal arrivals, priorities, fork-joins, processor sharing and limited room against simulations of other cases.

    python benchmarks/families.py [REQUESTS] [REPLICATIONS]

Seeds are fixed. The interval is that of the mean over replications (95 %, Student's t); error = distance from it over the simulated value.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import accuracy
import numpy as np
import reference_simulated
from scipy import stats


def law(name: str, mean: float, scv: float) -> dict[str, Any]:
    """A law in the words of the tables."""
    p = (1 + np.sqrt((scv - 1) / (scv + 1))) / 2 if scv > 1 else 0.5
    return {
        "law": name,
        "mean": mean,
        "scv": scv,
        "k": round(1 / scv),
        "shape": 1 / scv,
        "probabilities": [p, 1 - p],
        "rates": [2 * p / mean, 2 * (1 - p) / mean],
    }


def weibull(mean: float, shape: float) -> dict[str, Any]:
    """A Weibull law."""
    frozen = stats.weibull_min(shape, scale=mean / math.gamma(1 + 1 / shape))
    return {"law": "weibull", "mean": mean, "scv": float(frozen.var()) / mean**2, "shape": shape, "scale": mean / math.gamma(1 + 1 / shape)}


def pareto(mean: float, alpha: float, ratio: float) -> dict[str, Any]:
    """A Pareto law whose largest time is *ratio* times its least."""
    low = mean / float(stats.truncpareto(alpha, ratio).mean())
    frozen = stats.truncpareto(alpha, ratio, scale=low)
    return {"law": "bounded_pareto", "mean": mean, "scv": float(frozen.var()) / mean**2, "alpha": alpha, "low": low, "high": low * ratio}


def renewal(
    servers: int, rho: float, gaps: Callable[[float], dict[str, Any]], service: dict[str, Any]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A GI/G/c queue; *gaps*: their law by its mean."""
    rate = rho * servers
    arrivals = {"process": "renewal", "rate": rate, "interarrival": gaps(1 / rate)}
    return {"family": "gi_g_c", "arrivals": arrivals, "servers": servers, "service": service}, WAITS


def of(name: str, scv: float) -> Callable[[float], dict[str, Any]]:
    """A law by its mean."""
    return lambda mean: law(name, mean, scv)


def poisson(rate: float) -> dict[str, Any]:
    """Poisson arrivals."""
    return {"process": "poisson", "rate": rate}


def classes(*rates: float) -> list[dict[str, Any]]:
    """Priority classes, the first first."""
    return [{"name": str(i), "arrivals": poisson(rate)} for i, rate in enumerate(rates)]


HIGH = [{"name": "wait_quantile", "class": "0", "p": p} for p in (0.95, 0.99)]
LOW = [{"name": "mean_wait", "class": "1"}, *({"name": "wait_quantile", "class": "1", "p": p} for p in (0.95, 0.99))]
RESPONSE = [{"name": "mean_response"}, *({"name": "response_quantile", "p": p} for p in (0.5, 0.95, 0.99))]
WAITS = [{"name": "mean_wait"}, *({"name": f"{kind}_quantile", "p": p} for kind in ("wait", "response") for p in (0.95, 0.99))]
LOSS = [{"name": "prob_block"}, *RESPONSE]
CASES: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
    renewal(1, 0.8, of("lognormal", 2), law("lognormal", 1.0, 4.0)),
    renewal(1, 0.6, lambda mean: weibull(mean, 0.6), law("gamma", 1.0, 2.0)),
    renewal(2, 0.7, of("lognormal", 4), law("exponential", 1.0, 1.0)),
    renewal(2, 0.7, of("lognormal", 0.5), law("lognormal", 1.0, 0.5)),
    renewal(2, 0.5, of("lognormal", 3), law("lognormal", 1.0, 0.25)),
    renewal(3, 0.7, of("hyperexp2", 10), law("erlang", 1.0, 0.25)),
    renewal(4, 0.8, lambda mean: pareto(mean, 1.5, 2000.0), law("lognormal", 1.0, 1.0)),
    renewal(4, 0.95, of("erlang", 0.5), weibull(1.0, 1.75)),
    renewal(5, 0.9, of("exponential", 1), law("lognormal", 1.0, 0.25)),
    renewal(6, 0.85, of("exponential", 1), pareto(1.0, 1.5, 1000.0)),
    renewal(8, 0.7, of("lognormal", 4), law("lognormal", 1.0, 4.0)),
    renewal(10, 0.95, of("exponential", 1), law("lognormal", 1.0, 0.45)),
    renewal(12, 0.9, of("erlang", 0.25), law("exponential", 1.0, 1.0)),
    renewal(30, 0.9, lambda mean: weibull(mean, 0.75), law("lognormal", 1.0, 0.7)),
    renewal(50, 0.95, of("lognormal", 1), law("lognormal", 1.0, 2.0)),
    (
        {"family": "priority", "preemption": "none", "servers": 2, "classes": classes(0.4, 0.6, 0.5), "service": law("gamma", 1.0, 2.0)},
        [*HIGH, *LOW],
    ),
    (
        {"family": "priority", "preemption": "none", "servers": 8, "classes": classes(4.0, 2.8), "service": law("lognormal", 1.0, 3.0)},
        [*HIGH, *LOW],
    ),
    (
        {"family": "priority", "preemption": "none", "servers": 1, "classes": classes(0.3, 0.5), "service": law("lognormal", 1.0, 2.0)},
        [*HIGH, *LOW],
    ),
    (
        {"family": "priority", "preemption": "none", "servers": 4, "classes": classes(1.2, 2.2), "service": law("erlang", 1.0, 0.25)},
        [*HIGH, *LOW],
    ),
    (
        {
            "family": "fork_join",
            "arrivals": poisson(0.8),
            "branches": 4,
            "needed": 4,
            "servers_per_branch": 1,
            "service": law("erlang", 1.0, 0.25),
        },
        RESPONSE,
    ),
    (
        {
            "family": "fork_join",
            "arrivals": poisson(0.6),
            "branches": 6,
            "needed": 3,
            "servers_per_branch": 1,
            "service": law("hyperexp2", 1.0, 2.0),
        },
        RESPONSE,
    ),
    (
        {
            "family": "fork_join",
            "arrivals": poisson(0.7),
            "branches": 12,
            "needed": 12,
            "servers_per_branch": 1,
            "service": law("lognormal", 1.0, 1.0),
        },
        RESPONSE,
    ),
    ({"family": "mgc_ps", "arrivals": poisson(1.4), "servers": 2, "service": law("gamma", 1.0, 5.0)}, RESPONSE),
    ({"family": "mgc_ps", "arrivals": poisson(14.4), "servers": 16, "service": law("lognormal", 1.0, 4.0)}, RESPONSE),
    ({"family": "mgc_ps", "arrivals": poisson(0.85), "servers": 1, "service": law("erlang", 1.0, 0.25)}, RESPONSE),
    ({"family": "mgck", "arrivals": poisson(2.2), "servers": 2, "capacity": 8, "service": law("gamma", 1.0, 3.0)}, LOSS),
    ({"family": "mgck", "arrivals": poisson(7.2), "servers": 8, "capacity": 12, "service": law("lognormal", 1.0, 2.0)}, LOSS),
    ({"family": "mgck", "arrivals": poisson(3.0), "servers": 3, "capacity": 3, "service": law("lognormal", 1.0, 4.0)}, LOSS),
    ({"family": "mgck", "arrivals": poisson(0.9), "servers": 1, "capacity": 5, "service": law("erlang", 1.0, 0.25)}, LOSS),
    ({"family": "mgck", "arrivals": poisson(2.7), "servers": 3, "capacity": 15, "service": law("erlang", 1.0, 0.25)}, LOSS),
]


def main() -> int:
    """Print every case with both answers."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 6
    errors: dict[str, list[float]] = {}
    for params, metrics in CASES:
        system = reference_simulated.system_of(params)
        if system is None:
            raise ValueError(f"the simulator does not know {params['family']}")
        runs = [reference_simulated.simulate(*system, requests, seed=seed) for seed in range(count)]
        service = params["service"]
        print(
            f"{params['family']}: {service['law']} scv {service['scv']:g}, "
            + str({k: v for k, v in params.items() if k not in ("family", "service", "preemption", "servers_per_branch")})[:150]
        )
        for metric in metrics:
            seen = np.array(reference_simulated.observed(list(system[1]), runs, metric))
            half = float(stats.t.ppf(0.975, count - 1) * seen.std(ddof=1) / np.sqrt(count))
            found = accuracy.answer(params, metric)
            if found is None:
                raise ValueError(f"no answer to {metric}")
            error = max(abs(found[0] - seen.mean()) - half, 0.0) / seen.mean()
            errors.setdefault(params["family"], []).append(error)
            asked = " ".join(str(v) for v in metric.values())
            print(f"  {asked:24} simulated {seen.mean():9.4f} +- {half:7.4f}   analytic {found[0]:9.4f}   error {100 * error:5.2f} %")
    for family, found_errors in errors.items():
        print(f"{family:12} median {100 * np.median(found_errors):5.2f} %, worst {100 * max(found_errors):5.2f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
