import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import ibtools
from ibtools.analysis.check import Check, CheckReport, words
from ibtools.analysis.check.measure import measure_recording
from ibtools.analysis.check.refinement import conditional_entropies, count_split_states
from ibtools.analysis.check.report import judge
from ibtools.analysis.kernels.information import entropy
from ibtools.cli.main import cli
from ibtools.errors import StoreError
from ibtools.store.configuration import how_to_finish
from ibtools.store.creation import create_store
from ibtools.store.groups import get_array
from ibtools.store.header import is_chain
from ibtools.store.layout import StoreSpec
from ibtools.store.opened import open_group
from ibtools.store.snapshots import LayerSpec, LayerValues
from ibtools.store.symbols import exact_symbols
from ibtools.store.writer import RepeatWriter
from tests.analysis.oracle import slow_information, slow_partition
from tests.unbound import unbind

LABEL = np.arange(32) % 2
EPOCHS = (0, 1, 5)
CONTRACT = (
    "layers",
    "labels",
    "classes",
    "splits",
    "epochs",
    "repeats",
    "outcomes",
    "history",
)
GRID = ("codes", "scale", "zero point", "ends of the grid", "moving ranges")
SPECS = (
    LayerSpec("first", 2, "tanh", 8),
    LayerSpec("second", 1, "tanh", 8),
    LayerSpec("output", 2, "softmax", 8),
)


def snapshot(repeat: int, epoch: int) -> dict[str, LayerValues]:
    """A layer of 32 states, one of 16 that is computed from it, and a softmax of 16."""
    first = np.stack([np.arange(32), np.arange(32) % 3 + repeat], axis=1).astype("uint8")
    second = first[:, :1] // 2 + epoch
    return {
        "first": LayerValues(first, 0.25, 7),
        "second": LayerValues(second.astype("uint8"), 0.5, 3),
        "output": LayerValues(np.concatenate([second, second * 2], axis=1).astype("uint8"), 1.0),
    }


def record(path: Path, *, specs=SPECS, make=snapshot, **settings) -> Path:
    """Record two repeats of a network that is known to be a chain."""
    spec = StoreSpec(
        specs, (0, 1), EPOCHS, (1,), LABEL, configuration={"network": "dense:3"}, **settings
    )
    group = create_store(path, spec)
    for repeat in (0, 1):
        writer = RepeatWriter(group, repeat)
        for epoch in EPOCHS:
            writer.add_snapshot(epoch, make(repeat, epoch))
        writer.finish("trained")
    return path


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    return record(tmp_path_factory.mktemp("recorded") / "sound.zarr")


@pytest.fixture
def sound(recorded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(recorded, tmp_path / "sound.zarr"))


def change(path: Path, name: str, at, value) -> None:
    get_array(open_group(unbind(path), "r+"), name)[at] = value


def check(path: Path, **options) -> CheckReport:
    return ibtools.check(path, quiet=True, **options)


def line(report: CheckReport, name: str, subject: str = "recording") -> Check:
    (found,) = [one for one in report.checks if (one.name, one.subject) == (name, subject)]
    return found


def statuses(report: CheckReport, subject: str = "recording") -> dict[str, str]:
    return {one.name: one.status for one in report.checks if one.subject == subject}


def test_check__sound_store(sound: Path):
    report = check(sound)
    assert report.ok
    assert statuses(report) == {
        "files": "ok",
        "coordinates": "ok",
        **dict.fromkeys(CONTRACT, "ok"),
        "padding": "ok",
        "complete": "ok",
        "trainings": "ok",
        "determinism": "not checked",
        "equal inputs": "not checked",
        "constant layers": "ok",
        "codes": "ok",
        "scale": "ok",
        "zero point": "ok",
        "ends of the grid": "ok",
        "moving ranges": "ok",
        "values": "not checked",
        "range": "ok",
        "data processing": "ok",
    }
    assert (line(report, "data processing").found, line(report, "data processing").checked) == (
        0,
        12,
    )
    assert line(report, "results", "information").status == "note"
    assert f"ibtools analyze {sound}" in line(report, "results", "information").words


def test_check__no_store(tmp_path: Path):
    with pytest.raises(StoreError, match="nothing is there"):
        check(tmp_path / "nothing.zarr")


def test_check__nothing_recorded(tmp_path: Path):
    create_store(tmp_path / "new.zarr", StoreSpec(SPECS, (0,), EPOCHS, (1,), LABEL))
    report = check(tmp_path / "new.zarr")
    assert report.ok
    assert line(report, "complete").status == "note"
    assert line(report, "codes").words == words.NO_SNAPSHOT


def test_check__state_that_the_next_layer_splits(sound: Path):
    """Two inputs share state 8 of `second`; a third state in `output` is one bit for 2 of 32."""
    change(sound, "code", (1, 2, 2, 16, 0), 99)
    change(sound, "activation_max", (1, 2, 2), 99)
    found = line(check(sound), "data processing")
    assert (found.status, found.found, found.checked) == ("violation", 1, 12)
    assert (found.worst.repeat, found.worst.epoch, found.worst.layer) == (1, 5, "output")
    assert found.worst.amount == pytest.approx(2 / 32)
    assert found.words == words.STATES + words.STATES_BROKEN


def test_check__unknown_network(example_store: Path):
    """What may have connections that skip a layer is no violation, unless told otherwise."""
    report = check(example_store)
    assert report.ok
    assert line(report, "data processing").status == "note"
    assert line(report, "data processing").words.endswith("--chain (chain=True).")
    assert line(check(example_store, chain=True), "data processing").status == "violation"


def test_check__step_after_a_softmax_of_codes(tmp_path: Path):
    """Its float values may differ where its exact symbols are the same."""

    def make(repeat, epoch):
        code = np.stack([np.arange(32) // 4, np.arange(32) // 4], axis=1).astype("uint8")
        return {"inner": LayerValues(code, 1.0), "last": np.arange(32)[:, None]}

    def layers(repeat, epoch):
        return {
            name: one if isinstance(one, LayerValues) else LayerValues(one.astype("f4"))
            for name, one in make(repeat, epoch).items()
        }

    specs = (LayerSpec("inner", 2, "softmax", 8), LayerSpec("last", 1, "linear", 32))
    report = check(record(tmp_path / "s.zarr", specs=specs, make=layers))
    assert line(report, "data processing").words == words.ONE_LAYER


@pytest.mark.parametrize(
    ("name", "at", "value", "broken", "amount"),
    [
        ("bits", (0,), 4, "codes", 15 + 1),
        ("scale", (1, 0, 1), 0.0, "scale", None),
        ("scale", (1, 0, 1), np.nan, "scale", None),
        ("zero_point", (1, 0, 1), 300, "zero point", 45),
        ("zero_point", (1, 0, 1), -2, "zero point", 2),
        ("activation_max", (1, 0, 1), 99.0, "range", 99 - 0.5 * (15 - 3)),
        ("activation_min", (1, 0, 1), np.nan, "range", None),
    ],
)
def test_check__grid(sound: Path, name: str, at, value, broken: str, amount):
    change(sound, name, at, value)
    report = check(sound)
    found = line(report, broken)
    assert found.status == "violation"
    assert found.worst.amount == (None if amount is None else pytest.approx(amount))
    if name != "bits":
        assert (found.worst.repeat, found.worst.epoch, found.worst.layer) == (1, 0, "second")
        assert found.found == 1
    assert {one.name for one in report.violations} <= {broken, "range"}


def test_check__ends_of_the_grid(tmp_path: Path):
    """Code 0 counts as an end, unless it stands for the 0 at which a ReLU rests."""

    def make(zero_point):
        code = np.array([0] * 8 + [255] * 10 + [*range(1, 15)], "uint8")[:, None]
        return lambda repeat, epoch: {"only": LayerValues(code, 1.0, zero_point)}

    specs = (LayerSpec("only", 1, "relu", 8),)
    saturated = line(check(record(tmp_path / "a", specs=specs, make=make(3))), "ends of the grid")
    assert (saturated.status, saturated.found) == ("note", 6)
    assert saturated.worst.amount == pytest.approx(100 * 18 / 32)
    resting = line(check(record(tmp_path / "b", specs=specs, make=make(0))), "ends of the grid")
    assert resting.status == "ok"
    assert resting.worst.amount == pytest.approx(100 * 10 / 32)


def float_snapshot(repeat: int, epoch: int) -> dict[str, LayerValues]:
    first = np.arange(32, dtype="f4")[:, None] / 1000 + repeat
    return {"first": LayerValues(first), "second": LayerValues((first - repeat) * 1000 + epoch)}


FLOATS = (LayerSpec("first", 1, "linear", 32), LayerSpec("second", 1, "linear", 32))


def test_check__float_store(tmp_path: Path):
    path = record(tmp_path / "f.zarr", specs=FLOATS, make=float_snapshot)
    report = check(path)
    assert report.ok
    assert {line(report, name).words for name in GRID} == {words.NOT_QUANTISED}
    assert (line(report, "values").status, line(report, "range").status) == ("ok", "ok")
    change(path, "activation", (0, 1, 1, 3, 0), np.nan)
    found = line(check(path), "values")
    assert (found.status, found.found, found.worst.amount) == ("violation", 1, 1)
    assert line(check(path), "range").checked == 11


def test_check__completeness(sound: Path):
    change(sound, "complete", (1, 2), False)
    lost = line(check(sound), "complete")
    assert (lost.status, lost.found, lost.checked) == ("violation", 1, 6)
    assert (lost.worst.repeat, lost.worst.epoch) == (1, 5)
    change(sound, "outcome", (1,), "pending")
    assert line(check(sound), "complete").words == words.PENDING.format(how=how_to_finish({}))
    assert line(check(sound), "complete").status == "note"
    change(sound, "outcome", (1,), "failed")
    assert line(check(sound), "complete").status == "ok"
    assert line(check(sound), "complete").checked == 5


def test_check__failed_trainings_and_retries(sound: Path):
    change(sound, "failed_attempts", (1,), 3)
    found = line(check(sound), "trainings")
    assert (found.status, found.found, found.checked) == ("note", 1, 2)
    assert str(found.worst) == "3 failed attempts: repeat 1"
    change(sound, "outcome", (0,), "failed")
    assert line(check(sound), "trainings").found == 2


def test_check__determinism(tmp_path: Path):
    path = record(tmp_path / "d.zarr", recomputed=True)
    assert line(check(path), "determinism").words == words.NONE_RECOMPUTED
    change(path, "n_recomputed", (0,), 2)
    same = line(check(path), "determinism")
    assert (same.status, same.checked) == ("ok", 1)
    change(path, "n_recomputed_differences", (0,), 7)
    differs = line(check(path), "determinism")
    assert (differs.status, differs.words) == ("violation", words.CODES_DIFFER)
    assert str(differs.worst) == "7 codes: repeat 0"


def test_check__determinism_of_floats(tmp_path: Path):
    path = record(tmp_path / "d.zarr", specs=FLOATS, make=float_snapshot, recomputed=True)
    change(path, "n_recomputed", ..., 1)
    change(path, "n_recomputed_differences", (1,), 5)
    differs = line(check(path), "determinism")
    assert (differs.status, differs.words) == ("violation", words.VALUES_DIFFER)
    assert str(differs.worst) == "5 values: repeat 1"


def test_check__constant_layer(tmp_path: Path):
    def make(repeat, epoch):
        layers = snapshot(repeat, epoch)
        if (repeat, epoch) == (1, 1):
            layers["output"] = LayerValues(np.zeros((32, 2), "uint8"), 1.0)
        return layers

    found = line(check(record(tmp_path / "c.zarr", make=make)), "constant layers")
    assert (found.status, found.found) == ("note", 1)
    assert str(found.worst) == "repeat 1, epoch 1, layer output"


def test_check__partition_store(tmp_path: Path):
    """The states are checked; what needs codes or values is not."""
    path = record(tmp_path / "p.zarr", keep="partition")
    report = check(path)
    assert report.ok
    assert line(report, "data processing").status == "ok"
    for name in (*GRID, "values", "range"):
        assert line(report, name).words == words.PARTITION_ONLY
    change(path, "partition", (0, 0, 1), np.zeros(32, "uint32"))
    assert line(check(path), "data processing").status == "violation"


def binned(path: Path) -> str:
    name = "binned-uniform-4-global"
    ibtools.analyze_store(path, estimator=["exact", name], quiet=True)
    return f"information/{name}"


def test_check__binned_floats_break_data_processing(tmp_path: Path):
    """`first` spans 1.031 of 36, so one bin; `second`, computed from it, spans 31, so four."""
    path = record(tmp_path / "f.zarr", specs=FLOATS, make=float_snapshot)
    subject = binned(path)
    report = check(path)
    assert not report.ok
    assert {one.subject for one in report.violations} == {subject}
    rises = line(report, "data processing, I(X;T)", subject)
    assert (rises.status, rises.found, rises.checked) == ("violation", 6, 6)
    assert 1.9 < rises.worst.amount <= 2
    assert rises.words == words.RISES + words.COPY_RISES
    assert line(report, "bounds", subject).status == "ok"
    assert line(report, "data processing, I(X;T)", "information/exact").status == "ok"
    unknown = line(check(path, chain=False), "data processing, I(X;T)", subject)
    assert (unknown.status, unknown.words) == ("note", words.RISES + words.NO_CHAIN)


@pytest.mark.parametrize(
    ("value", "broken", "amount"),
    [
        (-0.25, "bounds", 0.25),
        (1.5, "bounds", 0.5),
        (0.75, "recount", 0.25),
        (1.0 + 1e-14, None, None),
    ],
)
def test_check__results_that_were_changed(sound: Path, value, broken, amount):
    """I(T;Y) of `first` is 1 bit, which is H(Y)."""
    ibtools.analyze_store(sound, quiet=True)
    assert check(sound).ok
    change_result(sound, "mi_ty", (1, 2, 0), value)
    report = check(sound)
    if broken is None:
        assert report.ok
        return
    found = line(report, broken, "information/exact")
    assert (found.status, found.found) == ("violation", 1)
    assert (found.worst.repeat, found.worst.epoch, found.worst.layer) == (1, 5, "first")
    assert found.worst.amount == pytest.approx(amount)


def change_result(path: Path, name: str, at, value) -> None:
    """Change results, as of a version of ibtools that kept no checksums of them."""
    group = zarr.open_group(path, mode="r+", use_consolidated=False)["information/exact"]
    if "checksum" in group:
        del group["checksum"]
    group[name][at] = value


def test_check__exact_results_that_rise(sound: Path):
    ibtools.analyze_store(sound, quiet=True)
    change_result(sound, "mi_xt", (0, 0, 2), 4.5)
    found = line(check(sound), "data processing, I(X;T)", "information/exact")
    assert (found.status, found.worst.layer) == ("violation", "output")
    assert found.words == words.RISES + words.EXACT_RISES


def test_check__results_that_lack_snapshots(sound: Path):
    change(sound, "complete", (1, 2), False)
    ibtools.analyze_store(sound, quiet=True)
    change(sound, "complete", (1, 2), True)
    found = line(check(sound), "analysed", "information/exact")
    assert (found.status, found.found, found.checked) == ("note", 1, 6)


def test_check__results_of_an_unknown_estimator(sound: Path):
    """Results of a later version are checked with the tolerance of an estimate."""
    ibtools.analyze_store(sound, quiet=True)
    root = zarr.open_group(sound, mode="r+", use_consolidated=False)
    root["information/exact"].attrs["estimator"] = "later"
    change_result(sound, "mi_xt", (0, 0, 2), 4.5)
    found = line(check(sound), "data processing, I(X;T)", "information/later")
    assert found.words == words.RISES + words.COPY_RISES


def test_is_chain__other_networks():
    for network in ("syn", "mnist-conv", "dense:4-3"):
        assert is_chain({"configuration": json.dumps({"network": network})})
    assert not is_chain({"configuration": json.dumps({"network": "mine:build"})})
    assert not is_chain({"configuration": "{}"})
    assert not is_chain({"configuration": json.dumps({"network": "syn"}), "layers": "graph"})


@pytest.mark.parametrize("function", ["relu", "softmax"])
def test_measure_recording__wide_layers(tmp_path: Path, function: str):
    """Units that come in portions make the same states as whole rows."""
    spec = LayerSpec("wide", 150, function, 8)
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, (2, 3, 32, 150), "uint8") * (rng.random((150,)) < 0.02).astype("u1")
    codes[..., -1] = np.arange(32) % 3

    def make(repeat, epoch):
        return {"wide": LayerValues(codes[repeat, EPOCHS.index(epoch)], 1.0)}

    path = record(tmp_path / "w.zarr", specs=(spec,), make=make)
    measures = measure_recording(path, open_group(path), quiet=True)
    for repeat, epoch in np.ndindex(2, 3):
        labels, n_states = slow_partition(exact_symbols(codes[repeat, epoch], spec))
        here = measures.isel(repeat=repeat, epoch=epoch, layer=0)
        h, i = slow_information(labels, LABEL)
        assert int(here["n_states"]) == n_states
        assert float(here["entropy_t"]) == pytest.approx(float(h))
        assert float(here["mi_ty"]) == pytest.approx(float(i))
        assert (int(here["lowest"]), int(here["highest"])) == (0, 2)
        assert int(here["n_at_lowest_code"]) == (codes[repeat, epoch] == 0).sum()


def slow_split(before, after):
    images = {}
    for state, found in zip(before.tolist(), after.tolist(), strict=True):
        images.setdefault(state, set()).add(found)
    return sum(len(image) > 1 for image in images.values())


LABELS = hnp.arrays(np.uint32, (3, 20), elements=st.integers(0, 19))


@given(LABELS, LABELS)
def test_count_split_states__oracle(before, after):
    assert count_split_states(before, after).tolist() == [
        slow_split(b, a) for b, a in zip(before, after, strict=True)
    ]


@given(LABELS, hnp.arrays(np.uint32, 20, elements=st.integers(0, 19)))
def test_count_split_states__function_of_the_state(before, f):
    """T' = f(T) splits no state, and H(T'|T) = 0"""
    assert not count_split_states(before, f[before]).any()
    assert (conditional_entropies(before, f[before]) == 0).all()


@given(LABELS, LABELS)
def test_conditional_entropies__positive_where_a_state_is_split(before, after):
    """H(T'|T) > 0 exactly where a state of T has several states of T'"""
    positive = conditional_entropies(before, after) > 1e-12
    assert (positive == (count_split_states(before, after) > 0)).all()


@given(LABELS, LABELS)
def test_conditional_entropies__chain_rule(before, after):
    """H(T'|T) = H(T,T') - H(T)"""
    for found, b, a in zip(conditional_entropies(before, after), before, after, strict=True):
        _, joint = np.unique(np.stack([b, a], 1), axis=0, return_counts=True)
        alone = np.unique(b, return_counts=True)[1]
        assert found == pytest.approx(entropy(joint) - entropy(alone), abs=1e-12)


def test_judge__names_the_first_of_equal_cases():
    broken = xr.DataArray([[True, False], [True, True]], dims=("repeat", "epoch"))
    broken = broken.assign_coords(repeat=[4, 5], epoch=[0, 10])
    found = judge("a", broken, cases="cases", meaning="bad", amount=xr.ones_like(broken, float))
    assert (found.found, found.checked) == (3, 4)
    assert str(found.worst) == "1 : repeat 4, epoch 0"
    beyond = xr.DataArray([[1.0, 1.0], [np.nan, 2.0]], coords=broken.coords)
    found = judge("a", broken, cases="cases", meaning="bad", amount=beyond, unit="bit")
    assert str(found.worst) == "repeat 5, epoch 0"


def run(command: str) -> Result:
    return CliRunner().invoke(cli, shlex.split(command))


def test_cli_check__prints_and_exits(tmp_path: Path, sound: Path):
    result = run(f"check {sound}")
    assert result.exit_code == 0, result.output
    assert "25 checks, no violations, 1 note, 3 not checked" in result.output
    path = record(tmp_path / "f.zarr", specs=FLOATS, make=float_snapshot)
    subject = binned(path)
    result = run(f"check {path}")
    assert result.exit_code == 1
    lines = result.output.splitlines()
    (row,) = [one for one in lines if one.startswith("VIOLATION  ") and "I(X;T)" in one]
    assert "6 of 6 steps" in row
    assert "1.98 bit: repeat 1, epoch 1, layer second" in row
    assert f"VIOLATION: data processing, I(X;T), data processing, I(T;Y) ({subject})" in lines
    assert result.output.count("What was measured is not the layer") == 1
    assert max(len(one) for one in lines if one.startswith("  ")) <= 100


def test_cli_check__json(sound: Path):
    change(sound, "scale", (1, 0, 1), np.nan)
    result = run(f"check {sound} --json")
    assert result.exit_code == 1
    report = json.loads(result.output)
    assert report["ok"] is False
    (scale,) = [one for one in report["checks"] if one["name"] == "scale"]
    assert scale["status"] == "violation"
    assert scale["worst"] == {
        "repeat": 1,
        "epoch": 0,
        "layer": "second",
        "amount": None,
        "unit": "",
    }
    assert run(f"check {sound.parent}/nothing.zarr").exit_code == 1
