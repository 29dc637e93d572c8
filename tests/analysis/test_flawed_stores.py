"""What `ibtools check` says of stores with every flaw that a store can carry, one at a time."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from click.testing import CliRunner

import ibtools
from ibtools.analysis.check import CheckReport
from ibtools.analysis.check.contract import DECISIVE
from ibtools.cli.main import cli
from ibtools.errors import StoreError
from ibtools.store.groups import get_array
from ibtools.store.opened import open_group
from tests.analysis.test_check import FLOATS, float_snapshot, record
from tests.unbound import unbind

Damage = Callable[[Path], None]


def put(name: str, at: Any, value: Any) -> Damage:
    def damage(path: Path) -> None:
        get_array(open_group(unbind(path), "r+"), name)[at] = value

    return damage


def put_bound(name: str, at: Any, value: Any) -> Damage:
    def damage(path: Path) -> None:
        get_array(open_group(path, "r+"), name)[at] = value

    return damage


def put_result(name: str, at: Any, value: Any) -> Damage:
    """Change results, as of a version of ibtools that kept no checksums of them."""

    def damage(path: Path) -> None:
        group = zarr.open_group(path, mode="r+", use_consolidated=False)["information/exact"]
        del group["checksum"]
        group[name][at] = value

    return damage


def damage_result(name: str, at: Any, value: Any) -> Damage:
    def damage(path: Path) -> None:
        group = zarr.open_group(path, mode="r+", use_consolidated=False)
        group["information/exact"][name][at] = value

    return damage


def cut(name: str, length: int) -> Damage:
    def damage(path: Path) -> None:
        get_array(open_group(path, "r+"), name).resize((length,))

    return damage


def note_down(name: str, value: Any) -> Damage:
    def damage(path: Path) -> None:
        zarr.open_group(path, mode="r+", use_consolidated=False).attrs[name] = value

    return damage


def shard(path: Path, name: str = "code") -> Path:
    """Return the file with the first epochs of the first repeat."""
    return min(file for file in (path / name / "c").rglob("*") if file.is_file())


def delete_shard(path: Path) -> None:
    shard(path).unlink()


def cut_shard(path: Path) -> None:
    shard(path).write_bytes(shard(path).read_bytes()[:-100])


def garble_shard(path: Path) -> None:
    whole = bytearray(shard(path).read_bytes())
    whole[3:20] = b"x" * 17
    shard(path).write_bytes(bytes(whole))


def delete_array(name: str) -> Damage:
    return lambda path: shutil.rmtree(path / name)


def write_metadata(place: str, text: str) -> Damage:
    def damage(path: Path) -> None:
        (path / place / "zarr.json").write_text(text)

    return damage


@dataclass(frozen=True)
class Flaw:
    """A damage, and the check that finds it; others that must find it too are allowed."""

    damage: Damage
    check: str
    status: str = "violation"
    found: int = 1
    also: set[str] = field(default_factory=set)


EMPTY = {"constant layers", "ends of the grid"}

FLAWS = {
    "a missing shard": Flaw(delete_shard, "files"),
    "a shard that was cut short": Flaw(cut_shard, "files"),
    "a shard of other bytes": Flaw(garble_shard, "files"),
    "a coordinate of another value": Flaw(
        put_bound("n_units", 0, 1), "coordinates", also={"padding"}
    ),
    "complete, but nothing recorded": Flaw(put("activation_min", (0, 0), np.nan), "range", found=3),
    "two layers of one name": Flaw(put("layer", 1, "first"), "layers"),
    "a layer without a name": Flaw(put("layer", 1, ""), "layers"),
    "more units than the cube": Flaw(put("n_units", 1, 3), "layers"),
    "no units": Flaw(put("n_units", 1, 0), "layers"),
    "fewer units than recorded": Flaw(put("n_units", 0, 1), "padding", found=6),
    "values in the padding": Flaw(put("code", (0, 0, 1, 0, 1), 9), "padding"),
    "too few bits": Flaw(put("bits", 0, 4), "codes", found=6, also={"zero point"}),
    "no bits": Flaw(put("bits", 0, 0), "layers"),
    "more bits than are stored": Flaw(put("bits", 0, 12), "layers"),
    "bits of floats, of codes": Flaw(put("bits", 0, 32), "layers"),
    "codes beyond the bits": Flaw(
        lambda path: [put("bits", 0, 5)(path), put("code", (0, 0, 0, 0, 0), 40)(path)],
        "codes",
        also={"range"},
    ),
    "scale 0": Flaw(put("scale", (1, 0, 1), 0), "scale", also={"range"}),
    "scale below 0": Flaw(put("scale", (1, 0, 1), -1), "scale", also={"range"}),
    "scale without a number": Flaw(put("scale", (1, 0, 1), np.nan), "scale", also={"range"}),
    "infinite scale": Flaw(put("scale", (1, 0, 1), np.inf), "scale", also={"range"}),
    "zero point beyond the codes": Flaw(
        put("zero_point", (1, 0, 1), 300), "zero point", also={"range"}
    ),
    "a range of other values": Flaw(put("activation_max", (1, 0, 1), 99.0), "range"),
    "a code of another layer": Flaw(
        put("code", (0, 0, 1, 0, 0), 15), "data processing", also={"range"}
    ),
    "a negative label": Flaw(put("label", 0, -1), "labels"),
    "a class without samples": Flaw(put("label", 0, 3), "classes", "note"),
    "neither train nor test": Flaw(put("split", 0, "validation"), "splits"),
    "epochs that descend": Flaw(put("epoch", slice(None), [5, 1, 0]), "epochs", found=2),
    "an epoch twice": Flaw(put("epoch", slice(None), [0, 1, 1]), "epochs"),
    "the wrong phase": Flaw(put("phase", 0, "prefit"), "epochs"),
    "a phase of no name": Flaw(put("phase", 0, "other"), "epochs"),
    "an accuracy above 1": Flaw(put("test_accuracy", (0, 0), 1.5), "history"),
    "a negative loss": Flaw(put("train_loss", (0, 0), -1.0), "history"),
    "a repeat of one seed twice": Flaw(put("seed", slice(None), 5), "repeats"),
    "a repeat of one number twice": Flaw(put("repeat", 1, 0), "repeats", "note"),
    "an outcome of no name": Flaw(put("outcome", 0, "good"), "outcomes"),
    "negative attempts": Flaw(put("failed_attempts", 0, -1), "outcomes"),
    "trained, but not complete": Flaw(put("complete", (1, 2), False), "complete"),
    "complete, but pending": Flaw(put("outcome", 0, "pending"), "outcomes", "note"),
    "failed, but complete": Flaw(put("outcome", 0, "failed"), "trainings", "note"),
}
"""Of a store of codes: what is damaged, and which line says so."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    path = record(tmp_path_factory.mktemp("sound") / "codes.zarr")
    ibtools.analyze_store(path, quiet=True)
    return path


@pytest.fixture
def store(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "store.zarr"))


def findings(report: CheckReport, subject: str = "recording") -> dict[str, tuple[str, int]]:
    """Return the lines that are no praise, those that results add left out."""
    return {
        one.name: (one.status, one.found)
        for one in report.checks
        if one.subject == subject
        and one.status in ("note", "violation")
        and (one.name, one.status) != ("files", "note")  # without checksums: see `put`
    }


def test_check__of_the_sound_store(sound: Path):
    assert ibtools.check(sound, quiet=True).ok
    assert findings(ibtools.check(sound, quiet=True)) == {}


@pytest.mark.parametrize("flaw", FLAWS)
def test_check__of_codes(store: Path, flaw: str):
    one = FLAWS[flaw]
    one.damage(store)
    report = ibtools.check(store, quiet=True)
    found = findings(report)
    assert found.pop(one.check) == (one.status, one.found)
    assert set(found) <= one.also
    assert report.ok == (one.status != "violation" and not report.violations)
    text = report.format()
    assert one.check in text
    assert "Traceback" not in text
    if one.check in DECISIVE:
        assert "Nothing that was recorded was looked at" in text


FLOAT_FLAWS = {
    "a value that is no number": Flaw(put("activation", (0, 0, 1, 3, 0), np.nan), "values"),
    "a range of other values": Flaw(put("activation_min", (0, 0, 1), -7), "range"),
    "bits of codes, of floats": Flaw(put("bits", 1, 8), "layers"),
}


@pytest.mark.parametrize("flaw", FLOAT_FLAWS)
def test_check__of_floats(tmp_path: Path, flaw: str):
    path, one = record(tmp_path / "f.zarr", specs=FLOATS, make=float_snapshot), FLOAT_FLAWS[flaw]
    one.damage(path)
    assert findings(ibtools.check(path, quiet=True))[one.check] == (one.status, one.found)


def test_check__of_a_partition_that_misses_a_shard(tmp_path: Path):
    path = record(tmp_path / "p.zarr", keep="partition")
    shard(path, "partition").unlink()
    assert findings(ibtools.check(path, quiet=True)) == {"files": ("violation", 1)}


REFUSED = {
    "an array without metadata": (delete_array("split"), "variable split is missing"),
    "metadata that is no JSON": (write_metadata("label", "{"), "label: zarr.json: must be a JSON"),
    "root metadata that is no JSON": (write_metadata("", "{"), "zarr: zarr.json: must be a JSON"),
    "no recorded values": (delete_array("code"), "variable code or activation or partition"),
    "fewer labels than samples": (cut("label", 31), "'label' must have 32 along sample"),
    "fewer layers than values": (cut("bits", 2), "'bits' must have 3 along layer"),
    "settings that are no JSON": (note_down("configuration", "{"), "must be a JSON object"),
    "settings that are a list": (note_down("configuration", "[1]"), "must be a JSON object"),
    "a format of no number": (note_down("format_version", "x"), "format version 'x'"),
    "a foreign format": (note_down("format", "other"), "not an ibtools store"),
}
"""What nothing can be made of: one line says why."""


@pytest.mark.parametrize("flaw", REFUSED)
def test_check__of_what_can_not_be_read(store: Path, flaw: str):
    damage, match = REFUSED[flaw]
    damage(store)
    with pytest.raises(StoreError, match=match):
        ibtools.check(store, quiet=True)
    result = CliRunner().invoke(cli, ["check", str(store), "--quiet"])
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert result.output.startswith("Error: ")


@pytest.mark.parametrize("damage", [cut_shard, garble_shard])
def test_analyze_store__of_a_damaged_shard(store: Path, damage: Damage):
    """What can't be read is no result, and no traceback."""
    shutil.rmtree(store / "information")
    damage(store)
    with pytest.raises(StoreError, match=r"code/c/0/0/0/0/0 is not as it was recorded"):
        ibtools.analyze_store(store, quiet=True)


RESULT_FLAWS = {
    "of other labels": Flaw(put("label", 0, 1), "up to date", found=0),
    "damaged": Flaw(damage_result("n_states", (0, 0, 0), 4), "checksums", also={"analysed"}),
    "not of these states": Flaw(put_result("mi_xt", (0, 0, 0), 4.0), "recount"),
    "negative": Flaw(put_result("mi_ty", (0, 0, 2), -1.0), "bounds", also={"recount"}),
    "rising": Flaw(
        put_result("mi_xt", (0, 0, 2), 4.5), "data processing, I(X;T)", also={"recount"}
    ),
    "marked, but missing": Flaw(put_result("mi_xt", (0, 0), np.nan), "marks"),
    "marked, but missing of one layer": Flaw(put_result("mi_ty", (0, 0, 1), np.nan), "marks"),
    "not analysed": Flaw(put_result("analysed", (1, 2), False), "analysed", "note"),
    "of a repeat that was begun anew": Flaw(put("seed", 0, 9), "analysed", "note", found=3),
}


@pytest.mark.parametrize("flaw", RESULT_FLAWS)
def test_check__of_results(store: Path, flaw: str):
    one = RESULT_FLAWS[flaw]
    one.damage(store)
    found = findings(ibtools.check(store, quiet=True), "information/exact")
    assert found.pop(one.check) == (one.status, one.found)
    assert set(found) <= one.also


def test_result_names__of_results_that_another_process_creates(store: Path):
    """Until their marks are there, there are no results."""
    shutil.rmtree(store / "information" / "exact" / "analysed")
    with pytest.raises(StoreError, match="it has no results yet"):
        ibtools.open_results(store)
    assert ibtools.check(store, quiet=True).ok
