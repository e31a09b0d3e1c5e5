"""Units of single numbers: these models take one case at a time, where `perfplan.quantity` types arrays."""

from typing import Annotated

from perfplan.quantity import COUNT, FRACTION, RATIO, RPS, SECONDS

Seconds = Annotated[float, SECONDS]
Rps = Annotated[float, RPS]
Fraction = Annotated[float, FRACTION]
Ratio = Annotated[float, RATIO]
Count = Annotated[float, COUNT]
