"""Stores on disk: create, open, validate.

A store is one Zarr v3 group that plain `xarray.open_zarr` reads; `ibtools.schema` declares what is
in it.
"""

import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, Crc32cCodec, TransposeCodec, ZstdCodec
from zarr.core.sync import sync  # there is no public way to delete a folder of any store
from zarr.errors import ContainsArrayError, GroupNotFoundError

from ibtools.backing import backing_store
from ibtools.checksums import GROUP as CHECKSUMS
from ibtools.checksums import changed_coordinates, create_checksums
from ibtools.decode import decode
from ibtools.derived import incomplete_store, without_layout
from ibtools.durable import PARTIAL, delete_partial
from ibtools.errors import StoreError, StoreExistsError, StoreVersionError
from ibtools.layout import Chunking, StoreSpec, choose_chunking, choose_partition_chunking
from ibtools.locking import changing
from ibtools.provenance import provenance
from ibtools.schema import (
    CUBE,
    FORMAT_NAME,
    FORMAT_VERSION,
    STORE_COORDINATES,
    STORE_VARIABLES,
    Variable,
)
from ibtools.storage import StorePath as StorePath  # part of this module too
from ibtools.storage import (
    decoding,
    is_local,
    list_names,
    place_of,
    reaching,
    reason,
    storage_errors,
)
from ibtools.tasks.processes import validate_main
from ibtools.validation.attributes import is_ours, is_supported, validate_attributes
from ibtools.validation.coordinates import validate_coordinates
from ibtools.validation.declared import (
    arrays_of,
    describe_place,
    leaving_others_alone,
    validate_declared,
)
from ibtools.validation.declared import dtype_name as dtype_name  # part of this module too
from ibtools.validation.nodes import validate_nodes
from ibtools.validation.reading import CheckedStore
from ibtools.validation.results import RESULT_COORDINATES, validate_results
from ibtools.validation.sizes import validate_repeated, validate_sizes

CREATING = "creating"
"""The attribute of a store of which not all arrays are there yet."""

RECORDED = ("code", "activation", "partition")
"""The variables that hold what was recorded; every store has one of them, or the first two."""


def create_store(path: StorePath, spec: StoreSpec, *, overwrite: bool = False) -> zarr.Group:
    """Create an empty store: all arrays, all coordinates that are known, nothing recorded.

    Parameters
    ----------
    path : path or URL
        Where to; nothing may be there.
    spec : StoreSpec
        What the store will hold.
    overwrite : bool, optional
        Delete the ibtools store that is at `path`. Anything else is never deleted.

    Returns
    -------
    zarr.Group
        Open for writing; give it to `ibtools.writer.RepeatWriter`.

    Raises
    ------
    StoreExistsError
        If something is at `path` that may not be overwritten.
    StoreError
        If `path` can't be written to.
    IbtoolsError
        If a worker process runs the script that starts it.
    """
    validate_main()
    _validate_free(path, overwrite=overwrite)
    with reaching(path, "the store can't be created"):
        group = _create_root(path)
        for variable in spec.variables:
            _create_array(group, variable, spec)
        for name, values in spec.coordinates().items():
            get_array(group, name)[...] = values
        create_checksums(group)
        group.attrs.put(_attributes(spec))
        consolidate(path)
    return open_group(path, "r+")


def _create_root(path: StorePath) -> zarr.Group:
    """Create the root of a store, or empty that of ours which is there; marked as not finished.

    The mark comes first, so that whatever interrupts this leaves a store that is begun anew.
    """
    store = backing_store(path, read_only=False)
    unfinished: dict[str, Any] = {"format": FORMAT_NAME, CREATING: True}
    there = list_names(path)
    if "zarr.json" in there:
        group = zarr.open_group(store, mode="r+", zarr_format=3, use_consolidated=False)
        group.attrs.put(unfinished)
    else:
        group = zarr.create_group(store, attributes=unfinished)
    for name in sorted(there - {"zarr.json"}):
        sync(store.delete_dir(name))
    return group


def open_group(
    path: StorePath, mode: Literal["r", "r+"] = "r", *, values: bool = True
) -> zarr.Group:
    """Open a store as a Zarr group after checking that it is one.

    Parameters
    ----------
    path : path or URL
        The store.
    mode : {"r", "r+"}, optional
        Whether it is read only, or written too.
    values : bool, optional
        Whether the values of coordinates are checked too. `ibtools.check`, which lists all that is
        wrong with them, leaves that out.

    Raises
    ------
    StoreError
        If there is no store at `path`, or it breaks the contract.
    StoreVersionError
        If its format is newer than this ibtools reads.
    """
    group = _find_group(path, mode, use_consolidated=None if not is_local(path) else False)
    if group is None:
        found = "something else is there" if is_taken(path) else "nothing is there"
        raise StoreError(f"{path}: there must be an ibtools store, but {found}; check the path")
    validate_store(group, path, values=values)
    return group


def validate_store(group: zarr.Group, path: StorePath, *, values: bool = True) -> None:
    """Check format, version, attributes, every array's dimensions, dtype and size, and coordinates.

    Nothing is read before its size is known to be in the bounds of `ibtools.validation.bounds`.

    On object storage, where each request counts, metadata are those kept in the root; that the
    arrays are there is then seen from one listing.

    Raises
    ------
    StoreError
        If the group is no ibtools store, or a variable is missing or differs from its declaration
        or from another variable.
    StoreVersionError
        If the format is newer.
    """
    if not is_ours(group.attrs):
        raise _no_store(group, path)
    if is_unfinished(group):
        raise StoreError(
            f"{path}: what created the store was interrupted before anything was recorded; record "
            "to this path again"
        )
    found = group.attrs.get("format_version")
    if not is_supported(found):
        raise StoreVersionError(
            f"{path}: the store has format version {found!r:.40}, this ibtools reads 1 to "
            f"{FORMAT_VERSION}; upgrade with: pip install --upgrade ibtools-nn"
        )
    with reaching(path, "the store can't be read"):
        arrays = arrays_of(group)
    if group.metadata.consolidated_metadata is not None:
        there = list_names(path)
        arrays = {name: array for name, array in arrays.items() if name in there}
    if not any(name in arrays for name in RECORDED):
        raise incomplete_store(path, group.attrs, " or ".join(RECORDED))
    for variable in STORE_VARIABLES:
        if variable.name in arrays:
            validate_declared(arrays[variable.name], (variable,), path)
        elif variable.presence == "always" or (
            variable.presence == "quantised" and "code" in arrays
        ):
            raise incomplete_store(path, group.attrs, variable.name)
    validate_sizes(arrays, STORE_VARIABLES, path)
    validate_attributes(group.attrs, path)
    if is_local(path):
        validate_repeated(
            {one.name: arrays[one.name] for one in STORE_VARIABLES if one.name in arrays},
            Path(place_of(path)),
            path,
        )
    if values:
        _validate_values(group, arrays, path)


def _validate_values(
    group: zarr.Group, arrays: dict[str, "zarr.Array[Any]"], path: StorePath
) -> None:
    recorded = {name: dtype_name(arrays[name]) for name in RECORDED if name in arrays}
    cubes = [arrays[name].shape for name in recorded if name != "partition"]
    values = {}
    for name in STORE_COORDINATES:
        if name in arrays:
            with decoding(f"{path}: {name}"):
                values[name] = np.asarray(arrays[name][...])
    n_units = cubes[0][-1] if cubes else None
    validate_coordinates(values, str(path), n_units=n_units, dtypes=recorded)
    if changed := changed_coordinates(group, values):
        raise StoreError(
            f"{path}: {', '.join(changed)} must be as recorded, but was changed since; restore it "
            f"from a copy, or delete the folder {CHECKSUMS} if the change is meant"
        )


def _no_store(group: zarr.Group, path: StorePath) -> StoreError:
    """Build the error for a Zarr group that is something else."""
    kept = [name for name in ("information", "details") if name in group]
    if kept and "format" not in group.attrs:
        return StoreError(
            f"{path}: this holds results only ({' and '.join(kept)}), which are kept outside of "
            "their store; give the store, or open these in Python: ibtools.open_results(path)"
        )
    return StoreError(f"{path}: this Zarr group is not an ibtools store; check the path")


def open_store(path: StorePath) -> xr.Dataset:
    """Open a store as a lazy Dataset with decoded activations.

    Parameters
    ----------
    path : path or URL
        An ibtools store.

    Returns
    -------
    Dataset
        All variables of the store, backed by dask, chunked as on disk, and `activation` (repeat,
        epoch, layer, sample, unit), float32, for every layer: the values that the network computed;
        NaN where a layer has no such unit and where a snapshot is not complete. A softmax layer
        that was recorded as the codes of its logits shows softmax probabilities. A store that
        keeps the partition only has `partition` and no activations. Nothing but the coordinates is
        loaded. Saved with ``to_zarr``, it is cut into the chunks that it has in memory.

    Raises
    ------
    StoreError
        If there is no store at `path`, or it breaks the contract.

    See Also
    --------
    xarray.open_zarr : Shows the store as it is on disk, integer codes and all.
    """
    open_group(path)
    return without_layout(decode(open_raw(path)))


def open_raw(path: StorePath, *, group: str | None = None) -> xr.Dataset:
    """Open a store, or a `group` in it, as plain xarray does; coordinates are loaded."""
    consolidated = None if group is None and not is_local(path) else False
    root = _find_group(path, "r", use_consolidated=consolidated, group=group)
    if root is None:
        raise StoreError(f"{path}: there must be {group or 'a store'}, but nothing is there")
    where = f"{path}" if group is None else f"{path}: {group}"
    with reaching(where, "the store can't be read"), leaving_others_alone():
        if group is not None:
            validate_results(arrays_of(root), root.attrs, where)
        opened = CheckedStore.of(root, where)
        lazy = xr.open_dataset(opened, chunks={})
        plain = xr.open_dataset(opened)
        loaded = {name: plain[name].variable.load() for name in plain.coords}
        if group is not None:
            values = {name: loaded[name].values for name in RESULT_COORDINATES}
            validate_coordinates(values, where, dtypes={})
        return lazy.assign_coords(loaded)


def consolidate(path: StorePath) -> None:
    """Keep all metadata in one file too, which plain `xarray.open_zarr` looks for first."""
    with changing(path), leaving_others_alone():
        # zarr warns that other Zarr v3 readers may not know consolidated metadata; they then read
        # each array's.
        warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
        with reaching(path, "metadata can't be written"):
            zarr.consolidate_metadata(backing_store(path, read_only=False), zarr_format=3)


def delete_partial_files(path: StorePath) -> None:
    """Delete what is left of files that were being written, of a recording that is finished."""
    if is_local(path):
        for name in list_names(path) & {variable.name for variable in STORE_VARIABLES}:
            delete_partial(Path(place_of(path)) / name)


def get_array(group: zarr.Group, name: str) -> "zarr.Array[Any]":
    """Return one array of a store, not yet read.

    Raises
    ------
    StoreError
        If there is none of that name.
    """
    found = group.get(name)
    if not isinstance(found, zarr.Array):
        raise StoreError(
            f"{describe_place(group)}: variable {name!r} must be there, but is not; restore it "
            "from a copy, or, of results, delete the group and analyse again"
        )
    return found


def read_array(group: zarr.Group, name: str) -> NDArray[Any]:
    """Read one array of a store as a whole."""
    array = get_array(group, name)
    with decoding(f"{describe_place(group)}: {name}"):
        return np.asarray(array[...])


@contextmanager
def writing(group: zarr.Group) -> Iterator[None]:
    """Turn a full disk, a missing permission or a lost connection into one clear error."""
    try:
        yield
    except storage_errors() as err:
        raise StoreError(
            f"{group.store}: writing failed: {reason(err)}. All that is marked complete is "
            "intact; make room or give permission, then run it again (record: with --resume)"
        ) from err


def create_variable(
    group: zarr.Group,
    variable: Variable,
    sizes: dict[str, int],
    *,
    dtype: str | None = None,
    chunking: Chunking | None = None,
) -> None:
    """Create one declared array, filled with its missing value.

    Without `chunking`, one chunk holds everything, or everything of one repeat, so that repeats can
    be written side by side.
    """
    whole = tuple(1 if dim == "repeat" else max(1, sizes[dim]) for dim in variable.dims)
    dtype = dtype or variable.dtypes[0]
    group.create_array(
        variable.name,
        shape=tuple(sizes[dim] for dim in variable.dims),
        chunks=chunking.chunks if chunking else whole,
        shards=chunking.shards if chunking else None,
        dtype=str if dtype == "str" else dtype,
        fill_value=variable.fill,
        dimension_names=variable.dims,
        attributes=variable.attributes(),
        **_codecs(variable.dims, dtype),
    )


def _codecs(dims: tuple[str, ...], dtype: str) -> dict[str, Any]:
    """Choose how a chunk is encoded; docs/store.md shows what was measured.

    The values that one unit has for one sample lie side by side, epoch after epoch: they change
    little. A partition has new numbers in every epoch, and stays in its order. Each chunk ends in
    its checksum.
    """
    if dims[:4] != CUBE[:4]:
        return {"compressors": (ZstdCodec(level=0), Crc32cCodec())}
    if dims != CUBE:
        blosc = BloscCodec(cname="zstd", clevel=3, shuffle="shuffle", typesize=4)
        return {"compressors": (blosc, Crc32cCodec())}
    itemsize = np.dtype(dtype).itemsize
    order = tuple(CUBE.index(dim) for dim in ("repeat", "layer", "unit", "sample", "epoch"))
    return {
        "filters": TransposeCodec(order=order),
        "compressors": (
            ZstdCodec(level=3)
            if itemsize == 1
            else BloscCodec(
                cname="zstd", clevel=1, shuffle="bitshuffle", typesize=itemsize, blocksize=2**19
            ),
            Crc32cCodec(),
        ),
    }


def _create_array(group: zarr.Group, variable: Variable, spec: StoreSpec) -> None:
    sizes = spec.sizes()
    if variable.dims[:4] != CUBE[:4]:
        create_variable(group, variable, sizes)
        return
    dtype = spec.code_dtype if variable.name == "code" else variable.dtypes[0]
    choose = choose_chunking if variable.dims == CUBE else choose_partition_chunking
    chunking = choose(sizes, np.dtype(dtype).itemsize)
    create_variable(group, variable, sizes, dtype=dtype, chunking=chunking)


def _attributes(spec: StoreSpec) -> dict[str, Any]:
    return {
        "format": FORMAT_NAME,
        "format_version": FORMAT_VERSION,
        **provenance(),
        **spec.attributes,
        **_meaning(spec),
        "store_id": uuid.uuid4().hex,
        "configuration": spec.configuration_json(),
        # xarray makes these variables coordinates
        "coordinates": " ".join(STORE_COORDINATES),
        **({} if spec.classes is None else {"classes": list(spec.classes)}),
    }


def _meaning(spec: StoreSpec) -> dict[str, str]:
    """Return what is known of inputs and layers, and no array tells."""
    known: dict[str, str] = {} if spec.inputs is None else {"inputs": spec.inputs}
    if spec.is_chain is not None:
        known["layers"] = "chain" if spec.is_chain else "graph"
    return known


def _validate_free(path: StorePath, *, overwrite: bool) -> None:
    if not is_taken(path):
        return
    group = find_group(path, "r")
    if group is None or group.attrs.get("format") != FORMAT_NAME:
        raise StoreExistsError(
            f"{path}: what is there is not an ibtools store, so it is never overwritten; "
            "choose another path"
        )
    if not overwrite and not is_unfinished(group):
        raise StoreExistsError(
            f"{path}: a store is there already; choose another path, finish it with --resume "
            "(resume=True) if it was interrupted, or replace it with --overwrite (overwrite=True)"
        )


def is_unfinished(group: zarr.Group) -> bool:
    """Whether a store was being created when something interrupted that."""
    return bool(group.attrs.get(CREATING, False))


def is_taken(path: StorePath) -> bool:
    """Whether anything is at `path`; an empty folder is nothing, nor is half a file."""
    return any(not name.endswith(PARTIAL) for name in list_names(path))


def find_group(path: StorePath, mode: Literal["r", "r+"]) -> zarr.Group | None:
    """Open whatever Zarr v3 group is at `path`; None if there is none."""
    return _find_group(path, mode, use_consolidated=False)


def _find_group(
    path: StorePath,
    mode: Literal["r", "r+"],
    *,
    use_consolidated: bool | None,
    group: str | None = None,
) -> zarr.Group | None:
    """Open a group; `use_consolidated` None takes metadata from the root where it keeps all."""
    with reaching(path, "the store can't be opened"):
        if is_local(path):
            place = Path(place_of(path))
            if not place.is_dir():
                return None
            validate_nodes(place, path)
        try:
            return zarr.open_group(
                backing_store(path, read_only=mode == "r"),
                path=group,
                mode=mode,
                zarr_format=3,
                use_consolidated=use_consolidated,
            )
        except (GroupNotFoundError, ContainsArrayError):
            return None
