"""Stores that grow: repeats, epochs and scalars that nobody announced are appended.

Growing an axis changes the metadata of many arrays, one file after the other. What counts is what
the root's metadata repeat of them, which is one file and replaced last: a reader that comes in
between, or after a crash in between, sees all axes as long as they were.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

import zarr
from zarr.abc.store import Store
from zarr.buffer import default_buffer_prototype
from zarr.core.sync import sync  # there is no public way to read a key of any store from here

GROWING = "growing"
"""The attribute of a store that grows."""

AXES = ("repeat", "epoch", "trained_epoch")
"""The axes that grow."""

EPOCH_AXES = AXES[1:]
"""Those that grow with the training."""

ROW_EPOCHS = 1024
"""Epochs in a chunk of what is not recorded of samples, of a store that grows."""

Node = Mapping[str, Any]


def is_growing(attributes: Mapping[str, Any]) -> bool:
    """Tell by its root attributes whether a store grows."""
    return attributes.get(GROWING) is True


def repeated_nodes(root: Node) -> dict[str, Node]:
    """Return the metadata that the root repeats of all nodes below it, by their paths."""
    found: dict[str, Node] = (root.get("consolidated_metadata") or {}).get("metadata", {})
    return found


def as_root_says(nodes: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Replace metadata of a store's nodes by what its root says of them, where only lengths differ.

    Arrays that the root does not know are still being appended: they are left out. A root that
    repeats nothing yet is of a store that was just created.
    """
    repeated = repeated_nodes(nodes[""])
    if not repeated:
        return dict(nodes)
    found = {}
    for path, node in nodes.items():
        said = repeated.get(path)
        if said is not None and _differs_in_length(node, said):
            found[path] = dict(said)
        elif said is not None or not _is_of_root(path, node):
            found[path] = node
    return found


def read_root(store: Store) -> Node:
    """Return the metadata of the root of a store as they are now; none if there is no root."""
    raw = sync(store.get("zarr.json", default_buffer_prototype()))
    return {} if raw is None else cast(Node, json.loads(raw.to_bytes()))


def settle(store: Store) -> None:
    """Give the arrays of a store that grows the lengths that its root says: a crash left others."""
    root = read_root(store)
    if not is_growing(root.get("attributes", {})):
        return
    repeated = repeated_nodes(root)
    lengths = {axis: int(repeated[axis]["shape"][0]) for axis in AXES if axis in repeated}
    group = zarr.open_group(store, mode="r+", zarr_format=3, use_consolidated=False)
    for array in axis_arrays(group):
        resize(array, lengths)


def axis_arrays(group: zarr.Group) -> Iterator["zarr.Array[Any]"]:
    """Yield the arrays of a store that have an axis which grows."""
    for _, array in group.arrays():
        if set(_dims(array)) & set(AXES):
            yield array


def resize(array: "zarr.Array[Any]", lengths: Mapping[str, int]) -> None:
    """Give an array the lengths of some axes."""
    sizes = zip(_dims(array), array.shape, strict=True)
    shape = tuple(lengths.get(dim, size) for dim, size in sizes)
    if shape != array.shape:
        array.resize(shape)


def _dims(array: "zarr.Array[Any]") -> tuple[str, ...]:
    return cast("tuple[str, ...]", getattr(array.metadata, "dimension_names", None) or ())


def _is_of_root(path: str, node: Node) -> bool:
    return bool(path) and "/" not in path and node.get("node_type") == "array"


def _differs_in_length(node: Node, said: Node) -> bool:
    """Whether two metadata of an array are the same but for its length along axes that grow."""
    dims = node.get("dimension_names") or ()
    if node.get("node_type") != "array" or not set(dims) & set(AXES):
        return False
    own, other = node.get("shape") or (), said.get("shape") or ()
    if own == other or len(own) != len(dims) or len(other) != len(dims):
        return False
    return all(a == b or dim in AXES for dim, a, b in zip(dims, own, other, strict=True))
