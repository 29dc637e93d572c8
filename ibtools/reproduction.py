"""The paper's experiments from one table: record, analyse and draw one into a folder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import ibtools
from ibtools.errors import unknown_name
from ibtools.progress import progress_bar
from ibtools.shown import analyze_command, shell_command
from ibtools.store.groups import is_taken
from ibtools.store.storage import local_folder

Scale = Literal["paper", "quick"]
"""The paper's numbers, or a look in minutes on two cores."""


@dataclass(frozen=True)
class Run:
    """One recording of a reproduction.

    Parameters
    ----------
    title : str
        Names the store and the panel.
    experiment : str
        Name in `ibtools.recorders.experiments.EXPERIMENTS`.
    settings : tuple of pairs
        What differs from the experiment's own numbers at either scale.
    """

    title: str
    experiment: str
    settings: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Reproduction:
    """One experiment of the paper.

    Parameters
    ----------
    name : str
        As on the command line.
    shows : str
        One line.
    runs : tuple of Run
        What is recorded.
    estimators : tuple of str
        What is computed of each run.
    figures : tuple of str
        What is drawn: names of `ibtools.analysis.figures.FIGURES` per run, "panels" for all runs
        side by side, "estimators" for one panel per estimator.
    """

    name: str
    shows: str
    runs: tuple[Run, ...]
    estimators: tuple[str, ...] = ("exact",)
    figures: tuple[str, ...] = ("panels", "information-epochs")


def _syn(suffix: str = "", **settings: Any) -> tuple[Run, ...]:
    return tuple(
        Run(f"SYN-{name}{suffix}", f"SYN-{name}", tuple(settings.items()))
        for name in ("Tanh", "ReLU")
    )


_ARCHITECTURES = (
    Run("MNIST-Bottleneck-4", "MNIST-Bottleneck-4"),
    Run("MNIST-HourGlass", "MNIST-HourGlass"),
    Run("MNIST-4x10", "MNIST-4x10"),
    Run("MNIST-Conv", "MNIST-Conv", (("keep", "partition"),)),
)
_MAIN = (*_syn(), Run("MNIST-Bottleneck-2", "MNIST-Bottleneck-2"))
_BINNINGS = tuple(f"binned-uniform-{n_bins}-global" for n_bins in (30, 100, 256))

REPRODUCTIONS = {
    reproduction.name: reproduction
    for reproduction in (
        Reproduction(
            "quantize",
            "the main result: exact planes of quantised networks",
            _MAIN,
            figures=("panels", "information-epochs", "repeats", "activation-ranges"),
        ),
        Reproduction(
            "binning",
            "binned planes of float networks, one panel per number of bins",
            _syn("-float", bits=32),
            _BINNINGS,
            ("estimators",),
        ),
        Reproduction(
            "bit-width",
            "exact planes at 4 bits and of float networks",
            (*_syn("-4-bits", bits=4), *_syn("-float", bits=32)),
            figures=("panels",),
        ),
        Reproduction(
            "prefit",
            "exact planes of networks that first learned random labels",
            _syn("-prefit", prefit=1000, repeats=20),
        ),
        Reproduction("archs", "exact planes of four architectures", _ARCHITECTURES),
        Reproduction(
            "accuracy",
            "accuracy of every experiment, mean and 95 % confidence",
            (*_MAIN, *_syn("-float", bits=32), *_syn("-4-bits", bits=4), *_ARCHITECTURES),
            (),
            ("accuracy",),
        ),
    )
}
"""Every experiment of the paper."""

_QUICK: dict[str, dict[str, Any]] = {
    "SYN": {"epochs": 400, "repeats": 2, "schedule": "log:60"},
    "MNIST": {"epochs": 8, "repeats": 2, "schedule": "every:1"},
    "MNIST-Conv": {"epochs": 2, "repeats": 1, "schedule": "every:1"},
}
"""What `--scale quick` changes, by the beginning of the experiment's name."""


@dataclass(frozen=True)
class Step:
    """One thing that a reproduction does: what it says, and what it calls."""

    says: str
    does: Callable[[], object]


def reproduce(
    name: str,
    folder: str | Path,
    *,
    scale: Scale = "quick",
    jobs: int = 1,
    quiet: bool = False,
    data_folder: str | Path | None = None,
    dry_run: bool = False,
    tell: Callable[[str], object] = lambda line: None,
    **changes: Any,
) -> list[Path]:
    """Record, analyse and draw one of the paper's experiments.

    Parameters
    ----------
    name : str
        One of `REPRODUCTIONS`.
    folder : path
        Where stores and figures go. What is there already is finished, not done again; stores are
        shared between experiments of one folder.
    scale : {"quick", "paper"}, optional
        A look in minutes on two cores, or the paper's numbers of epochs and repeats.
    jobs : int, optional
        Processes that record.
    quiet : bool, optional
        Show no progress.
    data_folder : path, optional
        Where MNIST is; see `ibtools.record`.
    dry_run : bool, optional
        Tell the steps and do nothing.
    tell : callable, optional
        Receives one line per step.
    **changes
        Settings of `ibtools.record` that replace those of the scale in every run.

    Returns
    -------
    list of Path
        The figures.

    Raises
    ------
    UnknownNameError
        If there is no such experiment or scale.
    IbtoolsError
        Whatever recording, analysing and drawing raise.
    """
    reproduction = _find(name, scale)
    place = local_folder(folder)
    common = {"jobs": jobs, "quiet": quiet, "data_folder": data_folder}
    steps: list[Step] = []
    settings_by_run = {run: settings_of(run, scale) | changes for run in reproduction.runs}
    for run, settings in settings_by_run.items():
        steps.append(_record_step(run, place, settings, common))
        if reproduction.estimators:
            steps.append(_analyze_step(run, place, reproduction.estimators, quiet))
    figures = _figure_steps(reproduction, place)
    steps += [step for step, _ in figures]
    if not dry_run:
        _validate_runs(settings_by_run, data_folder)
    with progress_bar(len(steps), name, unit="step", quiet=quiet or dry_run) as progress:
        for step in steps:
            tell(step.says)
            if not dry_run:
                step.does()
            progress.update()
    return [path for _, path in figures]


def _validate_runs(
    settings_by_run: Mapping[Run, dict[str, Any]], data_folder: str | Path | None
) -> None:
    """Plan all recordings, so that what can't be had is missed before the first of them."""
    from ibtools.recorders.record import plan  # noqa: TID251

    for run, settings in settings_by_run.items():
        plan(run.experiment, data_folder=data_folder, **settings)


def settings_of(run: Run, scale: Scale) -> dict[str, Any]:
    """Return the settings that a run is recorded with.

    Examples
    --------
    >>> settings_of(Run("x", "MNIST-Conv", (("keep", "partition"),)), "quick")
    {'epochs': 2, 'repeats': 1, 'schedule': 'every:1', 'keep': 'partition'}
    """
    own = dict(run.settings)
    if scale == "paper":
        return {"schedule": "paper"} | own
    kinds = [kind for kind in _QUICK if run.experiment.startswith(kind)]
    quick = dict(_QUICK[max(kinds, key=len)])
    if "prefit" in own:
        own |= {"prefit": 100, "repeats": quick["repeats"]}
    return quick | own


def _find(name: str, scale: str) -> Reproduction:
    if name not in REPRODUCTIONS:
        raise unknown_name("reproduction", name, REPRODUCTIONS)
    if scale not in ("paper", "quick"):
        raise unknown_name("scale", scale, ("paper", "quick"))
    return REPRODUCTIONS[name]


def _store(run: Run, place: Path) -> Path:
    return place / f"{run.title}.zarr"


def _record_step(run: Run, place: Path, settings: dict[str, Any], common: dict[str, Any]) -> Step:
    store = _store(run, place)
    pairs = ((f"--{key.replace('_', '-')}", value) for key, value in settings.items())
    spelled = [word for pair in pairs for word in pair]

    def do() -> None:
        place.mkdir(parents=True, exist_ok=True)
        ibtools.record(run.experiment, store, resume=is_taken(store), **settings, **common)

    return Step(shell_command("record", run.experiment, *spelled, "--output", store), do)


def _analyze_step(run: Run, place: Path, estimators: tuple[str, ...], quiet: bool) -> Step:
    store = _store(run, place)
    return Step(
        analyze_command(store, *estimators),
        lambda: ibtools.analyze_store(store, estimator=estimators, quiet=quiet),
    )


def _figure_steps(reproduction: Reproduction, place: Path) -> list[tuple[Step, Path]]:
    steps = []
    for figure in reproduction.figures:
        if figure == "panels":
            by_title = {run.title: (run, reproduction.estimators[0]) for run in reproduction.runs}
            steps.append(_panels_step(by_title, place, place / f"{reproduction.name}.png"))
        elif figure == "estimators":
            for run in reproduction.runs:
                by_title = {name: (run, name) for name in reproduction.estimators}
                steps.append(_panels_step(by_title, place, place / f"{run.title}-estimators.png"))
        else:
            steps += [_plot_step(run, figure, place) for run in reproduction.runs]
    return steps


def _plot_step(run: Run, figure: str, place: Path) -> tuple[Step, Path]:
    store, output = _store(run, place), place / f"{run.title}-{figure}.png"

    def do() -> None:
        ibtools.plot_store(store, figure, output=output)

    return Step(shell_command("plot", store, figure, "--output", output), do), output


def _panels_step(
    by_title: dict[str, tuple[Run, str]], place: Path, output: Path
) -> tuple[Step, Path]:
    def do() -> None:
        from ibtools.analysis.plots import information_planes  # noqa: TID251
        from ibtools.analysis.plots.files import make_figure  # noqa: TID251

        results = {
            title: ibtools.open_results(_store(run, place), estimator=estimator)
            for title, (run, estimator) in by_title.items()
        }
        make_figure(lambda: information_planes(results), output=output)

    return Step(f"draw {output}: {', '.join(by_title)}", do), output
