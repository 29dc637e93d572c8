"""Whose results are at a place: those of the store as it is, of what it was, or of another."""

from collections.abc import Mapping
from typing import Any, cast

import xarray as xr
import zarr

from ibtools.analysis.estimators import Estimator
from ibtools.analysis.passes.outdated import OTHER_CONTENT, why_revised
from ibtools.errors import StoreError
from ibtools.store.groups import read_array
from ibtools.store.identity import DIGEST, Content, is_store
from ibtools.store.storage import StorePath
from ibtools.store.validation.declared import arrays_of


def validate_target(
    target: StorePath, root: zarr.Group, content: Content, attributes: Mapping[str, Any]
) -> None:
    """Check that results may go to a place: no store but their own is there.

    Raises
    ------
    StoreError
        If another one is, in which they would be taken for its own.
    """
    if not is_store(root):
        return
    same_store = root.attrs.get("store_id") == attributes.get("store_id")
    if not same_store or Content.of(root).digest != content.digest:
        raise StoreError(
            f"{target}: another store is there, whose own these results would seem to be; choose "
            "another --output (output=)"
        )


def take_results(
    target: StorePath,
    root: zarr.Group,
    group: zarr.Group,
    content: Content,
    attributes: Mapping[str, Any],
    *,
    what: str,
) -> None:
    """Check that results on disk are those of a store, or were before it was changed.

    Parameters
    ----------
    target : path or URL
        Where they are.
    root : zarr.Group
        What is there.
    group : zarr.Group
        The results. They get the digest that they lack if they are of an earlier ibtools, and lose
        that of what the store was before.
    content : Content
        Of the store.
    attributes : mapping
        Of new results.
    what : str
        "results" or "details", for the error.

    Raises
    ------
    StoreError
        If they are of another store. Results beside the recording that are of what it was before
        are not refused: they are out of date.
    """
    same_store = group.attrs.get("store_id") == attributes.get("store_id")
    same_content = content.is_of(group)
    beside = is_store(root)
    if not same_store or not (beside or (same_content and _has_all(content, group))):
        raise StoreError(
            f"{target}: holds {what} of another store; choose another --output, or delete them"
        )
    if not same_content:
        group.attrs[DIGEST] = ""
    elif DIGEST not in group.attrs:
        group.attrs[DIGEST] = content.digest


def _has_all(content: Content, group: zarr.Group) -> bool:
    """Whether a store has every repeat that there are results of, where they have it."""
    repeat, marked = read_array(group, "repeat"), read_array(group, "analysed").any(axis=1)
    if len(repeat) > len(content.repeat):
        return False
    return bool((content.repeat[: len(repeat)] == repeat)[marked].all())


def resize_results(group: zarr.Group, sizes: Mapping[str, int]) -> bool:
    """Give the arrays of results the sizes that the store has now; whether any changed.

    What is new is not analysed. Coordinates are to be written anew.
    """
    changed = False
    for array in arrays_of(group).values():
        dims = getattr(array.metadata, "dimension_names", None) or ()
        shape = tuple(sizes.get(str(dim), n) for dim, n in zip(dims, array.shape, strict=True))
        if shape != array.shape:
            array.resize(shape)
            changed = True
    return changed


def current_marks(
    path: StorePath,
    root: zarr.Group,
    key: str,
    opened: xr.Dataset,
    estimator: Estimator | None,
    *,
    what: str,
    command: str,
) -> xr.DataArray:
    """Return which snapshots of opened results are analysed as the store is now.

    Parameters
    ----------
    path : path or URL
        A store, or where else results are kept; what is there is known to be of the store then.
    root : zarr.Group
        What is there.
    key : str
        The group of the results.
    opened : Dataset
        The results, with `analysed`.
    estimator : Estimator or None
        Whose results; None if this version of ibtools does not have it.
    what : str
        What they are, such as "the results of exact", for the error.
    command : str
        What computes them anew, for the error.

    Returns
    -------
    DataArray, (repeat, epoch), bool
        Lazy. False for repeats that were begun anew since.

    Raises
    ------
    StoreError
        If labels, splits, inputs or layers of the store were changed since, or this version of
        ibtools computes something else under this name.
    """
    group, content = cast("zarr.Group", root[key]), content_beside(root)
    if why := why_not_current(group, content, estimator):
        raise StoreError(
            f"{path}: {what} are out of date: {why}; compute them anew with: {command}"
        )
    analysed: xr.DataArray = opened["analysed"]
    if content is None:
        return analysed
    return analysed & xr.DataArray(content.current_repeats(group), dims="repeat")


def content_beside(root: zarr.Group) -> Content | None:
    """Return what a store is about; None of a place where only results are kept."""
    return Content.of(root) if is_store(root) else None


def why_not_current(group: zarr.Group, content: Content | None, estimator: Estimator | None) -> str:
    """Say why results are out of date: of what the store was before, or computed otherwise.

    Parameters
    ----------
    group : zarr.Group
        The results.
    content : Content or None
        Of the store that they are in, as from `content_beside`.
    estimator : Estimator or None
        Whose results; None if this version of ibtools does not have it.

    Returns
    -------
    str
        A clause; empty if they are up to date.
    """
    if content is None or content.is_of(group):
        return why_revised(group.attrs, estimator)
    return OTHER_CONTENT
