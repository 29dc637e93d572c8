"""What of a recording was learned: a control beside it, or taken from it, repeat by repeat.

A control is the same recording of networks that could learn nothing (frozen), or nothing of the
labels (random). What happens in both is no learning: `docs/controls.md`. Results that hold their
control go through all that measures, averages and draws results; what knows of controls asks
`split_control` for theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from textwrap import shorten
from typing import Any

import numpy as np
import xarray as xr

from ibtools.analysis.passes.stacking import select_estimator
from ibtools.errors import InputError
from ibtools.settings import SETTINGS, describe_training
from ibtools.store.configuration import configuration_of
from ibtools.store.identity import DIGEST

CONTROL = "above_control"
"""The attribute of differences from a control that says from which."""

ABOVE = "_above_control"
"""What the names of variables end in that are above those of a control."""

BESIDE = "beside_control"
"""The attribute of what holds a control that says of which kind it is."""

OF_CONTROL = "_of_control"
"""What the names of variables end in that are those of a control."""

UNPAIRED = "unpaired_repeats"
"""The attribute that counts the repeats that a control does not have."""

BOUNDED = ("valid_min", "valid_max")
"""Attributes of variables that their differences do not have."""

CONTROLLED = ("control", "labels")
"""The settings that a control may have otherwise: one of them at least."""

_FREE = (
    *("keep", "repeats", "first_repeat", "recorded_epochs"),
    *("patience", "required_gain", "max_attempts"),
)
"""The settings that may differ, or that are compared as what came of them."""

_SAME: dict[str, str] = {
    "estimator": "estimator",
    "n_samples": "number of samples",
    "data_checksum": "data",
    DIGEST: "content (labels, splits or inputs of the samples)",
}
"""The attributes that must not differ, and what they are called."""

_USUAL = {name: one.default for name, one in SETTINGS.items() if one.about.said}
"""What a configuration leaves out."""

_LISTED = 3
"""Repeats that are named in an error, at the most."""


def describe_control(control: xr.Dataset) -> str:
    """Say what kind of control results are of: "frozen control", "random labels control"."""
    configuration = configuration_of(control.attrs)
    said = describe_training({name: configuration.get(name) for name in CONTROLLED})
    return said if said.endswith("control") else f"{said} control".lstrip()


def pair_repeats(results: xr.Dataset, control: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Select the repeats of a recording, and of its control, that are the same but for being that.

    Parameters
    ----------
    results, control : Dataset, (repeat, epoch, layer)
        From `ibtools.analyze` or `ibtools.open_results`, lazy or not, by one estimator.

    Returns
    -------
    tuple of Dataset
        Of both the repeats with the same number and seed, in the order of `results`. A repeat whose
        training was begun anew has another seed than that of the control, and no partner. The
        attribute `unpaired_repeats` of the first counts those that are left out.

    Raises
    ------
    InputError
        If the control is of other settings, samples, layers, epochs or seeds, or is no control.
    """
    results, control = select_estimator(results), select_estimator(control)
    differences = list(_differences(results, control))
    if differences:
        raise InputError(
            f"a control must be the same recording but for what it is the control of: "
            f"{'; '.join(differences)}; record it with the same settings and --control frozen, or "
            "--labels random"
        )
    ours, theirs = _identities(results), _identities(control)
    pairs = [(row, theirs.index(one)) for row, one in enumerate(ours) if one in theirs]
    if not pairs:
        raise InputError(
            "a control must have repeats of the same numbers and seeds, but those of the recording "
            f"are {_list(ours)} and those of the control {_list(theirs)}; record it with the same "
            "--seed and --first-repeat"
        )
    rows, of_control = zip(*pairs, strict=True)
    n_alone = len(ours) - len(pairs)
    paired = results.isel(repeat=list(rows)).assign_attrs({UNPAIRED: n_alone})
    return paired, control.isel(repeat=list(of_control))


def above_control(results: xr.Dataset, control: xr.Dataset) -> xr.Dataset:
    """Subtract the results of a control, repeat by repeat.

    Parameters
    ----------
    results, control : Dataset, (repeat, epoch, layer)
        As of `pair_repeats`.

    Returns
    -------
    Dataset, (repeat, epoch, layer)
        The variables in bits that both have, float64, lazy if they are: the value less that of the
        control with the same number and seed, at the same epoch. Repeats without one are left out.
        The attribute `above_control` says of what kind it is.

    Raises
    ------
    InputError
        As of `pair_repeats`.

    Notes
    -----
    A difference of two values in bits is no information: it may be negative, and has no ceiling.
    Where the control has H(Y) already, as where every input has its own state, it is 0 whatever was
    learned.

    Examples
    --------
    >>> values = ("repeat", "epoch", "layer"), [[[1.0], [3.0]]], {"units": "bit"}
    >>> one = xr.Dataset(
    ...     {"mi_ty": values}, {"repeat": [0], "epoch": [0, 9], "layer": ["output"]}
    ... ).assign_coords(seed=("repeat", [5]), outcome=("repeat", ["trained"]))
    >>> above_control(one, one).mi_ty.values.ravel()
    array([0., 0.])
    """
    paired, of_control = pair_repeats(results, control)
    names = [name for name in paired if name in of_control and _is_in_bits(paired[name])]
    words = f"above the {describe_control(control)}"
    differences = subtract(paired[names], of_control[names], words)
    return differences.assign_attrs({**paired.attrs, CONTROL: describe_control(control)})


def beside_control(dataset: xr.Dataset, control: xr.Dataset) -> xr.Dataset:
    """Put a control beside a recording, repeat by repeat, so that figures draw both.

    Parameters
    ----------
    dataset, control : Dataset, (repeat, epoch, ...)
        As of `pair_repeats`, or the recordings, from `ibtools.open_store`.

    Returns
    -------
    Dataset, (repeat, epoch, ...)
        The repeats that both have, lazy if they are. Each floating variable of repeats, but for the
        values of samples, has another whose name ends in ``_of_control``. The attributes
        `beside_control` and `unpaired_repeats` say of what kind the control is, and how many
        repeats it does not have, which are left out.

    Raises
    ------
    InputError
        As of `pair_repeats`.

    Examples
    --------
    >>> values = ("repeat", "epoch", "layer"), [[[1.0], [3.0]]], {"units": "bit"}
    >>> one = xr.Dataset(
    ...     {"mi_ty": values}, {"repeat": [0], "epoch": [0, 9], "layer": ["output"]}
    ... ).assign_coords(seed=("repeat", [5]), outcome=("repeat", ["trained"]))
    >>> list(beside_control(one, one))
    ['mi_ty', 'mi_ty_of_control']
    """
    paired, partners = pair_repeats(dataset, control)
    names = [name for name in paired if name in partners and _is_measured(paired[name])]
    values = partners[names].reset_coords(drop=True).assign_coords(repeat=paired["repeat"])
    held = paired.assign({f"{name}{OF_CONTROL}": values[name] for name in names})
    return held.assign_attrs({BESIDE: describe_control(control)})


def split_control(dataset: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset | None]:
    """Separate a recording from the control that `beside_control` has put beside it, if any.

    Returns
    -------
    tuple of Dataset, and Dataset or None
        Of both the same names, coordinates and attributes, but for `beside_control`.
    """
    if BESIDE not in dataset.attrs:
        return dataset, None
    held = [str(name) for name in dataset if str(name).endswith(OF_CONTROL)]
    own = dataset.drop_vars(held).assign_attrs({})
    del own.attrs[BESIDE]
    control = own.drop_vars(list(own)).assign(dataset[held])
    return own, control.rename({name: name.removesuffix(OF_CONTROL) for name in held})


def measure_beside(measure: Callable[[xr.Dataset], xr.Dataset], dataset: xr.Dataset) -> xr.Dataset:
    """Measure a recording, and likewise the control that is beside it, if any."""
    own, control = split_control(dataset)
    found = measure(own)
    if control is None:
        return found
    values = measure(control)
    held = {f"{name}{OF_CONTROL}": values[name] for name in values if name in found}
    return found.assign(held).assign_attrs({BESIDE: dataset.attrs[BESIDE]})


def subtract(one: xr.Dataset, other: xr.Dataset, words: str) -> xr.Dataset:
    """Subtract variables at the same places, and say in their long names what they are above."""
    plain = other.reset_coords(drop=True)
    found: xr.Dataset = one - plain.assign_coords(repeat=one["repeat"])
    for name in found:
        said = {key: value for key, value in one[name].attrs.items() if key not in BOUNDED}
        found[name].attrs = {**said, "long_name": f"{said.get('long_name', name)}, {words}"}
    return found.assign_attrs(one.attrs)


def _is_measured(variable: xr.DataArray) -> bool:
    """Whether a variable is a number of each repeat, and not the values of its samples."""
    return (
        variable.dtype.kind == "f" and "repeat" in variable.dims and "sample" not in variable.dims
    )


def _is_in_bits(variable: xr.DataArray) -> bool:
    return bool(variable.attrs.get("units") == "bit" and "repeat" in variable.dims)


def _identities(dataset: xr.Dataset) -> list[tuple[int, ...]]:
    """Return what repeats must share with their partners: number, and seed if there is one."""
    known = ["repeat", "seed"] if "seed" in dataset.coords else ["repeat"]
    return list(zip(*(dataset[name].values.tolist() for name in known), strict=True))


def _differences(results: xr.Dataset, control: xr.Dataset) -> Iterator[str]:
    """Say in what a control is another recording, or that it is none."""
    yield from _different_settings(results, control)
    for name, words in _SAME.items():
        one, other = results.attrs.get(name), control.attrs.get(name)
        if one != other:
            yield _describe(words, one, other)
    for name in ("layer", "epoch"):
        ours, theirs = results[name].values, control[name].values
        if not np.array_equal(ours, theirs):
            yield _describe(f"{name}s", ours.tolist(), theirs.tolist())


def _different_settings(results: xr.Dataset, control: xr.Dataset) -> Iterator[str]:
    """Compare what both say of how they were recorded, if the recording does."""
    if not configuration_of(results.attrs):
        return
    ours, theirs = (_USUAL | configuration_of(one.attrs) for one in (results, control))
    for name in sorted({*ours, *theirs} - {*CONTROLLED, *_FREE}):
        if ours.get(name) != theirs.get(name):
            yield _describe(name, ours.get(name), theirs.get(name))
    if all(ours.get(name) == theirs.get(name) for name in CONTROLLED):
        yield f"{' and '.join(CONTROLLED)} are the same in both"


def _describe(name: str, one: Any, other: Any) -> str:
    said = (shorten(str("not said" if value is None else value), 60) for value in (one, other))
    return f"{name}: {next(said)} in the recording, {next(said)} in the control"


def _list(identities: list[tuple[int, ...]]) -> str:
    listed = [" with seed ".join(map(str, one)) for one in identities[:_LISTED]]
    return ", ".join([*listed, *["..."] * (len(identities) > _LISTED)])
