"""Results of several stores of one experiment as one Dataset, along `repeat`."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ibtools.errors import InputError, StoreError
from ibtools.store.configuration import CONFIGURATION, configuration_of
from ibtools.store.identity import DIGEST
from ibtools.store.several import concat_repeats

_COUNTED = ("repeats", "first_repeat")
"""The settings in which parts of one recording differ."""

_SAME = {
    "estimator": "estimator",
    DIGEST: "content (labels, splits, inputs or layers)",
}
"""The attributes that must not differ, and what they are called."""


def join_results(results: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Put results of several stores of the same samples, layers and epochs together.

    Parameters
    ----------
    results : mapping of str to Dataset
        As `ibtools.open_results` opens those of one store, by the name that each gets. At least
        one.

    Returns
    -------
    Dataset
        Along `repeat`, the coordinate `store` (repeat,) says which is whose, and repeats are
        numbered from 0 if two have one number. Lazy.

    Raises
    ------
    InputError
        If there are none.
    StoreError
        If they are of other samples, layers, epochs, settings or estimators.
    """
    if not results:
        raise InputError("results of at least one store are needed, found none")
    configuration = _joined_configuration(results)
    _validate_alike(results)
    return concat_repeats(results).assign_attrs(configuration)


def _validate_alike(results: Mapping[str, xr.Dataset]) -> None:
    (first, one), *others = results.items()
    for name, other in others:
        differing = [
            word for key, word in _SAME.items() if one.attrs.get(key) != other.attrs.get(key)
        ]
        differing += [
            f"{dim}s"
            for dim in ("layer", "epoch")
            if not np.array_equal(one[dim].values, other[dim].values)
        ]
        if differing:
            raise StoreError(
                "results of one network, the same samples and epochs can be joined, but "
                f"{' and '.join(differing)} of {name} differ from those of {first}; draw them side "
                "by side instead, as ibtools plot of several stores does"
            )


def _joined_configuration(results: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    """Return the configuration that all have but for which repeats they are; none if they differ.

    Results that came from arrays have none.
    """
    found = {name: configuration_of(one.attrs) for name, one in results.items()}
    rest = {
        name: {k: v for k, v in one.items() if k not in _COUNTED} for name, one in found.items()
    }
    (first, wanted), *others = rest.items()
    for name, one in others:
        changed = sorted(key for key in {**one, **wanted} if one.get(key) != wanted.get(key))
        if changed:
            raise StoreError(
                f"results of one experiment can be joined, but {', '.join(changed)} of {name} "
                f"differ from those of {first}; draw them side by side instead, as ibtools plot of "
                "several stores does"
            )
    if not wanted:
        return {}
    counts = {
        "repeats": sum(one.sizes["repeat"] for one in results.values()),
        "first_repeat": min(int(one["repeat"].min()) for one in results.values()),
    }
    return {CONFIGURATION: json.dumps({**wanted, **counts}, sort_keys=True)}
