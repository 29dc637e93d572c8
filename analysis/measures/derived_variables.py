"""What follows from the results of an estimator that counts states: not kept, but made of them."""

import math

import xarray as xr

from ibtools.store.schema import CUBE, Variable

MOST_NOISE = 0.1
"""The standard deviation, over permutations of the labels, up to which a share is told."""

DERIVED = (
    Variable(
        "mi_xt_given_y", CUBE[:3], ("float64",), "bit", math.nan, "NaN: not analysed",
        "information about the input that is not about the label, H(T|Y) = H(T) - I(T;Y)",
        label="I(X;T|Y)",
    ),
    Variable(
        "mi_ty_adjusted", CUBE[:3], ("float64",), "1", math.nan,
        "NaN: not analysed, or nearly every input has its own state",
        "(mi_ty - mi_ty_null) / (H(Y) - mi_ty_null), the part of what is above chance that the "
        "layer tells: adjusted mutual information with H(Y) as its normaliser",
        label="adjusted I(T;Y)",
    ),
)  # fmt: skip
"""Of results that have `entropy_t`, `mi_ty` and `mi_ty_null`."""


def with_derived(results: xr.Dataset) -> xr.Dataset:
    """Add the variables that follow from those of an estimator that counts states.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer, ...)
        Of one estimator, lazy or not; bits.

    Returns
    -------
    Dataset
        With `DERIVED`; as it is if it lacks what they are made of. Lazy where it was.

    Notes
    -----
    H(T|Y) is I(X;T|Y), as T is a function of X; it is exactly 0 where the label tells the state.
    The adjusted information is 0 at the chance level, below it for less, and 1 where the layer
    tells the label. Where few inputs share a state, the chance level is near H(Y), and what is left
    of it is decided by a few pairs of inputs: there is no such number where permuting the labels
    would move it by more than a standard deviation of 0.1, as estimated by
    `ibtools.analysis.kernels.chance.chance_deviations`.

    References
    ----------
    Vinh, Epps & Bailey (2010), JMLR 11, 2837: adjusted mutual information, there with the larger
    entropy, or a mean of both, as the normaliser.

    Examples
    --------
    >>> values = {"entropy_t": 3.0, "mi_xt": 3.0, "mi_ty": 0.75, "mi_ty_null": 0.5}
    >>> values |= {"n_states": 60, "n_singletons": 20}
    >>> found = with_derived(xr.Dataset(values, attrs={"entropy_y": 1.0, "n_samples": 1000}))
    >>> found["mi_xt_given_y"].item(), found["mi_ty_adjusted"].item()
    (2.25, 0.5)
    """
    needed = ("mi_xt", "entropy_t", "mi_ty", "mi_ty_null", "n_states", "n_singletons")
    if any(name not in results for name in needed) or "entropy_y" not in results.attrs:
        return results
    above = results["mi_ty"] - results["mi_ty_null"]
    values = (results["entropy_t"] - results["mi_ty"], above / _room(results))
    labels = {name: str(results[name].attrs.get("long_name", "")) for name in ("mi_xt", "mi_ty")}
    words = (labels["mi_xt"].removesuffix(")") + "|Y)", f"adjusted {labels['mi_ty']}")
    return results.assign(
        {
            one.name: found.assign_attrs({**one.attributes(), "long_name": word})
            for one, found, word in zip(DERIVED, values, words, strict=True)
        }
    )


def _room(results: xr.Dataset) -> xr.DataArray:
    """Return how much of H(Y) is above the chance level, NaN where that is next to nothing."""
    from ibtools.analysis.kernels.chance import chance_deviations

    attributes, shared = results.attrs, results["n_states"] - results["n_singletons"]
    deviation: xr.DataArray = xr.apply_ufunc(
        chance_deviations,
        shared,
        kwargs={"n_samples": attributes["n_samples"], "entropy_y": attributes["entropy_y"]},
        dask="allowed",
    )
    room: xr.DataArray = attributes["entropy_y"] - results["mi_ty_null"]
    return room.where((room > 0) & (deviation <= MOST_NOISE * room))
