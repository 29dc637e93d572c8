"""Where results go: into folders of their own, and never into what is somebody else's.

Every group that an analysis creates says so in its first write, so that one whose creation was
killed is known and completed. Whatever says nothing of the kind is left alone.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Any, cast

import zarr
from zarr.errors import ContainsGroupError

from ibtools.errors import StoreExistsError
from ibtools.store.backing import backing_store
from ibtools.store.groups import find_group, is_taken
from ibtools.store.identity import is_store
from ibtools.store.storage import StorePath, is_local, list_names, place_of, reaching

OURS = "ibtools_results"
"""The attribute that says what a group is for: one of the next three."""

_ROOT, _FOLDER, _RESULTS = "output", "groups", "results"

_PARTS_OF_A_ROOT = {"zarr.json", "information", "details"}


def create_folder(target: StorePath) -> None:
    """Create a folder for results where nothing is, so that it can be locked."""
    if is_local(target) and not os.path.lexists(place_of(target)):
        with reaching(target, "results can't be written"):
            Path(place_of(target)).mkdir(parents=True, exist_ok=True)


def open_results_root(target: StorePath) -> zarr.Group:
    """Open the store, or the output of analyses, that results go to; create an output.

    Raises
    ------
    StoreExistsError
        If something else is there.
    StoreError
        If it can't be read or written to.
    """
    root = find_group(target, "r+")
    if root is None and not is_taken(target):
        with reaching(target, "results can't be written"), suppress(ContainsGroupError):
            store = backing_store(target, read_only=False)
            return zarr.create_group(store, attributes={OURS: _ROOT})
        root = find_group(target, "r+")
    if root is None or not (is_store(root) or _is_output(target, root)):
        raise StoreExistsError(
            f"{target}: something that holds no results is there; choose another path"
        )
    return root


def _is_output(target: StorePath, root: zarr.Group) -> bool:
    """Whether a group is the output of analyses; those of earlier versions do not say so."""
    if root.attrs:
        return root.attrs.get(OURS) == _ROOT
    return _names(target) <= _PARTS_OF_A_ROOT


def validate_places(target: StorePath, keys: Sequence[str]) -> None:
    """Check where results would go before anything is read or computed, as `validate_free` does."""
    root = find_group(target, "r")
    if root is not None:
        for key in keys:
            validate_free(target, root, key)


def validate_free(target: StorePath, root: zarr.Group, key: str) -> None:
    """Check that results may be written below a root: what is there is results, or nothing.

    Parameters
    ----------
    target : path or URL
        The root.
    root : zarr.Group
        The same.
    key : str
        Of the results.

    Raises
    ------
    StoreExistsError
        If a file, a folder, an array or a group of somebody else's is in the way.
    """
    for part in accumulate(key.split("/"), "{}/{}".format):
        place = _join(target, part)
        with reaching(place, "can't be read"):
            found = root.get(part)
            if found is None and list_names(place):
                found = root.get(part)  # another analysis may have created it just now
            elif found is None:
                return
            is_ours = _is_results if part == key else _is_folder
            if not isinstance(found, zarr.Group) or not is_ours(found, place):
                raise StoreExistsError(
                    f"{place}: something that is not of ibtools is there, where results would go; "
                    "it was left as it is: move it away, or choose another --output (output=)"
                )


def _is_results(group: zarr.Group, place: str) -> bool:
    """Whether a group holds results, or was created to."""
    if OURS in group.attrs:
        return group.attrs[OURS] == _RESULTS
    return "estimator" in group.attrs and isinstance(group.get("analysed"), zarr.Array)


def _is_folder(group: zarr.Group, place: str) -> bool:
    """Whether a group has results below it and nothing else; those of earlier versions say nothing.

    An empty group without attributes is nobody's.
    """
    if group.attrs:
        return group.attrs.get(OURS) == _FOLDER
    for name in _names(place) - {"zarr.json"}:
        found, below = group.get(name), _join(place, name)
        if found is None and not list_names(below):
            continue
        if not isinstance(found, zarr.Group):
            return False
        if not (_is_results(found, below) or _is_folder(found, below)):
            return False
    return True


def create_results(root: zarr.Group, key: str, attributes: dict[str, Any]) -> zarr.Group:
    """Create a group for results, or take the one that is there, half created.

    Parameters
    ----------
    root : zarr.Group
        Where `validate_free` found nothing else.
    key : str
        Of the results.
    attributes : dict
        Of the results.
    """
    *folders, _ = accumulate(key.split("/"), "{}/{}".format)
    for folder in folders:
        if folder not in root:
            with suppress(ContainsGroupError):  # created by another analysis just now
                root.create_group(folder, attributes={OURS: _FOLDER})
    attributes = {**attributes, **mark_of_results()}
    with suppress(ContainsGroupError):
        return root.create_group(key, attributes=attributes)
    group = cast("zarr.Group", root[key])
    group.attrs.update(attributes)
    return group


def mark_of_results() -> dict[str, str]:
    """Return the attribute that says that a group holds results."""
    return {OURS: _RESULTS}


def validate_only(target: StorePath, key: str, names: set[str]) -> None:
    """Check that results consist of these variables, before they are deleted.

    Raises
    ------
    StoreExistsError
        If somebody else put something there.
    """
    place = _join(target, key)
    foreign = sorted(_names(place) - {"zarr.json", *names})
    if foreign:
        raise StoreExistsError(
            f"{place}: these results are to be replaced, but {foreign[0]!r} in them is not of "
            "ibtools; it was left as it is: move it away, and run this again"
        )


def _names(place: StorePath) -> set[str]:
    """Return what is directly in a group, but for what a killed write has left."""
    return {name for name in list_names(place) if not name.endswith(".partial")}


def _join(place: StorePath, part: str) -> str:
    return f"{os.fspath(place).rstrip('/')}/{part}"
