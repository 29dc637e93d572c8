"""What the numbers of an estimator mean, in a few sentences beside them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import xarray as xr

from ibtools.analysis.estimators.population import MARK
from ibtools.snapshots import FLOAT_BITS

MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "exact": (
            "Exact: the states that the network itself has were counted, nothing was binned. "
            "I(X;T) = H(T) and I(T;Y) hold for the recorded inputs, each equally likely."
        ),
        "binned": (
            "Not the information of the network: the values of each layer were put into bins and "
            "the bins counted. H(binned T) is the entropy of the binned layer, not I(X;T), and "
            "depends on the bins that were chosen."
        ),
        "requantised": (
            "Not the information of the network: each layer was quantised once more, to the "
            "nearest of 2^bits + 1 levels from its smallest to its largest value, as in the "
            "published tool of the paper, and these levels counted. H(requantised T) is the "
            "entropy of that."
        ),
        "kde": (
            "Not the information of the network: Gaussian noise that the network does not have "
            "was added to each layer. I(X;T + noise) is an upper bound; I(T + noise;Y) is a "
            "difference of upper bounds and no bound itself. Both depend on the noise."
        ),
        "knn": (
            "An estimate from the nearest neighbours of every sample, for inputs that were not "
            "recorded too; its error grows with the number of units, so that layers can't be "
            "compared by it, and may take it below 0."
        ),
    }
)
"""By the name of the estimator."""

FLOAT_STATES = (
    "Layers of float32 values were told apart by their bit patterns: nearly every input has its "
    "own state, whatever was learned."
)

POPULATION = (
    "The numbers are estimates for the population that the recorded inputs are a sample of, and "
    "not exact."
)

DIGESTED = "Counted by digests of rows, which are not verified, were: "


def describe_meaning(results: xr.Dataset) -> str:
    """Say what the results of an estimator are, and what they are not.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer)
        From `ibtools.open_results`, of one estimator.

    Returns
    -------
    str
        Sentences. Of an estimator that this version of ibtools does not know, what its variables
        say of themselves.
    """
    specification = str(results.attrs["estimator"])
    name = specification.partition("-")[0]
    sentences = [MEANINGS.get(name, "") or _describe_variables(results)]
    if name == "exact" and bool((results["bits"] == FLOAT_BITS).any()):
        sentences.append(FLOAT_STATES)
    if MARK in specification:
        sentences.append(POPULATION)
    sentences += _describe_attributes(results.attrs)
    return " ".join(sentences)


def _describe_variables(results: xr.Dataset) -> str:
    named = [results[name].attrs for name in ("mi_xt", "mi_ty") if name in results]
    return "; ".join(f"{one['long_name']}: {one.get('description', '')}" for one in named) + "."


def _describe_attributes(attributes: Mapping[Any, Any]) -> list[str]:
    digested = attributes.get("digested_layers")
    return [f"{DIGESTED}{digested}."] if digested else []
