"""A store whose layers are larger than a tiny memory."""

from pathlib import Path

import numpy as np

import ibtools
from ibtools.store.snapshots import LayerValues
from ibtools.tasks.memory import LIBRARIES

N_SAMPLES = 60
WIDE = {"wide": 1003, "free": 500, "narrow": 2, "output": 900}
LITTLE = LIBRARIES + 200_000


def record_wide(path: Path) -> None:
    """Record layers of several chunks of units: codes, floats (with -0), logits; a narrow one."""

    def snapshots():
        for repeat in range(3):
            rng = np.random.default_rng(repeat)
            few = rng.integers(0, 5, N_SAMPLES)
            rows = {name: rng.integers(0, 9, (5, n)) for name, n in WIDE.items()}
            codes = {name: rows[name][few].astype(np.uint8) for name in rows}
            shift = rng.integers(0, 100, (N_SAMPLES, 1), "uint8")
            zeros = rng.choice([0.0, -0.0], codes["free"].shape)
            layers = {
                "wide": LayerValues(codes["wide"], 0.5, 2),
                "free": np.where(codes["free"] == 0, zeros, codes["free"]).astype("f4"),
                "narrow": LayerValues(codes["narrow"], 0.5, 2),
                "output": LayerValues(codes["output"] + shift, 0.5, 2),
            }
            yield repeat, 0, layers

    ibtools.record_arrays(
        path,
        snapshots(),
        label=np.arange(N_SAMPLES) % 3,
        repeats=range(3),
        epochs=[0],
        activation_functions={"wide": "relu", "output": "softmax"},
    )
