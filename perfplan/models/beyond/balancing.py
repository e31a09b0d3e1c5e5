"""Balancing over many queues.

References
----------
Mitzenmacher: The power of two choices in randomized load balancing, IEEE Trans. Parallel and Distributed Systems 12 (2001).
"""

from __future__ import annotations

import math

from perfplan.models.beyond.numbers import Fraction, Seconds

NEGLIGIBLE = 1e-17  # share of queues whose length changes no digit


def mean_field_response_s(choices: int, load: Fraction, service_s: Seconds) -> float:
    """Mean response when each customer joins the shortest of *choices* random queues out of infinitely many; one server each, M/M.

    A share rho^((d^i - 1) / (d - 1)) of queues has i customers or more (Mitzenmacher, lemma 2); Little's law. *load* below 1.

    >>> round(mean_field_response_s(1, 0.9, 1.0), 6), round(mean_field_response_s(2, 0.9, 1.0), 6)  # M/M/1; two choices
    (10.0, 2.614057)
    """
    rho, d = float(load), int(choices)
    if not 0 <= rho < 1:
        raise ValueError(f"utilization must be at least 0 and below 1 for a steady state; got {rho:g}")
    if d == 1 or rho == 0:
        return service_s / (1 - rho)
    total, i = 0.0, 1
    while (share := math.exp(math.log(rho) * (d**i - 1) / (d - 1))) > NEGLIGIBLE:
        total, i = total + share, i + 1
    return total / rho * service_s
