"""The axes of an information plane: what is drawn across, and what upwards."""

import math

import xarray as xr

from ibtools.analysis.repeats.controls import CONTROL, measure_beside
from ibtools.analysis.repeats.shown import BOUNDS, CHANCE
from ibtools.errors import StoreError, unknown_name

X_AXES = ("mi_xt", "mi_xt_given_y")
Y_AXES = ("mi_ty", "mi_ty_above_null", "mi_ty_adjusted")


def choose_axes(results: xr.Dataset, x: str, y: str) -> xr.Dataset:
    """Put other variables in the places of I(X;T) and I(T;Y).

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer)
        Of one estimator, and of a control beside it, if there is one.
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
        if name in results or name in (X_AXES[0], Y_AXES[0]):
            continue
        if CONTROL in results.attrs:
            raise StoreError(
                f"differences from a control are of what is in bits, {name} is not; draw the "
                "control beside"
            )
        raise StoreError(
            f"results of {results.attrs.get('estimator')} have no {name}, which is of estimators "
            "that count states; draw those of exact, say"
        )
    return measure_beside(lambda one: _with_axes(one, x, y), results)


def _with_axes(results: xr.Dataset, x: str, y: str) -> xr.Dataset:
    if x != X_AXES[0]:
        results = _replaced(results, "x", X_AXES[0], x)
    if y != Y_AXES[0]:
        results = _replaced(results, "y", Y_AXES[0], y).drop_vars(CHANCE)
    return results


def _replaced(results: xr.Dataset, axis: str, name: str, by: str) -> xr.Dataset:
    bounds = [one for one in BOUNDS if one.startswith(name) and one in results]
    chosen = results.drop_vars(bounds).assign({name: results[by]})
    return chosen.assign_attrs({f"ceiling_{axis}": math.nan})
