"""Checks of the laws of information: data processing along the layers, and bounds."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import xarray as xr

from ibtools.analysis.check import words
from ibtools.analysis.check.report import Check, judge, not_checked
from ibtools.analysis.estimators import CountingEstimator, known_estimator
from ibtools.analysis.estimators.chosen_layers import divide_layers, of_any_layer
from ibtools.analysis.estimators.resolution import DIM, Resolution
from ibtools.analysis.kernels.information import rounding_bound
from ibtools.analysis.measures.protocol import exemptions
from ibtools.store.schema import kept
from ibtools.store.snapshots import layer_specs

ESTIMATE_TOLERANCE = 1e-6
"""Bits that rounding may take an estimate by other means than counting from its value."""

_QUANTITIES = {"mi_xt": "I(X;T)", "mi_ty": "I(T;Y)"}


def steps(store: xr.Dataset) -> xr.DataArray:
    """Tell which layers must follow from the one before, in a network that is a chain.

    Parameters
    ----------
    store : Dataset
        With the columns that describe layers.

    Returns
    -------
    DataArray, (layer,), bool
        Not the first layer. Nor what comes after a softmax of codes: float32 rounds the softmax of
        rows that differ by a common shift in different ways, while its exact symbol is the same.
    """
    follows = [False, *(not layer.is_softmax_of_codes for layer in layer_specs(store)[:-1])]
    return xr.DataArray(np.array(follows), dims="layer")


def check_states(store: xr.Dataset, measures: xr.Dataset, *, chain: bool) -> Check:
    """Check that each state of a layer has exactly one state of the next layer.

    Parameters
    ----------
    store : Dataset
        As `ibtools.store.datasets.open_raw` opens it.
    measures : Dataset, (repeat, epoch, layer)
        From `ibtools.analysis.check.measure.measure_recording`.
    chain : bool
        Whether each layer is computed from the one before alone.

    Returns
    -------
    Check
    """
    if not steps(store).any():
        return not_checked("data processing", words.ONE_LAYER)
    return judge(
        "data processing",
        measures["n_split_states"] > 0,
        checked=store["complete"] & steps(store),
        amount=measures["split_entropy"],
        unit="bit",
        cases="steps",
        status="violation" if chain else "note",
        meaning=words.STATES + (words.STATES_BROKEN if chain else words.NO_CHAIN),
    )


def check_results(
    results: xr.Dataset, store: xr.Dataset, measures: xr.Dataset, *, chain: bool
) -> Iterator[Check]:
    """Check the numbers of one estimator.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer)
        As `ibtools.open_results` opens them.
    store : Dataset
        As `ibtools.store.datasets.open_raw` opens it.
    measures : Dataset, (repeat, epoch, layer)
        From `ibtools.analysis.check.measure.measure_recording`.
    chain : bool
        Whether each layer is computed from the one before alone.

    Yields
    ------
    Check
    """
    values = results[[name for name in _QUANTITIES if name in results]].load()
    name = str(results.attrs["estimator"])
    subject = f"information/{name}"
    yield judge(
        "analysed",
        values.isel({DIM: 0}, missing_dims="ignore")
        .to_array("quantity")
        .isnull()
        .all(["quantity", "layer"]),
        checked=store["complete"],
        cases="snapshots",
        subject=subject,
        status="note",
        meaning=words.NOT_ANALYSED,
    )
    estimator = of_any_layer(known_estimator(name))
    if divide_layers(name)[0].removesuffix("-per-unit") in ("exact", Resolution.name):
        off = _recounted(values.isel({DIM: -1}, missing_dims="ignore"), measures)
        yield _judge_excess("recount", off, values, subject, words.RECOUNT)
    elif kept(store) == "partition" and (estimator is None or estimator.needs != "partition"):
        yield not_checked("recount", words.NOT_RECOUNTED, subject=subject)
    exempt = exemptions(estimator)
    if results.attrs.get("target") == "population":
        exempt = dict.fromkeys(("bounds", "data processing"), words.POPULATION)
    if "bounds" in exempt:
        yield not_checked("bounds", exempt["bounds"], subject=subject)
    else:
        yield _judge_excess("bounds", _excess(values), values, subject, words.BOUNDS)
    if DIM in values.dims:
        drop = values.shift({DIM: 1}) - values
        yield _judge_excess(
            "resolutions",
            drop.to_array("quantity").max("quantity"),
            values,
            subject,
            words.RESOLUTIONS,
            cases="resolutions of layers of snapshots",
        )
    if "data processing" in exempt:
        for label in _QUANTITIES.values():
            why = exempt["data processing"]
            yield not_checked(f"data processing, {label}", why, subject=subject)
    else:
        yield from _check_processing(values, steps(store), subject, chain=chain)


def _recounted(values: xr.Dataset, measures: xr.Dataset) -> xr.DataArray:
    """Return by how many bits results differ from what was counted anew."""
    counted = measures[["entropy_t", "mi_ty"]].rename(entropy_t="mi_xt")
    return abs(values - counted).to_array("quantity").max("quantity")


def _judge_excess(
    law: str,
    excess: xr.DataArray,
    values: xr.Dataset,
    subject: str,
    meaning: str,
    *,
    cases: str = "layers of snapshots",
    status: Literal["violation", "note"] = "violation",
) -> Check:
    """Judge by how many bits a law is broken, NaN where it does not apply, beyond rounding."""
    return judge(
        law,
        excess > _tolerance(values),
        checked=excess.notnull(),
        amount=excess,
        unit="bit",
        cases=cases,
        subject=subject,
        status=status,
        meaning=meaning,
    )


def _excess(values: xr.Dataset) -> xr.DataArray:
    """Return by how many bits the worst of the bounds is broken; NaN where there is no value."""
    most = {"mi_xt": values.attrs["entropy_x"], "mi_ty": values.attrs["entropy_y"]}
    over = [array for name in values for array in (-values[name], values[name] - most[str(name)])]
    if len(values) == len(most):
        over.append(values["mi_ty"] - values["mi_xt"])
    return xr.concat(over, "bound").max("bound")


def _check_processing(
    values: xr.Dataset, followed: xr.DataArray, subject: str, *, chain: bool
) -> Iterator[Check]:
    meaning = words.RISES + (_describe_break(values) if chain else words.NO_CHAIN)
    for name, label in _QUANTITIES.items():
        if name not in values:
            continue
        law = f"data processing, {label}"
        if not followed.any():
            yield not_checked(law, words.ONE_LAYER, subject=subject)
            continue
        rise = (values[name] - values[name].shift(layer=1)).where(followed)
        status: Literal["violation", "note"] = "violation" if chain else "note"
        yield _judge_excess(law, rise, values, subject, meaning, cases="steps", status=status)


def _describe_break(values: xr.Dataset) -> str:
    estimator = of_any_layer(known_estimator(values.attrs["estimator"]))
    if estimator is None or estimator.representation != "T":
        return words.COPY_RISES
    counts = isinstance(estimator, CountingEstimator)
    return words.EXACT_RISES if counts else words.ESTIMATE_RISES


def _tolerance(values: xr.Dataset) -> float:
    """Bits by which rounding alone may break a law: a proven bound where states are counted."""
    if isinstance(of_any_layer(known_estimator(values.attrs["estimator"])), CountingEstimator):
        return 2 * rounding_bound(values.attrs["n_samples"])
    return ESTIMATE_TOLERANCE
