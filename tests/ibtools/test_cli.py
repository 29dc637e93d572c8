import errno
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import ibtools
from ibtools.cli.main import cli
from ibtools.recorders import engines
from ibtools.store.info import store_info
from tests.analysis.figure_kinds import FIGURES
from tests.recorders.fake_engine import FakeEngine


@pytest.fixture
def fake_engine(monkeypatch):
    monkeypatch.setitem(engines.ENGINES.builtin, "fake", "tests.recorders.fake_engine:FakeEngine")


def run(command: str) -> Result:
    return CliRunner().invoke(cli, shlex.split(command))


def run_well(command: str) -> str:
    result = run(command)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("estimators", [("binned-uniform-30-layer",), ("knn-3", "exact")])
def test_cli__analyze_says_what_draws_the_results(estimators, example_store: Path, tmp_path: Path):
    options = " ".join(f"--estimator {one}" for one in estimators)
    out = run_well(f"analyze {example_store} {options} --quiet")
    command = next(line for line in out.splitlines() if line.startswith("next: ibtools "))
    name = shlex.split(command)[-1]
    run_well(command.removeprefix("next: ibtools ").replace(name, str(tmp_path / name)))
    assert (tmp_path / name).stat().st_size > 5000


def test_cli__analyze_names_no_plane_of_results_without_one(example_store: Path):
    out = run_well(f"analyze {example_store} --estimator knn-3 --quiet")
    opened = f'in Python: ibtools.open_results("{example_store}", estimator="knn-3")'
    assert out.splitlines()[1:] == [opened]


def test_cli__record_analyze_plot_info(tmp_path: Path, fake_engine):
    store = tmp_path / "syn.zarr"
    out = run_well(
        f"record SYN-Tanh --bits 4 --repeats 2 --epochs 10 --samples 256 --engine fake "
        f"--output {store} --quiet"
    )
    assert f"next: ibtools analyze {store}" in out
    out = run_well(f"analyze {store} --estimator exact --quiet")
    assert "information/exact: 6 snapshots analysed, 0 skipped" in out
    out = run_well(f"analyze {store}")
    assert "0 snapshots analysed, 6 skipped" in out
    assert f"next: ibtools plot {store} information-plane --output plane.png\n" in out
    assert f'ibtools.open_results("{store}", estimator="exact")' in out
    out = run_well(f"analyze {store} --estimator resolution --quiet")
    assert f"next: ibtools plot {store} resolution-profile --output profile.png\n" in out
    run_well(f"plot {store} scatter --layer output --epoch 5 --repeat 1 --output {tmp_path}/s.png")
    run_well(f"plot {store} animation --frames 2 --fps 1 --quiet --output {tmp_path}/film.gif")
    other = shutil.copytree(store, tmp_path / "copy.zarr")
    run_well(
        f"plot {store} {other} accuracy --format latex --width 3.4 --output {tmp_path}/two.pdf"
    )
    run_well(f"plot {store} information-plane --layers hidden_5,output --output {tmp_path}/x.png")
    report = tmp_path / "report.html"
    out = run_well(f"report {store} --estimator exact --output {report} --quiet")
    assert out == f"{report}: report of {store}\n"
    assert report.read_text(encoding="utf-8").endswith("</html>")
    out = run_well(f"info {store}")
    for text in (
        "SYN-Tanh",
        "hidden_1 10, hidden_2 7",
        "4 bits",
        "256 in 2 classes",
        "3 recorded, 0 to 10, of 10 trained",
        "2: 2 trained; 0 failed attempts",
        "6 of 6 snapshots",
        "0.900 training, 0.900 test",
        "exact (6 snapshots)",
    ):
        assert text in out


@pytest.fixture(scope="module")
def recorded_syn(tmp_path_factory) -> Path:
    """A store of some samples, with accuracies, analysed; leave it as it is."""
    store = tmp_path_factory.mktemp("recorded") / "syn.zarr"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(engines.ENGINES.builtin, "fake", "tests.recorders.fake_engine:FakeEngine")
        ibtools.record(
            "SYN-Tanh", store, engine="fake", repeats=2, epochs=10, samples=200, quiet=True
        )
    ibtools.analyze_store(store, estimator=["exact", "resolution"], quiet=True)
    return store


@pytest.mark.sampled(3)
@pytest.mark.parametrize("figure", FIGURES)
def test_cli__plots_every_figure(figure: str, recorded_syn: Path, tmp_path: Path):
    place = tmp_path / f"{figure}{('.png', '.svg', '.pdf')[list(FIGURES).index(figure) % 3]}"
    run_well(f"plot {recorded_syn} {figure} --output {place}")
    assert place.stat().st_size > 5000


def test_cli__float_store(tmp_path: Path, example_store: Path):
    out = run_well(f"info {example_store}")
    assert "tanh, linear, softmax; 8, 32 bits" in out
    assert "not recorded" in out
    assert "none yet; compute them with" in out
    assert store_info(example_store).cube_bytes == 8 * 64 * (5 + 4 * 2 + 3)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("record SYN-Than --output {new}", "unknown experiment 'SYN-Than'; did you mean"),
        ("record SYN-Tanh --bits 1 --output {new}", "bits must be 2 to 8"),
        ("record SYN-Tanh --schedule x --output {new}", "unknown schedule 'x'; write one of"),
        ("record SYN-Tanh --output {store}", "a store is there already"),
        ("record SYN-Tanh --engine fti --output {new}", "unknown engine 'fti'"),
        ("analyze {new}", "nothing is there; check the path"),
        ("analyze {store} --estimator exakt", "unknown estimator 'exakt'; did you mean 'exact'"),
        ("plot {store} information-plane --output x.png", "ibtools analyze"),
        ("plot {new} information-plane --output x.png", "nothing is there; check the path"),
        ("report {store} --output x.html", "ibtools analyze"),
        ("report {new} --output x.html", "nothing is there; check the path"),
        ("report {store} --output x.png", "try 'x.html'"),
        ("info nosuchprotocol://bucket/x.zarr", "can't be opened"),
        ("info {folder}", "something else is there"),
    ],
)
def test_cli__known_errors_are_one_line(
    tmp_path: Path, example_store: Path, command: str, message: str
):
    places = {"new": tmp_path / "new.zarr", "store": example_store, "folder": tmp_path}
    result = run(command.format(**places))
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert len(result.output.strip().splitlines()) == 1
    assert message in result.output
    assert not (tmp_path / "new.zarr").exists()


def test_cli__plot_errors(tmp_path: Path, example_store: Path):
    run_well(f"analyze {example_store} --quiet")
    for command, message in [
        (f"plot {example_store} plane --output x.png", "unknown figure 'plane'"),
        (f"plot {example_store} information-plane --output x.jpeg", ".jpeg"),
        (f"plot {example_store} information-plane --layers outptu --output x.png", "'output'"),
        (f"plot {example_store} scatter --layers output --output x.png", "has no option layers"),
        (f"plot {example_store} repeats --epoch 1 --output x.png", "it takes: layers, limits"),
        (f"plot {example_store} scatter --layer output --output x.png", "that have: free"),
        (f"plot {example_store} accuracy --estimator exact --output x.png", "no estimator"),
        (f"plot {example_store} accuracy --format tex --output x.png", "did you mean 'latex'?"),
        (f"plot {example_store} {example_store} scatter --output x.png", "is of one store"),
        (f"plot {example_store} {example_store} information-plane --output x.png", "different"),
        (f"plot {example_store} animation --epoch 1 --output x.gif", "has no option epoch"),
        (f"plot {example_store} animation --output x.pdf", "end in one of .gif, .mp4"),
    ]:
        result = run(command)
        assert result.exit_code == 1
        assert message in result.output
        assert len(result.output.strip().splitlines()) == 1


def test_cli__an_unknown_error_keeps_its_traceback(example_store: Path, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("ibtools.analysis.passes.results.analyze_store", broken)
    result = run(f"analyze {example_store}")
    assert isinstance(result.exception, ZeroDivisionError)


def test_cli__ctrl_c_says_how_to_go_on(tmp_path: Path, fake_engine, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(FakeEngine, "train", interrupt)
    command = ["record", "SYN-Tanh", "--engine", "fake", "--output", str(tmp_path / "s.zarr")]
    monkeypatch.setattr("sys.argv", ["ibtools", *command])
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 130
    assert f"Go on with: ibtools {shlex.join(command)} --resume" in result.output


def test_cli__ctrl_c_before_anything_is_written(tmp_path: Path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("ibtools.recorders.record.load_data_set", interrupt)
    result = run(f"record SYN-Tanh --output {tmp_path}/s.zarr")
    assert result.exit_code == 130
    assert "Interrupted; nothing was written. Begin again with: " in result.output


def test_cli__plot_help_names_the_figure_of_an_option_once():
    for name, kind in FIGURES.items():
        assert not [one for one in kind.command_options if one.help.startswith(name)]


def test_cli__plot_help_lists_the_figures_by_source():
    out = run_well("plot --help")
    results, recording = out.split("Figures of the recording:")
    for name, kind in FIGURES.items():
        assert f"\n    {name} " in (results if kind.source == "results" else recording)


@pytest.mark.parametrize("command", ["", *cli.commands])
def test_cli__help_has_examples(command: str):
    out = run_well(f"{command} --help")
    examples = [line for line in out.splitlines() if line.startswith("    ibtools ")]
    assert examples
    assert "\\b" not in out


def test_cli__version():
    out = run_well("--version")
    assert out.startswith("ibtools ")
    assert "\nnumpy " in out
    assert "\nzarr " in out


def test_cli__estimators_by_options_and_by_name(tmp_path: Path, example_store: Path):
    out = run_well(
        f"analyze {example_store} --estimator exact --estimator binned --bins 7 "
        "--bounds -0.25,0.25 --per-unit --quiet"
    )
    lines = out.splitlines()[:2]
    assert [line.split(": ")[1] for line in lines] == [
        "information/exact-per-unit",
        "information/binned-uniform-7--0.25_0.25-per-unit",
    ]
    assert "lie outside of the bounds and are in the end bins" in lines[1]
    name = lines[1].split(": ")[1].removeprefix("information/")
    assert "8 skipped" in run_well(f"analyze {example_store} --estimator {name} --quiet")
    figure = tmp_path / "plane.png"
    run_well(f"plot {example_store} information-plane --estimator {name} --output {figure}")
    assert figure.stat().st_size > 5000
    assert f"{name} (8 snapshots)" in run_well(f"info {example_store}")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--bins 30", "n_bins is an option of the estimator binned, found exact; add binned"),
        ("--estimator binned --bounds glboal", "unknown bounds 'glboal'; did you mean 'global'"),
        ("--estimator binned --strategy width --bins 3", "width takes bin_width, not n_bins"),
        ("--estimator binned --bins 0", "n_bins must be a positive whole number, found 0"),
    ],
)
def test_cli__estimator_options_that_are_wrong(example_store: Path, options: str, message: str):
    result = run(f"analyze {example_store} {options}")
    assert result.exit_code == 1
    assert len(result.output.strip().splitlines()) == 1
    assert message in result.output


def test_cli__who_reads_has_had_enough(example_store: Path, monkeypatch):
    """As in `ibtools summary | head -1`: quietly, and not as an error of storage."""

    def say(*_: object, **__: object) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("ibtools.cli.info.tell_lines", say)
    result = CliRunner().invoke(cli, ["info", str(example_store)])
    assert (result.exit_code, result.output) == (1, "")
