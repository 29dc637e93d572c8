"""The report in a real browser: it is silent, needs no network, and moves."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import ibtools
from ibtools.shown import short_names, visible
from tests.conftest import record_example
from tests.hostile_names import NAMES, record_hostile

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

DOUBLE_CLICK = 600
"""Milliseconds after which Plotly takes a click for another one."""

SHOWS = "(epoch) => document.getElementById('plane-shown').value === epoch"


@pytest.fixture(scope="module")
def report_file(tmp_path_factory) -> Path:
    store = record_example(tmp_path_factory.mktemp("report") / "example.zarr")
    ibtools.analyze_store(store, estimator=["exact", "binned"], quiet=True)
    return ibtools.report(store, output=store.parent / "report.html", quiet=True)


PATIENCE = 600_000
"""Milliseconds that a page may take for anything, on a machine that does much else."""


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Visit:
    """A page that was opened, and all that it did."""

    def __init__(self, browser, report_file: Path, **options):
        self.page = browser.new_page(viewport={"width": 1100, "height": 900}, **options)
        self.page.set_default_timeout(PATIENCE)
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(report_file.as_uri())
        if options.get("java_script_enabled", True):
            self.page.wait_for_selector("#plane-figure .scatterlayer .trace")

    def positions(self) -> list[list[float]]:
        """Return where the points of the layers are on the screen."""
        return self.page.evaluate(
            """() => {
              const figure = document.getElementById("plane-figure");
              const drawn = [...figure.querySelectorAll(".scatterlayer .trace")];
              const points = figure.data.flatMap(
                (trace, index) => (trace.meta.role === "point" ? [drawn[index]] : []));
              return points.map((trace) => {
                const box = trace.querySelector(".points path").getBoundingClientRect();
                return [box.x + box.width / 2, box.y + box.height / 2];
              });
            }"""
        )

    def point_of_line(self, role: str, layer: str, position: int) -> list[float]:
        """Return where a value of a trace is on the screen."""
        return self.page.evaluate(
            """([role, layer, position]) => {
              const figure = document.getElementById("plane-figure");
              const { x, y } = figure.data.find(
                ({ meta }) => meta.role === role && meta.layer === layer);
              const { xaxis, yaxis } = figure._fullLayout;
              const box = figure.getBoundingClientRect();
              return [box.x + xaxis._offset + xaxis.d2p(x[position]),
                      box.y + yaxis._offset + yaxis.d2p(y[position])];
            }""",
            [role, layer, position],
        )

    def move_slider(self, position: int) -> None:
        self.page.locator("#plane-epoch").fill(str(position))

    def shown(self) -> str:
        return self.page.locator("#plane-shown").inner_text()

    def leave(self) -> None:
        """Close the page, after checking that it was silent and asked for nothing."""
        assert not self.messages
        asked = {url.partition(":")[0] for url in self.requests}
        assert asked <= {"file", "data", "blob"}
        assert sum(url.startswith("file:") for url in self.requests) == 1
        self.page.close()


def store_of(visit: Visit) -> Path:
    return Path(visit.page.url.removeprefix("file://")).with_name("example.zarr")


@pytest.fixture
def visit(browser, report_file: Path) -> Iterator[Visit]:
    visited = Visit(browser, report_file)
    yield visited
    visited.leave()


def test_report__text_says_what_the_store_holds(visit: Visit):
    text = visit.page.locator("body").inner_text()
    for words in (
        "arrays",
        "2 repeats",
        "exact",
        "binned-uniform-30-layer",
        "hidden_1",
        "Audit",
        "All 4 epochs",
    ):
        assert words in text
    assert visit.page.title() == "arrays: ibtools report"
    loaded = "() => [...document.images].every((image) => image.naturalWidth > 0)"
    assert visit.page.evaluate(loaded)


def test_report__slider_moves_the_points(visit: Visit):
    results = ibtools.open_results(store_of(visit)).mean("repeat")
    assert visit.shown() == "epoch 10"
    before = visit.positions()
    visit.move_slider(0)
    assert visit.shown() == "epoch 0"
    visit.page.wait_for_function(
        "(x) => document.getElementById('plane-figure').data.at(-1).x[0] === x",
        arg=round(float(results["mi_xt"].sel(layer="output", epoch=0)), 4),
    )
    after = visit.positions()
    assert before[1] != after[1]
    row = visit.page.locator("#plane-values tbody tr").nth(1).inner_text().split()
    assert row[0] == "free"
    expected = [float(results[name].sel(layer="free", epoch=0)) for name in ("mi_xt", "mi_ty")]
    np.testing.assert_allclose([float(cell) for cell in row[1:3]], expected, atol=5e-5)


def test_report__slider_obeys_the_keyboard(visit: Visit):
    visit.page.locator("#plane-epoch").focus()
    visit.page.keyboard.press("ArrowLeft")
    assert visit.shown() == "epoch 5"
    assert visit.page.locator("#plane-epoch").get_attribute("aria-valuetext") == "epoch 5"


def test_report__plays_to_the_end_and_pauses(visit: Visit):
    play = visit.page.locator("#plane-play")
    play.click()
    visit.page.wait_for_function(SHOWS, arg="epoch 1")
    play.click()
    assert play.inner_text() == "Play"
    paused = visit.shown()
    visit.page.wait_for_timeout(400)
    assert visit.shown() == paused
    play.click()
    visit.page.wait_for_function(
        "() => document.getElementById('plane-shown').value === 'epoch 10'"
    )
    visit.page.wait_for_function(
        "() => document.getElementById('plane-play').textContent === 'Play'"
    )


def test_report__hover_names_layer_and_epoch(visit: Visit):
    visit.move_slider(2)
    visit.page.locator("#plane-figure").scroll_into_view_if_needed()
    x, y = visit.positions()[1]
    visit.page.mouse.move(x - 3, y - 3)
    visit.page.mouse.move(x, y)
    label = visit.page.locator("#plane-figure .hoverlayer .hovertext")
    label.first.wait_for()
    text = label.first.text_content()
    for words in (
        "free",
        "epoch 5",
        "I(X;T) = ",
        "I(T;Y) = ",
        "chance level [bit] 0.",
        "states 9",
        "H(T) / H(X)",
    ):
        assert words in text


def test_report__hover_over_a_chance_level_says_so(visit: Visit):
    level = ibtools.open_results(store_of(visit))["mi_ty_null"].mean("repeat")
    visit.page.locator("#plane-figure").scroll_into_view_if_needed()
    x, y = visit.point_of_line("chance", "output", 3)
    visit.page.mouse.move(x - 2, y + 2)
    visit.page.mouse.move(x, y)
    visit.page.wait_for_function(
        "() => [...document.querySelectorAll('#plane-figure .hovertext')].some("
        "(label) => label.textContent.includes('chance level of'))"
    )
    text = visit.page.locator("#plane-figure .hoverlayer .hovertext").first.text_content()
    expected = float(level.sel(layer="output", epoch=10))
    assert f"outputepoch 10chance level of I(T;Y) = {expected:.4f} bit" in text


def test_report__legend_hides_chance_levels(visit: Visit):
    entries = visit.page.locator("#plane-figure .legend .traces")
    assert entries.all_text_contents() == ["hidden_1", "free", "output", "chance level"]
    shown = """() => document.getElementById('plane-figure')._fullData
        .filter((trace) => trace.meta.role === 'chance' && trace.visible === true)
        .map((trace) => trace.opacity)"""
    assert visit.page.evaluate(shown) == [1, 1, 1]
    key = entries.nth(3).locator(".legendtoggle")
    key.click()
    visit.page.wait_for_function(f"() => String(({shown})()) === '0,0,0'")
    visit.move_slider(1)
    assert visit.page.evaluate(shown) == [0, 0, 0]
    visit.page.wait_for_timeout(DOUBLE_CLICK)
    key.click()
    visit.page.wait_for_function(f"() => String(({shown})()) === '1,1,1'")
    visit.page.wait_for_timeout(DOUBLE_CLICK)
    entries.nth(1).locator(".legendtoggle").click()
    visit.page.wait_for_function(f"() => String(({shown})()) === '1,1'")


def test_report__control_moves_and_is_hidden(browser, tmp_path, blank_images):
    """Whoever gives a store of arrays as a control is believed."""
    store = record_example(tmp_path / "example.zarr")
    ibtools.analyze_store(store, quiet=True)
    ibtools.report(store, control=store, output=tmp_path / "report.html", quiet=True)
    visit = Visit(browser, tmp_path / "report.html")
    visit.move_slider(1)
    found = """() => document.getElementById('plane-figure')._fullData
        .filter((trace) => trace.meta.role === 'control-point')
        .map((trace) => [trace.x[0], trace.opacity])"""
    mean = ibtools.open_results(store)["mi_xt"].mean("repeat").isel(epoch=1)
    np.testing.assert_allclose([x for x, _ in visit.page.evaluate(found)], mean, atol=1e-4)
    entry = visit.page.locator("#plane-figure .legend .traces").filter(has_text="control")
    entry.locator(".legendtoggle").click()
    visit.page.wait_for_function(f"() => ({found})().every(([, opacity]) => opacity === 0)")
    cells = visit.page.locator("#plane-values tbody tr").first.locator("td").all_text_contents()
    assert cells[-2:] == cells[:2]
    visit.leave()


def test_report__estimator_is_chosen(visit: Visit):
    visit.move_slider(1)
    visit.page.locator("#plane-estimator").select_option("binned-uniform-30-layer")
    title = visit.page.locator("#plane-figure .xtitle")
    assert title.text_content() == "H(binned T) [bit]"
    assert visit.shown() == "epoch 1"
    assert "binned" in visit.page.locator("#plane-values caption").inner_text()


def test_report__follows_the_colours_of_the_reader(visit: Visit):
    color = "() => document.getElementById('plane-figure').data[0].line.color"
    ground = "() => getComputedStyle(document.body).backgroundColor"
    assert visit.page.evaluate(color) == "#000000"
    light = visit.page.evaluate(ground)
    visit.page.emulate_media(color_scheme="dark")
    visit.page.wait_for_function(
        "() => document.getElementById('plane-figure').data[0].line.color === '#ffffff'"
    )
    assert visit.page.evaluate(ground) != light
    drawn_on = "() => document.getElementById('plane-figure').layout.paper_bgcolor"
    assert visit.page.evaluate(drawn_on) == "#16181c"
    assert visit.page.evaluate(ground) == "rgb(22, 24, 28)"


def test_report__downloads_the_figure(visit: Visit):
    """The page may make an image of itself, though it may load none."""
    visit.page.locator("#plane-figure").hover()
    with visit.page.expect_download() as download:
        visit.page.locator(".modebar-btn").first.click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_report__has_no_zoom_where_nothing_moves(visit: Visit):
    assert visit.page.locator("#plane-zoom").is_hidden()


@pytest.fixture
def compressing(browser, tmp_path, blank_images) -> Iterator[Visit]:
    """A page of a network whose first layer compresses late, near the ceilings."""
    store = tmp_path / "example.zarr"
    falling, rising = np.linspace(9.9, 9.2, 21), np.linspace(0.9, 0.98, 21)
    layers = {"hidden_1": (falling, rising), "output": (3.0, 0.5)}
    ibtools.simulate_store(store, layers, repeats=1, schedule=range(0, 101, 5))
    ibtools.analyze_store(store, quiet=True)
    visited = Visit(browser, ibtools.report(store, output=tmp_path / "report.html", quiet=True))
    yield visited
    visited.leave()


def test_report__zooms_to_what_moves_and_back(compressing: Visit):
    visit = compressing
    span = "() => document.getElementById('plane-figure')._fullLayout.xaxis.range"
    whole = visit.page.evaluate(span)
    zoom = visit.page.locator("#plane-zoom")
    zoom.click()
    assert zoom.get_attribute("aria-pressed") == "true"
    low, high = visit.page.evaluate(span)
    assert high - low < 0.5 * (whole[1] - whole[0])
    visit.move_slider(1)
    assert visit.page.evaluate(span) == [low, high]
    zoom.click()
    assert visit.page.evaluate(span) == whole


def test_report__no_button_shares_the_figure(visit: Visit):
    titles = visit.page.locator(".modebar-btn").evaluate_all(
        "(buttons) => buttons.map((button) => button.dataset.title)"
    )
    assert [title.lower() for title in titles] == [
        "download plot as a png",
        "zoom",
        "pan",
        "zoom in",
        "zoom out",
        "reset axes",
    ]
    context = "() => document.getElementById('plane-figure')._context"
    assert visit.page.evaluate(f"{context}.plotlyServerURL") == ""
    assert visit.page.evaluate(f"{context}.showSendToCloud") is False


def test_report__no_script_can_reach_the_network(browser, report_file: Path):
    visited = Visit(browser, report_file)
    refused = visited.page.evaluate(
        "() => fetch('http://127.0.0.1:9/').then(() => false, () => true)"
    )
    assert refused
    assert any("Content Security Policy" in message for message in visited.messages)
    assert all(url.startswith(("file:", "data:", "blob:")) for url in visited.requests)
    visited.page.close()


def test_report__reads_without_scripts(browser, report_file: Path):
    visited = Visit(browser, report_file, java_script_enabled=False)
    text = visited.page.locator("body").inner_text()
    assert "This figure needs JavaScript; the figures above do not." in text
    assert "Dynamics by exact" in text
    visited.leave()


def test_report__a_plane_without_ceilings_is_drawn(browser, tmp_path: Path, blank_images):
    """Estimates for a population have neither ceilings nor chance levels."""
    store = record_example(tmp_path / "population.zarr")
    ibtools.analyze_store(store, estimator="exact-population-grassberger", quiet=True)
    visited = Visit(browser, ibtools.report(store, output=tmp_path / "report.html", quiet=True))
    assert visited.shown() == "epoch 10"
    visited.leave()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("estimator", ["exact", None])
def test_report__hostile_names_are_text(browser, tmp_path: Path, estimator: str | None):
    """No script of a name runs, no template is filled in, and the longest word breaks."""
    store, output = record_hostile(tmp_path), tmp_path / "report.html"
    file = ibtools.report(store, output=output, estimator=estimator, quiet=True)
    visited = Visit(browser, file)
    dialogs: list[str] = []
    visited.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    entries = visited.page.locator("#plane-figure .legend .traces text")
    assert entries.all_text_contents()[: len(NAMES)] == short_names(NAMES)
    cells = visited.page.locator("#plane-values tbody th")
    assert cells.all_text_contents() == list(map(visible, NAMES))
    visited.page.locator("#plane-figure").scroll_into_view_if_needed()
    x, y = visited.positions()[1]
    labels = visited.page.locator("#plane-figure .hoverlayer .hovertext")
    shown = ""
    for step in range(100):  # a busy machine shows the label late, and not at the first move
        visited.page.mouse.move(x - step % 3, y)
        visited.page.wait_for_timeout(100)
        shown = " ".join(labels.all_text_contents())
        if any(name in shown for name in short_names(NAMES)):
            break
    assert any(name in shown for name in short_names(NAMES))
    wide = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not visited.page.evaluate(wide)
    assert not dialogs
    visited.leave()


def test_resolution__has_a_slider_of_its_own(browser, tmp_path, blank_images):
    """It moves the plane between the resolutions, and keeps the epoch."""
    store = record_example(tmp_path / "example.zarr")
    ibtools.analyze_store(store, estimator="resolution", quiet=True)
    file = ibtools.report(store, output=tmp_path / "report.html", quiet=True)
    visit = Visit(browser, file)
    found = ibtools.open_results(store, estimator="resolution").load().mean("repeat")
    finest = visit.positions()
    visit.move_slider(1)
    visit.page.locator("#plane-resolution").fill("0")
    first = visit.page.evaluate("() => document.getElementById('plane-figure').data[0].meta.layer")
    values = visit.page.locator("#plane-values tbody tr").first.inner_text().split()
    assert values[0] == first
    assert float(values[1]) == pytest.approx(found["mi_xt"][1, 0, 0].item(), abs=1e-4)
    assert visit.page.locator("#plane-bits").inner_text() == "0 bits"
    assert visit.shown() == "epoch 1"
    assert visit.positions() != finest
    assert "cut to 0 bits" in visit.page.locator("#plane-values caption").inner_text()
    visit.leave()


def test_resolution__slider_is_hidden_elsewhere(visit: Visit):
    assert not visit.page.locator("#plane-resolutions").is_visible()
