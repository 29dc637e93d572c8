"""What the numbers of an estimator mean, in a few sentences beside them."""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from ibtools.analysis.estimators import known_estimator
from ibtools.analysis.estimators.population import TARGET
from ibtools.store.snapshots import FLOAT_BITS

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
    known = known_estimator(specification)
    sentences = [known.meaning if known else _describe_variables(results)]
    if known and known.name == "exact" and bool((results["bits"] == FLOAT_BITS).any()):
        sentences.append(FLOAT_STATES)
    options = known.attributes if known else results.attrs
    if options.get("target") == TARGET:
        sentences.append(POPULATION)
    sentences += _describe_attributes(results.attrs)
    return " ".join(sentences)


def _describe_variables(results: xr.Dataset) -> str:
    named = [results[name].attrs for name in ("mi_xt", "mi_ty") if name in results]
    return "; ".join(f"{one['long_name']}: {one.get('description', '')}" for one in named) + "."


def _describe_attributes(attributes: Mapping[Any, Any]) -> list[str]:
    digested = attributes.get("digested_layers")
    return [f"{DIGESTED}{digested}."] if digested else []
