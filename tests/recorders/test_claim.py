from pathlib import Path

import numpy as np
import pytest
import zarr

from ibtools.errors import ClaimLostError
from ibtools.recorders.training import claim
from ibtools.recorders.training.checkpoint import (
    delete_checkpoint,
    delete_checkpoints,
    load_checkpoint,
    save_checkpoint,
)
from ibtools.recorders.training.claim import claim_repeat
from ibtools.store.creation import create_store
from ibtools.store.groups import read_array
from ibtools.store.layout import StoreSpec
from ibtools.store.snapshots import LayerSpec
from ibtools.store.writer import RepeatWriter


@pytest.fixture
def group(tmp_path: Path, monkeypatch) -> zarr.Group:
    """A store of two repeats; looks at a mark are good for no time at all."""
    monkeypatch.setattr(claim, "CONFIRM_SECONDS", 0.0)
    layer = LayerSpec("only", 1, "relu", 8)
    spec = StoreSpec((layer,), (0, 1), (0, 1), (1,), label=np.array([0, 1]))
    return create_store(tmp_path / "s.zarr", spec)


def test_claim_repeat__the_owner_writes(group):
    claimed = claim_repeat(group, 0)
    RepeatWriter(claimed, 0).finish("failed")
    save_checkpoint(claimed, 0, 3, b"state")
    assert load_checkpoint(group, 0) == (3, b"state")
    delete_checkpoint(claimed, 0)
    assert load_checkpoint(group, 0) is None
    assert read_array(group, "outcome").tolist() == ["failed", "pending"]


def test_claim_repeat__who_had_it_before_writes_nothing_any_more(group):
    earlier = claim_repeat(group, 0)
    save_checkpoint(earlier, 0, 3, b"state")
    later = claim_repeat(group, 0)
    for write in (
        lambda: RepeatWriter(earlier, 0).finish("failed"),
        lambda: save_checkpoint(earlier, 0, 4, b"other"),
        lambda: save_checkpoint(earlier, 0, 4, b"of another size"),
        lambda: delete_checkpoint(earlier, 0),
        lambda: delete_checkpoints(earlier),
    ):
        with pytest.raises(ClaimLostError, match="another recording has taken over"):
            write()
    assert load_checkpoint(later, 0) == (3, b"state")
    assert read_array(group, "outcome").tolist() == ["pending", "pending"]
    RepeatWriter(later, 0).finish("failed")


def test_claim_repeat__other_repeats_are_other_claims(group):
    first = claim_repeat(group, 0)
    claim_repeat(group, 1)
    RepeatWriter(first, 0).finish("failed")


def test_claim_repeat__a_finished_recording_takes_no_late_writes(group):
    """When all is recorded the marks are deleted, and who had one has it no more."""
    claimed = claim_repeat(group, 0)
    delete_checkpoints(group)
    with pytest.raises(ClaimLostError, match="this one stops"):
        RepeatWriter(claimed, 0).finish("failed")


def test_claim_repeat__a_look_at_the_mark_is_good_for_a_while(group, monkeypatch):
    """Whoever takes over waits longer than that."""
    slept = []
    monkeypatch.setattr(claim.time, "sleep", slept.append)
    monkeypatch.setattr(claim, "CONFIRM_SECONDS", 100.0)
    earlier = claim_repeat(group, 0)
    RepeatWriter(earlier, 0).commit()
    assert slept == []
    claim_repeat(group, 0)
    assert slept == [200.0]
    RepeatWriter(earlier, 0).commit()
