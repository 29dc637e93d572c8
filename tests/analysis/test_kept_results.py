"""Results are known to be right: what is torn, damaged or lost is never shown, and made anew."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from click.testing import CliRunner

import ibtools
from ibtools.analysis.passes import kept_results, result_groups, rounds, writing
from ibtools.analysis.passes.analysis_report import AnalysisReport
from ibtools.analysis.passes.kept_results import KeptResults
from ibtools.analysis.passes.result_checksums import Binding
from ibtools.cli.main import cli
from ibtools.errors import StoreError
from tests.conftest import LABEL, example_snapshots

RESULTS = Path("information") / "exact"


@pytest.fixture(scope="module")
def analysed_once(recorded_example: Path, tmp_path_factory) -> Path:
    path = shutil.copytree(recorded_example, tmp_path_factory.mktemp("analysed") / "example.zarr")
    ibtools.analyze_store(path, quiet=True)
    ibtools.details_store(path, "units", quiet=True)
    return path


@pytest.fixture
def analysed(analysed_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(analysed_once, tmp_path / "example.zarr"))


def group_of(path: Path, key: str = "information/exact") -> zarr.Group:
    root = zarr.open_group(path, mode="r+", use_consolidated=False)
    return root if key == "/" else root[key]


def tear(path: Path, name: str = "mi_ty") -> None:
    """Change one number of repeat 1, epoch 5, as if another had written over it."""
    group_of(path)[name][1, 2, 0] += 1


def lose(path: Path) -> None:
    (path / RESULTS / "mi_ty" / "c" / "1" / "0" / "0").unlink()


def cut(path: Path) -> None:
    file = path / RESULTS / "mi_ty" / "c" / "1" / "0" / "0"
    file.write_bytes(file.read_bytes()[:-5])


def swap(path: Path) -> None:
    """Exchange the files of two repeats."""
    one, other = (path / RESULTS / "mi_ty" / "c" / str(row) / "0" / "0" for row in range(2))
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)


def forget_sums(path: Path) -> None:
    """Lose the checksums of a repeat."""
    (path / RESULTS / "checksum" / "c" / "1" / "0" / "0").unlink()


def move_epoch(path: Path) -> None:
    """Let a snapshot have the numbers and checksums of another epoch."""
    group = group_of(path)
    for name, array in group.arrays():
        if array.ndim > 2 and name != "analysed":
            array[1, 2] = array[1, 1]


DAMAGES = [tear, lose, cut, swap, forget_sums, move_epoch]


@pytest.mark.parametrize("damage", DAMAGES)
def test_open_results__damaged_numbers_are_an_error(analysed: Path, damage: Callable):
    damage(analysed)
    found = ibtools.open_results(analysed)
    with pytest.raises(StoreError) as error:
        found["mi_ty"].load()
    if damage is cut:
        assert f"{RESULTS}/mi_ty/c/" in str(error.value)
    else:
        assert "the results of exact" in str(error.value)
        assert "repeat" in str(error.value)
        assert f"ibtools analyze {analysed} --estimator exact" in str(error.value)


def test_open_results__what_is_not_damaged_is_shown(analysed: Path):
    whole = ibtools.open_results(analysed).load()
    tear(analysed)
    found = ibtools.open_results(analysed)
    xr.testing.assert_equal(found["mi_xt"].load(), whole["mi_xt"])
    xr.testing.assert_equal(found["mi_ty"][0].load(), whole["mi_ty"][0])
    with pytest.raises(StoreError) as error:
        found["mi_ty"][1].load()
    assert str(error.value) == (
        f"{analysed}: the results of exact: mi_ty must be what was written, but does not match its "
        "checksum (repeat 1: epochs 5; information/exact/mi_ty/c/1/0/0): it is lost, damaged or "
        f"torn; compute it anew with: ibtools analyze {analysed} --estimator exact"
    )


def test_open_results__is_lazy(analysed: Path, forbid_computing):
    with forbid_computing:
        ibtools.open_results(analysed)["mi_ty"].mean("repeat")


@pytest.mark.parametrize("damage", DAMAGES)
def test_analyze_store__damaged_numbers_are_computed_anew(analysed: Path, damage: Callable):
    whole = ibtools.open_results(analysed).load()
    files = {file: file.read_bytes() for file in (analysed / RESULTS).rglob("c/*/0/0")}
    damage(analysed)
    report = ibtools.analyze_store(analysed, quiet=True)
    assert report.computed in (1, 4, 8)
    assert report.computed + report.skipped == 8
    assert "anew, because their numbers were damaged" in str(report)
    xr.testing.assert_identical(ibtools.open_results(analysed).load(), whole)
    assert files == {file: file.read_bytes() for file in files}
    again = ibtools.analyze_store(analysed, quiet=True)
    assert again == AnalysisReport("exact", computed=0, skipped=8, incomplete=0)


def test_analyze_store__says_which_numbers_were_damaged(analysed: Path):
    tear(analysed)
    assert ibtools.analyze_store(analysed, quiet=True).anew == (
        "anew, because their numbers were damaged: 1 snapshot (repeat 1: epochs 5)",
    )


def test_check__says_which_results_are_damaged(analysed: Path):
    tear(analysed, "n_singletons")
    report = ibtools.check(analysed, quiet=True)
    (found,) = [one for one in report.violations if one.name == "checksums"]
    assert (found.subject, found.found, found.checked) == ("information/exact", 1, 8)
    assert (found.worst.repeat, found.worst.epoch) == (1, 5)
    assert "analyze" in found.words
    ibtools.analyze_store(analysed, quiet=True)
    assert ibtools.check(analysed, quiet=True).ok


def test_check__of_a_chunk_that_is_cut(analysed: Path):
    cut(analysed)
    report = ibtools.check(analysed, quiet=True)
    assert [one.found for one in report.violations if one.name == "checksums"] == [4]


def test_details_store__damaged_numbers_are_computed_anew(analysed: Path):
    whole = ibtools.open_details(analysed, "units").load()
    group_of(analysed, "details/exact/units")["mi_unit_y"][1, 2, 0, 0] += 1
    with pytest.raises(StoreError, match=r"mi_unit_y .*repeat 1: epochs 5.*ibtools details"):
        ibtools.open_details(analysed, "units").load()
    (report,) = ibtools.details_store(analysed, "units", quiet=True)
    assert (report.computed, report.skipped) == (1, 7)
    assert "repeat 1: epochs 5" in str(report)
    xr.testing.assert_identical(ibtools.open_details(analysed, "units").load(), whole)


def test_open_results__without_checksums_as_before(analysed: Path):
    """Results of earlier versions are read as they are, and get checksums when some are written."""
    whole = ibtools.open_results(analysed).load()
    shutil.rmtree(analysed / RESULTS / "checksum")
    xr.testing.assert_identical(ibtools.open_results(analysed).load(), whole)
    assert ibtools.analyze_store(analysed, quiet=True).skipped == 8
    xr.testing.assert_identical(ibtools.open_results(analysed).load(), whole)
    tear(analysed)
    assert ibtools.analyze_store(analysed, quiet=True).computed == 1


def test_analyze_store__killed_while_adding_checksums(analysed: Path, monkeypatch):
    """Without all of them there are none: what was there is neither refused nor lost."""
    whole = ibtools.open_results(analysed).load()
    shutil.rmtree(analysed / RESULTS / "checksum")

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(result_groups, "_add_row", die)
        with pytest.raises(KeyboardInterrupt):
            ibtools.analyze_store(analysed, quiet=True)
    xr.testing.assert_identical(ibtools.open_results(analysed).load(), whole)
    assert ibtools.analyze_store(analysed, quiet=True).skipped == 8


def test_analyze_store__without_checksums_what_is_missing_is_computed_anew(analysed: Path):
    whole = ibtools.open_results(analysed).load()
    shutil.rmtree(analysed / RESULTS / "checksum")
    lose(analysed)
    assert ibtools.analyze_store(analysed, quiet=True).computed == 4
    xr.testing.assert_identical(ibtools.open_results(analysed).load(), whole)


def test_analyze_store__a_neighbour_forgets_what_is_being_computed(
    example_store: Path, monkeypatch
):
    """Labels that are changed in the middle: nothing of the old ones is written any more."""
    original = writing.write_window

    def meanwhile(*arguments):
        monkeypatch.setattr(writing, "write_window", original)
        group_of(example_store, "/")["label"][:] = LABEL[::-1]
        ibtools.analyze_store(example_store, quiet=True)
        original(*arguments)

    monkeypatch.setattr(writing, "write_window", meanwhile)
    result = CliRunner().invoke(cli, ["analyze", str(example_store), "--quiet"])
    assert result.exit_code == 1
    assert "must stay what it was while it is computed" in result.output
    assert result.output.count("\n") == 1
    expected = ibtools.analyze(ibtools.open_store(example_store)).compute()
    xr.testing.assert_equal(ibtools.open_results(example_store).load(), expected)


def test_analyze_store__a_repeat_that_is_begun_anew_meanwhile_is_left_to_others(
    example_store: Path, monkeypatch
):
    original = writing.write_window

    def meanwhile(*arguments):
        monkeypatch.setattr(writing, "write_window", original)
        group_of(example_store, "/")["seed"][1] = 77
        ibtools.analyze_store(example_store, quiet=True)
        original(*arguments)

    monkeypatch.setattr(writing, "write_window", meanwhile)
    assert ibtools.analyze_store(example_store, quiet=True).skipped == 8
    assert group_of(example_store)["seed"][1] == 77
    expected = ibtools.analyze(ibtools.open_store(example_store)).compute()
    xr.testing.assert_equal(ibtools.open_results(example_store).load(), expected)


def test_analyze_store__computes_no_window_that_another_has_done(example_store: Path, monkeypatch):
    original = writing.is_done

    def refuse(*_):
        raise AssertionError("computed again")

    def meanwhile(*arguments):
        monkeypatch.setattr(writing, "is_done", original)
        ibtools.analyze_store(example_store, quiet=True)
        monkeypatch.setattr("ibtools.analysis.passes.windows.analyze_blocks", refuse)
        return original(*arguments)

    monkeypatch.setattr(writing, "is_done", meanwhile)
    assert ibtools.analyze_store(example_store, quiet=True).skipped == 8


def overwrite_without_locks(path: Path, monkeypatch, times: int) -> None:
    """Let a neighbour without locks write old rows over new ones, after they were marked."""
    original, left = KeptResults.write, iter(range(times))

    def racing(self, row, epochs, values):
        stale = {name: array[row] for name, array in self.group.arrays() if array.ndim > 1}
        original(self, row, epochs, values)
        if next(left, None) is not None:
            for name in ("mi_xt", "checksum"):
                self.group[name][row] = stale[name]

    monkeypatch.setattr(KeptResults, "write", racing)


def test_analyze_store__what_a_neighbour_overwrote_is_computed_again(
    example_store: Path, monkeypatch
):
    overwrite_without_locks(example_store, monkeypatch, times=3)
    ibtools.analyze_store(example_store, quiet=True)
    expected = ibtools.analyze(ibtools.open_store(example_store)).compute()
    xr.testing.assert_equal(ibtools.open_results(example_store).load(), expected)


def test_analyze_store__what_is_overwritten_for_ever_is_an_error(example_store: Path, monkeypatch):
    monkeypatch.setattr(rounds, "ROUNDS", 3)
    overwrite_without_locks(example_store, monkeypatch, times=1000)
    with pytest.raises(StoreError, match=r"others that write the same ones have overwritten"):
        ibtools.analyze_store(example_store, quiet=True)
    monkeypatch.undo()
    assert ibtools.analyze_store(example_store, quiet=True).computed == 8


def test_open_results__reads_again_what_is_just_being_written(analysed: Path, monkeypatch):
    """A reader takes no lock; what does not match is looked at again."""
    whole = ibtools.open_results(analysed).load()
    tear(analysed)
    found = ibtools.open_results(analysed)

    def sleep(_):
        ibtools.analyze_store(analysed, quiet=True)

    monkeypatch.setattr(time, "sleep", sleep)
    xr.testing.assert_identical(found.load(), whole)


def test_checksums__differ_in_whatever_they_are_bound_to():
    numbers = np.arange(2)
    values = np.array([[1.0, 2.0], [1.0, 2.0]])

    def checksum(depends="{}", repeat=numbers, seed=numbers, epoch=numbers, name="a", row=0):
        return Binding(depends, repeat, seed, epoch).checksums(row, numbers, name, values).tolist()

    found = [
        checksum(),
        checksum(depends='{"revision": 2}'),
        checksum(repeat=numbers + 1),
        checksum(seed=numbers + 1),
        checksum(epoch=numbers + 2),
        checksum(name="b"),
        checksum(row=1),
    ]
    every = [one for two in found for one in two]
    assert len(set(every)) == len(every)
    assert checksum() == found[0]


def test_checksums__negative_zero_and_nan_are_values():
    binding = Binding("{}", *(np.arange(1) for _ in range(3)))
    found = [
        binding.checksums(0, np.arange(1), "a", np.array([[value]])).item()
        for value in (0.0, -0.0, np.nan, np.inf)
    ]
    assert len(set(found)) == 4
    assert 0 not in found


def test_batches__cover_all_rows(monkeypatch):
    group = zarr.create_group(zarr.storage.MemoryStore())
    values = {"a": group.create_array("a", shape=(7, 2), dtype="float64")}
    monkeypatch.setattr(kept_results, "BATCH_BYTES", 40)
    found = [list(range(7))[one] for one in kept_results._batches(values, 7)]
    assert found == [[0, 1], [2, 3], [4, 5], [6]]


def test_analyze_store__of_many_batches(example_store: Path, monkeypatch):
    monkeypatch.setattr(kept_results, "BATCH_BYTES", 1)
    ibtools.analyze_store(example_store, quiet=True)
    tear(example_store)
    assert ibtools.analyze_store(example_store, quiet=True).computed == 1


def test_analyze_store__grown_stores_keep_their_checksums(tmp_path: Path, monkeypatch):
    """Repeats and epochs that are added leave what was there known to be right."""
    small, large = tmp_path / "small.zarr", tmp_path / "large.zarr"
    for path, epochs in ((small, (0, 1)), (large, (0, 1, 5, 10))):
        ibtools.record_arrays(
            path, example_snapshots(2, epochs), label=LABEL, repeats=range(2), epochs=epochs
        )
    output = tmp_path / "output.zarr"
    ibtools.analyze_store(small, output=output, quiet=True)
    root = group_of(output, "/")
    root["information/exact"].attrs["store_id"] = group_of(large, "/").attrs["store_id"]
    assert ibtools.analyze_store(large, output=output, quiet=True).skipped == 4
    expected = ibtools.analyze(ibtools.open_store(large)).compute()
    xr.testing.assert_equal(ibtools.open_results(output).load(), expected)
