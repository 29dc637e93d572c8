"""Writing a smaller store from a store: the partition, some layers, some epochs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np
import zarr
from numpy.typing import NDArray

from ibtools.errors import StoreExistsError
from ibtools.progress import Progress, progress_bar
from ibtools.shown import counted
from ibtools.store.creation import create_store
from ibtools.store.groups import (
    delete_partial_files,
    find_group,
    is_taken,
    is_unfinished,
    read_array,
)
from ibtools.store.header import Header
from ibtools.store.layout import StoreSpec
from ibtools.store.opened import open_checked
from ibtools.store.storage import StorePath, absolute, is_local
from ibtools.store.thin_choice import THINNED, ThinChoice
from ibtools.store.thinned_repeat import ThinnedRepeat
from ibtools.store.validation.attributes import is_ours
from ibtools.store.writer import RepeatWriter


@dataclass(frozen=True)
class ThinReport:
    """What was done to thin a store.

    Parameters
    ----------
    copied, skipped : int
        Repeats that were copied now, and that an earlier, perhaps killed, run had finished.
    snapshots : int
        Snapshots that are complete in the thin store.
    results : tuple of str
        Results and details that came along, such as "information/exact".
    left : dict of str to str
        Those that did not, and why.
    """

    copied: int
    skipped: int
    snapshots: int
    results: tuple[str, ...] = ()
    left: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        along = f"; with {', '.join(self.results)}" if self.results else ""
        left = "".join(
            f"; without {', '.join(name for name in self.left if self.left[name] == why)}: {why}"
            for why in dict.fromkeys(self.left.values())
        )
        return (
            f"{counted(self.copied, 'repeat')} copied, {self.skipped} skipped (copied before), "
            f"{counted(self.snapshots, 'snapshot')}{along}{left}"
        )


def thin_store(
    path: StorePath,
    output: StorePath,
    *,
    keep: Literal["partition"] | None = None,
    layers: Iterable[str] | None = None,
    epochs: str | Iterable[int] | None = None,
    quiet: bool = False,
) -> ThinReport:
    """Write a smaller store from a store, which is only read.

    Parameters
    ----------
    path : path or URL
        An ibtools store.
    output : path or URL
        Where the thin store goes: nothing may be there, but what an earlier run with the same
        arguments has left, which is gone on with, repeat by repeat.
    keep : {"partition"}, optional
        Keep which samples share a state of each layer, in place of codes and values.
    layers : iterable of str, optional
        The layers that are kept; all by default.
    epochs : str or iterable of int, optional
        The epochs that are kept; all that are recorded by default. A list of recorded ones, or a
        schedule such as "log:60" or "every:100", of which the nearest recorded ones are taken.
    quiet : bool, optional
        Show no progress.

    Returns
    -------
    ThinReport

    Raises
    ------
    InputError
        If nothing is to be left out, if no layer or epoch is chosen, or an epoch is not recorded.
    UnknownNameError
        If there is no such layer.
    StoreExistsError
        If something else is at `output`, or it is the source or in it.
    StoreError
        If there is no store at `path`, or the thin one can't be written.

    Notes
    -----
    Samples, labels, seeds, outcomes, losses, accuracies, attributes and grids come along. Where no
    layer is left out, so do results and details, with their checksums: also those that can't be
    computed of a partition any more. A repeat counts as pending until all of it is there.

    Examples
    --------
    >>> import numpy as np, tempfile, ibtools
    >>> folder = tempfile.TemporaryDirectory()
    >>> path, thin = f"{folder.name}/run.zarr", f"{folder.name}/thin.zarr"
    >>> code = np.arange(16, dtype="uint8").reshape(1, 2, 8, 1)
    >>> ibtools.record_arrays(path, {"hidden": code}, label=np.arange(8) % 2)
    >>> print(ibtools.thin_store(path, thin, keep="partition", epochs=[1], quiet=True))
    1 repeat copied, 0 skipped (copied before), 1 snapshot
    >>> folder.cleanup()
    """
    from ibtools.analysis.passes.carrying import carry_results  # noqa: TID251

    _validate_places(path, output)
    group, coordinates = open_checked(path)
    source = Header.of(group, coordinates)
    choice = ThinChoice.of(source, keep=keep, layers=layers, epochs=epochs)
    target, known = _open_or_create(output, choice.spec())
    copied = _copy_pending(choice, target, known, quiet=quiet)
    delete_partial_files(output)
    results, left = carry_results(group, output, has_all_layers=choice.has_all_layers)
    n_snapshots = int(read_array(target, "complete").sum())
    return ThinReport(copied, len(known["repeat"]) - copied, n_snapshots, results, left)


def _validate_places(path: StorePath, output: StorePath) -> None:
    """Check that the thin store will be neither the source nor in it."""
    source, target = _place(path), _place(output)
    if f"{target}/".startswith(f"{source}/"):
        where = "is that store" if target == source else "is inside of it"
        raise StoreExistsError(
            f"{output}: a store must be thinned to another place than {path}, of which nothing is "
            f"changed, but {where}; choose another --output (output=)"
        )


def _place(path: StorePath) -> str:
    place = absolute(path).rstrip("/")
    return os.path.realpath(place) if is_local(path) else place


def _open_or_create(
    output: StorePath, spec: StoreSpec
) -> tuple[zarr.Group, dict[str, NDArray[Any]]]:
    """Create the thin store, or open what an earlier run has left of the same."""
    found = find_group(output, "r") if is_taken(output) else None
    if found is None or not is_ours(found.attrs) or is_unfinished(found):
        create_store(output, spec)
        return open_checked(output, "r+")
    group, coordinates = open_checked(output, "r+")
    asked = {name: values.tolist() for name, values in spec.coordinates().items()}
    there = {name: coordinates[name].tolist() for name in asked if name in coordinates}
    if there != asked or group.attrs.get(THINNED) != spec.attributes[THINNED]:
        raise StoreExistsError(
            f"{output}: a store is there already, and it was not thinned from this one as it is "
            "now, to the same layers and epochs; choose another path"
        )
    return group, coordinates


def _copy_pending(
    choice: ThinChoice, target: zarr.Group, known: dict[str, NDArray[Any]], *, quiet: bool
) -> int:
    """Copy the repeats that are not wholly there; return how many."""
    source, there = choice.source, Header.of(target, known)
    complete = source.complete[:, choice.epochs]
    same = [_is_whole(source, there, row, complete[row]) for row in range(len(complete))]
    with progress_bar(
        int(complete.sum()), "thin", unit="snapshot", done=int(complete[same].sum()), quiet=quiet
    ) as progress:
        for row in np.flatnonzero(~np.array(same)).tolist():
            writer = RepeatWriter(target, int(known["repeat"][row]), known)
            _copy_repeat(ThinnedRepeat(choice, row), writer, progress)
    return same.count(False)


def _is_whole(source: Header, there: Header, row: int, complete: NDArray[np.bool_]) -> bool:
    """Whether a repeat was copied wholly; one that is still being recorded never is."""
    one, other = source.coordinates, there.coordinates
    names = ("outcome", "seed", "failed_attempts")
    same = all(one[name][row] == other[name][row] for name in names)
    same &= bool(one["outcome"][row] != "pending")
    return same and np.array_equal(there.complete[row], complete)


def _copy_repeat(repeat: ThinnedRepeat, writer: RepeatWriter, progress: Progress) -> None:
    known, row = repeat.choice.source.coordinates, repeat.row
    seed, attempts = int(known["seed"][row]), int(known["failed_attempts"][row])
    writer.start_attempt(seed=seed, failed_attempts=attempts)
    writer.set_numbers(**repeat.numbers())
    random_label = repeat.random_label()
    if random_label is not None:
        writer.set_random_label(random_label)
    for epoch, layers in repeat.snapshots():
        writer.add_kept(epoch, layers)
        progress.update()
    repeat.validate_unchanged()
    outcome = str(known["outcome"][row])
    if outcome == "pending":
        writer.commit()
    else:
        writer.finish(cast(Literal["trained", "failed"], outcome))
