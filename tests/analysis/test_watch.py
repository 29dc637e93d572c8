"""A recording that is watched: what is new is analysed, elsewhere, and shown on loopback only."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

import ibtools
from ibtools.analysis.passes import windows
from ibtools.errors import InputError, StoreError
from tests.conftest import record_example

pytest.importorskip("plotly", reason="plotly is not installed")
pytest.importorskip("jinja2", reason="jinja2 is not installed")
from ibtools.analysis.watch.follower import Follower, View
from ibtools.analysis.watch.server import serving

LABEL = np.arange(32) % 2


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def layers(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "hidden": rng.integers(0, 4, (32, 2), "u1"),
        "<output>": rng.integers(0, 2, (32, 1), "u1"),
    }


@pytest.fixture
def follow(monkeypatch):
    """Make a `Follower`, and count the snapshots that are computed."""
    computed: list[int] = []
    found = windows.Window.expect

    def count(window, reads, measures):
        computed.append(sum(len(one.epochs) for one in reads))
        return found(window, reads, measures)

    monkeypatch.setattr(windows.Window, "expect", count)
    return lambda path, estimator="exact": (Follower(path, estimator), computed)


def test_follower__analyses_what_is_new(tmp_path: Path, follow):
    store = tmp_path / "mine.zarr"
    follower, computed = follow(store)
    with follower:
        assert not follower.look()
        assert follower.view.status == "waiting: nothing is there yet"
        with ibtools.Recorder(store, label=LABEL, quiet=True) as recorder:
            for epoch in (1, 2, 3):
                recorder.epoch(epoch, train_accuracy=0.5)
                recorder.snapshot(epoch, layers(epoch))
                recorder.flush()
                before = contents(store)
                assert follower.look()
                assert contents(store) == before
                assert not follower.look()
                assert follower.view.status.endswith(f"to epoch {epoch}; 0 of 1 repeat finished")
                assert follower.view.version == epoch
        assert follower.look()
        assert follower.view.status.endswith("1 of 1 repeat finished")
        assert computed == [1, 1, 1]
        (path,) = (Path(one) for one in [follower._folder.name])
        assert path.is_dir()
    assert not path.exists()
    expected = ibtools.analyze(ibtools.open_store(store)).compute()["mi_ty"].values[0]
    drawn = [trace["y"] for trace in follower.view.figures["mi_ty"]["data"]]
    np.testing.assert_allclose(drawn[::2], expected.T, atol=1e-4)  # between are chance levels
    assert set(follower.view.figures) == {"plane", "mi_xt", "mi_ty", "accuracy"}
    assert "<output>" not in json.dumps(follower.view.figures["mi_ty"])


def test_follower__takes_a_store_in_the_place_of_another(tmp_path: Path, follow):
    store = record_example(tmp_path / "s.zarr")
    follower, _ = follow(store)
    with follower:
        assert follower.look()
        ibtools.simulate_store(
            store, samples=32, repeats=1, schedule=[0, 1], epochs=1, overwrite=True
        )
        assert follower.look()
        assert follower.view.status == "2 snapshots, up to epoch 1; 1 of 1 repeat finished"


def test_follower__says_what_keeps_it_from_reading(tmp_path: Path, follow):
    store = record_example(tmp_path / "s.zarr")
    follower, _ = follow(store)
    with follower:
        assert follower.look()
        (store / "zarr.json").write_text("{")
        assert not follower.look()
        assert "the store is damaged" in follower.view.status
        assert follower.view.figures


def test_follower__refuses_what_has_no_plane(tmp_path: Path):
    with pytest.raises(InputError, match=r"is a plane, which sliced.* does not have"):
        Follower(tmp_path / "s.zarr", "sliced")


def get(url: str, path: str, host: str | None = None) -> tuple[int, str]:
    """Ask a server, perhaps by another name."""
    place = urlsplit(url).netloc
    connection = http.client.HTTPConnection(place, timeout=60)
    connection.request("GET", path, headers={"Host": host or place})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_serving__tells_this_machine_only():
    view = View(3, "mine", "1 snapshot", {"plane": {"data": []}})
    with serving("<p>page</p>", lambda: view, 0) as url:
        assert url.startswith("http://127.0.0.1:")
        assert get(url, "/") == (200, "<p>page</p>")
        told = {"version": 3, "title": "mine", "status": "1 snapshot"}
        assert json.loads(get(url, "/view?version=3")[1]) == told
        all_of_it = {**told, "figures": {"plane": {"data": []}}}
        assert json.loads(get(url, "/view?version=2")[1]) == all_of_it
        assert get(url, "/zarr.json")[0] == 404
        assert get(url, "/view", host="elsewhere.example")[0] == 403
        with (
            pytest.raises(InputError, match="must be free"),
            serving("", lambda: view, urlsplit(url).port),
        ):
            pass
    with pytest.raises(OSError, match="refused"):
        get(url, "/")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
def test_watch__leaves_nothing_behind(tmp_path: Path):
    store, temporary = record_example(tmp_path / "s.zarr"), tmp_path / "temporary"
    temporary.mkdir()
    before = contents(store)
    with subprocess.Popen(
        [sys.executable, "-m", "ibtools", "watch", str(store), "--no-open"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    ) as watching:
        said = watching.stderr.readline()
        url = said.split(" at ")[1].split(";")[0]
        assert said == f"Watching {store} at {url}; Ctrl-C ends it\n"
        while not json.loads(get(url, "/view")[1])["version"]:
            time.sleep(0.1)
        assert len(list(temporary.iterdir())) == 1
        watching.send_signal(signal.SIGTERM)
        assert watching.stderr.read().strip() == ""
    assert watching.returncode == 0
    assert not any(temporary.iterdir())
    assert contents(store) == before


def test_accessor__watches_in_a_notebook(tmp_path: Path):
    pytest.importorskip("anywidget", reason="anywidget is not installed")
    store = record_example(tmp_path / "s.zarr")
    widget = ibtools.open_store(store).ib.watch()
    while len(widget.children) < 2 and widget._thread.is_alive():
        time.sleep(0.1)
    widget.stop()
    status, plane, *curves = widget.children
    assert "8 snapshots, up to epoch 10; 2 of 2 repeats finished" in status.value
    assert {trace.meta["role"] for trace in plane.data} >= {"point", "mean", "repeats"}
    assert [len(curve.data) for curve in curves] == [3, 6]
    widget.close()


def test_accessor__watches_only_what_has_a_place(tmp_path: Path):
    dataset = ibtools.open_store(record_example(tmp_path / "s.zarr"))
    assert dataset.isel(repeat=[0]).encoding["source"] == str(tmp_path / "s.zarr")
    dataset.encoding = {}
    with pytest.raises(StoreError, match=r"open it with ibtools\.open_store"):
        dataset.ib.watch()
