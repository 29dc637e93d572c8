"""Where the published files of real MNIST are, for tests that need them."""

import os
from pathlib import Path

import pytest


def real_data_folder() -> Path:
    """Return the folder that IBTOOLS_DATA names; skip the test where it names none."""
    folder = os.environ.get("IBTOOLS_DATA")
    if not folder:
        pytest.skip("IBTOOLS_DATA, the folder with real MNIST, is not set")
    return Path(folder)
