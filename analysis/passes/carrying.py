"""Results that come along with a thinned store, also those that can't be computed of it."""

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import zarr
from numpy.typing import NDArray

from ibtools.analysis.estimators import known_estimator
from ibtools.analysis.passes.kept_results import KeptResults, read_right
from ibtools.analysis.passes.outdated import DETAILS_DEPEND_ON, dependencies
from ibtools.analysis.passes.result_checksums import CHECKSUM, checked_names
from ibtools.analysis.passes.result_groups import MARKS
from ibtools.analysis.passes.result_identity import why_not_current
from ibtools.analysis.passes.result_places import create_results, open_results_root
from ibtools.errors import StoreError
from ibtools.store.groups import consolidate, get_array, read_array, writing
from ibtools.store.identity import Content
from ibtools.store.locking import changing
from ibtools.store.storage import StorePath
from ibtools.store.validation.declared import arrays_of, describe_place, dtype_name
from ibtools.store.validation.results import validate_results

_LAYERS = "the layers of the source are not all kept"
_OLD = (
    "they have no checksums, as of an earlier ibtools; analyse the source again, then thin it again"
)
_EPOCHS = "they have none of these epochs"


def carry_results(
    source: zarr.Group, output: StorePath, *, has_all_layers: bool
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Copy the results and details of a store to what was thinned from it.

    Parameters
    ----------
    source : zarr.Group
        The store.
    output : path or URL
        The thin store, of the same repeats and of some of the epochs.
    has_all_layers : bool
        Whether it has all layers; results are of all of them.

    Returns
    -------
    carried : tuple of str
        The groups that came along, such as "information/exact".
    left : dict of str to str
        Those that did not, and why: they are out of date, say.

    Raises
    ------
    StoreError
        If they can't be written.
    """
    root, content = open_results_root(output), Content.of(source)
    carried, left, epochs = [], {}, read_array(root, "epoch")
    for key in (*_keys(source, "information"), *_keys(source, "details")):
        group = cast("zarr.Group", source[key])
        why = _why_left(group, content, epochs) if has_all_layers else _LAYERS
        if why:
            left[key] = why
        else:
            _carry(group, output, root)
            carried.append(key)
    if carried:
        consolidate(output)
    return tuple(carried), left


def _keys(root: zarr.Group, key: str) -> Iterator[str]:
    """Yield the groups of results below a group."""
    found = root.get(key)
    if not isinstance(found, zarr.Group):
        return
    if MARKS.name in found:
        yield key
        return
    for name in sorted(found.group_keys()):
        yield from _keys(root, f"{key}/{name}")


def _why_left(group: zarr.Group, content: Content, epochs: NDArray[np.integer[Any]]) -> str:
    """Say why results do not come along; empty if they do."""
    try:
        validate_results(group, arrays_of(group), describe_place(group))
    except StoreError as err:
        return str(err)
    if why := why_not_current(group, content, known_estimator(str(group.attrs["estimator"]))):
        return why
    if not checked_names(group):
        return _OLD
    return "" if np.isin(read_array(group, "epoch"), epochs).any() else _EPOCHS


def _carry(source: zarr.Group, output: StorePath, root: zarr.Group) -> None:
    """Copy what is analysed and right of a group of results; what is there stays as it is."""
    epochs = read_array(source, "epoch")
    chosen = np.flatnonzero(np.isin(epochs, read_array(root, "epoch")))
    with changing(output), writing(root):
        group = _create(source, root, chosen)
    kept = KeptResults.of(output, group, dependencies(group.attrs, DETAILS_DEPEND_ON))
    _, there, places = np.intersect1d(epochs, kept.binding.epoch, return_indices=True)
    for row, right, values in read_right(source):
        now = right[there]
        if row < len(kept.binding.repeat) and now.any():
            kept.write(row, places[now], {name: of[there[now]] for name, of in values.items()})


def _create(source: zarr.Group, root: zarr.Group, epochs: NDArray[np.intp]) -> zarr.Group:
    """Create a group as another is, for some of its epochs, with nothing marked as analysed.

    The marks come last: whoever sees them sees all else. What was killed before is created anew.
    """
    found = root.get(source.path)
    if isinstance(found, zarr.Group) and MARKS.name in found:
        return found
    attributes = {**source.attrs, "store_id": root.attrs["store_id"]}
    group = create_results(root, source.path, attributes)
    numbers = (*checked_names(source), CHECKSUM.name, MARKS.name)
    others = [name for name in arrays_of(source) if name not in numbers]
    for name in (*others, *numbers):
        array = get_array(source, name)
        dims = cast("tuple[str, ...]", cast(Any, array.metadata).dimension_names)
        _create_array(group, array, name, dims, len(epochs))
        if name in others:
            values = read_array(source, name)
            axes = tuple(epochs if dim == "epoch" else slice(None) for dim in dims)
            get_array(group, name)[...] = values[axes]
    return group


def _create_array(
    group: zarr.Group, array: "zarr.Array[Any]", name: str, dims: tuple[str, ...], n_epochs: int
) -> None:
    sizes = zip(dims, array.shape, strict=True)
    shape = tuple(n_epochs if dim == "epoch" else size for dim, size in sizes)
    whole = zip(dims, shape, strict=True)
    group.create_array(
        name,
        shape=shape,
        chunks=tuple(1 if dim == "repeat" else max(1, size) for dim, size in whole),
        dtype=str if dtype_name(array) == "str" else array.dtype,
        fill_value=array.fill_value,
        dimension_names=dims,
        attributes=array.attrs.asdict(),
        filters=array.filters,
        compressors=array.compressors,
        overwrite=True,
    )
