"""A recording that dies at any write: what was complete stays, and the same script goes on."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import ibtools
from ibtools.errors import IbtoolsError
from ibtools.recorders import growing_writer
from ibtools.store.durable import DurableStore
from ibtools.store.groups import find_group, is_unfinished
from tests.recorders.loops import snapshot_of, train
from tests.recorders.test_recorder import chunks_of

EPOCHS = 3


@contextmanager
def dying_after(writes: int | None) -> Iterator[list[int]]:
    """Have all writes after some fail, as if the process had died; count them."""
    counted, replace = [0], DurableStore._replace

    def count(self: DurableStore, *args: object) -> None:
        if writes is not None and counted[0] >= writes:
            raise OSError("dead")
        counted[0] += 1
        replace(self, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DurableStore, "_replace", count)
        yield counted


@pytest.fixture(autouse=True)
def _every_snapshot_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing_writer, "COMMIT_SECONDS", 0)
    monkeypatch.setattr(growing_writer, "_PAUSES", 0)


def count_sound(path: Path) -> int:
    """Count the snapshots that are complete, each of which must be as it was given."""
    group = find_group(path, "r")
    if group is None or is_unfinished(group):
        return 0
    found = ibtools.open_store(path)
    assert ibtools.check(path, quiet=True).ok
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the root repeats nothing yet
        raw = xr.open_zarr(path)
    for name in ("repeat", "epoch", "trained_epoch"):
        assert raw.sizes[name] == found.sizes[name]
    complete = found["complete"].values[0]
    for epoch in found["epoch"].values[complete]:
        code = found["code"].sel(repeat=0, epoch=epoch, layer="hidden").values[:, :5]
        np.testing.assert_array_equal(code, snapshot_of(0, int(epoch))["hidden"].values)
    return int(complete.sum())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "run.zarr"
    train(path, EPOCHS)
    return path


@pytest.mark.parametrize(
    ("start", "step"),
    [(11, 29), *(pytest.param(k, 29, marks=pytest.mark.slow) for k in range(29) if k != 11)],
)
def test_recorder__dies_at_any_write(tmp_path: Path, whole: Path, start: int, step: int):
    """All readers see axes of one length, and what is complete is right; the rest comes again."""
    with dying_after(None) as counted:
        train(tmp_path / "counted.zarr", EPOCHS)
    assert counted[0] > 100
    for writes in range(start, counted[0], step):
        path = tmp_path / f"died-{writes}.zarr"
        with dying_after(writes), pytest.raises((IbtoolsError, OSError)):
            train(path, EPOCHS)
        before = count_sound(path)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ibtools.recorders.training.claim.CONFIRM_SECONDS", 0)
            train(path, EPOCHS, resume=True)
        assert count_sound(path) == EPOCHS + 1 >= before
        assert chunks_of(path) == chunks_of(whole)
