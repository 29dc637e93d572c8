"""What docs/adding.md shows: a package that adds one of every kind, used from the command line."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ibtools
from ibtools.errors import UnknownResultsError
from ibtools.store.info import describe_info, store_info
from tests.added_package import PAGE, ROOT, install_examples

COMMANDS = """
import shlex, sys
from ibtools.cli.main import cli
for line in sys.stdin:
    cli.main(shlex.split(line)[1:], standalone_mode=False)
"""

RECORD = """
import numpy as np, sys
import ibtools
from ibtools.store.creation import create_store
from ibtools.store.layout import StoreSpec
from ibtools.store.schema import STORE_VARIABLES, markdown_table
from ibtools.store.snapshots import LayerSpec, LayerValues
from ibtools.store.writer import RepeatWriter

older, new = sys.argv[1:]
assert "n_steps" not in ibtools.open_store(older)
layers = (LayerSpec("output", 2, "softmax", 32),)
spec = StoreSpec(layers, (0, 1), (0,), (1,), np.arange(8) % 2)
group = create_store(new, spec)
writer = RepeatWriter(group, 0)
writer.start_attempt(seed=1, failed_attempts=0)
writer.set_numbers(n_steps=1280)
writer.add_snapshot(0, {"output": LayerValues(np.eye(8, 2, dtype="float32"))})
writer.finish("trained")
print(ibtools.open_store(new)["n_steps"].values, ibtools.check(new).ok, ibtools.check(older).ok)
RepeatWriter(group, 0).start_attempt(seed=2, failed_attempts=1)
anew = ibtools.open_store(new)["n_steps"]
print(anew.attrs["long_name"], anew.attrs["description"], anew.values)
print("| `n_steps` | repeat | int64 |" in markdown_table(STORE_VARIABLES))
"""


def run(program: str, *words: object, path: Path, given: str = "", **options: Path) -> str:
    """Run a program in a process that finds packages at another place, too."""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(path), str(ROOT)])},
        input=given,
        capture_output=True,
        text=True,
        check=False,
        **options,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_examples__are_used_from_the_command_line(tmp_path: Path):
    """All commands of the page, in one process in which the package is installed."""
    site = install_examples(tmp_path / "site")
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    out = run(COMMANDS, path=site, given="".join(blocks), cwd=tmp_path)
    assert "bits.zarr: 2 repeats recorded" in out
    assert "control.zarr: 2 repeats recorded" in out
    assert "bits.zarr: information/halves: 10 snapshots analysed" in out
    assert "bits.zarr: details/exact/mixed: 10 snapshots analysed" in out
    assert 'ibtools.open_details("bits.zarr", "mixed").mixed.mean("repeat").plot(x="epoch"' in out
    assert "bits.zarr: details/halves/mixed: 10 snapshots analysed" in out
    assert "states.png: states of bits.zarr" in out
    store = ibtools.open_store(tmp_path / "control.zarr")
    assert '"engine": "shuffled"' in store.attrs["configuration"]
    assert store["label"].values[:4].tolist() == [0, 1, 1, 0]
    # here, where the package is not installed, all else is told, and which package is missing
    info = store_info(tmp_path / "bits.zarr")
    assert info.results == {"halves": 10, "exact": 10}
    assert info.unknown == {f"details/{name}/mixed": "my-package" for name in ("exact", "halves")}
    text = describe_info(info, tmp_path / "bits.zarr")["not read"]
    assert text.startswith("details/exact/mixed (of the package my-package), details/halves/mixed")
    with pytest.raises(UnknownResultsError, match="install the package my-package, take it"):
        ibtools.open_details(tmp_path / "bits.zarr", "mixed")


def test_examples__a_variable_of_stores_is_one_entry(tmp_path: Path, example_store: Path):
    """With the entry that the page shows put into the source, stores have and keep the variable."""
    (entry,) = re.findall(r"^N_STEPS = (Variable\(.*?^\))  # fmt", PAGE.read_text(), re.M | re.S)
    for name in ("recorders", "analysis"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "ibtools", tmp_path / "ibtools", symlinks=True)
    schema = tmp_path / "ibtools" / "store" / "schema.py"
    start = "STORE_VARIABLES: tuple[Variable, ...] = (\n"
    text = schema.read_text()
    assert start in text
    schema.write_text(text.replace(start, f"{start}{entry},\n"))
    found = run(
        RECORD, example_store, tmp_path / "new.zarr", path=tmp_path, cwd=tmp_path
    ).splitlines()
    assert found == [
        "[1280   -1] True True",
        "n steps batches that the network of the repeat was trained on [-1 -1]",
        "True",
    ]
    # and an ibtools that does not declare it opens the store too
    assert ibtools.open_store(tmp_path / "new.zarr").sizes["repeat"] == 2
