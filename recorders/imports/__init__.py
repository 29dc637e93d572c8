"""The way in for activations that others have recorded, in files of their programs.

`import_activations` is all that is needed. Each format is one module, which only reads; what it
reads goes through `ibtools.Recorder` like everything that is recorded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ibtools.errors import InputError, unknown_name
from ibtools.recorders.array_layers import Bits
from ibtools.recorders.imports.protocol import ActivationFormat, Imported
from ibtools.recorders.recorder import Recorder
from ibtools.registry import Registry
from ibtools.store.schema import Inputs, Keep
from ibtools.store.storage import StorePath, place_of

__all__ = ["FORMATS", "ActivationFormat", "Imported", "import_activations"]

FORMATS: Registry[ActivationFormat] = Registry(
    "format",
    "ibtools.imports",
    {
        "IDNNs": "ibtools.recorders.imports.idnns:IDNNS",
        "ibsgd": "ibtools.recorders.imports.ibsgd:IBSGD",
        "deep-bottleneck": "ibtools.recorders.imports.deep_bottleneck:DEEP_BOTTLENECK",
        "folder": "ibtools.recorders.imports.folder:FOLDER",
    },
    ActivationFormat,
)
"""The formats by name."""


def import_activations(
    path: StorePath,
    source: str | Path,
    *,
    label: ArrayLike,
    format: str | None = None,
    layers: Mapping[str, str] | Sequence[str] | None = None,
    network: tuple[int, int] = (0, 0),
    repeat: int = 0,
    split: ArrayLike | None = None,
    x: ArrayLike | str | None = None,
    activation_functions: Mapping[str, str] | None = None,
    bits: Bits | None = None,
    keep: Keep = "codes",
    inputs: Inputs | None = None,
    is_chain: bool | None = None,
    attributes: Mapping[str, str | int] | None = None,
    overwrite: bool = False,
    quiet: bool = False,
) -> None:
    """Write activations that another program has recorded to a store.

    Parameters
    ----------
    path : path or URL
        The store. One that is there, of the same samples and layers, gets further repeats.
    source : path
        A file or folder: ``data.pickle`` of IDNNs, the folder of ``epoch00000000`` and so on of
        ibsgd, the HDF5 file of deep-bottleneck, or a folder of ``.npz``, ``.h5`` or ``.pt`` files,
        one for each epoch, whose names end in its number. Nothing in them is executed.
    label : array_like, (sample,), integer, bool or str
        Label of each sample, in the order of the source, which has none.
    format : str, optional
        A name in `FORMATS`. By default what the source looks like.
    layers : mapping of str to str, or sequence of str, optional
        The layers to take, by their names in the source, and what the store calls them. All by
        default. Programs that number layers have them as ``layer_1``, ``layer_2`` and so on.
    network : (int, int), optional
        Of IDNNs, which keeps several: which architecture, and which share of the training samples.
    repeat : int, optional
        Number of the first repeat that is written.
    split, x, activation_functions, bits, keep, inputs, is_chain, attributes, overwrite, quiet
        As of `ibtools.Recorder`.

    Raises
    ------
    UnknownNameError
        If there is no such format, or no such layer.
    InputError
        If the source is none of that format, is damaged, or takes a library that is missing.
    StoreError
        If the activations can't be recorded, as float64 that float32 can't hold.

    Notes
    -----
    Epochs are how many were trained when a snapshot was taken: IDNNs counts so; ibsgd and
    deep-bottleneck record after the epochs that they number from 0, so that one is added; numbers
    of files are taken as they are. Losses, accuracies and norms of gradients come along as scalars.

    Examples
    --------
    >>> import numpy as np, tempfile, ibtools
    >>> folder = tempfile.TemporaryDirectory()
    >>> for epoch in (1, 10):
    ...     np.savez(f"{folder.name}/epoch_{epoch}.npz", hidden=np.eye(8, 3, dtype="float32"))
    >>> path = f"{folder.name}/run.zarr"
    >>> ibtools.import_activations(path, folder.name, label=np.arange(8) % 2, quiet=True)
    >>> ibtools.open_store(path).epoch.values.tolist()
    [1, 10]
    >>> folder.cleanup()
    """
    place = Path(place_of(source))
    name = _recognise(place) if format is None else format
    snapshots = FORMATS.load(name).read(place, network)
    settings: dict[str, Any] = {
        **{"label": label, "split": split, "x": x, "bits": bits, "keep": keep},
        **{"activation_functions": activation_functions, "inputs": inputs, "is_chain": is_chain},
        **{"attributes": {"experiment": name, **(attributes or {})}, "quiet": quiet},
    }
    n_repeats = 0
    for offset, of_repeat in groupby(snapshots, lambda one: one.repeat):
        first = overwrite and n_repeats == 0
        with Recorder(path, repeat=repeat + offset, overwrite=first, **settings) as recorder:
            _record(recorder, of_repeat, layers, place)
        n_repeats += 1
    if not n_repeats:
        raise InputError(f"{place}: there must be a snapshot, but there is none in it")


def _recognise(place: Path) -> str:
    """Tell the format that a file or folder looks like."""
    if not place.exists():
        raise InputError(f"{place}: there is no such file or folder")
    for name in FORMATS.names():
        if FORMATS.load(name).recognises(place):
            return name
    looks = "; ".join(f"{name}: {FORMATS.load(name).looks}" for name in FORMATS.names())
    raise InputError(f"{place}: must be one of {looks}; name it with format= if it is")


def _record(
    recorder: Recorder,
    snapshots: Iterable[Imported],
    layers: Mapping[str, str] | Sequence[str] | None,
    place: Path,
) -> None:
    for one in snapshots:
        if one.scalars:
            recorder.epoch(one.epoch, **_as_scalars(one.scalars))
        if one.layers:
            recorder.snapshot(one.epoch, dict(_choose(one.layers, layers, place)))


def _choose(
    there: Mapping[str, Any], layers: Mapping[str, str] | Sequence[str] | None, place: Path
) -> Iterator[tuple[str, Any]]:
    """Take the layers that are wanted, under the names that they get."""
    named = layers if isinstance(layers, Mapping) else {name: name for name in layers or there}
    for name, called in named.items():
        if name not in there:
            raise unknown_name("layer", name, list(there))
        if layers is None and np.ndim(there[name]) < 2:
            raise InputError(
                f"{place}: {name} must be (sample, unit, ...) to be a layer, found shape "
                f"{np.shape(there[name])}; name the layers to take with layers="
            )
        yield called, there[name]


def _as_scalars(numbers: Mapping[str, float]) -> dict[str, float]:
    """Give scalars names that a store can have."""
    return {re.sub(r"\W", "_", name): number for name, number in numbers.items()}
