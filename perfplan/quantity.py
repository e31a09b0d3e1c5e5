"""Units, domains and uncertain numbers; how people state them is read in `perfplan.stated`.

A `Quantity` is a kind of number (time, rate, money, ...): its base unit, the units a person may write, its domain.
A `Law` is a stated number: certain, or an interval with the distribution fitted to it. Base units: second, 1/second,
byte, US dollar, fraction 0..1, count.

The law fitted to an interval is normal on a scale on which the domain has no border: logarithm for what is positive,
logit for fractions, log(1 + x) for growth. Its quantiles are the stated ones exactly, and no draw leaves the domain.
With a stated middle it has two halves that meet there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri

FloatArray = NDArray[np.float64]
Value = float | FloatArray  # a scalar, or an array over (worlds, months)

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
MONTH = 365.25 * DAY / 12  # a mean month: 30.4375 days
HOURS_PER_MONTH = 730.0  # what cloud price lists multiply by


def median(value: Value) -> float:
    """The middle of a value's worlds.

    >>> median(3.0), median(np.array([[1.0], [2.0], [9.0]]))
    (3.0, 2.0)
    """
    return float(np.median(np.asarray(value)) if np.ndim(value) else value)


def quantiles(values: FloatArray, ps: Sequence[float]) -> FloatArray:
    """Quantiles over worlds, the first axis: the half as `median` has it, others the next value that some world has, as some have no end.

    Shape: (quantiles, ...), as `numpy.quantile`.

    >>> quantiles(np.array([1.0, 2.0, 3.0, np.inf]), (0.05, 0.5, 0.95))
    array([2. , 2.5, inf])
    """
    found = np.quantile(values, ps, axis=0, method="higher")
    return np.asarray([np.median(values, axis=0) if p == 0.5 else one for p, one in zip(ps, found, strict=True)])


class Misread(ValueError):
    """A text that is not the quantity it should be; the message says the rule, the value and the way out."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A monotone change of variable to a line without borders, and back."""

    name: str
    to: Callable[[Any], Any]
    back: Callable[[Any], Any]


def _same(x: Any) -> Any:
    return x


LINEAR = Scale(name="normal", to=_same, back=_same)
LOG = Scale(name="lognormal", to=np.log, back=np.exp)
LOGIT = Scale(name="logit-normal", to=logit, back=expit)
LOG1P = Scale(name="lognormal of 1 + x", to=np.log1p, back=np.expm1)


@dataclass(frozen=True, kw_only=True, eq=False)  # two kinds are the same only if they are one object
class Quantity:
    """A kind of number: base unit, units a person may write (text to factor), domain and help for mistakes."""

    name: str
    units: dict[str, float]
    unit: str  # the base unit, as shown in headers; "" for pure numbers
    suffix: str = ""  # how the names of fields in this unit end; the YAML key is the name without it
    low: float = 0.0
    high: float = math.inf
    open_low: bool = False  # the lower border itself is not allowed
    least: float = 0.0  # in size, where it is not 0, and *most*: what is believable of any such number
    most: float = 1e30
    scale: Scale = LOG
    whole: bool = False
    bare: bool = False  # a number without unit is allowed
    example: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        return _by_name, (self.name,)  # stored as a name: there is one object of each kind

    @property
    def domain(self) -> str:
        """The rule in words, such as "more than 0" or "within 0% to 100%"."""
        if self.high < math.inf:
            return f"within {self.show(self.low)} to {self.show(self.high)}"
        whole = "a whole number, " if self.whole else ""
        return f"{whole}more than {self.show(self.low)}" if self.open_low else f"{whole}{self.show(self.low)} or more"

    def exact(self, value: float) -> str:
        """The value with all its digits, in its base unit where that can be written, as a file may state it.

        >>> BYTES.exact(1.5 * 2**30), USD_PER_HOUR.exact(0.375), WHOLE.exact(24.0), SECONDS.exact(0.0125), PERCENTILE.exact(0.95)
        ('1610612736B', '$0.375/h', '24', '0.0125s', '95%')
        """
        unit = "" if self.bare else min(self.units, key=lambda one: abs(math.log(self.units[one])))
        return f"{'$' if unit.startswith('$') else ''}{value / self.units.get(unit, 1.0):.15g}{unit.removeprefix('$')}"

    def show(self, value: float, digits: int = 3) -> str:
        """The value with the unit that suits its size, as a person would write it in a scenario.

        >>> SECONDS.show(0.012), BYTES.show(2 * 2**30), FRACTION.show(0.999), RPS.show(2000)
        ('12ms', '2GiB', '99.9%', '2000rps')
        """
        return _show(self, value, digits)


# ---- the kinds -------------------------------------------------------------------------------------------------

_TIME = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": MINUTE, "h": HOUR, "d": DAY, "day": DAY, "days": DAY}
_TIME |= {"week": 7 * DAY, "weeks": 7 * DAY, "month": MONTH, "months": MONTH, "year": 12 * MONTH, "years": 12 * MONTH}
_PER = {"s": 1.0, "min": 1 / MINUTE, "h": 1 / HOUR, "day": 1 / DAY}
BYTES_UNITS = {"B": 1.0} | {f"{p}B": 1000.0**i for i, p in enumerate("kMGTP", 1)} | {f"{p}iB": 1024.0**i for i, p in enumerate("KMGTP", 1)}
_PERCENT = {"%": 0.01}

SECONDS = Quantity(name="duration", unit="s", suffix="s", units=_TIME, open_low=True, example="12ms", most=10 * 365.25 * DAY, least=1e-9)
RPS = Quantity(
    name="rate",
    unit="1/s",
    suffix="rps",
    units={"rps": 1.0, "req/s": 1.0} | {f"/{k}": v for k, v in _PER.items()},
    open_low=True,
    example="400 rps",
    most=1e9,
    least=1e-9,
)
BYTES = Quantity(name="size", unit="B", suffix="bytes", units=BYTES_UNITS, open_low=True, example="2GiB", most=1e18, least=0.01)
BYTES_PER_SECOND = Quantity(
    name="bandwidth",
    unit="B/s",
    suffix="bytes_per_s",
    open_low=True,
    example="10Gbit/s",
    most=1e15,
    least=1.0,
    units={f"{u}/s": f for u, f in BYTES_UNITS.items()} | {f"{p}bit/s": 1000.0**i / 8 for i, p in enumerate("kMGT", 1)},
)
USD = Quantity(name="amount of money", unit="USD", suffix="usd", units={"$": 1.0}, scale=LINEAR, example="$14,200", most=1e12)
USD_PER_HOUR = Quantity(
    name="price per hour",
    unit="USD/h",
    suffix="usd_per_hour",
    example="$0.12/h",
    scale=LINEAR,
    most=1e6,
    units={"$/h": 1.0, "$/month": 1 / HOURS_PER_MONTH},
)
USD_PER_BYTE = Quantity(
    name="price per byte",
    unit="USD/B",
    suffix="usd_per_byte",
    units={f"$/{u}": 1 / f for u, f in BYTES_UNITS.items() if f >= 1e9},
    scale=LINEAR,
    example="$0.05/GB",
    most=1.0,
)
USD_PER_BYTE_MONTH = Quantity(
    name="price per byte and month",
    unit="USD/B/month",
    suffix="usd_per_byte_month",
    scale=LINEAR,
    example="$0.10/GiB/month",
    most=1.0,
    units={f"$/{u}/month": 1 / f for u, f in BYTES_UNITS.items() if f >= 1e9},
)
FRACTION = Quantity(name="fraction", unit="", units=_PERCENT, high=1.0, scale=LOGIT, bare=True, example="99.9%")
RATIO = Quantity(name="ratio", unit="", units={"x": 1.0, "%": 0.01}, open_low=True, bare=True, example="1.4", most=1e6, least=1e-9)
COUNT = Quantity(name="count", unit="", units={}, open_low=True, bare=True, example="55k", most=1e12, least=1e-6)
WHOLE = Quantity(name="whole number", unit="", units={}, low=1.0, whole=True, bare=True, example="24", most=1e6)
WHOLE_OR_NONE = Quantity(name="whole number, or 0", unit="", units={}, whole=True, bare=True, example="2", scale=LINEAR, most=1e6)
GROWTH = Quantity(
    name="growth rate",
    unit="1/month",
    suffix="per_month",
    low=-0.9,
    scale=LOG1P,
    example="2.5%/month",
    most=1.0,
    units={"%/month": 0.01, "%/year": 0.01},
)
PERCENTILE = Quantity(name="percentile", unit="", units=_PERCENT, low=0.01, high=0.999999, scale=LOGIT, example="p95")

KINDS = {kind.name: kind for kind in list(vars().values()) if isinstance(kind, Quantity)}


def _by_name(name: str) -> Quantity:
    return KINDS[name]


Seconds = Annotated[Value, SECONDS]
Rps = Annotated[Value, RPS]
Bytes = Annotated[Value, BYTES]
BytesPerSecond = Annotated[Value, BYTES_PER_SECOND]
Usd = Annotated[Value, USD]
UsdPerHour = Annotated[Value, USD_PER_HOUR]
UsdPerByte = Annotated[Value, USD_PER_BYTE]
UsdPerByteMonth = Annotated[Value, USD_PER_BYTE_MONTH]
Fraction = Annotated[Value, FRACTION]
Ratio = Annotated[Value, RATIO]
Count = Annotated[Value, COUNT]
Whole = Annotated[Value, WHOLE]
WholeOrNone = Annotated[Value, WHOLE_OR_NONE]
Growth = Annotated[Value, GROWTH]
Percentile = Annotated[Value, PERCENTILE]


# ---- what a stated number stands for ---------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Law:
    """A stated number in base units: certain (low = mid = high) or uncertain, with the scale on which it is normal."""

    low: float
    mid: float
    high: float
    coverage: float = 0.9
    scale: Scale = LINEAR

    @property
    def certain(self) -> bool:
        """Whether there is nothing to draw."""
        return self.low == self.high

    def quantile(self, p: Value) -> Value:
        """The value below which a share *p* lies; exact at the stated border and middle points.

        >>> law = Law(low=40e3, mid=np.sqrt(40e3 * 60e3), high=60e3, scale=LOG)
        >>> [round(float(law.quantile(p)), 6) for p in (0.05, 0.5, 0.95)]
        [40000.0, 48989.794856, 60000.0]
        """
        if self.certain:
            return self.mid + 0 * p
        z, to = ndtri(p), self.scale.to
        border = float(ndtri(0.5 + self.coverage / 2))
        low, mid, high = to(self.low), to(self.mid), to(self.high)
        found: Value = self.scale.back(mid + np.where(z < 0, mid - low, high - mid) * z / border)
        return found


def certain(value: float) -> Law:
    """The law of a number without doubt."""
    return Law(low=value, mid=value, high=value)


def _show(quantity: Quantity, value: float, digits: int) -> str:
    if quantity is PERCENTILE:
        return f"p{value * 100:.6g}"
    if quantity in (FRACTION, GROWTH):
        return f"{value * 100:.{digits + 3}g}%" + ("/month" if quantity is GROWTH else "")
    if quantity is RPS and 0 < value < 1e-3:
        return f"{_digits(value / quantity.units['/day'], digits)}/day"
    if quantity.suffix.startswith("usd"):
        return _show_money(quantity, value, digits)
    shown: tuple[str, ...] = {"duration": ("us", "ms", "s", "min", "h", "d"), "size": ("B", "kB", "MB", "GB", "TB", "PB")}.get(
        quantity.name, ()
    )
    if quantity is BYTES and value >= 1024 and math.log2(value) % 1 == 0:
        shown = ("KiB", "MiB", "GiB", "TiB", "PiB")
    if quantity is BYTES_PER_SECOND:
        shown = ("kB/s", "MB/s", "GB/s", "TB/s")
    unit = next((u for u in reversed(shown) if abs(value) >= quantity.units[u]), shown[0] if shown else "")
    factor = quantity.units[unit] if unit else 1.0
    return f"{_digits(value / factor, digits)}{unit or ('rps' if quantity is RPS else '')}"


def _show_money(quantity: Quantity, value: float, digits: int) -> str:
    unit = {"usd": "$", "usd_per_hour": "$/h", "usd_per_byte": "$/GB", "usd_per_byte_month": "$/GB/month"}[quantity.suffix]
    return f"${_digits(value / quantity.units[unit], digits)}{unit[1:]}"


def _digits(value: float, digits: int) -> str:
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
