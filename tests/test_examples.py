"""Every script in examples/ runs, in a folder of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_examples__run(script: Path, tmp_path: Path):
    subprocess.run(
        [sys.executable, "-W", "error", str(script), str(tmp_path)], check=True, cwd=tmp_path
    )
    assert list(tmp_path.glob("*.png"))
