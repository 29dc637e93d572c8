"""A variable of the store is declared once: all else goes by its declaration."""

import subprocess
import sys
from pathlib import Path

import pytest

from ibtools.store.schema import STORE_VARIABLES, lacking_variables, markdown_table, store_variables

RHYTHMS = {
    "store": "repeat epoch trained_epoch layer phase n_units activation_function bits label input "
    "split",
    "repeat": "random_label n_recomputed n_recomputed_differences seed outcome failed_attempts",
    "snapshot": "code scale zero_point unit_scale unit_zero_point activation partition "
    "activation_min activation_max known_entropy_t known_mi_ty complete",
    "trained epoch": "train_loss train_accuracy test_loss test_accuracy",
}

DECLARED = """
from importlib.machinery import SourceFileLoader

compiled = SourceFileLoader.get_code

def declare_one_more(self, fullname):
    if fullname != "ibtools.store.schema":
        return compiled(self, fullname)
    first = b"STORE_VARIABLES: tuple[Variable, ...] = ("
    one = b'Variable("n_probes", ("repeat",), ("int16",), "1", 7, "7: none", "probes", '
    data = self.get_data(self.path)
    assert data.count(first) == 1
    data = data.replace(first, first + one + b'presence="recomputed"),')
    return compile(data, self.path, "exec")

SourceFileLoader.get_code = declare_one_more
"""
"""Adds a declaration to the module as it is imported."""

USED = """
import sys
import numpy as np
from ibtools.store.damage import find_damage
from ibtools.store.layout import StoreSpec
from ibtools.store.schema import STORE_VARIABLES, markdown_table
from ibtools.store.snapshots import LayerSpec, LayerValues
from ibtools.store.creation import create_store
from ibtools.store.datasets import open_store
from ibtools.store.groups import get_array
from ibtools.store.opened import open_group
from ibtools.store.writer import RepeatWriter

path, label = sys.argv[1], np.arange(8) % 2
layers = (LayerSpec("a", 1, "relu", 32),)
spec = StoreSpec(layers, repeats=(0, 1), epochs=(0,), trained_epochs=(0,), label=label,
                 recomputed=True)
group = create_store(path, spec)
snapshot = {"a": LayerValues(np.arange(8, dtype="f4")[:, None])}
for repeat in (0, 1):
    writer = RepeatWriter(group, repeat)
    writer.start_attempt(seed=repeat, failed_attempts=0)
    writer.set_numbers(n_probes=3 + repeat)
    writer.add_snapshot(0, snapshot)
    writer.finish("trained")
print(open_store(path)["n_probes"].values.tolist())
RepeatWriter(group, 1).start_attempt(seed=9, failed_attempts=1)
print(open_store(path)["n_probes"].values.tolist())
print([str(one.place.key) for one in find_damage(open_group(path), quiet=True)[0]])
file = next(path for path in __import__("pathlib").Path(path, "n_probes", "c").rglob("*")
            if path.is_file())
file.unlink()
print([one.holds for one in find_damage(open_group(path), quiet=True)[0]])
print("`n_probes` | repeat | int16" in markdown_table(STORE_VARIABLES))
group = open_group(path, "r+")
group.create_array("n_probes", shape=(2,), dtype="f4", overwrite=True, dimension_names=["repeat"])
open_store(path)
"""


def test_rhythm__of_every_variable():
    for rhythm, names in RHYTHMS.items():
        found = {one.name for one in STORE_VARIABLES if one.rhythm == rhythm}
        assert found == set(names.split()), rhythm


def test_variable__is_declared_once(tmp_path: Path):
    """Declared in one place more, a variable is created, written, checked and documented."""
    program = [sys.executable, "-c", DECLARED + USED, str(tmp_path / "s.zarr")]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [
        "[3, 4]",
        "[3, 7]",
        "[]",
        "['n_probes of repeat 0']",
        "True",
    ], done.stderr
    assert "variable 'n_probes' must be int16, found float32" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("there", "lacking"),
    [
        ({"code"}, {"scale", "zero_point"}),
        ({"code", "scale", "zero_point", "unit_scale"}, {"unit_zero_point"}),
        ({"activation"}, set()),
        ({"partition"}, set()),
    ],
)
def test_lacking_variables__what_is_recorded_needs(there: set[str], lacking: set[str]):
    always = {one.name for one in store_variables({"always"})}
    assert {one.name for one in lacking_variables(always | there)} == lacking
    assert {one.name for one in lacking_variables(there)} == lacking | always


def test_markdown_table__says_which_stores_have_a_variable():
    said = {
        row.split(" | ")[0].strip("| `"): row.split(" | ")[-1].strip("| ")
        for row in markdown_table(STORE_VARIABLES).splitlines()[2:]
    }
    assert said["scale"] == "with codes"
    assert said["n_recomputed"] == "snapshots computed twice"
    assert said["complete"] == "always"
