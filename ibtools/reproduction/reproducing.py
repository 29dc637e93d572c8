"""Doing what an experiment of the paper, or all of them, takes, and going on with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ibtools.progress import progress_bar
from ibtools.reproduction.experiments import (
    ALL,
    Reproduction,
    Run,
    Scale,
    control_of,
    estimators_of,
    estimators_of_all,
    find_reproductions,
    has_control,
    settings_of,
)
from ibtools.reproduction.forecast import Budget, forecast, forecast_lines
from ibtools.reproduction.journal import noted
from ibtools.reproduction.parts import Part, parts_of, whole_of
from ibtools.reproduction.steps import (
    Parts,
    Step,
    analyze_step,
    figure_steps,
    learned_steps,
    record_step,
    scatter_step,
    thin_step,
)
from ibtools.reproduction.tables import table_steps
from ibtools.store.storage import local_folder


def reproduce(
    name: str,
    folder: str | Path,
    *,
    scale: Scale = "quick",
    jobs: int = 1,
    disk: str | int | None = None,
    quiet: bool = False,
    data_folder: str | Path | None = None,
    dry_run: bool = False,
    tell: Callable[[str], object] = lambda line: None,
    **changes: Any,
) -> list[Path]:
    """Record, analyse and draw one of the paper's experiments, or all of them.

    Parameters
    ----------
    name : str
        One of `REPRODUCTIONS`; or "all": all of them, main results first, with frozen controls of
        the quantised networks, the published estimator, all resolutions, and tables.
    folder : path
        Where stores and figures go. What is there already is finished, not done again; stores are
        shared between experiments of one folder.
    scale : {"quick", "paper"}, optional
        A look in minutes on two cores, or the paper's numbers of epochs and repeats.
    jobs : int, optional
        Processes that record.
    disk : str or int, optional
        What the folder may take, such as "40GB", or bytes. Recordings are cut into parts of some
        repeats then; each is thinned to the partitions of its layers once it is analysed, and
        results go to a store beside it.
    quiet : bool, optional
        Show no progress.
    data_folder : path, optional
        Where MNIST is; see `ibtools.record`.
    dry_run : bool, optional
        Tell the steps, and what they will take of time and disk, as some seconds of each recording
        on this machine let expect; do nothing.
    tell : callable, optional
        Receives one line per step.
    **changes
        Settings of `ibtools.record` that replace those of the scale in every run.

    Returns
    -------
    list of Path
        The figures and tables.

    Raises
    ------
    UnknownNameError
        If there is no such experiment or scale.
    InputError
        If `disk` is less than a single repeat takes.
    IbtoolsError
        Whatever recording, analysing and drawing raise.

    Notes
    -----
    What each step took is in ``steps.csv`` of the folder.
    """
    plan = _Plan.of(name, scale, changes)
    place, expected = local_folder(folder), {}
    if dry_run or disk is not None:
        expected = forecast(plan.wanted, scale=scale, data_folder=data_folder, quiet=quiet)
    else:
        plan.validate(data_folder)
    budget = None if disk is None else Budget.of(disk, expected)
    stores = plan.stores(place, budget)
    how = {"jobs": jobs, "quiet": quiet, "data_folder": data_folder}
    steps = list(plan.steps(stores, place, budget, how))
    if dry_run:
        for line in forecast_lines(steps, expected, budget, jobs=jobs):
            tell(line)
    else:
        _do(steps, name, place, quiet=quiet, tell=tell)
    return [step.output for step in steps if step.output is not None]


@dataclass(frozen=True)
class _Plan:
    """What is asked for: experiments, and of each run its settings and what is computed of it."""

    reproductions: tuple[Reproduction, ...]
    wanted: Mapping[Run, tuple[Mapping[str, Any], tuple[str, ...]]]
    is_all: bool

    @classmethod
    def of(cls, name: str, scale: Scale, changes: Mapping[str, Any]) -> _Plan:
        reproductions, is_all = find_reproductions(name, scale), name == ALL
        wanted = {}
        for run in _runs(reproductions, with_controls=is_all):
            named = estimators_of_all(run) if is_all else estimators_of(run, reproductions)
            wanted[run] = {**settings_of(run, scale), **changes}, named
        return cls(reproductions, wanted, is_all)

    def validate(self, data_folder: str | Path | None) -> None:
        """Plan all recordings, so that what can't be had is missed before the first of them."""
        from ibtools.recorders.record import plan  # noqa: TID251

        for run, (settings, _) in self.wanted.items():
            plan(run.experiment, data_folder=data_folder, **settings)

    def stores(self, place: Path, budget: Budget | None) -> Parts:
        """Return the stores of all runs: one of each, or parts where there is a budget."""
        return {
            run: (whole_of(run, settings, place),)
            if budget is None
            else parts_of(run, settings, place, budget.repeats[run], budget.most[run])
            for run, (settings, _) in self.wanted.items()
        }

    def steps(
        self, stores: Parts, place: Path, budget: Budget | None, how: Mapping[str, Any]
    ) -> Iterator[Step]:
        """Yield all steps: of each run what it shows as soon as it is there, then the figures."""
        done: set[Run] = set()
        for reproduction in self.reproductions:
            for run in reproduction.runs:
                if run not in done:
                    yield from self._pair_steps(run, stores, place, budget, how)
                    done.add(run)
            yield from figure_steps(reproduction, stores, place)

    def _pair_steps(
        self,
        run: Run,
        stores: Parts,
        place: Path,
        budget: Budget | None,
        how: Mapping[str, Any],
    ) -> Iterator[Step]:
        """Yield the steps of a run and its control, with their tables."""
        pair = {one: stores[one] for one in _runs_of(run, with_controls=self.is_all)}
        for one, parts in pair.items():
            yield from self._run_steps(one, parts, budget, how)
        if self.is_all:
            estimators = {one: self.wanted[one][1] for one in pair}
            if has_control(run) and "resolution" in estimators[run]:
                yield from learned_steps(run, stores, place)
            yield from table_steps(pair, estimators, place)

    def _run_steps(
        self, run: Run, parts: Sequence[Part], budget: Budget | None, how: Mapping[str, Any]
    ) -> Iterator[Step]:
        estimators = self.wanted[run][1]
        for part in parts:
            yield record_step(part, **how)
            if estimators:
                yield analyze_step(part, estimators, quiet=how["quiet"])
            if run.scattered is not None and part is parts[0]:
                yield scatter_step(part, run.scattered)
            if budget is not None:
                yield thin_step(part, epochs=budget.epochs, quiet=how["quiet"])


def _runs(reproductions: Iterable[Reproduction], *, with_controls: bool) -> Iterator[Run]:
    """Yield the runs of experiments, each once, followed by its control."""
    for run in dict.fromkeys(run for one in reproductions for run in one.runs):
        yield from _runs_of(run, with_controls=with_controls)


def _runs_of(run: Run, *, with_controls: bool) -> tuple[Run, ...]:
    """Return a run, and its control if there is one and it is wanted."""
    return (run, control_of(run)) if with_controls and has_control(run) else (run,)


def _do(
    steps: Sequence[Step],
    name: str,
    place: Path,
    *,
    quiet: bool,
    tell: Callable[[str], object],
) -> None:
    """Do one step after the other, and note what each takes."""
    with progress_bar(len(steps), name, unit="step", quiet=quiet) as progress:
        for step in steps:
            tell(step.says)
            place.mkdir(parents=True, exist_ok=True)
            with noted(step.says, place):
                step.does()
            progress.update()
