"""Stores from strangers: each kind of fault is one line that says what and where, soon."""

import json
import os
import re
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import zarr
from click.testing import CliRunner

import ibtools
from ibtools.cli.main import cli
from ibtools.errors import StoreError, StoreVersionError
from ibtools.store.opened import open_group
from ibtools.store.schema import STORE_VARIABLES
from ibtools.store.validation.sizes import validate_sizes
from tests.conftest import record_example
from tests.fuzzing.damages import gzip_of, zstd_of
from tests.unbound import unbind

Damage = Callable[[Path], None]


def write(file: str, content: str | bytes) -> Damage:
    raw = content if isinstance(content, bytes) else content.encode()
    return lambda path: (path / file).write_bytes(raw) and None


def edit(file: str, change: Callable[[dict[str, Any]], Any]) -> Damage:
    def damage(path: Path) -> None:
        node = json.loads((path / file / "zarr.json").read_text())
        change(node)
        (path / file / "zarr.json").write_text(json.dumps(node))

    return damage


def set_key(file: str, key: str, value: Any) -> Damage:
    return edit(file, lambda node: node.__setitem__(key, value))


def attribute(name: str, value: Any, group: str = "") -> Damage:
    return edit(group, lambda node: node["attributes"].__setitem__(name, value))


def chunk_shape(file: str, *shape: int) -> Damage:
    return edit(file, lambda node: node["chunk_grid"]["configuration"].update(chunk_shape=shape))


def put(name: str, at: Any, value: Any) -> Damage:
    def damage(path: Path) -> None:
        zarr.open_array(path / name, mode="r+")[at] = value

    return damage


def put_unbound(name: str, at: Any, value: Any) -> Damage:
    """Change what is bound by checksums, in a store without them."""

    def damage(path: Path) -> None:
        put(name, at, value)(unbind(path))

    return damage


def lengthen(size: int, *names: str) -> Damage:
    """Let all variables that have an axis of 4 (epochs) announce another."""

    def longer(node: dict[str, Any]) -> None:
        dims = node["dimension_names"]
        node["shape"] = [
            size if dim in ("epoch", "trained_epoch") else old
            for dim, old in zip(dims, node["shape"], strict=True)
        ]

    def damage(path: Path) -> None:
        for file in path.glob("*/zarr.json"):
            if "dimension_names" in file.read_text():
                edit(file.parent.name, longer)(path)

    return damage


def replace(name: str, make: Callable[[Path], Any]) -> Damage:
    def damage(path: Path) -> None:
        place = path / name
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink()
        make(place)

    return damage


def consolidated(name: str, key: str, value: Any) -> Damage:
    return edit(
        "", lambda node: node["consolidated_metadata"]["metadata"][name].__setitem__(key, value)
    )


BYTES = [{"name": "bytes", "configuration": {"endian": "little"}}]

FAULTS: dict[str, tuple[Damage, str]] = {
    # metadata that zarr would not parse, or for too long
    "metadata: a list": (write("label/zarr.json", "[]"), "label: zarr.json: must be a JSON object"),
    "metadata: null": (write("zarr.json", "null"), "must be a JSON object, found b'null'"),
    "metadata: a number": (write("code/zarr.json", "1"), "code: zarr.json: must be a JSON object"),
    "metadata: empty": (write("zarr.json", ""), "must be a JSON object, found nothing"),
    "metadata: binary": (write("split/zarr.json", b"\0\xff\x80"), "split: zarr.json: must be a"),
    "metadata: deep": (write("zarr.json", "[" * 10**6), "must be a JSON object"),
    "metadata: deep and whole": (
        write("zarr.json", '{"a":' * 99 + "1" + "}" * 99), "at most 32 levels"
    ),
    "metadata: of a gigabyte": (
        lambda path: os.truncate(path / "label" / "zarr.json", 2**30), "at most 8388608 bytes"
    ),
    "metadata: of zarr 2": (set_key("label", "zarr_format", 2), "zarr_format must be 3, found 2"),
    "metadata: no kind": (set_key("label", "node_type", []), "node_type must be"),
    "metadata: a folder": (
        replace("label/zarr.json", Path.mkdir), "label: zarr.json must be a file, found a folder"
    ),
    "metadata: a link to itself": (
        replace("label/zarr.json", lambda place: place.symlink_to(place)), "label: zarr.json must"
    ),
    "metadata: a link to nothing": (
        replace("label/zarr.json", lambda place: place.symlink_to("gone")), "a link to 'gone'"
    ),
    "metadata: a pipe": (replace("label/zarr.json", os.mkfifo), "found something else"),
    "metadata: endless": (
        replace("label/zarr.json", lambda place: place.symlink_to("/dev/zero")), "something else"
    ),
    "consolidated: no object": (
        set_key("", "consolidated_metadata", [1]), "consolidated_metadata must hold metadata"
    ),
    "consolidated: garbage": (
        consolidated("label", "shape", "x"), "consolidated_metadata of label: shape must be"
    ),
    "consolidated: another shape": (
        consolidated("label", "shape", [65]), "'label' must have the shape .*consolidate"
    ),
    # arrays
    "array: a group": (set_key("label", "node_type", "group"), "a group must not have 'shape'"),
    "array: a file": (
        replace("label", lambda place: place.write_text("")), "variable label is missing"
    ),
    "array: negative": (set_key("label", "shape", [-1]), "shape must be .* from 0 .*found"),
    "array: empty": (set_key("label", "shape", [0]), "'label' must have 64 along sample"),
    "array: of text sizes": (set_key("label", "shape", ["64"]), "shape must be"),
    "array: of other dims": (set_key("label", "dimension_names", ["unit"]), "the dimensions"),
    "array: without dims": (set_key("label", "dimension_names", None), "the dimensions"),
    "array: chunks of nothing": (chunk_shape("label", 0), "chunk_shape must be"),
    "array: chunks of 2**40": (chunk_shape("label", 2**40), "at most 536870912 bytes in memory"),
    "array: chunks of 2**62": (chunk_shape("label", 2**62), "chunk_shape must be"),
    "array: chunks of two dims": (chunk_shape("label", 1, 1), "a size for each of 1 dim"),
    "array: no grid": (set_key("label", "chunk_grid", {"name": "x"}), "chunk_grid must be regular"),
    "array: unknown type": (set_key("label", "data_type", "bfloat16"), "data_type must be one of"),
    "array: long texts": (
        set_key("layer", "data_type",
                {"name": "fixed_length_utf32", "configuration": {"length_bytes": 2**40}}),
        "length_bytes of fixed_length_utf32 must be",
    ),
    "array: other type": (set_key("label", "data_type", "int32"), "'label' must be int64"),
    "array: no fill": (set_key("label", "fill_value", "x"), "fill_value must be a whole number"),
    "array: transformers": (
        set_key("label", "storage_transformers", [{"name": "x"}]), "transformers must be none"
    ),
    "array: unknown codec": (
        set_key("label", "codecs", [*BYTES, {"name": "numcodecs.pickle"}]), "a codec must be"
    ),
    "array: no codec": (set_key("label", "codecs", []), "codecs must be .* found none"),
    "array: codecs of another kind": (set_key("label", "codecs", 3), "codecs must be a list"),
    "array: codecs out of order": (
        set_key("label", "codecs", [{"name": "zstd"}, *BYTES]), "codecs must be transpose or"
    ),
    "array: a level that is none": (
        set_key("label", "codecs", [*BYTES, {"name": "zstd", "configuration": {"level": 99}}]),
        "level of the codec zstd",
    ),
    # sizes
    "sizes: 10**9 epochs": (lengthen(10**9), "1 to 4194304 along epoch, found 1000000000"),
    "sizes: no epochs": (lengthen(0), "must have 1 to .* along epoch, found 0"),
    "sizes: 2**20 chunks of nothing": (
        lengthen(2**20), "and .* are there; save the store anew"
    ),
    # attributes
    "attributes: version 0": (attribute("format_version", 0), "format version 0"),
    "attributes: version -1": (attribute("format_version", -1), "format version -1"),
    "attributes: version 1.5": (attribute("format_version", 1.5), "format version 1.5"),
    "attributes: version true": (attribute("format_version", True), "format version True"),
    "attributes: version '1'": (attribute("format_version", "1"), "format version '1'"),
    "attributes: configuration": (attribute("configuration", {"a": 1}), "configuration must be a"),
    "attributes: left out": (attribute("layers_left_out", "{"), "layers_left_out must be a JSON"),
    "attributes: left out, a list": (attribute("layers_left_out", "[1]"), "must be a JSON object"),
    "attributes: left out, numbers": (attribute("layers_left_out", '{"a": 1}'), "object of texts"),
    "attributes: classes": (attribute("classes", 3), "classes must be a list"),
    "attributes: classes of lists": (attribute("classes", [[1], [2]]), "classes must be a list"),
    "attributes: inputs": (attribute("inputs", "all"), "inputs must be population or sample"),
    "attributes: layers": (attribute("layers", ["a"]), "layers must be chain or graph"),
    "attributes: store_id": (attribute("store_id", None), "store_id must be a text"),
    "attributes: features": (attribute("features", "many"), "features must be a whole number"),
    # coordinates
    "coordinates: a layer twice": (put("layer", 1, "hidden_1"), "found 'hidden_1' twice"),
    "coordinates: no name": (put("layer", 1, ""), "every layer must be a name .* found ''"),
    "coordinates: a null": (put("layer", 1, "a\0b"), "without null characters"),
    "coordinates: no units": (put("n_units", 1, 0), "every n_units must be 1 or more, found 0"),
    "coordinates: 2**60 units": (put("n_units", 1, 2**60), "at most 5, as unit is, found 1152"),
    "coordinates: no bits": (put("bits", 0, 0), "every bits must be 1 to 16, or 32"),
    "coordinates: 10**6 bits": (put("bits", 0, 10**6), "every bits must be 1 to 16, or 32"),
    "coordinates: more bits than code": (put("bits", 0, 9), "at most 8, as code has"),
    "coordinates: epochs that fall": (put("epoch", 1, 7), "epoch must be ascending .* found 7, 5"),
    "coordinates: an epoch twice": (put("epoch", 1, 0), "epoch must be ascending .* found 0, 0"),
    "coordinates: a negative label": (put("label", 3, -2), "found -2 at position 3"),
    "coordinates: a split": (put("split", 3, "validation"), "train or test, found 'validation'"),
    "coordinates: an outcome": (put_unbound("outcome", 0, "good"), "trained, failed, found 'good'"),
    "coordinates: a phase": (put("phase", 0, "end"), "prefit or training, found 'end'"),
    "coordinates: attempts": (put("failed_attempts", 0, -1), "0 or more, found -1"),
    # chunks
    "chunks: a bomb": (write("label/c/0", zstd_of(2**26)), "label/c/0: a chunk must have 512"),
    "chunks: a bomb in texts": (write("split/c/0", zstd_of(2**26)), "split/c/0: a chunk must"),
    "chunks: another codec": (write("label/c/0", gzip_of(2**20)), "label/c/0: a chunk must have"),
    "chunks: a folder": (replace("label/c/0", Path.mkdir), "label/c/0: it is a folder"),
    "chunks: deleted": (replace("label/c/0", lambda place: None), "found -1 at position 0"),
    "chunks: names deleted": (replace("layer/c", lambda place: None), "every layer must be a name"),
}  # fmt: skip


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    path = record_example(
        tmp_path_factory.mktemp("good") / "good.zarr",
        split=np.where(np.arange(64) < 40, "train", "test"),
    )
    ibtools.analyze_store(path, quiet=True)
    return path


@pytest.fixture
def store(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "s.zarr"))


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("fault", FAULTS)
def test_open_group__says_what_is_wrong(store: Path, fault: str):
    damage, match = FAULTS[fault]
    open_group(store)
    before = peak()
    damage(store)
    with pytest.raises(StoreError, match=match) as caught:
        open_group(store)
    assert str(store) in str(caught.value)
    assert str(caught.value).isprintable()
    result = CliRunner().invoke(cli, ["info", str(store)])
    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    assert len(result.output.splitlines()) == 1
    assert peak() - before < 2**29


def test_validate_sizes__of_more_snapshots_than_are_read():
    scale = next(one for one in STORE_VARIABLES if one.name == "scale")
    arrays: Any = {"scale": SimpleNamespace(shape=(2**4, 2**20, 2**3))}
    with pytest.raises(StoreError, match="at most 67108864 repeats x epochs x layers"):
        validate_sizes(arrays, (scale,), "s.zarr")


def test_open_group__versions_have_an_error_of_their_own(store: Path):
    attribute("format_version", 2)(store)
    with pytest.raises(StoreVersionError, match="format version 2, this ibtools reads 1 to 1"):
        open_group(store)


def test_open_group__what_people_do_to_their_stores(store: Path):
    """Numbers of repeats that occur twice, labels with gaps, attributes and folders of theirs."""
    put_unbound("repeat", 1, 0)(store)
    put("label", 0, 5)(store)
    attribute("mine", {"a": [1]})(store)
    (store / "notes").mkdir()
    (store / "notes" / "read me").write_text("mine")
    (store / "mine.txt").write_text("mine")
    zarr.create_array(store / "mine", data=np.arange(3.0), dimension_names=["mine"])
    moved = store.parent / "label"
    shutil.move(store / "label", moved)
    (store / "label").symlink_to(moved)
    open_group(store)
    assert ibtools.open_store(store).label[0] == 5


FOREIGN = "a foreign name"
"""Perhaps of a package that is not installed: `info` says so, and shows all else."""

RESULT_FAULTS: dict[str, tuple[Damage, str]] = {
    "an array of another type": (
        set_key("information/exact/mi_xt", "data_type", "float32"), "'mi_xt' must be float64"
    ),
    "an array of another shape": (
        set_key("information/exact/mi_xt", "shape", [2, 4, 4]), "must have . along layer"
    ),
    FOREIGN: (
        lambda path: shutil.copytree(path / "seed", path / "information/exact/=1+1") and None,
        "found a variable '=1\\+1'",
    ),
    "no marks": (replace("information/exact/layer", lambda place: None), "'layer' must be there"),
    "10**9 epochs": (
        set_key("information/exact/mi_ty", "shape", [2, 10**9, 3]), "must have 4 along epoch"
    ),
    "samples that are no number": (attribute("n_samples", "x", "information/exact"), "n_samples"),
    "metadata that are a list": (write("information/exact/mi_xt/zarr.json", "[]"), "JSON object"),
    "a group that is none": (write("information/exact/zarr.json", "null"), "JSON object"),
}  # fmt: skip


@pytest.mark.parametrize("fault", RESULT_FAULTS)
def test_open_results__says_what_is_wrong(store: Path, fault: str):
    damage, match = RESULT_FAULTS[fault]
    damage(store)
    with pytest.raises(StoreError, match=match) as caught:
        ibtools.open_results(store)
    assert "information/exact" in str(caught.value)
    for command in ("info", "summary"):
        result = CliRunner().invoke(cli, [command, str(store)])
        if command == "info" and fault == FOREIGN:
            assert result.exit_code == 0
            assert "information/exact" in result.output
        else:
            assert (result.exit_code, type(result.exception)) == (1, SystemExit)


def test_open_results__a_damaged_chunk_is_one_line_when_it_is_read(store: Path):
    file = min(one for one in (store / "information/exact/mi_xt/c").rglob("*") if one.is_file())
    file.write_bytes(zstd_of(2**26))
    results = ibtools.open_results(store)
    with pytest.raises(StoreError, match="mi_xt/c/0/0/0: a chunk must have 96 bytes"):
        results.mi_xt.load()


@pytest.mark.parametrize("command", ["info", "check"])
def test_commands__on_results_that_are_kept_outside(good: Path, tmp_path: Path, command: str):
    ibtools.analyze_store(good, output=tmp_path / "results.zarr", quiet=True)
    result = CliRunner().invoke(cli, [command, str(tmp_path / "results.zarr")])
    assert re.search(
        r"Error: .*this holds results only \(information\).*open_results", result.output
    )
