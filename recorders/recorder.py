"""The `Recorder`: a training loop of the user's own records what it wants, as it comes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, get_args

from dask.utils import format_bytes
from numpy.typing import ArrayLike, NDArray

from ibtools.errors import InputError, StoreError, unknown_name
from ibtools.progress import Progress, progress_bar, write_line
from ibtools.recorders import unclosed
from ibtools.recorders.array_layers import (
    Bits,
    Taken,
    choose_specs,
    take_snapshot,
    unit_shapes,
    values_of,
)
from ibtools.recorders.corridor import Corridor, most_waiting
from ibtools.recorders.growing_writer import NEVER, GrowingWriter
from ibtools.recorders.recorded_samples import RecordedSamples
from ibtools.recorders.recorded_store import complete_epochs, find_store, open_or_create
from ibtools.recorders.recorder_input import epoch_number, natural, own_attributes, scalar
from ibtools.recorders.training.background import Background
from ibtools.schedule import open_schedule, parse_schedule
from ibtools.shown import counted
from ibtools.store.counts import COUNTS, Counts
from ibtools.store.growing import EPOCH_AXES
from ibtools.store.growth import validate_new_epoch
from ibtools.store.layout import StoreSpec
from ibtools.store.schema import Inputs, Keep
from ibtools.store.snapshots import LayerValues
from ibtools.store.storage import StorePath, absolute
from ibtools.store.validation.bounds import AXIS
from ibtools.store.writer import validate_snapshot

_MOST_WAITING = 256
"""Snapshots that wait to be written, at the most."""


class Recorder:
    """Records a training as it goes: any loop, any framework.

    Use it as a context manager. What came is complete and can be analysed, also while the loop
    still runs, also by another process; a snapshot is on disk some ten seconds after it came.
    Snapshots are written by a second thread.

    Parameters
    ----------
    path : path or URL
        The store. It is created with the first snapshot; a store that another `Recorder` has
        created for the same samples gets a further repeat.
    label : array_like, (sample,), integer, bool or str
        Label of each recorded sample, as for `ibtools.record_arrays`.
    split : array_like, (sample,), str, optional
        "train" or "test".
    schedule : str or iterable of int, optional
        Which epochs `wants` asks for: ``every:N``, ``log:N`` or a list, as for ``ibtools record``.
        Of ``log:N`` the first fall together, so that it is at most N of `epochs`, and where these
        are not given, of the first 10 000; then it goes on with the same spacing.
    epochs : int, optional
        How many there will be at the most, if that is known: for the schedule and the progress.
    counts : {"epoch", "step"}, optional
        What the numbers of snapshots count; figures say it.
    repeat : int, optional
        Number of this repeat, from 0. Repeats may come one after the other, or from several
        processes at the same time, which need a file system that locks folders.
    resume : bool, optional
        Go on with the repeat after its last snapshot, see `next_epoch`; a repeat that is not there
        is begun.
    overwrite : bool, optional
        Replace the ibtools store that is at `path`, all repeats of it.
    x : array_like, (sample, ...), or str, optional
        The inputs: samples with the same are then known, and H(X) is that of the different ones.
        Or a word that identifies them, such as a checksum, which is kept.
    activation_functions, bits, keep, inputs, is_chain
        As for `ibtools.record_arrays`.
    seed : int, optional
        Seed of this repeat, which the store keeps.
    attributes : mapping of str to str or int, optional
        Further root attributes of a new store, such as ``{"optimiser": "sgd"}``; results have them
        too, and figures of several stores are titled by those that differ.
    quiet : bool, optional
        Write neither progress nor how much a snapshot takes.

    Raises
    ------
    StoreError
        If the store at `path` is of other samples or layers, or can't be written to.
    StoreExistsError
        If the repeat is there already, or something else is at `path`.
    InputError
        If a setting is none.

    Notes
    -----
    What kills the process leaves all snapshots that were on disk, complete. With ``resume=True``
    the same script goes on after the last of them; a loop that is deterministic then ends with the
    bytes of one that was not interrupted.

    Examples
    --------
    >>> import numpy as np, tempfile, ibtools
    >>> rng = np.random.default_rng(0)
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = f"{folder.name}/run.zarr"
    >>> with ibtools.Recorder(path, label=np.arange(8) % 2, schedule="log:5") as recorder:
    ...     for epoch in range(recorder.next_epoch, 30):
    ...         hidden = rng.integers(0, 4, (8, 3)).astype("uint8")
    ...         recorder.epoch(epoch, train_accuracy=0.5, learning_rate=0.1)
    ...         if recorder.wants(epoch):
    ...             recorder.snapshot(epoch, {"hidden": hidden})
    >>> ibtools.open_store(path).epoch.values.tolist()
    [1, 22]
    >>> folder.cleanup()
    """

    def __init__(
        self,
        path: StorePath,
        *,
        label: ArrayLike,
        split: ArrayLike | None = None,
        schedule: str | Iterable[int] = "every:1",
        epochs: int | None = None,
        counts: Counts = "epoch",
        repeat: int = 0,
        resume: bool = False,
        overwrite: bool = False,
        x: ArrayLike | str | None = None,
        activation_functions: Mapping[str, str] | None = None,
        bits: Bits | None = None,
        keep: Keep = "codes",
        inputs: Inputs | None = None,
        is_chain: bool | None = None,
        seed: int | None = None,
        attributes: Mapping[str, str | int] | None = None,
        quiet: bool = False,
    ) -> None:
        if resume and overwrite:
            raise InputError(
                "resume=True goes on with what is there, overwrite=True deletes it: give one"
            )
        self._path, self._repeat = absolute(path), natural("repeat", repeat, most=AXIS)
        self._seed = -1 if seed is None else natural("seed", seed)
        if counts not in get_args(Counts):
            raise unknown_name("counts", counts, get_args(Counts))
        self._samples = RecordedSamples.of(label, split=split, x=x)
        self._n_epochs = None if epochs is None else natural("epochs", epochs)
        if self._n_epochs is None:
            self._is_scheduled = open_schedule(schedule)
        else:
            self._scheduled = frozenset(parse_schedule(schedule, epochs=self._n_epochs))
            self._is_scheduled = self._scheduled.__contains__
        self._quiet, self._counts = quiet, counts
        self._given_by_layer = (activation_functions, bits)
        self._attributes = {
            "experiment": "recorder",
            COUNTS: counts,
            **own_attributes(attributes or {}),
        }
        self._of_store: dict[str, Any] = {"keep": keep, "inputs": inputs, "is_chain": is_chain}
        self._overwrite, self._resume, self._process = overwrite, resume, os.getpid()
        self._writer: GrowingWriter | None = None
        self._corridor: Corridor | None = None
        self._told: dict[int, dict[str, float]] = {}
        self._is_open, self._stack = True, ExitStack()
        self._progress: Progress | None = None
        found = None if overwrite else find_store(path, self._repeat, resume=resume)
        self._last_snapshot = NEVER
        self._known: dict[str, NDArray[Any]] = {}
        if found is not None:
            self._samples.validate_same(path, found)
            self._last_snapshot = max(complete_epochs(found, self._repeat), default=NEVER)
            self._known = {axis: found.coordinates[axis] for axis in EPOCH_AXES}
        self._last_told = self._last_snapshot

    def __getstate__(self) -> Any:
        """Refuse to be sent to another process."""
        raise TypeError("a Recorder stays in its process: make one in each, with its own repeat=")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        err: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Write what came; without an error, the repeat is trained then."""
        if err is None:
            self.close()
            return
        if not self._is_open or os.getpid() != self._process:  # a child was forked in the loop
            return
        try:
            self._close(finished=False)
        except StoreError as also:
            err.add_note(f"{also}")

    @property
    def next_epoch(self) -> int:
        """The epoch that the loop goes on with: 1, or after the last snapshot that is there.

        The network before any training is epoch 0, and may be recorded before the loop.
        """
        return max(0, self._last_snapshot) + 1

    def wants(self, epoch: int) -> bool:
        """Whether the schedule has this epoch, and it is after the last snapshot that is there."""
        return epoch > self._last_snapshot and self._is_scheduled(epoch)

    def epoch(self, epoch: int, /, **scalars: float) -> None:
        """Take numbers after an epoch: loss, accuracy, learning rate, any that have a name.

        Parameters
        ----------
        epoch : int
            Its number, not below that of the last call.
        **scalars : float
            By name. `train_loss` and `test_loss` (nats), `train_accuracy` and `test_accuracy` (0 to
            1) are in every store, and figures know them.

        Raises
        ------
        StoreError
            If an epoch comes before the last, a name is taken, or a number is none. What failed in
            the second thread is raised here too.
        """
        self._require_open()
        number = epoch_number(epoch)
        if number < self._last_told:
            raise StoreError(
                f"epochs must be told in ascending order, found {number} after {self._last_told}"
            )
        told = {name: scalar(name, value) for name, value in scalars.items()}
        if self._corridor is None:
            self._validate_new("trained_epoch", number)
            self._told.setdefault(number, {}).update(told)
        else:
            self._corridor.add_scalars(number, told)
        self._last_told = number
        self._show(number)

    def snapshot(self, epoch: int, layers: Mapping[str, ArrayLike | LayerValues]) -> None:
        """Take what the layers have for all samples.

        Parameters
        ----------
        epoch : int
            Number of the epoch or step, larger than that of the last snapshot. The schedule only
            advises: any may be recorded.
        layers : mapping of str to array_like, (sample, unit, ...), or LayerValues
            As a snapshot of `ibtools.record_arrays`; the same layers each time. They are copied.

        Raises
        ------
        StoreError
            If the epoch is not a later one, or the layers are not those of the store. What failed
            in the second thread is raised here too.
        """
        self._require_open()
        number = epoch_number(epoch)
        if number <= self._last_snapshot:
            raise StoreError(
                f"snapshots must be of ascending epochs, found {number} after "
                f"{self._last_snapshot}, which is recorded; ask recorder.wants(epoch), and go on "
                "after a restart from recorder.next_epoch"
            )
        self._validate_new("epoch", number)
        taken = take_snapshot(layers)
        corridor = self._corridor or self._start(number, taken, unit_shapes(layers))
        corridor.add_snapshot(number, values_of(taken))
        self._last_snapshot, self._last_told = number, max(self._last_told, number)
        self._show(number)

    def flush(self) -> None:
        """Have all that came on disk when this returns."""
        self._require_open()
        if self._corridor is not None:
            self._corridor.flush()

    def close(self) -> None:
        """Write all that came; the repeat is trained then. Leaving the context does it too."""
        if self._is_open:
            self._require_open()
            self._close(finished=True)

    def _close(self, *, finished: bool) -> None:
        self._is_open = False
        unclosed.forget(self)
        with self._stack:
            if self._corridor is None and finished and self._last_snapshot != NEVER:
                self._write()  # nothing was left to record: it is trained now
            if self._corridor is not None:
                self._finish(self._corridor, finished=finished)
            elif finished:
                raise StoreError(
                    f"{self._path}: nothing was recorded, for no snapshot came; call snapshot() "
                    "for the epochs that wants() asks for"
                )

    def _finish(self, corridor: Corridor, *, finished: bool) -> None:
        try:
            if finished:
                corridor.finish("trained")
            else:
                corridor.flush()
        finally:
            if self._writer is not None:
                self._writer.release()

    def _leave(self) -> None:
        """Write what came, of a recorder that nobody closed; say so."""
        if os.getpid() != self._process:
            return
        write_line(
            f"{self._path}: the recorder of repeat {self._repeat} was not closed: what came is "
            "kept, and the repeat counts as pending; use it in a with statement, or call close()"
        )
        try:
            self._close(finished=False)
        except StoreError as err:
            write_line(f"{err}")

    def _require_open(self) -> None:
        if os.getpid() != self._process:
            raise StoreError(
                f"{self._path}: a Recorder stays in the process that made it, and this one was "
                "forked; make another in it, with its own repeat="
            )
        if not self._is_open:
            raise StoreError(
                f"{self._path}: the recorder was closed; go on with another one: "
                "Recorder(..., resume=True)"
            )

    def _validate_new(self, axis: str, number: int) -> None:
        """Check that the store can have an epoch, as far as is known of it now."""
        if axis == "epoch" and self._corridor is not None:
            self._corridor.validate_epoch(number)
        elif axis in self._known:
            validate_new_epoch(self._path, axis, self._known[axis], number)

    def _start(
        self, number: int, taken: Mapping[str, Taken], shapes: Mapping[str, list[int]]
    ) -> Corridor:
        """Create the store, or find it, now that the layers are known."""
        specs, values = choose_specs(taken, *self._given_by_layer), values_of(taken)
        validate_snapshot(specs, values, self._samples.n_samples)
        spec = StoreSpec(
            layers=specs,
            repeats=tuple(range(self._repeat + 1)),
            epochs=(number,),
            trained_epochs=tuple(sorted({*self._told, number})),
            attributes={
                **self._attributes,
                **self._samples.attributes(),
                **({"unit_shapes": shapes} if shapes else {}),
            },
            growing=True,
            unit_grids=any(one.has_unit_grids for one in values.values()),
            **self._samples.fields(),
            **self._of_store,
        )
        open_or_create(self._path, spec, overwrite=self._overwrite)
        self._say(spec)
        return self._write()

    def _write(self) -> Corridor:
        """Begin to write to the store, in a second thread."""
        self._writer = GrowingWriter(self._path, self._repeat, seed=self._seed, resume=self._resume)
        most = most_waiting(self._writer, most=_MOST_WAITING)
        background = self._stack.enter_context(Background(most))
        self._corridor = Corridor(self._writer, background, copies=True)
        unclosed.remember(self, self._leave)
        for epoch, numbers in self._told.items():
            self._corridor.add_scalars(epoch, numbers)
        self._told = {}
        return self._corridor

    def _say(self, spec: StoreSpec) -> None:
        """Say what the recording will take, and show how far it is, if that is known."""
        if self._quiet:
            return
        begins = f"recording repeat {self._repeat} to {self._path}: "
        snapshot_bytes = spec.n_samples * sum(one.row_bytes(spec.keep) for one in spec.layers)
        takes = f"{format_bytes(snapshot_bytes)} a snapshot"
        if self._n_epochs is not None:
            n = len(self._scheduled)
            left = sum(epoch > self._last_snapshot for epoch in self._scheduled)
            begins += f"{counted(left, 'more ' * (left < n) + 'snapshot')}, "
            takes += f", {format_bytes(n * snapshot_bytes)} the {n} of a repeat"
        write_line(
            f"{begins}{counted(len(spec.layers), 'layer')} of "
            f"{counted(spec.n_samples, 'sample')}, {takes}, "
            "before they are compressed"
        )
        if self._n_epochs is not None:
            done = max(0, self._last_snapshot)
            self._progress = self._stack.enter_context(
                progress_bar(self._n_epochs, "recording", unit=self._counts, done=done)
            )
            self._shown = done

    def _show(self, number: int) -> None:
        if self._progress is not None and number > self._shown:
            self._progress.update(number - self._shown)
            self._shown = number
