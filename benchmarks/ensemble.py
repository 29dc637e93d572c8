"""Why there is no engine that trains all repeats as one program: engine `native` trains one faster.

A prototype of SYN-Tanh's training with a leading repeat axis, compiled by XLA, against the same
prototype for one repeat at a time, and engine `native` against both: training only, without
evaluation, snapshots and writing.
"""

import time
from itertools import pairwise

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from benchmarks.table import Row
from ibtools.recorders.data import load_data_set
from ibtools.recorders.networks import Dense, get_network

BATCH = 256


class Ensemble:
    """So many repeats of SYN-Tanh, every variable with a leading repeat axis, and Adam."""

    def __init__(self, n_repeats: int) -> None:
        rng = np.random.default_rng(0)
        layers = [layer for layer in get_network("syn").layers if isinstance(layer, Dense)]
        widths = [12, *(layer.units for layer in layers)]
        self.weights = []
        for n_in, n_out in pairwise(widths):
            limit = np.sqrt(6 / (n_in + n_out))
            kernel = rng.uniform(-limit, limit, (n_repeats, n_in, n_out))
            self.weights += [_variable(kernel), _variable(np.zeros((n_repeats, 1, n_out)))]
        self.moments = [[_variable(np.zeros(w.shape)) for w in self.weights] for _ in range(2)]
        self.steps = tf.Variable(0.0)

    def logits(self, x: tf.Tensor) -> tf.Tensor:
        """Run (repeat, sample, unit) through the layers; each is quantised to 8 bits."""
        for index in range(0, len(self.weights), 2):
            x = tf.matmul(x, self.weights[index]) + self.weights[index + 1]
            x = _quantise(tf.tanh(x) if index < len(self.weights) - 2 else x)
        return x

    def step(self, x: tf.Tensor, y: tf.Tensor) -> None:
        """Take one step of Adam on a batch of every repeat."""
        with tf.GradientTape() as tape:
            losses = tf.nn.softmax_cross_entropy_with_logits(y, self.logits(x))
            loss = tf.reduce_sum(tf.reduce_mean(losses, axis=1))
        self.steps.assign_add(1.0)
        rate = 1e-4 * tf.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        gradients = tape.gradient(loss, self.weights)
        for weight, gradient, m, v in zip(self.weights, gradients, *self.moments, strict=True):
            m.assign(0.9 * m + 0.1 * gradient)
            v.assign(0.999 * v + 0.001 * gradient * gradient)
            weight.assign_sub(rate * m / (tf.sqrt(v) + 1e-7))


def _variable(values: NDArray[np.float64]) -> tf.Variable:
    return tf.Variable(values, dtype=tf.float32)


def _quantise(x: tf.Tensor) -> tf.Tensor:
    low = tf.minimum(tf.reduce_min(x, (1, 2), keepdims=True), 0.0)
    high = tf.maximum(tf.reduce_max(x, (1, 2), keepdims=True), 1e-30)
    scale = (high - low) / 255.0
    rounded = tf.clip_by_value(tf.round((x - low) / scale), 0.0, 255.0) * scale + low
    return x + tf.stop_gradient(rounded - x)


def milliseconds_per_epoch(n_repeats: int) -> float:
    """Return the processor time of an epoch, per repeat; the first one compiles."""
    data = load_data_set("SYN")
    x, y = data.x[~data.is_test], np.eye(2, dtype=np.float32)[data.y[~data.is_test]]
    ensemble = Ensemble(n_repeats)

    @tf.function(jit_compile=True)
    def epoch(x: tf.Tensor, y: tf.Tensor) -> None:
        for first in tf.range(0, len(data.x[~data.is_test]) // BATCH * BATCH, BATCH):
            batch = [tf.slice(a, [0, first, 0], [n_repeats, BATCH, a.shape[2]]) for a in (x, y)]
            ensemble.step(*batch)

    repeated = [tf.constant(np.stack([a] * n_repeats)) for a in (x, y)]
    times = []
    for _ in range(8):
        start = time.process_time()
        epoch(*repeated)
        times.append(time.process_time() - start)
    return min(times) / n_repeats * 1e3


def milliseconds_of_native(epochs: int = 200) -> float:
    """Return the processor time of an epoch of SYN-Tanh in engine `native`."""
    from ibtools.recorders.engines.native.engine import NativeProgram
    from ibtools.recorders.record import plan

    training = plan("SYN-Tanh", epochs=epochs).training(0, 0)
    program = NativeProgram(training)
    state = program.begin(training)
    program.machine.run(training, [1], 0, state)
    start = time.process_time()
    program.machine.run(training, range(1, epochs + 1), 0, state)
    return (time.process_time() - start) / epochs * 1e3


def rows() -> list[Row]:
    """Measure 50 repeats in one program, per repeat, and engine `native`."""
    together, alone = milliseconds_per_epoch(50), milliseconds_per_epoch(1)
    native = milliseconds_of_native()
    return [
        Row("train 50 repeats as one program (prototype)", together, alone, "ms"),
        Row("train with engine native (baseline: 50 repeats as one)", native, together, "ms"),
    ]


if __name__ == "__main__":
    from benchmarks.table import print_table
    from ibtools.recorders.engines.keras.compiled import CompiledEngine

    CompiledEngine()  # asks for one thread
    print_table(rows())
