"""What to call the stores of one figure: by what differs between them."""

from collections.abc import Sequence

import numpy as np
import xarray as xr


def facet_titles(datasets: Sequence[xr.Dataset], names: Sequence[str]) -> list[str]:
    """Title stores by what differs between them.

    Parameters
    ----------
    datasets : sequence of Dataset
        Results or stores.
    names : sequence of str
        What to call those that differ in nothing else, such as their paths.

    Returns
    -------
    list of str
        All different, as far as `names` are.
    """
    titles = [""] * len(datasets)
    for feature in (*_FEATURES, None):
        if feature is not None:
            words = [feature(dataset) for dataset in datasets]
        elif len(set(titles)) < len(titles):
            words = list(names)
        else:
            break
        longer = [", ".join(filter(None, pair)) for pair in zip(titles, words, strict=True)]
        if len(set(longer)) > len(set(titles)):
            titles = longer
    return titles if len(set(titles)) > 1 else list(names)


def _experiment(dataset: xr.Dataset) -> str:
    return str(dataset.attrs.get("experiment", ""))


def _bits(dataset: xr.Dataset) -> str:
    if "bits" not in dataset:
        return ""
    return " and ".join(f"{number}" for number in np.unique(dataset["bits"].values)) + " bits"


def _activation(dataset: xr.Dataset) -> str:
    if "activation_function" not in dataset:
        return ""
    functions = dict.fromkeys(str(name) for name in dataset["activation_function"].values)
    return ", ".join(name for name in functions if name != "softmax")


def _architecture(dataset: xr.Dataset) -> str:
    return "-".join(str(n) for n in dataset["n_units"].values) if "n_units" in dataset else ""


_FEATURES = (_experiment, _bits, _activation, _architecture)
