"""The axes of an information plane: what is drawn across, and what upwards."""

import math

import xarray as xr

from ibtools.analysis.repeats.shown import BOUNDS, CHANCE
from ibtools.errors import StoreError, unknown_name

X_AXES = ("mi_xt", "mi_xt_given_y")
Y_AXES = ("mi_ty", "mi_ty_above_null", "mi_ty_adjusted")


def choose_axes(results: xr.Dataset, x: str, y: str) -> xr.Dataset:
    """Put other variables in the places of I(X;T) and I(T;Y).

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer)
        Of one estimator.
    x, y : str
        One of `X_AXES`, and of `Y_AXES`.

    Returns
    -------
    Dataset
        With `mi_xt` and `mi_ty` as chosen, without ceilings, chance level and bounds of what they
        are not.

    Raises
    ------
    UnknownNameError
        If there is no such axis.
    StoreError
        If the results do not have it.
    """
    for axis, name, known in (("x axis", x, X_AXES), ("y axis", y, Y_AXES)):
        if name not in known:
            raise unknown_name(axis, name, known)
        if name not in results and name not in (X_AXES[0], Y_AXES[0]):
            raise StoreError(
                f"results of {results.attrs.get('estimator')} have no {name}, which is of "
                "estimators that count states; draw those of exact, say"
            )
    if x != X_AXES[0]:
        results = _replaced(results, "x", X_AXES[0], x)
    if y != Y_AXES[0]:
        results = _replaced(results, "y", Y_AXES[0], y).drop_vars(CHANCE)
    return results


def _replaced(results: xr.Dataset, axis: str, name: str, by: str) -> xr.Dataset:
    bounds = [one for one in BOUNDS if one.startswith(name) and one in results]
    chosen = results.drop_vars(bounds).assign({name: results[by]})
    return chosen.assign_attrs({f"ceiling_{axis}": math.nan})
