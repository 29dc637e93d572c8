import base64
import importlib.util
import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import zarr

import ibtools
from ibtools.analysis import report as html_report
from ibtools.analysis.estimators import Exact
from ibtools.analysis.report import contents as contents_module
from ibtools.analysis.report.contents import collect
from ibtools.analysis.report.meaning import describe_meaning
from ibtools.analysis.report.plane_figure import plane_figure
from ibtools.analysis.report.thinning import choose_repeats
from ibtools.errors import InputError, StoreError, UnknownNameError
from ibtools.store.groups import consolidate
from tests.analysis.results_example import ENTROPY_X, ENTROPY_Y, LAYERS, create_results
from tests.conftest import LABEL
from tests.unbound import unbind


class Page(HTMLParser):
    """The tags of a page with their attributes, and its visible text."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.inside: list[str] = []
        self.data: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self.inside.pop()

    def handle_data(self, data):
        if not self.inside:
            self.words.append(data)
        elif dict(self.tags).get("script", {}).get("type") == "application/json":
            self.data.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def planes(self) -> dict:
        return json.loads(self.data[0])

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def write(path: Path, **options) -> Page:
    output = ibtools.report(path, output=path.parent / "report.html", quiet=True, **options)
    return Page(output.read_text(encoding="utf-8"))


@pytest.fixture
def analysed_store(analysed_by, blank_images, tmp_path: Path) -> Path:
    return Path(shutil.copytree(analysed_by("binned", "exact"), tmp_path / "example.zarr"))


def test_report__says_what_the_store_holds(analysed_store: Path):
    page = write(analysed_store)
    assert "The audit found violations" not in page.text
    for words in (
        "2 repeats of arrays: 8 snapshots of 3 layers, at 4 epochs from 0 to 10, on 64 samples in "
        "3 classes. Information by exact, binned-uniform-30-layer.",
        "hidden_1 5, free 2, output 3",
        "Repeats and their outcomes",
        "There is no figure of accuracy:",
        "not in the store, which was written from arrays",
        "nothing was binned",
        "H(binned T) is the entropy of the binned layer, not I(X;T)",
        "Dynamics by exact, 2 of 2 repeats: mean over repeats, of two, their values",
        "Here I(X;T) is H(binned T) and I(T;Y) is I(binned T;Y)",
        "Audit: ",
        "xarray",
    ):
        assert words in page.text
    assert list(page.planes) == ["exact", "binned-uniform-30-layer"]
    assert page.planes["exact"]["thinning"] == "All 4 epochs and 2 repeats are shown."


def test_report__one_estimator(analysed_store: Path):
    page = write(analysed_store, estimator="binned")
    assert list(page.planes) == ["binned-uniform-30-layer"]
    assert Exact.meaning not in page.text


def test_report__is_one_file_that_reads_well(analysed_by, tmp_path: Path):
    """No address but data URIs, a language, texts for all images, captions for all tables."""
    page = write(Path(shutil.copytree(analysed_by("binned", "exact"), tmp_path / "example.zarr")))
    assert page.all("html") == [{"lang": "en"}]
    images = page.all("img")
    assert len(images) == 4
    for image in images:
        assert image["alt"]
        head, _, data = image["src"].partition(",")
        assert head == "data:image/png;base64"
        assert base64.b64decode(data).startswith(b"\x89PNG")
    assert {link["href"] for link in page.all("link")} == {"data:,"}
    assert all(not script.get("src") for script in page.all("script"))
    assert len(page.all("caption")) == len(page.all("table"))
    anchors = {link["href"].removeprefix("#") for link in page.all("a")}
    assert anchors <= {section.get("id") for section in page.all("section")}


def test_report__escapes_every_name(tmp_path: Path):
    evil = "</script><script>alert(1)</script>"
    path = tmp_path / "evil.zarr"
    code = np.random.default_rng(0).integers(0, 4, (1, 4, 64, 3), "uint8")
    ibtools.record_arrays(path, {evil: code}, label=LABEL, epochs=[0, 1, 2, 3])
    zarr.open_group(path, mode="r+").attrs["experiment"] = evil
    consolidate(path)
    ibtools.analyze_store(path, quiet=True)
    page = write(path)
    assert len(page.all("script")) == 3  # the library, the data, the page's own
    assert evil in page.text
    (point,) = [
        trace
        for trace in page.planes["exact"]["figure"]["data"]
        if trace["meta"]["role"] == "point"
    ]
    assert point["meta"]["layer"] == evil
    assert "<" not in point["name"]


def test_report__no_results(example_store: Path):
    with pytest.raises(StoreError, match=r"no results to report yet; .*ibtools analyze .*zarr"):
        write(example_store)
    with pytest.raises(StoreError, match=r"ibtools analyze .* --estimator exact"):
        write(example_store, estimator="exact")
    with pytest.raises(InputError, match="at least one estimator"):
        write(example_store, estimator=[])
    assert not (example_store.parent / "report.html").exists()


def test_report__incomplete_results_are_said(analysed_store: Path):
    group = zarr.open_group(analysed_store / "information" / "exact", mode="r+")
    analysed = group["analysed"][:]
    analysed[1, 2:] = False
    group["analysed"][:] = analysed
    text = write(analysed_store, estimator="exact").text
    assert "Analysed are 6 of 8 complete snapshots; go on with: ibtools analyze" in text
    assert "1 of 2 repeats" in text


def test_report__incomplete_recording_is_said(analysed_store: Path):
    group = zarr.open_group(unbind(analysed_store), mode="r+")
    group["complete"][1, 2:] = np.zeros(2, bool)
    group["outcome"][1] = "failed"
    text = write(analysed_store, estimator="exact").text
    assert "Only 6 of 8 scheduled snapshots are on disk" in text
    assert "1 of 2 repeats failed in training and count in no mean." in text


def test_report__no_repeat_counts(analysed_store: Path):
    for name in ("outcome", "information/exact/outcome"):
        group = zarr.open_group(unbind(analysed_store), mode="r+")
        group[name][:] = np.array(["failed"] * 2, object)
    page = write(analysed_store, estimator="exact")
    assert "No figures and no dynamics: there must be a value to draw" in page.text
    assert "No estimator of this report has a plane." in page.text


def test_report__estimator_without_a_plane(analysed_store: Path):
    ibtools.analyze_store(analysed_store, estimator="knn-3", quiet=True)
    page = write(analysed_store, estimator="knn-3")
    assert "No interactive plane and no dynamics: results of knn-3 have no I(X;T)" in page.text
    assert len(page.all("img")) == 1
    assert "plotly.js" not in page.text


def test_report__violations_are_said_on_top(analysed_store: Path):
    group = zarr.open_group(analysed_store, mode="r+", use_consolidated=False)["information/exact"]
    del group["checksum"]
    group["mi_xt"][0, 0, 0] = 99.0
    page = write(analysed_store, estimator="exact")
    assert "The audit found violations" in page.text
    assert "violation" in [row.get("class") for row in page.all("tr")]


def test_report__refuses_outputs_before_reading(analysed_store: Path, monkeypatch):
    monkeypatch.setattr(contents_module, "store_info", lambda _: pytest.fail("the store was read"))
    for output, error, message in (
        ("report.pdf", UnknownNameError, "got 'report.pdf'; try 'report.html'"),
        ("s3://bucket/report.html", InputError, "give a local folder"),
        (analysed_store.parent / "none" / "report.html", InputError, "folder that exists"),
    ):
        with pytest.raises(error, match=message):
            ibtools.report(analysed_store, output=output)


def test_replace__writes_a_file_as_a_whole(tmp_path: Path, monkeypatch):
    place = tmp_path / "report.html"
    place.write_text("before")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.replace", full)
        with pytest.raises(OSError, match="No space left"):
            html_report._replace(place, "after")
    assert place.read_text() == "before"
    html_report._replace(place, "after")
    assert place.read_text() == "after"
    assert list(tmp_path.iterdir()) == [place]


@pytest.mark.parametrize("missing", [("plotly",), ("plotly", "jinja2")])
def test_report__says_how_to_install_what_is_missing(analysed_store: Path, monkeypatch, missing):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *_: None if name in missing else find(name)
    )
    words = (
        rf"needs {' and '.join(missing)}, which (is|are) not installed; .* pip install .*\[report\]"
    )
    with pytest.raises(InputError, match=words):
        ibtools.report(analysed_store, output="report.html")


def test_collect__settings_of_the_recording(analysed_store: Path):
    configuration = {"network": "dense:5-2-3", "scheme": "paper", "seed": 7, "keep": "codes"}
    group = zarr.open_group(analysed_store, mode="r+")
    group.attrs["configuration"] = json.dumps(configuration)
    consolidate(analysed_store)
    rows = dict(collect(analysed_store, "exact", quiet=True).recording.rows)
    assert rows["network"] == "dense:5-2-3"
    assert rows["quantisation scheme"] == "paper"
    assert rows["base seed"] == "7"
    assert "numpy" in rows["libraries of the recording"]
    assert rows["this report"].startswith("created ")


def test_describe_meaning__says_what_is_not_exact():
    results = create_results(estimator="exact-population-chao-shen")
    results = results.assign_coords(bits=("layer", [8] * 5 + [32]))
    text = describe_meaning(results)
    assert "estimates for the population" in text
    assert "told apart by their bit patterns" in text


def test_describe_meaning__unknown_estimator_speaks_for_itself():
    results = create_results(estimator="mine-3", long_name="I(my X;T)")
    results["mi_xt"].attrs["description"] = "what I measured"
    text = describe_meaning(results.assign_coords(bits=("layer", [8] * 6)))
    assert text.startswith("I(my X;T): what I measured; I(T;Y): ")


def test_choose_repeats__spread_evenly():
    assert choose_repeats(3, 20).tolist() == [0, 1, 2]
    chosen = choose_repeats(50, 20)
    assert chosen.size == np.unique(chosen).size == 20
    assert chosen[[0, -1]].tolist() == [0, 49]


def traces_of(plane: dict, role: str) -> list[dict]:
    return [trace for trace in plane["figure"]["data"] if trace["meta"]["role"] == role]


def test_plane_figure__holds_means_and_repeats():
    results = create_results(outcomes=("trained", "failed", "trained"))
    plane = plane_figure(results)
    kept = results.isel(repeat=[0, 2])
    assert plane["epochs"] == results["epoch"].values.tolist()
    for position, layer in enumerate(LAYERS):
        mean, repeats, point = (
            traces_of(plane, role)[position] for role in ("mean", "repeats", "point")
        )
        expected = kept.sel(layer=layer)
        np.testing.assert_allclose(mean["x"], expected["mi_xt"].mean("repeat"), atol=5e-5)
        np.testing.assert_allclose(mean["y"], expected["mi_ty"].mean("repeat"), atol=5e-5)
        states = expected["n_states"].mean("repeat").values
        np.testing.assert_allclose([row[2] for row in mean["customdata"]], states, atol=0.05)
        lines = np.array(repeats["x"], float).reshape(2, -1)
        np.testing.assert_allclose(lines[:, :-1], expected["mi_xt"], atol=5e-5)
        assert np.isnan(lines[:, -1]).all()
        assert (point["x"], point["y"]) == (mean["x"][-1:], mean["y"][-1:])
        assert layer in mean["hovertemplate"]


def test_plane_figure__chance_levels_of_every_layer():
    results = create_results(outcomes=("trained", "failed", "trained"))
    plane = plane_figure(results)
    kept = results.isel(repeat=[0, 2]).mean("repeat")
    position = [name for name, _ in plane["columns"]].index("chance level [bit]")
    for chance, mean in zip(traces_of(plane, "chance"), traces_of(plane, "mean"), strict=True):
        level = kept["mi_ty_null"].sel(layer=chance["meta"]["layer"])
        np.testing.assert_allclose(chance["y"], level, atol=5e-5)
        assert chance["y"] == [row[position] for row in mean["customdata"]]
        assert chance["x"] == mean["x"]
        assert chance["line"] == {"width": 1.5, "dash": "dot", "color": mean["line"]["color"]}
        assert [[epoch] for epoch in plane["epochs"]] == chance["customdata"]
        assert "chance level of I(T;Y) = %{y:.4f} bit" in chance["hovertemplate"]
        assert "chance level [bit] %{customdata[1]}" in mean["hovertemplate"]
        assert (chance["legendgroup"], chance["showlegend"]) == (mean["legendgroup"], False)
    (key,) = traces_of(plane, "chance-key")
    assert (key["name"], key["line"]["dash"], key.get("showlegend", True)) == (
        "chance level",
        "dot",
        True,
    )


def test_plane_figure__no_chance_level_where_results_have_none():
    plane = plane_figure(create_results().drop_vars("mi_ty_null"))
    assert not traces_of(plane, "chance")
    assert not traces_of(plane, "chance-key")
    assert [name for name, _ in plane["columns"]] == ["epoch", "states"]


def test_plane_figure__hollow_where_saturated():
    plane = plane_figure(create_results())
    for trace in traces_of(plane, "mean"):
        hollow = [symbol.endswith("-open") for symbol in trace["marker"]["symbol"]]
        assert hollow == [x >= 0.99 * ENTROPY_X for x in trace["x"]]
    assert traces_of(plane, "mean")[0]["marker"]["symbol"][0] == "circle-open"


def test_plane_figure__ceilings():
    layout = plane_figure(create_results())["figure"]["layout"]
    vertical, horizontal = layout["shapes"]
    assert vertical["x0"] == vertical["x1"] == ENTROPY_X
    assert horizontal["y0"] == horizontal["y1"] == ENTROPY_Y
    texts = [label["text"] for label in layout["annotations"]]
    assert texts == ["H(X) = 12", "H(Y) = 0.9992"]
    layout = plane_figure(create_results().assign_attrs(target="population"))["figure"]["layout"]
    assert "shapes" not in layout
    assert "annotations" not in layout


def test_plane_figure__labels_are_what_was_measured():
    results = create_results(estimator="binned-uniform-30-layer", long_name="H(binned T)")
    plane = plane_figure(results)
    assert plane["figure"]["layout"]["xaxis"]["title"]["text"] == "H(binned T) [bit]"
    assert "H(binned T) = %{x:.4f} bit" in plane["figure"]["data"][-1]["hovertemplate"]


def test_plane_figure__thins_what_is_large_and_says_so():
    results = create_results(epochs=np.arange(1, 8000, 5), outcomes=["trained"] * 50)
    plane = plane_figure(results)
    n_epochs = len(plane["epochs"])
    assert 60 <= n_epochs <= 100
    for trace in traces_of(plane, "repeats"):
        assert trace["x"].count(None) == 20
        assert len(trace["x"]) <= 20 * 201
    assert f"{n_epochs} of 1600 epochs" in plane["thinning"]
    assert "20 of 50 repeats as faint lines" in plane["thinning"]
    assert len(json.dumps(plane)) < 1_000_000


def test_plane_figure__repeats_without_a_value_are_not_chosen():
    results = create_results(outcomes=["trained"] * 50)
    plane = plane_figure(results.where(results["repeat"] == 3).assign_coords(results.coords))
    assert traces_of(plane, "repeats")[0]["x"][:-1] == traces_of(plane, "mean")[0]["x"]
    assert plane["thinning"] == "All 8 epochs and 1 repeat are shown."


def test_plane_figure__gaps_where_a_repeat_has_no_value():
    results = create_results()
    lost = (results["repeat"] == 1) & (results["epoch"] > 10)
    plane = plane_figure(results.where(~lost).assign_coords(results.coords))
    assert traces_of(plane, "repeats")[0]["x"][-4:] == [None] * 4
    assert None not in traces_of(plane, "mean")[0]["x"]
    json.dumps(plane, allow_nan=False)
