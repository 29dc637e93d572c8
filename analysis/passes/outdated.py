"""Results on disk that are out of date: which they are, and why, in words."""

from collections.abc import Container, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ibtools.analysis.estimators import Estimator
from ibtools.analysis.passes.result_rows import read_marks, read_rows
from ibtools.store.groups import get_array, read_array
from ibtools.store.identity import DIGEST

OTHER_CONTENT = (
    "they are of other labels, inputs or layers, or another split, than the store has now"
)

_CONTENT = (DIGEST, "n_samples", "entropy_x", "entropy_y")

DEPENDS_ON = ("revision", "bounds_low", "bounds_high", *_CONTENT)
"""Attributes of results without which, or with other values of which, all are out of date."""

DETAILS_DEPEND_ON = (*DEPENDS_ON, "label_checksum")
"""The same of details."""

ASSUMED: Mapping[str, Any] = MappingProxyType({"revision": 1})
"""What an attribute counts as in results that are older than it."""

_CHANGES: Mapping[str, str] = MappingProxyType(
    {
        "bounds_low": "the range of all values, between which the bins lie, is another now",
        "bounds_high": "the range of all values, between which the bins lie, is another now",
        **dict.fromkeys(_CONTENT, OTHER_CONTENT),
        "label_checksum": "another label has the same name",
    }
)
"""What it means that an attribute changed, as the reason of a sentence."""


def up_to_date(names: Iterable[str], outdated: Container[str]) -> list[str]:
    """Select the results that are up to date, or all if none is: then the error says why."""
    every = list(names)
    return [name for name in every if name not in outdated] or every


def dependencies(
    attributes: Mapping[str, Any], names: Sequence[str] = DEPENDS_ON
) -> dict[str, Any]:
    """Return the attributes of results, as they are now, that all of them depend on."""
    return {name: attributes[name] for name in names if name in attributes}


def why_outdated(
    attributes: Mapping[str, Any], depends: Mapping[str, Any], estimator: Estimator
) -> tuple[str, ...]:
    """Say why all results of an estimator are out of date.

    Parameters
    ----------
    attributes : mapping
        Of the results.
    depends : mapping
        Attributes that all results depend on, as they are now.
    estimator : Estimator
        Whose results.

    Returns
    -------
    tuple of str
        Reasons, each a clause; none if the results are up to date.

    Examples
    --------
    >>> from ibtools.analysis.estimators import parse_estimator
    >>> why_outdated({"bounds_high": 2.0}, {"bounds_high": 1.0}, parse_estimator("binned"))
    ('the range of all values, between which the bins lie, is another now',)
    >>> why_outdated({}, {"revision": 1}, parse_estimator("exact"))
    ()
    """
    known = {**ASSUMED, **attributes}
    changed = [name for name, value in depends.items() if known.get(name) != value]
    reasons = [
        _describe_revision(known[name], estimator)
        if name == "revision"
        else _CHANGES.get(name, f"{name} is another now")
        for name in changed
    ]
    return tuple(dict.fromkeys(reasons))


def why_revised(attributes: Mapping[str, Any], estimator: Estimator | None) -> str:
    """Say why results are out of date by what is computed, whatever it was computed of.

    Parameters
    ----------
    attributes : mapping
        Of the results.
    estimator : Estimator or None
        Whose results; None if this version of ibtools does not have it.

    Returns
    -------
    str
        A clause; empty if they are up to date, or nothing is known of the estimator.
    """
    if estimator is None:
        return ""
    return "".join(why_outdated(attributes, {"revision": estimator.revision}, estimator))


def _describe_revision(found: int, estimator: Estimator) -> str:
    if found > estimator.revision:
        return "they were computed by a later version of ibtools, which computes something else"
    return (
        f"they were computed by an earlier version of ibtools, in which {estimator.revision_note}"
    )


def forget_outdated(
    group: zarr.Group,
    estimator: Estimator,
    *,
    seed: NDArray[np.int64],
    depends: Mapping[str, Any],
    lacking: Sequence[str] = (),
) -> tuple[str, ...]:
    """Unmark the results of what was recorded anew, and all if what they depend on changed.

    Parameters
    ----------
    group : zarr.Group
        Results.
    estimator : Estimator
        Whose results.
    seed : ndarray, (repeat,), int64
        Of the store now.
    depends : mapping
        Attributes that all results depend on, as they are now.
    lacking : sequence of str, optional
        Variables that the results of an earlier version of ibtools lack.

    Returns
    -------
    tuple of str
        What is to be computed anew and why, a phrase each; nothing if nothing was there.
    """
    reasons = list(why_outdated(group.attrs, depends, estimator))
    if lacking:
        reasons.append(
            "the results were those of an earlier version of ibtools, without " + ", ".join(lacking)
        )
    known = get_array(group, "seed")
    begun_anew = read_rows(known, slice(0, len(seed))) != seed
    outdated = np.full_like(begun_anew, True) if reasons else begun_anew
    analysed = read_marks(group)
    if not analysed[outdated].any():
        return ()
    repeats = read_array(group, "repeat")[begun_anew & analysed.any(1)].tolist()
    analysed[outdated] = False
    get_array(group, "analysed")[...] = analysed
    phrases = [f"all anew, because {reason}" for reason in reasons]
    if repeats:
        phrases.append(f"anew, because they were recorded anew: repeats {repeats}")
    return tuple(phrases)
