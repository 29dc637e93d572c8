"""A recording that really runs, watched in a real browser."""

import shutil
import time
from threading import Event, Thread

import numpy as np
import pytest

import ibtools

pytest.importorskip("plotly", reason="plotly is not installed")
pytest.importorskip("jinja2", reason="jinja2 is not installed")
from ibtools.analysis.watch.follower import Follower
from ibtools.analysis.watch.page import render
from ibtools.analysis.watch.server import serving

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PATIENCE = 600_000
"""Milliseconds until a page that shows nothing new has failed."""


SHOWS = """(n) => {
  const of = (name) => document.getElementById(`watch-${name}`).data ?? [];
  const mean = of("plane").find(({ meta }) => meta.role === "mean");
  return [mean?.x, of("mi_xt")[0]?.y, of("mi_ty")[0]?.y, of("accuracy")[0]?.y]
    .every((values) => values?.length === n);
}"""


STACKED = """() => {
  const of = (name) => document.getElementById(`watch-${name}`).getBoundingClientRect();
  const places = ["plane", "mi_ty", "mi_xt", "accuracy"].map(of);
  return places.every(({ width, height, bottom }, k) =>
    width < 500 && height >= 300 && (k === 3 || places[k + 1].top >= bottom));
}"""
"""Whether a narrow page has its figures below each other."""


def record(path, seen: Event, ended: Event) -> None:
    """Record an epoch whenever the one before it was seen, until all has ended."""
    rng = np.random.default_rng(0)
    with ibtools.Recorder(path, label=np.arange(32) % 2, quiet=True) as recorder:
        for epoch in (1, 2, 3):
            recorder.epoch(epoch, train_accuracy=epoch / 4)
            recorder.snapshot(epoch, {"hidden": rng.integers(0, 4, (32, 2), "u1")})
            recorder.flush()
            seen.wait(PATIENCE / 1000)
            if ended.is_set():
                return
            seen.clear()


def test_watch__shows_a_recording_that_runs(tmp_path):
    store, seen, ended, requests, messages = tmp_path / "s.zarr", Event(), Event(), [], []

    def look(follower: Follower) -> None:
        while not ended.is_set():
            follower.look()
            time.sleep(0.05)

    with (
        Follower(store, "exact") as follower,
        serving(render(), lambda: follower.view, 0) as url,
        sync_api.sync_playwright() as playwright,
    ):
        looking = Thread(target=look, args=(follower,))
        recording = Thread(target=record, args=(store, seen, ended))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        try:
            looking.start()
            page.goto(url)
            status = page.locator("#watch-status")
            sync_api.expect(status).to_have_text("waiting: nothing is there yet", timeout=PATIENCE)
            recording.start()
            for epoch in (1, 2, 3):
                page.wait_for_function(SHOWS, arg=epoch, timeout=PATIENCE)
                seen.set()
            sync_api.expect(status).to_contain_text("1 of 1 repeat finished", timeout=PATIENCE)
            page.set_viewport_size({"width": 500, "height": 900})
            page.wait_for_function(STACKED, timeout=PATIENCE)
            drawn = page.evaluate('() => document.getElementById("watch-mi_ty").data[0].y')
            browser.close()
        finally:
            ended.set()
            seen.set()
            looking.join()
            recording.join()
    expected = ibtools.analyze(ibtools.open_store(store)).compute()["mi_ty"].values.ravel()
    np.testing.assert_allclose(drawn, expected, atol=1e-4)
    assert not messages
    assert {one.partition("?")[0] for one in requests} <= {url, f"{url}view", "data:,"}
    assert not (store / "information").exists()
