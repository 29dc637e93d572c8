"""A good store, damaged in ways of its own: no command ends in a traceback, or costs the machine."""

import tempfile
from pathlib import Path

import numpy as np

import ibtools
from tests.conftest import record_example


def record_good(folder: Path) -> Path:
    """Record and analyse a small store of codes and floats, with results and details."""
    path = record_example(folder / "good.zarr", split=np.where(np.arange(64) < 40, "train", "test"))
    ibtools.analyze_store(path, quiet=True)
    ibtools.details_store(path, "classes", quiet=True)
    return path


GOOD = record_good(Path(tempfile.mkdtemp()))
