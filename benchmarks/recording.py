"""Training and recording by engines `native` and `compiled`, against `fit`: per epoch and repeat.

First each network of the paper is trained and evaluated, and nothing recorded: processor time of an
epoch. Then real experiments are recorded to a store on disk, writing included: time that passes.
Each figure is from fresh processes, without start-up and compilation. MNIST is measured if
IBTOOLS_DATA says where it is.
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
from ibtools.recorders.engines.protocol import Training
from ibtools.recorders.experiments import EXPERIMENTS
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
        RepeatRecorder(recording, group, 0, stopwatch).run(load_engine(recording.engine_target))
        end = time.perf_counter()
    first = epochs // 10
    return (end - stopwatch.times[first]) / (epochs - first - 1) * 1e3


def training_alone(
    experiment: str, engine: str, epochs: int, gap: int, clock: Callable[[], float]
) -> float:
    """Train and evaluate without taking snapshots; the first epochs are not counted."""
    training = plan(experiment, epochs=epochs + gap, schedule="0", repeats=1).training(0, 0)
    if engine == "fit":
        times: list[float] = []
        load_engine(ENGINES.find(engine)).train(training, lambda _: not times.append(clock()))
        return (times[-1] - times[gap]) / (len(times) - 1 - gap) * 1e3
    run = _prepare(engine, training, gap)
    run(range(1, gap + 1))
    start = clock()
    for first in range(gap + 1, epochs + 2, gap):
        run(range(first, first + gap))
    return (clock() - start) / len(range(gap + 1, epochs + 2, gap)) / gap * 1e3


def _prepare(engine: str, training: Training, gap: int) -> Callable[[range], object]:
    """Return what trains and evaluates some epochs, as the engine does between snapshots."""
    import tensorflow as tf

    from ibtools.recorders.engines.keras.calibration import start_ranges
    from ibtools.recorders.engines.keras.epochs import EpochProgram
    from ibtools.recorders.engines.keras.fit import create_trainable
    from ibtools.recorders.engines.native.engine import NativeProgram

    if engine == "native":
        native = NativeProgram(training)
        state = native.begin(training)
        return lambda epochs: native.machine.run(training, epochs, len(epochs), state)
    load_engine(ENGINES.find(engine))  # asks for one thread
    tapped = create_trainable(training)
    start_ranges(tapped.model, training)
    compiled = EpochProgram(tapped, training, tf.constant(training.data.x), gap)
    return lambda epochs: compiled.run(training, epochs)


def in_processes(n: int, measure: Callable[..., float], *arguments: object) -> float:
    """Return the milliseconds per epoch and repeat of n processes side by side."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n, mp_context=context) as pool:
        futures = [pool.submit(measure, *arguments) for _ in range(n)]
        return float(np.mean([future.result() for future in futures])) / n


_EPOCHS = {"fit": 1, "compiled": 1, "native": 5}
"""Epochs of MNIST that are trained alone, in the short version; of SYN fifty times as many."""


def training_rows(*, scale: int = 1) -> list[Row]:
    """Measure the processor time of an epoch of each network of the paper."""
    found = []
    for experiment in EXPERIMENTS.names():
        if experiment == "custom" or (_is_mnist(experiment) and not os.environ.get("IBTOOLS_DATA")):
            continue
        more, gap = (1, 1) if _is_mnist(experiment) else (50, 5)
        taken = {
            engine: in_processes(
                1, training_alone, experiment, engine, n * more * scale, gap, time.process_time
            )
            for engine, n in _EPOCHS.items()
        }
        for engine in ("compiled", "native"):
            what = f"train and evaluate {experiment}, engine {engine} (baseline: fit)"
            found.append(Row(what, taken[engine], taken["fit"], "ms of processor"))
    return found


def _is_mnist(experiment: str) -> bool:
    return experiment.startswith("MNIST")


def rows(*, scale: int = 1) -> list[Row]:
    """Measure every case on so many times the epochs of the short version."""
    return [*training_rows(scale=scale), *recording_rows(scale=scale)]


def recording_rows(*, scale: int = 1) -> list[Row]:
    """Measure recordings with all that belongs to them."""
    found, record = [], milliseconds_per_epoch
    for experiment in ("SYN-Tanh", "SYN-ReLU"):
        fit = in_processes(1, record, experiment, "fit", 60 * scale, "every:5")
        compiled = in_processes(1, record, experiment, "compiled", 500 * scale, "every:5")
        found.append(Row(f"record {experiment}, engine compiled", compiled, fit, "ms"))
        ours = {
            n: in_processes(n, record, experiment, "native", 4000 * scale, "every:5")
            for n in (1, 2)
        }
        for n, milliseconds in ours.items():
            found.append(Row(f"record {experiment}, {n} process(es)", milliseconds, fit, "ms"))
        trained = in_processes(
            1, training_alone, experiment, "native", 1500 * scale, 5, time.perf_counter
        )
        found.append(Row(f"record {experiment} (baseline: train it only)", ours[1], trained, "ms"))
    if os.environ.get("IBTOOLS_DATA"):
        name = "MNIST-Bottleneck-2"
        fit = in_processes(1, record, name, "fit", 5 + 3 * scale, "every:2")
        for n in (1, 2):
            ours_mnist = in_processes(n, record, name, "native", 150 * scale, "every:2")
            found.append(Row(f"record {name}, {n} process(es)", ours_mnist, fit, "ms"))
    return found


if __name__ == "__main__":
    from benchmarks.table import print_table

    print_table(rows())
