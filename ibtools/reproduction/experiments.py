"""The paper's experiments as data: what is recorded, computed and drawn of each."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from ibtools.errors import unknown_name
from ibtools.store.snapshots import FLOAT_BITS

Scale = Literal["paper", "quick"]
"""The paper's numbers, or a look in minutes on two cores."""

ALL = "all"
"""What stands for every experiment, with controls and tables."""


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
    scattered : str, optional
        A layer of two units whose values are drawn.
    """

    title: str
    experiment: str
    settings: tuple[tuple[str, Any], ...] = ()
    scattered: str | None = None

    @property
    def is_control(self) -> bool:
        """Whether its weights do not move."""
        return ("control", "frozen") in self.settings


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
_MAIN = (*_syn(), Run("MNIST-Bottleneck-2", "MNIST-Bottleneck-2", scattered="hidden_4"))
_BINNINGS = tuple(f"binned-uniform-{n_bins}-global" for n_bins in (30, 100, 256))
_CONTROL_REPEATS = 5

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
    own |= {"repeats": quick["repeats"]} if "repeats" in own else {}
    own |= {"prefit": 100} if "prefit" in own else {}
    return quick | own


def find_reproductions(name: str, scale: str) -> tuple[Reproduction, ...]:
    """Return the experiments that a name stands for, main results first.

    Raises
    ------
    UnknownNameError
        If there is no such experiment or scale.
    """
    if name not in (*REPRODUCTIONS, ALL):
        raise unknown_name("reproduction", name, [*REPRODUCTIONS, ALL])
    if scale not in ("paper", "quick"):
        raise unknown_name("scale", scale, ("paper", "quick"))
    return tuple(REPRODUCTIONS.values()) if name == ALL else (REPRODUCTIONS[name],)


def estimators_of(run: Run, reproductions: Iterable[Reproduction]) -> tuple[str, ...]:
    """Return what is computed of a run for some experiments, each once."""
    wanted = [name for one in reproductions if run in one.runs for name in one.estimators]
    return tuple(dict.fromkeys(wanted))


def estimators_of_all(run: Run) -> tuple[str, ...]:
    """Return what is computed of a run where all is: of codes the published and all resolutions.

    Examples
    --------
    >>> estimators_of_all(REPRODUCTIONS["quantize"].runs[0])
    ('exact', 'requantised', 'resolution')
    >>> estimators_of_all(REPRODUCTIONS["archs"].runs[-1])
    ('exact',)
    """
    named = ("exact", *estimators_of(run, REPRODUCTIONS.values()))
    if not _keeps_codes(run):
        return tuple(dict.fromkeys(named))
    own = ("requantised", "resolution") if _is_quantised(run) else ("requantised",)
    return tuple(dict.fromkeys((*named, *own)))


def has_control(run: Run) -> bool:
    """Whether a frozen control of a run is recorded too: of quantised ones, whose ranges move."""
    return _is_quantised(run) and not run.is_control and "prefit" not in dict(run.settings)


def _is_quantised(run: Run) -> bool:
    return bool(dict(run.settings).get("bits") != FLOAT_BITS)


def _keeps_codes(run: Run) -> bool:
    return bool(dict(run.settings).get("keep") != "partition")


def control_of(run: Run) -> Run:
    """Return the frozen control of a run."""
    settings = dict(run.settings) | {"control": "frozen", "repeats": _CONTROL_REPEATS}
    return replace(
        run, title=f"{run.title}-frozen", settings=tuple(settings.items()), scattered=None
    )
