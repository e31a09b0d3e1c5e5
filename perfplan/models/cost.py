"""Monthly cost from counts, list prices and traffic. No discounts, no commitments: list prices are what can be checked.

Shapes: arguments broadcast; what comes out has their common shape, such as (worlds, months).
"""

from __future__ import annotations

import numpy as np

from perfplan.quantity import HOURS_PER_MONTH, Bytes, Count, FloatArray, UsdPerByte, UsdPerByteMonth, UsdPerHour


def machines_month_usd(count: Count, price_usd_per_hour: UsdPerHour) -> FloatArray:
    """Cost of *count* machines for a month of 730 hours.

    >>> float(machines_month_usd(10, 0.1))
    730.0
    """
    return np.asarray(count * np.asarray(price_usd_per_hour, dtype=float) * HOURS_PER_MONTH)


def storage_month_usd(stored_bytes: Bytes, price_usd_per_byte_month: UsdPerByteMonth) -> FloatArray:
    """Cost of holding data for a month.

    >>> float(storage_month_usd(1e12, 0.1e-9).round(6))
    100.0
    """
    return np.asarray(stored_bytes * np.asarray(price_usd_per_byte_month, dtype=float))


def traffic_month_usd(sent_bytes: Bytes, price_usd_per_byte: UsdPerByte) -> FloatArray:
    """Cost of traffic sent in a month.

    >>> float(traffic_month_usd(5e12, 0.05e-9).round(6))
    250.0
    """
    return np.asarray(sent_bytes * np.asarray(price_usd_per_byte, dtype=float))
