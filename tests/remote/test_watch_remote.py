"""A recording that grows in a bucket is watched."""

import numpy as np
import pytest

import ibtools

pytest.importorskip("s3fs", reason="s3fs is not installed")
pytest.importorskip("plotly", reason="plotly is not installed")

from ibtools.analysis.watch.follower import Follower


def test_follower__of_a_recording_that_grows_in_a_bucket(bucket: str):
    path = f"{bucket}/s.zarr"
    codes = np.random.default_rng(0).integers(0, 4, (3, 32, 2)).astype("uint8")
    with Follower(path, "exact") as follower:
        assert not follower.look()
        assert follower.view.status == "waiting: nothing is there yet"
        with ibtools.Recorder(path, label=np.arange(32) % 2, epochs=2, quiet=True) as recorder:
            for epoch in range(3):
                recorder.snapshot(epoch, {"only": codes[epoch]})
        assert follower.look()
        assert follower.view.status.startswith("3 snapshots, up to epoch 2")
        assert not follower.look()
        expected = ibtools.analyze(ibtools.open_store(path)).compute()["mi_xt"].values[0, :, 0]
        (trace,) = follower.view.figures["mi_xt"]["data"][:1]
        np.testing.assert_allclose(trace["y"], expected, atol=1e-4)
