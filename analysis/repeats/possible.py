"""What values can be: information between 0 and its ceiling, accuracies between 0 and 1.

Means are within it by themselves. What is added to them and taken from them, a deviation or half an
interval, knows nothing of it, and is clipped.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.analysis.repeats.shown import Axis, ceilings

SHARES = ("train", "test", "all", "train_accuracy", "test_accuracy")
"""Accuracies, as stores and as `ibtools.analysis.repeats.accuracy` call them."""

AXES: Mapping[str, Axis] = MappingProxyType({"mi_xt": "x", "entropy_t": "x", "mi_ty": "y"})
"""What has a ceiling, and which."""

LEAST, MOST = "valid_min", "valid_max"
"""The attributes (of the CF conventions) of variables that know it themselves."""

Values = NDArray[np.float64]


def possible(variable: xr.DataArray, attributes: Mapping[Any, Any]) -> tuple[float, float]:
    """Return between which values a variable can be; infinite where that is not known.

    Parameters
    ----------
    variable : DataArray
        By its name, or its attributes `valid_min` and `valid_max`.
    attributes : mapping
        Of the Dataset: results say what their ceilings are. Estimates for a population have none,
        and may be negative, as differences from a control may.

    Returns
    -------
    (float, float)
        In the unit of the variable.

    Examples
    --------
    >>> possible(xr.DataArray(0.5, name="mi_ty"), {"entropy_x": 12.0, "entropy_y": 1.0})
    (0.0, 1.0)
    >>> possible(xr.DataArray(0.5, name="test_accuracy"), {})
    (0.0, 1.0)
    """
    if LEAST in variable.attrs or MOST in variable.attrs:
        return float(variable.attrs.get(LEAST, -np.inf)), float(variable.attrs.get(MOST, np.inf))
    if variable.name in SHARES:
        return 0.0, 1.0
    axis = AXES.get(str(variable.name))
    if axis is None or "entropy_x" not in attributes:
        return -np.inf, np.inf
    found = ceilings(attributes)
    return (0.0, found[axis]) if axis in found else (-np.inf, np.inf)


def clip(low: Values, high: Values, between: tuple[float, float]) -> tuple[Values, Values, bool]:
    """Clip the ends of intervals to what is possible; tell whether any reached beyond."""
    least, most = between
    clipped = np.maximum(low, least), np.minimum(high, most)
    return *clipped, bool(np.any(low < least - ROUNDING) or np.any(high > most + ROUNDING))


ROUNDING = 1e-9
"""Beyond what is possible by less than this is a matter of floating point."""
