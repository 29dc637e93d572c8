"""What attributes say: of a store and of results, each of the type that readers take it for."""

from collections.abc import Callable, Mapping
from typing import Any, get_args

from ibtools.errors import StoreError
from ibtools.shown import shortened
from ibtools.store.counts import COUNTS, Counts
from ibtools.store.schema import FORMAT_NAME, FORMAT_VERSION, OWN_ATTRIBUTES
from ibtools.store.storage import StorePath
from ibtools.store.validation.metadata import parse_json

Judge = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_classes(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, (int, str)) for one in value)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_one_of(*words: str) -> Judge:
    return lambda value: value in words


_TEXT = (_is_text, "a text")
_COUNT = (_is_count, "a whole number from 0")
_NUMBER = (_is_number, "a number")

KNOWN: dict[str, tuple[Judge, str]] = {
    "experiment": _TEXT,
    "created": _TEXT,
    "ibtools_version": _TEXT,
    "store_id": _TEXT,
    "data": _TEXT,
    "data_checksum": _TEXT,
    "coordinates": _TEXT,
    "configuration": _TEXT,
    "layers_left_out": _TEXT,
    "thinned_from": _TEXT,
    "inputs": (_is_one_of("population", "sample"), "population or sample"),
    "layers": (_is_one_of("chain", "graph"), "chain or graph"),
    "growing": (_is_flag, "true or false"),
    COUNTS: (_is_one_of(*get_args(Counts)), "epoch or step"),
    "scalars": (_is_texts, "a list of texts"),
    OWN_ATTRIBUTES: (_is_texts, "a list of texts"),
    "classes": (_is_classes, "a list of whole numbers and texts"),
    "inputs_distinct": _COUNT,
    "inputs_distinct_quantised": _COUNT,
    "features": _COUNT,
    "features_constant_quantised": _COUNT,
}
"""Root attributes of a store that ibtools reads."""

PACKAGE = "package"
"""The attribute of results that says which other package their estimator or detail is from."""

KNOWN_OF_RESULTS: dict[str, tuple[Judge, str]] = {
    **{name: KNOWN[name] for name in ("experiment", "created", "ibtools_version", "store_id")},
    **{name: KNOWN[name] for name in ("data_checksum", "coordinates", COUNTS, OWN_ATTRIBUTES)},
    "content_digest": _TEXT,
    "estimator": _TEXT,
    PACKAGE: _TEXT,
    "revision": _COUNT,
    "n_samples": _COUNT,
    "entropy_x": _NUMBER,
    "entropy_y": _NUMBER,
    "bounds_low": _NUMBER,
    "bounds_high": _NUMBER,
    "digested_layers": _TEXT,
    "false_merge_probability": _NUMBER,
    "label_checksum": _TEXT,
    "note_mi_xt": _TEXT,
    "note_mi_ty": _TEXT,
}
"""Attributes of results that ibtools reads."""


def validate_attributes(attributes: Mapping[str, Any], path: StorePath) -> None:
    """Check the root attributes of a store.

    Raises
    ------
    StoreError
        If one that is known is of another type, or JSON in it can't be read.
    """
    validate_known(attributes, KNOWN, str(path))
    for name in ("configuration", "layers_left_out"):
        if name in attributes:
            where = f"{path}: the attribute {name} must be a JSON object"
            found = _parse(attributes[name], where)
            if name == "layers_left_out" and not all(_is_text(why) for why in found.values()):
                raise StoreError(f"{where} of texts, found {_show(attributes[name])}{_SET_RIGHT}")


def validate_known(
    attributes: Mapping[str, Any], known: Mapping[str, tuple[Judge, str]], where: str
) -> None:
    """Check those attributes that are known; others are nobody's business."""
    for name, (holds, wanted) in known.items():
        if name in attributes and not holds(attributes[name]):
            raise StoreError(
                f"{where}: the attribute {name} must be {wanted}, found {_show(attributes[name])}"
                f"{_SET_RIGHT}"
            )


def is_supported(version: Any) -> bool:
    """Whether a format version is one that this ibtools reads."""
    return type(version) is int and 1 <= version <= FORMAT_VERSION


def is_ours(attributes: Mapping[str, Any]) -> bool:
    """Whether a group says that it is a store."""
    return attributes.get("format") == FORMAT_NAME


_SET_RIGHT = "; it was changed since the recording: set it right, or delete it"


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        return parse_json(text, where)
    except StoreError as err:
        raise StoreError(f"{where}, found {_show(text)}{_SET_RIGHT}") from err


def _show(found: Any) -> str:
    return shortened(repr(found[:80]) if isinstance(found, (str, list)) else repr(found))
