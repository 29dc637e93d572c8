"""A training loop of somebody's own, for tests of `ibtools.Recorder`."""

import os
from pathlib import Path
from typing import Any

import numpy as np

import ibtools
from ibtools.store.snapshots import LayerValues

LABEL = np.arange(24) % 3


def snapshot_of(repeat: int, epoch: int) -> dict[str, Any]:
    """Return what two layers have: the same in every process."""
    rng = np.random.default_rng([repeat, epoch + 1000])
    code = rng.integers(0, 16, (24, 5)).astype("uint8")
    values = rng.integers(0, 4, (24, 2, 3)).astype("float32")
    return {"hidden": LayerValues(code, scale=0.5, zero_point=8), "output": values}


def train(
    path: Path | str,
    epochs: int,
    *,
    repeat: int = 0,
    stop_after: int | None = None,
    **settings: Any,
) -> None:
    """Record a loop of some epochs, from where it is to go on; die in between if asked to."""
    settings = {"label": LABEL, "bits": {"hidden": 4}, "quiet": True} | settings
    with ibtools.Recorder(path, repeat=repeat, **settings) as recorder:
        if recorder.wants(0):
            recorder.snapshot(0, snapshot_of(repeat, 0))
        for epoch in range(recorder.next_epoch, epochs + 1):
            recorder.epoch(epoch, train_accuracy=epoch / epochs, learning_rate=1 / epoch)
            if recorder.wants(epoch):
                recorder.snapshot(epoch, snapshot_of(repeat, epoch))
            if epoch == stop_after:
                recorder.flush()
                os._exit(9)


if __name__ == "__main__":
    import json
    import sys

    train(sys.argv[1], **json.loads(sys.argv[2]))
