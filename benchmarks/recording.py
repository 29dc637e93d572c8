"""Recording with engines `dense` and `compiled`, against `fit`: milliseconds per epoch and repeat.

Each figure is from fresh processes that record a real experiment to a store on disk, writing
included, without start-up and compilation. MNIST is measured if IBTOOLS_DATA says where it is.
"""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.table import Row
from ibtools.recorders.engines import ENGINES, load_engine
from ibtools.recorders.record import plan
from ibtools.recorders.training.repeat import RepeatRecorder
from ibtools.store.creation import create_store


@dataclass
class _Stopwatch:
    """A progress bar that notes when each epoch was reported."""

    times: list[float] = field(default_factory=list)

    def update(self, n: int = 1) -> None:
        """Note the time."""
        self.times.append(time.perf_counter())


def milliseconds_per_epoch(experiment: str, engine: str, epochs: int, schedule: str) -> float:
    """Record one repeat to a temporary store; the first tenth is not counted: it compiles."""
    recording = plan(experiment, engine=engine, epochs=epochs, schedule=schedule, repeats=1)
    stopwatch = _Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        group = create_store(Path(folder) / "store.zarr", recording.store_spec())
        RepeatRecorder(recording, group, 0, stopwatch).run(load_engine(ENGINES.find(engine)))
        end = time.perf_counter()
    first = epochs // 10
    return (end - stopwatch.times[first]) / (epochs - first - 1) * 1e3


def training_alone(experiment: str, epochs: int, gap: int) -> float:
    """Train and evaluate as engine `dense` does between snapshots, and take none."""
    from ibtools.recorders.engines.keras.fit import create_trainable
    from ibtools.recorders.engines.keras.quantizers import calibrate
    from ibtools.recorders.engines.native.dense_program import DenseProgram

    training = plan(experiment, epochs=epochs, repeats=1).training(0, 0)
    tapped = create_trainable(training)
    calibrate(tapped.model, training.data.x[~training.data.is_test])
    program = DenseProgram(tapped, training)
    state = program.load()
    program.run(training, range(1, gap + 1), gap, state)
    start = time.perf_counter()
    for first in range(gap + 1, epochs - gap + 2, gap):
        program.run(training, range(first, first + gap), gap, state)
    return (time.perf_counter() - start) / (epochs // gap - 1) / gap * 1e3


def in_processes(n: int, measure: Callable[..., float], *arguments: object) -> float:
    """Return the milliseconds per epoch and repeat of n processes side by side."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n, mp_context=context) as pool:
        futures = [pool.submit(measure, *arguments) for _ in range(n)]
        return float(np.mean([future.result() for future in futures])) / n


def rows(*, scale: int = 1) -> list[Row]:
    """Measure every case on so many times the epochs of the short version."""
    found, record = [], milliseconds_per_epoch
    for experiment in ("SYN-Tanh", "SYN-ReLU"):
        fit = in_processes(1, record, experiment, "fit", 60 * scale, "every:5")
        compiled = in_processes(1, record, experiment, "compiled", 500 * scale, "every:5")
        found.append(Row(f"record {experiment}, engine compiled", compiled, fit, "ms"))
        ours = {
            n: in_processes(n, record, experiment, "dense", 4000 * scale, "every:5") for n in (1, 2)
        }
        for n, milliseconds in ours.items():
            found.append(Row(f"record {experiment}, {n} process(es)", milliseconds, fit, "ms"))
        trained = in_processes(1, training_alone, experiment, 1500 * scale, 5)
        found.append(Row(f"record {experiment} (baseline: train it only)", ours[1], trained, "ms"))
    if os.environ.get("IBTOOLS_DATA"):
        name = "MNIST-Bottleneck-2"
        fit = in_processes(1, record, name, "fit", 5 + 3 * scale, "every:2")
        for n in (1, 2):
            ours_mnist = in_processes(n, record, name, "dense", 150 * scale, "every:2")
            found.append(Row(f"record {name}, {n} process(es)", ours_mnist, fit, "ms"))
    return found


if __name__ == "__main__":
    from benchmarks.table import print_table

    print_table(rows())
