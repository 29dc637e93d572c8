"""A store at a glance."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import zarr
from numpy.typing import NDArray

from ibtools.errors import UnknownResultsError
from ibtools.settings import describe_training
from ibtools.shown import analyze_command, counted, visible
from ibtools.store.checksums import find_checksums
from ibtools.store.configuration import configuration_of
from ibtools.store.counts import Counts, counts_of
from ibtools.store.groups import find_group, read_array
from ibtools.store.header import Header
from ibtools.store.identity import Content, is_store
from ibtools.store.opened import open_checked
from ibtools.store.quantised_inputs import QuantisedInputs
from ibtools.store.schema import Keep
from ibtools.store.snapshots import LayerSpec
from ibtools.store.storage import StorePath, is_local, stored_bytes
from ibtools.store.thin_choice import THINNED
from ibtools.store.validation.attributes import PACKAGE
from ibtools.store.validation.declared import arrays_of, describe_place
from ibtools.store.validation.results import validate_results

StoreResults = Literal["information", "details"]
"""The groups of a store that its analysis writes."""


MOST_NAMED = 20
"""Classes that are named at the most."""


_NO_CHECKSUMS = "none (of an earlier ibtools, or a copy): changed bytes can't be told"


@dataclass(frozen=True)
class StoreInfo:
    """What `ibtools info` prints.

    Parameters
    ----------
    experiment, created, ibtools_version : str
        Where the store comes from.
    training : str
        In what its training is no usual one: a frozen control, say. Empty for a usual one.
    layers : tuple of LayerSpec
        In the order of the network.
    left_out : dict of str to str
        The layers of the network that were not recorded, and why; empty where it is not known.
    thinned_from : str
        What the store was thinned from, and what was left out; empty if it was not.
    data : str
        Which data set it is of, and whether it is known to be; empty if the store does not say.
    quantised_inputs : QuantisedInputs or None
        What the input quantiser left of the inputs, if the store says.
    counts : {"epoch", "step"}
        What the numbers of snapshots count, which are called epochs here.
    n_repeats, n_epochs, n_samples, n_classes : int
        Sizes; of classes, those that occur.
    classes : tuple of int or str, or None
        What the classes were called before they were numbered; None if by their numbers.
    n_inputs : int or None
        Different inputs; None if the store does not say which are equal.
    epochs : tuple of int and int
        First and last recorded epoch.
    trained_epochs : int
        Epochs of training in all; epoch 0, before the first, is none.
    outcomes : dict of str to int
        How many repeats are trained, failed, pending.
    failed_attempts : int
        Trainings that were given up and begun anew.
    keep : {"codes", "partition"}
        What is kept of a snapshot.
    n_complete : int
        Snapshots (repeat and epoch) on disk.
    train_accuracy, test_accuracy : float
        Mean over repeats after the last epoch that each was trained; NaN if there is none.
    results : dict of str to int
        Analysed snapshots per estimator, as the store is now: none of results of other labels.
    details : dict of str to int
        Analysed snapshots per estimator and detail, such as "exact/classes".
    outdated : dict of str to str
        Results that are out of date, because ibtools computes something else under this name now,
        and why: those that no command shows until they are computed anew.
    unknown : dict of str to str
        Results and details that can't be read, because what computed them is not installed, as
        "details/exact/shapes", and the package that they say they are from; empty if they don't.
    has_checksums : bool
        Whether each chunk of the recording is known by its checksum.
    disk_bytes, cube_bytes : int or None, int
        Bytes on disk (None for a remote store), and bytes of what was recorded, without
        padding.
    """

    experiment: str
    created: str
    ibtools_version: str
    training: str
    layers: tuple[LayerSpec, ...]
    left_out: dict[str, str]
    thinned_from: str
    data: str
    quantised_inputs: QuantisedInputs | None
    counts: Counts
    n_repeats: int
    n_epochs: int
    n_samples: int
    n_classes: int
    classes: tuple[int | str, ...] | None
    n_inputs: int | None
    epochs: tuple[int, int]
    trained_epochs: int
    outcomes: dict[str, int]
    failed_attempts: int
    keep: Keep
    n_complete: int
    train_accuracy: float
    test_accuracy: float
    results: dict[str, int]
    details: dict[str, int]
    outdated: dict[str, str]
    unknown: dict[str, str]
    has_checksums: bool
    disk_bytes: int | None
    cube_bytes: int


def store_info(path: StorePath) -> StoreInfo:
    """Read what there is to know of a store, without its cube.

    Parameters
    ----------
    path : path or URL
        An ibtools store.

    Returns
    -------
    StoreInfo

    Raises
    ------
    StoreError
        If there is no store at `path`.
    """
    from ibtools.analysis.passes.results import outdated_among  # noqa: TID251

    group, found = open_checked(path)
    header = Header.of(group, found)
    attributes, coordinates = header.attributes, header.coordinates
    epochs, outcome = coordinates["epoch"], coordinates["outcome"]
    n_complete = int(header.complete.sum())
    unknown: dict[str, str] = {}
    row_bytes = sum(layer.row_bytes(header.keep) for layer in header.layers)
    return StoreInfo(
        experiment=str(attributes.get("experiment", "unknown")),
        created=str(attributes.get("created", "unknown")),
        ibtools_version=str(attributes.get("ibtools_version", "unknown")),
        training=describe_training(configuration_of(attributes)),
        layers=header.layers,
        left_out=json.loads(str(attributes.get("layers_left_out", "{}"))),
        thinned_from=str(attributes.get(THINNED, "")),
        data=str(attributes.get("data", "")),
        quantised_inputs=QuantisedInputs.from_attributes(attributes),
        counts=counts_of(attributes),
        n_repeats=len(outcome),
        n_epochs=len(epochs),
        n_samples=header.n_samples,
        n_classes=header.n_classes,
        classes=_class_names(header),
        n_inputs=np.unique(header.input).size if "input" in coordinates else None,
        epochs=(int(epochs[0]), int(epochs[-1])),
        trained_epochs=_count_trained(coordinates["trained_epoch"]),
        outcomes={name: int((outcome == name).sum()) for name in ("trained", "failed", "pending")},
        failed_attempts=int(coordinates["failed_attempts"].sum()),
        keep=header.keep,
        n_complete=n_complete,
        train_accuracy=_last_accuracy(header.read("train_accuracy")),
        test_accuracy=_last_accuracy(header.read("test_accuracy")),
        results=_analysed(group, "information", header.content, unknown),
        details=_analysed(group, "details", header.content, unknown),
        outdated=outdated_among(group, header.content),
        unknown=unknown,
        has_checksums=find_checksums(group) is not None,
        disk_bytes=stored_bytes(path) if is_local(path) else None,
        cube_bytes=n_complete * header.n_samples * row_bytes,
    )


def _class_names(header: Header) -> tuple[int | str, ...] | None:
    """Return what the classes were called; None if a label, given since, has no such name."""
    names = header.attributes.get("classes")
    if names is None or int(header.coordinates["label"].max()) >= len(names):
        return None
    return tuple(names)


def layer_table(layers: Sequence[LayerSpec]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Say what the layers are: names of columns, and a row for each layer."""
    rows = tuple(
        (layer.name, str(layer.n_units), layer.activation_function, str(layer.bits))
        for layer in layers
    )
    return ("layer", "units", "function", "bits"), rows


def format_layers(layers: Sequence[LayerSpec]) -> str:
    """Say on one line what the recorded layers are; nothing if there are none."""
    if not layers:
        return ""
    functions = ", ".join(dict.fromkeys(layer.activation_function for layer in layers))
    bits = ", ".join(dict.fromkeys(str(layer.bits) for layer in layers))
    listed = ", ".join(f"{layer.name} {layer.n_units}" for layer in layers)
    return f"{listed} ({functions}; {bits} bits)"


def format_left_out(left_out: Mapping[str, str]) -> str:
    """Say on one line which layers were not recorded, and why; nothing if there are none."""
    return ", ".join(f"{name} ({reason})" for name, reason in left_out.items())


def format_info(info: StoreInfo, path: StorePath) -> str:
    """Return the lines that `ibtools info` prints of the store at `path`."""
    lines = describe_info(info, path).items()
    return "\n".join(f"{name:<11} {visible(text)}" for name, text in lines)


def _count_trained(epochs: NDArray[np.integer]) -> int:
    """Count the epochs of training. A training on random labels counts up to 0, and 0 is one."""
    return int((epochs != 0).sum() if (epochs >= 0).all() else epochs.size)


def describe_info(info: StoreInfo, path: StorePath) -> dict[str, str]:
    """Say in words what there is in the store at `path`, each line by its name."""
    outcomes = ", ".join(f"{count} {name}" for name, count in info.outcomes.items() if count)
    total = info.n_repeats * info.n_epochs
    lines = {
        "experiment": f"{info.experiment} (created {info.created}, ibtools {info.ibtools_version})",
        "training": info.training,
        "layers": format_layers(info.layers),
        "left out": format_left_out(info.left_out),
        "thinned": f"from {info.thinned_from}" if info.thinned_from else "",
        "data": info.data,
        "samples": f"{info.n_samples} in {describe_classes(info)}",
        "inputs": _format_inputs(info),
        "quantised": "" if info.quantised_inputs is None else str(info.quantised_inputs),
        f"{info.counts}s": f"{info.n_epochs} recorded, {info.epochs[0]} to {info.epochs[1]}, "
        f"of {info.trained_epochs} trained",
        "repeats": f"{info.n_repeats}: {outcomes}; "
        f"{counted(info.failed_attempts, 'failed attempt')}",
        "complete": f"{info.n_complete} of {counted(total, 'snapshot')}",
        "kept": _format_keep(info),
        "accuracy": _format_accuracy(info),
        "size": _format_size(info),
        "checksums": "of every chunk" if info.has_checksums else _NO_CHECKSUMS,
        "results": ", ".join(
            f"{name} ({counted(n, 'snapshot')})" for name, n in info.results.items()
        )
        or f"none yet; compute them with: {analyze_command(path)}",
        "out of date": _format_outdated(info, path),
        "details": ", ".join(
            f"{name} ({counted(n, 'snapshot')})" for name, n in info.details.items()
        ),
        "not read": _format_unknown(info),
    }
    return {name: text for name, text in lines.items() if text}


def _format_outdated(info: StoreInfo, path: StorePath) -> str:
    if not info.outdated:
        return ""
    command = analyze_command(path, *info.outdated)
    return f"{', '.join(info.outdated)}; compute anew with: {command}"


def _format_unknown(info: StoreInfo) -> str:
    if not info.unknown:
        return ""
    listed = (
        f"{key} (of the package {package})" if package else key
        for key, package in info.unknown.items()
    )
    return (
        f"{', '.join(listed)}: neither ibtools nor a package that is installed here declares what "
        "is in them"
    )


def describe_classes(info: StoreInfo) -> str:
    """Say how many classes there are, and what they were called before they were numbered."""
    if info.classes is None:
        return counted(info.n_classes, "class")
    names = [str(name) for name in info.classes[:MOST_NAMED]]
    names += ["..."] * (len(info.classes) > MOST_NAMED)
    return f"{counted(info.n_classes, 'class')}, numbered from 0: {', '.join(names)}"


def _format_inputs(info: StoreInfo) -> str:
    if info.n_inputs is None:
        return "each sample counts as an input of its own: which are equal is not known"
    if info.n_inputs == info.n_samples:
        return f"{info.n_inputs}, all different"
    return f"{info.n_inputs} different"


def _format_accuracy(info: StoreInfo) -> str:
    subsets = {"training": info.train_accuracy, "test": info.test_accuracy}
    there = [f"{mean:.3f} {name}" for name, mean in subsets.items() if not np.isnan(mean)]
    if not there:
        return "not recorded"
    return f"{', '.join(there)} (mean of the last {info.counts}s trained)"


def _format_size(info: StoreInfo) -> str:
    recorded = f"{info.cube_bytes / 1e6:.1f} MB recorded"
    if info.disk_bytes is None:
        return recorded
    return f"{recorded}, {info.disk_bytes / 1e6:.1f} MB on disk"


def _last_accuracy(rows: NDArray[np.float32]) -> float:
    """Return the mean over repeats of the last value that each has."""
    last = [row[~np.isnan(row)][-1] for row in rows if not np.isnan(row).all()]
    return float(np.mean(last)) if last else float("nan")


def _format_keep(info: StoreInfo) -> str:
    if info.keep == "partition":
        return "partition: which samples share a state of each layer; no values of units"
    kinds = sorted({"codes" if layer.quantised else "float32 values" for layer in info.layers})
    return f"{' and '.join(kinds)} of every unit"


def count_snapshots(path: StorePath) -> tuple[int, int] | None:
    """Return how many snapshots at `path` are complete, of how many; None if there is no store."""
    group = find_group(path, "r")
    if group is None or "complete" not in group:
        return None
    complete = read_array(group, "complete")
    return int(complete.sum()), complete.size


def count_results(path: StorePath, kind: StoreResults) -> dict[str, int]:
    """Return the analysed snapshots of all results of a kind at `path`, by their names.

    That is a store, or the separate output of an analysis; nothing need be there.
    """
    group = find_group(path, "r")
    if group is None:
        return {}
    return _analysed(group, kind, Content.of(group) if is_store(group) else None, {})


def _analysed(
    group: zarr.Group, key: str, content: Content | None, unknown: dict[str, str]
) -> dict[str, int]:
    """Return the analysed snapshots of the results below `key`, by their names from there on.

    Those that can't be read are put among the `unknown`, with the package that they name.
    """
    if key not in group:
        return {}
    counts: dict[str, int] = {}
    for name, results in sorted(cast("zarr.Group", group[key]).groups()):
        if "analysed" in results:
            try:
                counts[name] = _count(results, content)
            except UnknownResultsError:
                unknown[f"{key}/{name}"] = str(results.attrs.get(PACKAGE, ""))
        else:
            below = _analysed(group, f"{key}/{name}", content, unknown)
            counts |= {f"{name}/{one}": n for one, n in below.items()}
    return counts


def _count(results: zarr.Group, content: Content | None) -> int:
    """Count the snapshots that are analysed as the store beside them is now."""
    if content is None:
        validate_results(results, arrays_of(results), describe_place(results))
        return int(read_array(results, "analysed").sum())
    analysed = read_array(results, "analysed")
    current = content.is_of(results) & content.current_repeats(results)
    return int(analysed[current].sum())
