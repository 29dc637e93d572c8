"""From the activations of any framework to an information plane, without TensorFlow.

A tiny network in plain numpy stands for yours: what matters is the stream of snapshots, of which
ibtools holds only one block in memory. Usage: python arrays_of_another_framework.py FOLDER
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import ibtools

EPOCHS = (0, 10, 20, 40, 80)


def train(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[int, int, dict[str, np.ndarray]]]:
    """Train x -> 4 tanh units -> 1, and yield (repeat, epoch, layers) as it goes."""
    for repeat in range(2):
        rng = np.random.default_rng(repeat)
        kernels = [rng.standard_normal((x.shape[1], 4)) / 2, rng.standard_normal((4, 1)) / 2]
        for epoch in range(max(EPOCHS) + 1):
            hidden = np.tanh(x @ kernels[0])
            output = 1 / (1 + np.exp(-hidden @ kernels[1]))
            if epoch in EPOCHS:
                # your quantisation goes here; these codes are what will be counted
                codes = np.rint((hidden + 1) * 7.5).astype(np.uint8)
                yield repeat, epoch, {"hidden": codes, "output": output.astype(np.float32)}
            error = (output - y[:, None]) / len(x)
            gradient = x.T @ (error @ kernels[1].T * (1 - hidden**2))
            kernels = [kernels[0] - 2 * gradient, kernels[1] - 2 * hidden.T @ error]


def main(folder: Path) -> None:
    """Record, analyse, draw."""
    x = ((np.arange(256)[:, None] >> np.arange(8)) & 1) - 0.5
    y = (x.sum(axis=1) > 0).astype(int)
    store = folder / "mine.zarr"
    ibtools.record_arrays(store, train(x, y), label=y, repeats=range(2), epochs=EPOCHS)
    results = ibtools.analyze(ibtools.open_store(store)).compute()
    print(results.mi_ty.mean("repeat").to_pandas().round(3))
    ibtools.plot(results, "information-plane", output=folder / "plane.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
