"""What may happen to a store in its life, in any order, drawn by Hypothesis.

Recorded, killed, resumed, replaced, relabelled, analysed, killed, damaged, repaired, copied: at any
time the store can be read, what is complete is what was recorded, and in the end results are those
of a fresh analysis.
"""

import contextlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import ibtools
from ibtools.errors import StoreError
from ibtools.recorders import engines
from ibtools.store.datasets import open_raw
from ibtools.store.durable import DurableStore

SEEDS = (0, 1)
LABELS = ("its own", "rolled", "of three classes")
SETTINGS: dict[str, Any] = {
    "epochs": 5, "repeats": 2, "schedule": "every:1", "samples": 64, "engine": "fake",
    "quiet": True,
}  # fmt: skip

Values = dict[str, np.ndarray]


class KilledError(RuntimeError):
    """Stands for a kill -9: nothing catches it."""


@pytest.fixture(scope="module")
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ibtools.store.layout.MAX_BLOCK_EPOCHS", 2)
        patch.setattr("ibtools.recorders.training.claim.CONFIRM_SECONDS", 0.0)
        patch.setitem(engines.ENGINES.builtin, "fake", "tests.recorders.fake_engine:FakeEngine")
        yield


def record(path: Path, seed: int, **options: Any) -> None:
    ibtools.record("SYN-Tanh", path, seed=seed, **SETTINGS, **options)


def analyze(path: Path) -> None:
    ibtools.analyze_store(path, scheduler="synchronous", quiet=True)
    ibtools.details_store(path, "classes", quiet=True)


def relabel(path: Path, labels: str) -> None:
    label = zarr.open_group(path, mode="r+", use_consolidated=False)["label"]
    original = np.arange(label.shape[0]) // 3
    label[...] = {
        "its own": original % 2,
        "rolled": np.roll(original, 1) % 2,
        "of three classes": original % 3,
    }[labels]


def variables(path: Path, group: str | None = None) -> Values:
    """Return all that a store or its results hold, along with their coordinates."""
    return {str(name): one.values for name, one in open_raw(path, group=group).variables.items()}


def read_all(path: Path) -> dict[str | None, Values]:
    return {
        group: variables(path, group)
        for group in (None, "information/exact", "details/exact/classes")
    }


class Fresh:
    """Stores that nothing happened to, one for each seed and labels, made when asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[tuple[int, str], dict[str | None, Values]] = {}

    def __call__(self, seed: int, labels: str) -> dict[str | None, Values]:
        if (seed, labels) not in self._known:
            path = self._folder / f"{seed} {labels}"
            record(path, seed)
            relabel(path, labels)
            analyze(path)
            self._known[seed, labels] = read_all(path)
        return self._known[seed, labels]


class Life(RuleBasedStateMachine):
    """A store, what was done to it last, and what it must be in the end."""

    folder: Path
    fresh: Fresh

    def __init__(self) -> None:
        super().__init__()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.n_copies = 0
        self.path = self.folder / "0.zarr"

    @initialize(seed=st.sampled_from(SEEDS), at=st.integers(1, 150))
    def begin(self, seed: int, at: int) -> None:
        self.replace_and_be_killed(seed, at)

    def killed_at(self, write: int, do: Any) -> None:
        """Do something that comes as far as the given write to the disk, if there are so many."""
        original, count = DurableStore.set, 0

        async def killing(
            store: Any, key: str, value: Any, *arguments: Any, **options: Any
        ) -> None:
            nonlocal count
            count += 1
            if count >= write:
                raise KilledError
            await original(store, key, value, *arguments, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(DurableStore, "set", killing)
            with contextlib.suppress(KilledError):
                do()

    @rule(seed=st.sampled_from(SEEDS), at=st.integers(1, 150))
    def replace_and_be_killed(self, seed: int, at: int) -> None:
        self.seed, self.labels = seed, "its own"
        self.killed_at(at, lambda: record(self.path, seed, overwrite=True))
        record(self.path, seed, resume=any(self.path.glob("*")))
        relabel(self.path, self.labels)

    @rule(labels=st.sampled_from(LABELS))
    def relabel(self, labels: str) -> None:
        self.labels = labels
        relabel(self.path, labels)

    @rule()
    def analyze(self) -> None:
        analyze(self.path)

    @rule(at=st.integers(1, 60))
    def analyze_and_be_killed(self, at: int) -> None:
        self.killed_at(at, lambda: analyze(self.path))

    @rule(pick=st.integers(0, 10**6), how=st.sampled_from(["gone", "cut", "flipped"]))
    def damage_and_repair(self, pick: int, how: str) -> None:
        files = sorted(file for file in (self.path / "code").glob("c/**/*") if file.is_file())
        file = files[pick % len(files)]
        content = bytearray(file.read_bytes())
        content[pick % len(content)] ^= 1 << pick % 8
        file.unlink()
        if how != "gone":
            file.write_bytes(content if how == "flipped" else content[: pick % len(content)])
        with pytest.raises(StoreError, match="is not as it was recorded"):
            open_raw(self.path).load()
        assert ibtools.repair_store(self.path, quiet=True).damage
        record(self.path, self.seed, resume=True)

    @rule()
    def copy(self) -> None:
        self.n_copies += 1
        old, self.path = self.path, self.folder / f"{self.n_copies}.zarr"
        shutil.copytree(old, self.path)
        shutil.rmtree(old)

    @precondition(lambda self: hasattr(self, "seed"))
    @invariant()
    def what_is_complete_is_what_was_recorded(self) -> None:
        found, fresh = variables(self.path), self.fresh(self.seed, self.labels)[None]
        complete = found["complete"]
        assert complete.all()
        np.testing.assert_array_equal(found["code"], fresh["code"])
        np.testing.assert_array_equal(found["label"], fresh["label"])

    def teardown(self) -> None:
        if not hasattr(self, "seed"):
            return
        analyze(self.path)
        for group, fresh in self.fresh(self.seed, self.labels).items():
            found = variables(self.path, group)
            assert found.keys() == fresh.keys()
            for name, values in fresh.items():
                np.testing.assert_array_equal(found[name], values, err_msg=f"{group} {name}")


def run_lives(folder: Path, n_lives: int, *, number: int) -> None:
    Life.folder, Life.fresh = folder / "life", Fresh(folder)
    run_state_machine_as_test(
        seed(number)(Life),
        settings=settings(
            max_examples=n_lives,
            stateful_step_count=8,
            deadline=None,
            phases=[Phase.generate],
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_store__whatever_happens_to_it(tmp_path: Path, small_blocks):
    run_lives(tmp_path, 2, number=0)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, 21))
def test_store__whatever_happens_to_a_hundred(tmp_path: Path, small_blocks, number: int):
    run_lives(tmp_path, 5, number=number)
