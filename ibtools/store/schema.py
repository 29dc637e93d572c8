"""The store contract: every variable of a store and of its results, declared once.

All that is to be known of a variable is in its declaration. The template (`ibtools.store.layout`),
the order of writes (`ibtools.store.writer`, `ibtools.store.staged`), checksums, repair, validation
and the table in `docs/store.md` go by its dims, its `rhythm` and its `presence`.
"""

import math
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ibtools.errors import StoreError

FORMAT_NAME = "ibtools"
FORMAT_VERSION = 1

CUBE = ("repeat", "epoch", "layer", "sample", "unit")

Keep = Literal["codes", "partition"]
"""What a store keeps of a snapshot: the cube of codes and float values, or only which samples share
a state of each layer."""

Inputs = Literal["population", "sample"]
"""Whether the recorded inputs are all that there are, or a sample of them."""

UNIT_GRID = ("repeat", "epoch", "layer", "unit")
"""The dims of what each unit has of its own in a snapshot."""

Presence = Literal[
    "always",
    "added",
    "quantised",
    "unit grids",
    "float",
    "partition",
    "prefit",
    "recomputed",
    "input",
    "known",
]

PRESENCES: dict[Presence, str] = {
    "always": "always",
    "added": "not in older stores",
    "quantised": "with codes",
    "unit grids": "units with grids of their own",
    "float": "with float values",
    "partition": "with a partition",
    "prefit": "trained on random labels",
    "recomputed": "snapshots computed twice",
    "input": "equal inputs known",
    "known": "simulated",
}
"""Which stores have a variable, as the documentation says it."""

Rhythm = Literal["store", "repeat", "snapshot", "trained epoch"]
"""What a variable has a value of: a store is created with the first, and recording writes the
others, those of snapshots block by block, and the marks last."""


LONGEST_LABEL = 40
"""Characters of a label, at most."""

NO_UNIT = "1"
"""The unit of plain numbers."""


@dataclass(frozen=True)
class Variable:
    """One variable of the contract.

    Parameters
    ----------
    name : str
        Name in the Zarr group.
    dims : tuple of str
        Dimensions in order.
    dtypes : tuple of str
        Allowed numpy dtypes; the first is the default. "str" is a variable-length string.
    units : str
        "1" for plain numbers, "bit", "nat", or "" where a unit has no meaning.
    fill : object
        Value of what was never written, in memory and on disk.
    missing : str
        What that value means, for people.
    description : str
        One sentence.
    coordinate : bool, optional
        Whether it labels the others.
    presence : str, optional
        Which stores have it, one of `PRESENCES`.
    is_mark : bool, optional
        Whether it promises the rest, and is written last.
    is_bound : bool, optional
        Whether recorded values are misread without this coordinate, so that a change of it is an
        error; all else that a store is created with may be given anew.
    label : str, optional
        A few words for the axis of a figure, of `LONGEST_LABEL`; those of the name by default.
    """

    name: str
    dims: tuple[str, ...]
    dtypes: tuple[str, ...]
    units: str
    fill: Any
    missing: str
    description: str
    coordinate: bool = False
    presence: Presence = "always"
    is_mark: bool = False
    is_bound: bool = False
    label: str = ""

    @property
    def rhythm(self) -> Rhythm:
        """What it has a value of, which its dims tell."""
        if "repeat" not in self.dims or self.dims == (self.name,):
            return "store"
        if "epoch" in self.dims:
            return "snapshot"
        return "trained epoch" if "trained_epoch" in self.dims else "repeat"

    def attributes(self) -> dict[str, Any]:
        """Return what is stored beside the values, so that a bare store explains itself.

        Plain numbers have no unit there: xarray would write "epoch [1]" at an axis.
        """
        units = {} if self.units in ("", NO_UNIT) else {"units": self.units}
        long_name = self.label or self.name.replace("_", " ")
        return {"long_name": long_name, **units, "description": self.description}


_NOT_RECORDED = "NaN: not recorded"

STORE_VARIABLES: tuple[Variable, ...] = (
    Variable(
        "code", CUBE, ("uint8", "uint16"), "1", 0,
        "0: no such unit, or not recorded; see n_units, bits and complete",
        "integer code of each unit on its layer's grid; of the logits for a softmax layer",
        presence="quantised",
    ),
    Variable(
        "scale", CUBE[:3], ("float32",), "1", math.nan,
        "NaN: layer not quantised, or not recorded, or its units have grids of their own",
        "step of the quantisation grid: value = scale * (code - zero_point)",
        presence="quantised",
    ),
    Variable(
        "zero_point", CUBE[:3], ("int32",), "1", 0, "meaningless where scale is NaN",
        "code that stands for the value 0",
        presence="quantised",
    ),
    Variable(
        "unit_scale", UNIT_GRID, ("float32",), "1", math.nan,
        "NaN: no such unit, or not recorded, or the layer has one grid",
        "where the units of a layer have grids of their own: in place of scale, for each unit",
        presence="unit grids",
    ),
    Variable(
        "unit_zero_point", UNIT_GRID, ("int32",), "1", 0, "meaningless where unit_scale is NaN",
        "where the units of a layer have grids of their own: in place of zero_point, for each unit",
        presence="unit grids",
    ),
    Variable(
        "activation", CUBE, ("float32",), "1", math.nan, "NaN: no such unit, or not recorded",
        "value of each unit of a layer that is not quantised",
        presence="float",
    ),
    Variable(
        "partition", CUBE[:4], ("uint32",), "1", 0, "0: not recorded; see complete",
        "kept instead of the cube on request: samples with equal numbers share a state of the "
        "layer",
        presence="partition",
    ),
    Variable(
        "activation_min", CUBE[:3], ("float32",), "1", math.nan, _NOT_RECORDED,
        "smallest value over samples and units; of the logits where their codes are stored",
        label="smallest activation",
    ),
    Variable(
        "activation_max", CUBE[:3], ("float32",), "1", math.nan, _NOT_RECORDED,
        "largest value over samples and units; of the logits where their codes are stored",
        label="largest activation",
    ),
    Variable(
        "known_entropy_t", CUBE[:3], ("float64",), "bit", math.nan, _NOT_RECORDED,
        "entropy H(T) that the layer was made with, which is I(X;T)",
        presence="known", label="known H(T)",
    ),
    Variable(
        "known_mi_ty", CUBE[:3], ("float64",), "bit", math.nan, _NOT_RECORDED,
        "information about the label, I(T;Y), that the layer was made with",
        presence="known", label="known I(T;Y)",
    ),
    Variable(
        "train_loss", ("repeat", "trained_epoch"), ("float32",), "nat", math.nan, _NOT_RECORDED,
        "cross-entropy on the training samples after the epoch",
        label="training loss",
    ),
    Variable(
        "train_accuracy", ("repeat", "trained_epoch"), ("float32",), "1", math.nan, _NOT_RECORDED,
        "fraction of training samples classified correctly after the epoch",
        label="training accuracy",
    ),
    Variable(
        "test_loss", ("repeat", "trained_epoch"), ("float32",), "nat", math.nan, _NOT_RECORDED,
        "cross-entropy on the test samples after the epoch",
    ),
    Variable(
        "test_accuracy", ("repeat", "trained_epoch"), ("float32",), "1", math.nan, _NOT_RECORDED,
        "fraction of test samples classified correctly after the epoch",
    ),
    Variable(
        "random_label", ("repeat", "sample"), ("int64",), "1", -1, "-1: not drawn yet",
        "class trained on in a prefit, or throughout: the labels, shuffled once per repeat",
        presence="prefit",
    ),
    Variable(
        "n_recomputed", ("repeat",), ("int32",), "1", 0, "0: none",
        "snapshots of the repeat that were computed twice, the samples in other batches",
        presence="recomputed", label="recomputed snapshots",
    ),
    Variable(
        "n_recomputed_differences", ("repeat",), ("int64",), "1", 0, "0: none",
        "codes (or float values) of these that were not the same both times",
        presence="recomputed", label="differences of recomputed snapshots",
    ),
    Variable(
        "complete", ("repeat", "epoch"), ("bool",), "1", False, "False: not (wholly) on disk yet",
        "commit mark: set after all of the snapshot is on disk",
        is_mark=True,
    ),
    Variable(
        "repeat", ("repeat",), ("int64",), "1", 0, "never missing",
        "number of the repeat", coordinate=True, is_bound=True,
    ),
    Variable(
        "epoch", ("epoch",), ("int32",), "1", 0, "never missing",
        "epochs trained on the true labels so far; 0 is where that training starts",
        coordinate=True, is_bound=True,
    ),
    Variable(
        "trained_epoch", ("trained_epoch",), ("int32",), "1", 0, "never missing",
        "every epoch of training, recorded or not", coordinate=True, is_bound=True, label="epoch",
    ),
    Variable(
        "layer", ("layer",), ("str",), "", "", "never missing",
        "name of the layer, in the order of the network", coordinate=True, is_bound=True,
    ),
    Variable(
        "seed", ("repeat",), ("int64",), "1", -1, "-1: not known",
        "seed that the network of this repeat was built from", coordinate=True,
    ),
    Variable(
        "outcome", ("repeat",), ("str",), "", "pending", "pending: not finished",
        "pending, trained, or failed (no attempt reached the required accuracy)", coordinate=True,
        is_mark=True,
    ),
    Variable(
        "failed_attempts", ("repeat",), ("int64",), "1", 0, "never missing",
        "trainings of this repeat that were given up", coordinate=True,
    ),
    Variable(
        "phase", ("epoch",), ("str",), "", "", "never missing",
        "prefit (random labels) or training (true ones, if the configuration says no other)",
        coordinate=True,
    ),
    Variable(
        "n_units", ("layer",), ("int64",), "1", 0, "never missing",
        "units that the layer has; further units of the cube are padding", coordinate=True,
        is_bound=True, label="units",
    ),
    Variable(
        "activation_function", ("layer",), ("str",), "", "", "never missing",
        "function that the layer ends with", coordinate=True, is_bound=True,
    ),
    Variable(
        "bits", ("layer",), ("int64",), "bit", 0, "never missing",
        "width of the layer's codes; 32 for float32 values", coordinate=True, is_bound=True,
    ),
    Variable(
        "label", ("sample",), ("int64",), "1", -1, "never missing",
        "class of the sample, numbered from 0; the root attribute `classes` has their names",
        coordinate=True,
    ),
    Variable(
        "input", ("sample",), ("int64",), "1", -1, "never missing",
        "number of the sample's input: samples with equal numbers have equal inputs",
        coordinate=True, presence="input",
    ),
    Variable(
        "split", ("sample",), ("str",), "", "", "never missing",
        "train or test", coordinate=True,
    ),
)  # fmt: skip

SCALARS = "scalars"
"""The attribute of a store that names the scalars of the user's own."""

SCALAR_DIMS = ("repeat", "trained_epoch")
"""The dims of what is one number after each epoch of training."""

OWN_ATTRIBUTES = "own_attributes"
"""The attribute of a store, and of its results, that names the attributes of the user's own."""

_SCALAR_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


def scalar_variable(name: str) -> Variable:
    """Declare a scalar of the user's own: a number after each epoch that was told of."""
    return Variable(
        name, SCALAR_DIMS, ("float64",), "", math.nan, _NOT_RECORDED,
        f"{name.replace('_', ' ')} after the epoch",
    )  # fmt: skip


def validate_scalar_name(name: str) -> None:
    """Check that a scalar can have a name: a word that nothing else in a store has.

    Raises
    ------
    StoreError
        If it can't.
    """
    if not _SCALAR_NAME.fullmatch(name):
        raise StoreError(
            f"a scalar must be named by a letter, then letters, digits and _, at most 64 in all, "
            f"found {name!r}"
        )
    if name in _TAKEN:
        raise StoreError(f"{name!r} is a variable of every store; call the scalar something else")


WHOLE_LAYER = (
    "mi_xt",
    "mi_ty",
    "entropy_t",
    "n_states",
    "n_singletons",
    "saturation",
    "mi_ty_null",
    "mi_ty_above_null",
)
"""What counting the states of a layer gives, of all samples or of some."""

RESULT_VARIABLES: tuple[Variable, ...] = (
    Variable(
        "mi_xt", CUBE[:3], ("float64",), "bit", math.nan, "NaN: not analysed",
        "information about the input, I(X;T)",
        label="I(X;T)",
    ),
    Variable(
        "mi_ty", CUBE[:3], ("float64",), "bit", math.nan, "NaN: not analysed",
        "information about the label, I(T;Y)",
        label="I(T;Y)",
    ),
    Variable(
        "entropy_t", CUBE[:3], ("float64",), "bit", math.nan, "NaN: not analysed",
        "entropy of the layer, H(T)",
        label="H(T)",
    ),
    Variable(
        "n_states", CUBE[:3], ("int64",), "1", 0, "0: not analysed",
        "distinct states of the layer over the samples",
        label="states",
    ),
    Variable(
        "n_singletons", CUBE[:3], ("int64",), "1", -1, "-1: not analysed",
        "states of the layer that a single sample is in",
        label="states of a single sample",
    ),
    Variable(
        "saturation", CUBE[:3], ("float64",), "1", math.nan, "NaN: not analysed",
        "H(T) / H(X): at 1 every input has its own state, and I(T;Y) is I(X;Y) for any labels",
        label="H(T) / H(X)",
    ),
    Variable(
        "mi_ty_null", CUBE[:3], ("float64",), "bit", math.nan, "NaN: not analysed",
        "chance level: mean I(T;Y) over all permutations of the labels",
        label="chance level of I(T;Y)",
    ),
    Variable(
        "mi_ty_above_null", CUBE[:3], ("float64",), "bit", math.nan, "NaN: not analysed",
        "mi_ty - mi_ty_null: what I(T;Y) has beyond the chance level; below 0 if it has less",
        label="I(T;Y) above chance",
    ),
    Variable(
        "checksum", ("repeat", "epoch", "variable"), ("uint32",), "1", 0, "0: not analysed",
        "CRC-32 of each variable of the snapshot; the attribute variables names them in order",
    ),
    Variable(
        "analysed", ("repeat", "epoch"), ("bool",), "1", False, "False: not (wholly) on disk yet",
        "commit mark: set after all results of the snapshot are on disk",
        is_mark=True,
    ),
)  # fmt: skip

_TAKEN = {variable.name for variable in (*STORE_VARIABLES, *RESULT_VARIABLES)} | {
    *CUBE,
    "information",
    "details",
    "checksums",
    "checkpoint",
}

STORE_COORDINATES = tuple(variable.name for variable in STORE_VARIABLES if variable.coordinate)

RECORDED = tuple(variable.name for variable in STORE_VARIABLES if variable.dims[:4] == CUBE[:4])
"""The variables that hold what was recorded; every store has one of them, or the first two."""


UNIT_GRIDS = tuple(variable.name for variable in STORE_VARIABLES if variable.dims == UNIT_GRID)
"""The variables that hold the grid of each unit: a store has both of them, or none."""


KNOWN = tuple(variable.name for variable in STORE_VARIABLES if variable.presence == "known")
"""The variables that hold the information that a simulated store was made with."""


def store_variables(present: Container[Presence]) -> tuple[Variable, ...]:
    """Return the variables of a store, in the order of the contract, by their `PRESENCES`."""
    return tuple(one for one in STORE_VARIABLES if one.presence in present)


def scalars_of(attributes: Mapping[str, Any]) -> tuple[Variable, ...]:
    """Return the scalars of the user's own that a store says it has, by its root attributes."""
    return tuple(scalar_variable(name) for name in attributes.get(SCALARS, ()))


def own_attributes(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Return what the user has said of a store, by its attributes or those of its results.

    Examples
    --------
    >>> own_attributes({"own_attributes": ["optimiser"], "optimiser": "sgd", "created": "today"})
    {'optimiser': 'sgd'}
    """
    named = attributes.get(OWN_ATTRIBUTES, ())
    return {name: attributes[name] for name in named if name in attributes}


def lacking_variables(there: Container[str]) -> tuple[Variable, ...]:
    """Return what a store must have beside the variables that are there.

    A store that has something recorded has all of the same presence: with codes, their grid. One
    that has a grid of each unit has all of it.
    """
    needed = {"always", *(one.presence for one in STORE_VARIABLES if _needs_others(one, there))}
    return tuple(one for one in STORE_VARIABLES if one.presence in needed and one.name not in there)


def _needs_others(variable: Variable, there: Container[str]) -> bool:
    return variable.name in (*RECORDED, *UNIT_GRIDS) and variable.name in there


def kept(names: Container[Any]) -> Keep:
    """Tell by the names of its variables what a store keeps of a snapshot."""
    return "partition" if "partition" in names else "codes"


def validate_variable(
    variable: Variable, *, dims: tuple[str, ...] | None, dtype: str, where: str
) -> None:
    """Check one array of a store against its declaration.

    Raises
    ------
    StoreError
        If dimensions or dtype differ from the declaration.
    """
    if dims != variable.dims:
        lost = [dim for dim in variable.dims if dim not in (dims or ())]
        select = f"isel({lost[0]}=[0])" if lost and dims else ""
        hint = f"; was it saved after a selection? Select with a list, as in {select}"
        raise StoreError(
            f"{where}: variable {variable.name!r} must have the dimensions {variable.dims}, "
            f"found {dims}; the store was not written by ibtools, or was changed since"
            + (hint if select else "")
        )
    if dtype not in variable.dtypes:
        raise StoreError(
            f"{where}: variable {variable.name!r} must be {' or '.join(variable.dtypes)}, found "
            f"{dtype}; the store was not written by ibtools, or was changed since"
        )


def markdown_table(variables: tuple[Variable, ...]) -> str:
    """Return the declarations as the Markdown table that the documentation shows.

    Examples
    --------
    >>> print(markdown_table(RESULT_VARIABLES[-1:]).splitlines()[2][:52])
    | `analysed` | repeat, epoch | bool | 1 | commit mar
    """
    head = ("variable", "dims", "dtype", "units", "meaning", "missing")
    rows = [head, ("---",) * len(head)]
    rows += [
        (
            f"`{variable.name}`",
            ", ".join(variable.dims),
            " or ".join(variable.dtypes),
            variable.units or "-",
            variable.description,
            variable.missing,
        )
        for variable in variables
    ]
    if any(variable.presence != "always" for variable in variables):
        there = ["there", "---", *(PRESENCES[variable.presence] for variable in variables)]
        rows = [(*row, of) for row, of in zip(rows, there, strict=True)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
