"""What the results of an estimator carry beside its own variables."""

from ibtools.store.schema import CUBE, STORE_VARIABLES

RESULT_COORDINATES = tuple(
    variable
    for variable in STORE_VARIABLES
    if variable.coordinate and set(variable.dims) <= set(CUBE[:3])
)
"""The declared coordinates of a store that its results carry too."""
