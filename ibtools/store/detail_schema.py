"""The variables of details: what the same labels tell beyond the ordinary results, declared once.

`ibtools.analysis.details` computes and writes them; the tables in ``docs/details.md`` are generated
from here.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from ibtools.store.schema import CUBE, RESULT_VARIABLES, WHOLE_LAYER, Variable

_LAYER = CUBE[:3]
_MISSING = "NaN: not analysed"

DETAIL_VARIABLES: Mapping[str, tuple[Variable, ...]] = MappingProxyType({
    "classes": (
        Variable(
            "entropy_t_given_class", (*_LAYER, "class"), ("float64",), "bit", math.nan,
            f"{_MISSING}, or no sample of the class",
            "entropy of the layer over the samples of one class, H(T|Y=c)",
            label="H(T|Y=c)",
        ),
        Variable(
            "mi_t_class", (*_LAYER, "class"), ("float64",), "bit", math.nan, _MISSING,
            "information about being of the class or not, I(T;[Y=c])",
            label="I(T;[Y=c])",
        ),
        Variable(
            "mi_t_class_null", (*_LAYER, "class"), ("float64",), "bit", math.nan, _MISSING,
            "chance level of mi_t_class: its mean over all permutations of the labels",
            label="chance level of I(T;[Y=c])",
        ),
        Variable(
            "class", ("class",), ("int64", "str"), "1", 0, "never missing",
            "the class, by its label before it was numbered", coordinate=True,
        ),
        Variable(
            "class_samples", ("class",), ("int64",), "1", 0, "never missing",
            "samples of the class", coordinate=True,
        ),
        Variable(
            "class_entropy", ("class",), ("float64",), "bit", math.nan, "never missing",
            "H([Y=c]), the most that mi_t_class can be", coordinate=True,
        ),
    ),
    "layers": (
        Variable(
            "mi_tt", (*_LAYER, "other_layer"), ("float64",), "bit", math.nan, _MISSING,
            "information that two layers share, I(T_i;T_j); of a layer with itself, H(T_i)",
            label="I(T_i;T_j)",
        ),
        Variable(
            "other_layer", ("other_layer",), ("str",), "", "", "never missing",
            "name of the other layer", coordinate=True,
        ),
    ),
    "prediction": (
        Variable(
            "mi_t_prediction", _LAYER, ("float64",), "bit", math.nan, _MISSING,
            "information about the predicted class, the first largest unit of the last layer",
            label="I(T;prediction)",
        ),
        Variable(
            "mi_t_prediction_null", _LAYER, ("float64",), "bit", math.nan, _MISSING,
            "chance level of that: its mean over all permutations of the predictions",
            label="chance level of I(T;prediction)",
        ),
        Variable(
            "entropy_prediction", _LAYER[:2], ("float64",), "bit", math.nan, _MISSING,
            "entropy of the predicted class, the most that mi_t_prediction can be",
            label="H(prediction)",
        ),
    ),
    "splits": (
        *(
            replace(variable, dims=(*_LAYER, "split"))
            for variable in RESULT_VARIABLES
            if variable.name in WHOLE_LAYER
        ),
        Variable(
            "split", ("split",), ("str",), "", "", "never missing",
            "the samples that are counted: all, train or test", coordinate=True,
        ),
        Variable(
            "split_samples", ("split",), ("int64",), "1", 0, "never missing",
            "N of these samples", coordinate=True,
        ),
        Variable(
            "split_entropy_x", ("split",), ("float64",), "bit", math.nan, "never missing",
            "H(X) of these samples", coordinate=True,
        ),
        Variable(
            "split_entropy_y", ("split",), ("float64",), "bit", math.nan, "never missing",
            "H(Y) of these samples", coordinate=True,
        ),
    ),
    "units": (
        Variable(
            "entropy_unit", (*_LAYER, "unit"), ("float64",), "bit", math.nan,
            f"{_MISSING}, or no such unit",
            "entropy of the single unit, H(T_u)",
            label="H(T_u)",
        ),
        Variable(
            "mi_unit_y", (*_LAYER, "unit"), ("float64",), "bit", math.nan,
            f"{_MISSING}, or no such unit",
            "information of the single unit about the label, I(T_u;Y)",
            label="I(T_u;Y)",
        ),
        Variable(
            "mi_unit_y_null", (*_LAYER, "unit"), ("float64",), "bit", math.nan,
            f"{_MISSING}, or no such unit",
            "chance level of mi_unit_y: its mean over all permutations of the labels",
            label="chance level of I(T_u;Y)",
        ),
        Variable(
            "unit", ("unit",), ("int64",), "1", 0, "never missing",
            "position of the unit in its layer", coordinate=True,
        ),
    ),
    "by": (
        Variable(
            "mi_ts", _LAYER, ("float64",), "bit", math.nan, _MISSING,
            "information about another label S of the samples, I(T;S)",
            label="I(T;S)",
        ),
        Variable(
            "mi_ts_null", _LAYER, ("float64",), "bit", math.nan, _MISSING,
            "chance level of mi_ts: its mean over all permutations of S",
            label="chance level of I(T;S)",
        ),
    ),
    "permutations": (
        Variable(
            "permuted_mean", _LAYER, ("float64",), "bit", math.nan, _MISSING,
            "mean of I(T;Y) over the drawn permutations of the labels",
            label="mean of permuted I(T;Y)",
        ),
        Variable(
            "permuted_sd", _LAYER, ("float64",), "bit", math.nan, _MISSING,
            "standard deviation of I(T;Y) over the drawn permutations (n - 1)",
            label="standard deviation of permuted I(T;Y)",
        ),
        Variable(
            "permuted_z", _LAYER, ("float64",), "1", math.nan,
            f"{_MISSING}, or all permutations give the same",
            "standard deviations that I(T;Y) is above the mean of the permutations",
            label="z",
        ),
        Variable(
            "permuted_p", _LAYER, ("float64",), "1", math.nan, _MISSING,
            "(1 + permutations with at least the observed I(T;Y)) / (1 + permutations)",
            label="p",
        ),
    ),
})  # fmt: skip
"""By the kind of detail; coordinates that only this kind has come last."""
