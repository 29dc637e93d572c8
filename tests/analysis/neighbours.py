"""What processes do to one store at once, for tests that kill them: importable by their names."""

import time
from pathlib import Path

import numpy as np

import ibtools
from ibtools.analysis.passes import plan
from ibtools.recorders.training.checkpoint import delete_checkpoints, prepare_checkpoints
from ibtools.store.creation import create_store
from ibtools.store.groups import consolidate
from ibtools.store.layout import StoreSpec
from ibtools.store.opened import open_group
from ibtools.store.snapshots import LayerSpec, LayerValues
from ibtools.store.writer import RepeatWriter

LAYERS = (LayerSpec("first", 3, "relu", 8), LayerSpec("second", 2, "relu", 8))
REPEATS = (0, 1, 2)
EPOCHS = tuple(range(16))
RECORDED = 8
"""Epochs that are there before anybody analyses; a recording adds the others."""


def create(path: Path | str, epochs: range = range(RECORDED)) -> None:
    """Create a store, of which these epochs are recorded."""
    spec = StoreSpec(LAYERS, REPEATS, EPOCHS, (1,), np.arange(32) % 2)
    create_store(path, spec)
    for repeat in REPEATS:
        add(path, repeat, epochs)


def add(path: Path | str, repeat: int, epochs: range) -> None:
    writer = RepeatWriter(open_group(path, "r+"), repeat)
    if not writer.complete.any():
        writer.start_attempt(seed=repeat, failed_attempts=0)
    for epoch in epochs:
        rng = np.random.default_rng([repeat, epoch])
        values = {
            layer.name: LayerValues(rng.integers(0, 3, (32, layer.n_units), "uint8"), 1.0)
            for layer in LAYERS
        }
        writer.add_snapshot(epoch, values)
    writer.commit()


def go_on(path: str) -> None:
    """Record what is left, a few snapshots at a time, as `record` does."""
    group = open_group(path, "r+")
    prepare_checkpoints(group)
    for start in range(RECORDED, len(EPOCHS), 2):
        for repeat in REPEATS:
            add(path, repeat, range(start, start + 2))
        time.sleep(0.05)
    delete_checkpoints(group)
    consolidate(path)


def analyse(path: str) -> None:
    """Analyse with a write for every block."""
    plan.WINDOW_BYTES = 1
    ibtools.analyze_store(
        path, estimator=["exact", "exact-per-unit"], scheduler="synchronous", quiet=True
    )


def details(path: str) -> None:
    """Compute two details, with a write for every chunk."""
    plan.WINDOW_BYTES = 1
    ibtools.details_store(path, ["units", "layers"], quiet=True)
