"""A small recording that is the same each time, and can be gone on with."""

from pathlib import Path

import numpy as np

from ibtools.analysis.passes.results import analyze_store
from ibtools.recorders.training.checkpoint import prepare_checkpoints
from ibtools.store.creation import create_store
from ibtools.store.datasets import open_raw
from ibtools.store.groups import find_group, is_taken, is_unfinished, read_array
from ibtools.store.layout import StoreSpec
from ibtools.store.opened import open_group
from ibtools.store.schema import CUBE
from ibtools.store.snapshots import History, LayerSpec, LayerValues
from ibtools.store.writer import RepeatWriter

EPOCHS = tuple(range(70))
"""Two blocks, the last of which is a short one."""

REPEATS = (0, 1)
N_SAMPLES = 64
LAYERS = (LayerSpec("hidden", 7, "relu", 8), LayerSpec("output", 2, "softmax", 8))

_STOPS = 9
"""Of fifty epochs, after which a block is written before it is full: its file is replaced later."""


def draw(repeat: int, epoch: int) -> dict[str, LayerValues]:
    """Return a snapshot."""
    rng = np.random.default_rng((repeat, epoch))
    hidden = rng.integers(0, 256, (N_SAMPLES, 7)).astype("uint8")
    output = rng.integers(0, 256, (N_SAMPLES, 2)).astype("uint8")
    return {"hidden": LayerValues(hidden, 0.5, epoch), "output": LayerValues(output, 0.25, repeat)}


def record(path: Path | str) -> None:
    """Create a store unless there is one, and record what is not complete."""
    group = find_group(path, "r") if is_taken(path) else None
    if group is None or is_unfinished(group):
        label = np.arange(N_SAMPLES) % 2
        # a training by name: what is damaged of it can be recorded anew
        settings = {"experiment": "trial"}
        create_store(
            path, StoreSpec(LAYERS, REPEATS, EPOCHS, EPOCHS, label, configuration=settings)
        )
    for row, repeat in enumerate(REPEATS):
        if read_array(open_group(path), "outcome")[row] == "pending":
            _record_repeat(path, repeat)


def _record_repeat(path: Path | str, repeat: int) -> None:
    group = open_group(path, "r+")
    prepare_checkpoints(group)
    writer = RepeatWriter(group, repeat)
    if not writer.complete.any() or read_array(group, "seed")[REPEATS.index(repeat)] != repeat:
        writer.start_attempt(seed=repeat, failed_attempts=0)
    complete = writer.complete
    for epoch in EPOCHS:
        writer.add_history(epoch, History(1.0, 0.5, 1.0, 0.5))
        if complete[epoch]:
            continue
        writer.add_snapshot(epoch, draw(repeat, epoch))
        if epoch % 50 == _STOPS:
            writer.commit()
    writer.finish("trained")


def analyze(path: Path | str) -> None:
    """Analyse what is recorded, in this thread."""
    analyze_store(path, scheduler="synchronous", quiet=True)


def is_right(path: Path | str) -> bool:
    """Whether all that is marked as complete is as it was drawn."""
    found = open_raw(path).load()
    for row, epoch in zip(*np.nonzero(found["complete"].values), strict=True):
        for index, taken in enumerate(draw(REPEATS[row], int(epoch)).values()):
            n_units = LAYERS[index].n_units
            codes = found["code"].values[row, epoch, index, :, :n_units]
            grid = found["zero_point"].values[row, epoch, index]
            if not np.array_equal(codes, taken.values) or grid != taken.zero_point:
                return False
    return True


def recorded(path: Path | str) -> dict[str, bytes]:
    """Return what was recorded, whole: the bytes of every variable."""
    found = open_raw(path).load()
    return {str(name): one.values.tobytes() for name, one in found.variables.items()}


def results(path: Path | str) -> dict[str, bytes]:
    """Return the results of `exact`, whole."""
    found = open_raw(path, group="information/exact").load()
    names = [name for name, one in found.data_vars.items() if one.dims[:2] == CUBE[:2]]
    return {str(name): found[name].values.tobytes() for name in names}
