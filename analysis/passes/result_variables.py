"""What the results of an estimator carry beside its own variables."""

from typing import Any

import numpy as np
import xarray as xr

from ibtools.analysis.measures.protocol import own_coordinates, own_sizes
from ibtools.store.header import Header
from ibtools.store.schema import CUBE, STORE_VARIABLES

RESULT_COORDINATES = tuple(
    variable
    for variable in STORE_VARIABLES
    if variable.coordinate and set(variable.dims) <= set(CUBE[:3])
)
"""The declared coordinates of a store that its results carry too."""


def numbered_coordinates(measure: Any, header: Header) -> dict[str, xr.Variable]:
    """Return the coordinates of the dims that only the variables of a measure have."""
    sizes = own_sizes(measure, header)
    return {
        one.name: xr.Variable(
            one.dims, np.arange(sizes[one.name], dtype=one.dtypes[0]), one.attributes()
        )
        for one in own_coordinates(measure)
    }
