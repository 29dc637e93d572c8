"""Ranges of quantisers that move: what they do to information, and who says so."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

import ibtools
from ibtools.analysis.repeats.grid_ranges import (
    grid_ranges,
    moves_until,
    moving_ranges,
    still_moves,
)
from ibtools.analysis.repeats.summary import format_summary
from ibtools.analysis.report.contents import collect
from ibtools.cli.main import cli
from ibtools.store.groups import get_array
from ibtools.store.opened import open_group
from ibtools.store.snapshots import LayerValues
from tests.unbound import unbind

N = 512
EPOCHS = range(12)
RANGES = np.r_[12.0, 9.0, 6.5, 5.0, 4.0, 3.4, 3.1, np.full(5, 3.0)]
"""As of a moving average that begins at [-6, 6], over values of 3."""

LABEL = np.arange(N) % 2


def quantised(values: np.ndarray, width: float, bits: int = 8) -> LayerValues:
    """Quantise values on the range [-width / 2, width / 2]."""
    scale, zero = np.float32(width / (2**bits - 1)), 2 ** (bits - 1)
    codes = np.clip(np.rint(values / scale) + zero, 0, 2**bits - 1)
    return LayerValues(codes.astype("uint8"), float(scale), zero)


def values_of(repeat: int, pull: float) -> np.ndarray:
    """One unit, (sample, 1), from -1.5 to 1.5; each value is drawn to the side of its class."""
    values = np.random.default_rng(repeat).permutation(np.linspace(-1.5, 1.5, N))
    return ((1 - pull) * values + pull * np.where(LABEL, 1.5, -1.5))[:, np.newaxis]


def record(path: Path, *, learns: bool, ranges=RANGES, **options) -> Path:
    """Record three repeats of a layer whose weights learn, or do not move at all."""
    snapshots = (
        (
            repeat,
            epoch,
            {
                "moving": quantised(values_of(repeat, learns * min(epoch / 6, 1.0)), ranges[epoch]),
                "free": values_of(repeat, 0.0).astype("float32"),
            },
        )
        for repeat in range(3)
        for epoch in EPOCHS
    )
    ibtools.record_arrays(path, snapshots, label=LABEL, repeats=range(3), epochs=EPOCHS, **options)
    ibtools.analyze_store(path, quiet=True)
    return path


@pytest.fixture(scope="module")
def frozen(tmp_path_factory) -> Path:
    return record(tmp_path_factory.mktemp("frozen") / "frozen.zarr", learns=False)


@pytest.fixture(scope="module")
def learning(tmp_path_factory) -> Path:
    return record(tmp_path_factory.mktemp("learning") / "learning.zarr", learns=True)


def test_dynamics__a_frozen_network_does_not_fit(frozen: Path):
    """A range that shrinks around values that stay raises I(T;Y), and nothing above chance."""
    found = ibtools.dynamics(ibtools.open_results(frozen)).sel(layer="moving")
    assert float(found.mi_ty_rise.min()) > 0.1
    assert found.mi_ty_rise_epoch.notnull().all()
    assert found.fitting_epoch.isnull().all()
    assert float(found.fitting.max()) < 0.03


def test_dynamics__a_network_that_learns_fits(learning: Path):
    found = ibtools.dynamics(ibtools.open_results(learning)).sel(layer="moving")
    assert found.mi_ty_rise_epoch.notnull().all()
    assert found.fitting_epoch.notnull().all()
    assert float(found.fitting.min()) > 0.3


def test_grid_ranges__by_hand(frozen: Path):
    found = grid_ranges(ibtools.open_store(frozen))
    np.testing.assert_allclose(found.grid_range_start.sel(layer="moving"), 12, rtol=1e-6)
    np.testing.assert_allclose(found.grid_range_end.sel(layer="moving"), 3, rtol=1e-6)
    np.testing.assert_allclose(found.grid_filled_start.sel(layer="moving"), 0.25, atol=0.01)
    np.testing.assert_allclose(found.grid_filled_end.sel(layer="moving"), 1, atol=0.02)
    assert found.grid_moves_until.sel(layer="moving").values.tolist() == [5, 5, 5]
    assert found.grid_still_moves.sel(layer="moving").values.tolist() == [0, 0, 0]
    assert all(found[name].sel(layer="free").isnull().all() for name in found)


@pytest.mark.parametrize(
    ("ranges", "filled", "until", "still"),
    [
        ([12, 6, 3, 3, 3], [0.2, 0.4, 0.8, 0.8, 0.8], 10, False),
        ([3, 3, 3, 3, 3], [0.2, 0.4, 0.8, 0.9, 1.0], np.nan, False),  # values grow into a fixed one
        ([1, 2, 3, 4, 5], [1, 1, 1, 1, 1], np.nan, False),  # one that follows the values
        ([12, 10, 8, 6, 4], [0.2, 0.3, 0.5, 0.6, 0.8], 30, True),
        ([np.nan] * 5, [np.nan] * 5, np.nan, False),
    ],
)
def test_moves_until__against_the_values(ranges, filled, until, still):
    curves = np.array(ranges, float), np.array(filled, float), np.arange(0.0, 50, 10)
    assert np.array_equal(moves_until(*curves), until, equal_nan=True)
    assert bool(still_moves(*curves)) is still


def test_grid_ranges__incomplete_prefit_and_failed(frozen: Path):
    """Only complete snapshots from epoch 0 on count, and only repeats that did not fail."""
    store = ibtools.open_store(frozen).load()
    store["complete"][0, 4:] = False
    store["complete"][1] = False
    found = grid_ranges(store).sel(layer="moving")
    assert found.grid_range_end.round(3).values.tolist()[0] == 5
    assert np.isnan(found.grid_range_end.values[1])
    shifted = store.assign_coords(epoch=np.arange(12) - 3)
    assert grid_ranges(shifted).sel(layer="moving").grid_range_start.values[2] == pytest.approx(5)
    store["outcome"][:] = "failed"
    assert moving_ranges(ibtools.repeat_intervals(grid_ranges(store))) == ()


@pytest.mark.parametrize("keep", ["codes", "partition"])
def test_grid_ranges__nothing_moves(tmp_path: Path, keep: str):
    """Nor does anything in a store without grids."""
    path = record(tmp_path / "still.zarr", learns=True, ranges=np.full(12, 3.0), keep=keep)
    found = grid_ranges(ibtools.open_store(path))
    if keep == "partition":
        assert not found
        assert moving_ranges(found) == ()
    else:
        assert moving_ranges(ibtools.repeat_intervals(found)) == ()
    assert "Ranges" not in format_summary(ibtools.summary(path), path)
    (line,) = [one for one in ibtools.check(path, quiet=True).checks if one.name == "moving ranges"]
    assert line.status == ("not checked" if keep == "partition" else "ok")


def test_format_summary__names_the_moving_range(frozen: Path, tmp_path: Path):
    lines = format_summary(ibtools.summary(frozen), "frozen.zarr").splitlines()
    assert lines[-3].startswith("Ranges of quantisers move against the values in them")
    assert lines[-1] == (
        "  moving: 12 at first, 25 % of it filled; 3 at the end, 100 % filled; moves until epoch 5"
    )
    assert max(map(len, lines)) <= 100
    ibtools.analyze_store(frozen, output=tmp_path / "apart.zarr", quiet=True)
    apart = ibtools.summary(tmp_path / "apart.zarr")
    assert "Ranges" not in format_summary(apart, "apart.zarr")
    assert "grid_moves_until" not in apart


def test_cli_summary__moving_ranges_as_json(frozen: Path):
    result = CliRunner().invoke(cli, shlex.split(f"summary {frozen} --json"))
    (moving,) = json.loads(result.output)["moving_ranges"]
    assert (moving["layer"], moving["until"], moving["n_still_moving"]) == ("moving", 5, 0)
    assert moving["range_end"] == pytest.approx(3, rel=1e-6)


def test_check__moving_ranges_are_a_note(frozen: Path):
    report = ibtools.check(frozen, quiet=True)
    (line,) = [one for one in report.checks if one.name == "moving ranges"]
    assert report.ok
    assert (line.status, line.found, line.checked) == ("note", 3, 3)
    assert line.worst.layer == "moving"
    assert "moving: 12 at first, 25 % of it filled" in line.words


def test_check__ranges_of_a_damaged_grid(tmp_path: Path):
    path = record(tmp_path / "damaged.zarr", learns=False)
    get_array(open_group(unbind(path), "r+"), "scale")[0, 3, 0] = 0
    report = ibtools.check(path, quiet=True)
    assert [one.name for one in report.violations] == ["scale", "range"]


def test_collect__moving_ranges_are_in_the_report(frozen: Path):
    table = collect(frozen, None, quiet=True).ranges
    assert table is not None
    assert table.rows == (("moving", "12", "25 %", "3", "100 %", "epoch 5"),)


def test_moving_ranges__warm_up_ends_with_the_first_snapshot(tmp_path: Path):
    """A range that is its last from the second snapshot on does not move "until epoch 0"."""
    ranges = np.r_[12.0, np.full(11, 3.0)]
    path = record(tmp_path / "warm.zarr", learns=False, ranges=ranges)
    (line,) = [one for one in ibtools.check(path, quiet=True).checks if one.name == "moving ranges"]
    assert "moves until the snapshot after the first, epoch 0" in line.words


def test_moving_ranges__still_at_the_end():
    """A recording that ends in the warm-up says so."""
    one = xr.Dataset(
        {
            name: (("repeat", "layer"), np.array([[value], [value]], float))
            for name, value in {
                "grid_range_start": 12,
                "grid_range_end": 6,
                "grid_filled_start": 0.2,
                "grid_filled_end": 0.4,
                "grid_moves_until": 18,
                "grid_still_moves": 1,
            }.items()
        },
        {"layer": ["only"]},
    )
    (moving,) = moving_ranges(ibtools.repeat_intervals(one))
    assert str(moving).endswith("until epoch 18, and still at the end in 2 of 2 repeats")
