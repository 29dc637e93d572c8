"""What a reproduction will take: some seconds of each recording, analysed and thinned, then scaled.

Nothing of it is kept.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dask.system import CPU_COUNT
from dask.utils import parse_bytes

import ibtools
from ibtools.errors import InputError
from ibtools.progress import progress_bar
from ibtools.reproduction.experiments import Run, Scale
from ibtools.reproduction.parts import Part
from ibtools.reproduction.steps import Step
from ibtools.schedule import parse_schedule
from ibtools.shown import duration, size
from ibtools.store.storage import stored_bytes

if TYPE_CHECKING:
    from ibtools.recorders.training.trial import Trial  # noqa: TID251

THINNED_EPOCHS = "log:200"
"""What is kept of a thin store where all its epochs would not fit."""

SETTLED = {
    "SYN-Tanh": 0.52,
    "SYN-ReLU": 0.82,
    **{f"MNIST-{name}": 0.55 for name in ("Bottleneck-2", "Bottleneck-4", "HourGlass", "4x10")},
}
"""How large a snapshot of the paper's schedule is on the average, beside one of the first epochs,
in which most codes change: as measured of whole recordings."""

DRAWING_SECONDS = 20.0
"""What a figure or table of the paper's size takes, more or less."""


@dataclass(frozen=True)
class Cost:
    """What some work on a store takes of the processor.

    Parameters
    ----------
    once : float
        Seconds for any store.
    per_snapshot : float
        Seconds more for each snapshot.
    threads : int
        How many snapshots are worked on side by side, where there are many.
    """

    once: float
    per_snapshot: float
    threads: int = 1

    def seconds(self, snapshots: float) -> float:
        """Return how long so many snapshots take by the clock, where nothing else is done."""
        return self.once + self.per_snapshot * snapshots / self.threads


@dataclass(frozen=True)
class Expected:
    """What a run is expected to take, on this machine.

    Parameters
    ----------
    trial : Trial
        What its first epochs took.
    epochs, repeats, snapshots : int
        Epochs that are trained of each repeat; repeats; snapshots of each.
    thinned_snapshots : int
        The snapshots that stay where not all can.
    analysis, thinning : Cost
        Of a store.
    cube_bytes, thin_bytes : int
        Of one repeat on disk, as recorded, and as thinned with all epochs.
    """

    trial: "Trial"
    epochs: int
    repeats: int
    snapshots: int
    thinned_snapshots: int
    analysis: Cost
    thinning: Cost
    cube_bytes: int
    thin_bytes: int

    def record_seconds(self, repeats: int, jobs: int) -> float:
        """Return how long some repeats take side by side."""
        return self.trial.seconds(epochs=self.epochs, repeats=repeats, jobs=jobs)

    def kept_bytes(self, *, all_epochs: bool) -> float:
        """Return what a thin repeat takes on disk."""
        kept = self.snapshots if all_epochs else self.thinned_snapshots
        return self.thin_bytes * kept / self.snapshots


@dataclass(frozen=True)
class Budget:
    """What a folder may take, and how that is kept to.

    Parameters
    ----------
    n_bytes : int
        What it may take.
    all_epochs : bool
        Whether thin stores keep all recorded epochs.
    repeats, most : mapping of Run to int
        How many repeats each has, and how many of them are recorded at once.
    """

    n_bytes: int
    all_epochs: bool
    repeats: Mapping[Run, int]
    most: Mapping[Run, int]

    @classmethod
    def of(cls, disk: str | int, expected: Mapping[Run, Expected]) -> "Budget":
        """Plan parts so that what is thin already, and a part that is not, fit at any time.

        Raises
        ------
        InputError
            If a single repeat of a run does not fit.
        """
        n_bytes = _parse_disk(disk)
        largest = max(one.cube_bytes + one.thin_bytes for one in expected.values())
        all_epochs = _end_bytes(expected, all_epochs=True) + largest <= n_bytes
        room = n_bytes - _end_bytes(expected, all_epochs=all_epochs)
        most = {
            run: int(room // (one.cube_bytes + one.kept_bytes(all_epochs=all_epochs)))
            for run, one in expected.items()
        }
        if min(most.values()) < 1:
            needed = n_bytes - room + largest
            raise InputError(
                f"disk must be {needed / 1e9:.0f} GB or more here, for the repeat that takes most "
                f"and what is thin of the others; found {n_bytes / 1e9:.0f} GB"
            )
        repeats = {run: one.repeats for run, one in expected.items()}
        return cls(n_bytes, all_epochs, repeats, most)

    @property
    def epochs(self) -> str | None:
        """The schedule of the epochs that thin stores keep; None for all that are recorded."""
        return None if self.all_epochs else THINNED_EPOCHS


def _parse_disk(disk: str | int) -> int:
    """Read an amount of disk: bytes, or a number with a unit."""
    try:
        return int(parse_bytes(disk))
    except ValueError as err:
        raise InputError(f'disk must be an amount such as "40GB", found {disk!r}') from err


def _end_bytes(expected: Mapping[Run, Expected], *, all_epochs: bool) -> float:
    return sum(one.repeats * one.kept_bytes(all_epochs=all_epochs) for one in expected.values())


def forecast(
    runs: Mapping[Run, tuple[Mapping[str, Any], Sequence[str]]],
    *,
    scale: Scale,
    data_folder: str | Path | None,
    quiet: bool,
) -> dict[Run, Expected]:
    """Try all runs, with their settings and estimators, one after the other."""
    found = {}
    with progress_bar(len(runs), "trying", unit="recording", quiet=quiet) as progress:
        for run, (settings, estimators) in runs.items():
            found[run] = _expect(run, settings, estimators, scale, data_folder)
            progress.update()
    return found


def _expect(
    run: Run,
    settings: Mapping[str, Any],
    estimators: Sequence[str],
    scale: Scale,
    data_folder: str | Path | None,
) -> Expected:
    """Record the first epochs of a run, analyse and thin them."""
    from ibtools.recorders.record import plan  # noqa: TID251
    from ibtools.recorders.training.trial import trial_store, try_recording  # noqa: TID251

    recording = plan(run.experiment, data_folder=data_folder, **settings)
    chosen = recording.settings
    snapshots = len(chosen.recorded_epochs)
    with trial_store() as store, progress_bar(0, run.title, unit="epoch", quiet=True) as progress:
        trial = try_recording(recording, store, progress)
        analysis, thinning, thinned = _FREE, _FREE, trial.stored_bytes
        if estimators:
            analysis = _measure(partial(_analyze, estimators), store, trial.snapshots)
            analysis = replace(analysis, threads=CPU_COUNT)
        if chosen.keep != "partition":
            thinning = _measure(_thin, store, trial.snapshots)
            thinned = stored_bytes(_output(store))
    whole = snapshots / trial.snapshots
    settled = SETTLED.get(run.experiment, 1.0) if scale == "paper" else 1.0
    kept = parse_schedule(THINNED_EPOCHS, epochs=chosen.epochs, prefit=chosen.prefit)
    return Expected(
        trial=trial,
        epochs=chosen.epochs + chosen.prefit,
        repeats=chosen.repeats,
        snapshots=snapshots,
        thinned_snapshots=min(len(kept), snapshots),
        analysis=analysis,
        thinning=thinning,
        cube_bytes=round(trial.stored_bytes * whole * settled),
        thin_bytes=round(thinned * whole),
    )


_FREE = Cost(0.0, 0.0)


def _measure(work: Callable[[Path, Path], object], store: Path, snapshots: int) -> Cost:
    """Do some work on the first snapshot of a store twice, as it may load much, then on all."""
    first = store.with_name("first.zarr")
    if not first.exists():
        ibtools.thin_store(store, first, epochs=ibtools.open_store(store).epoch.values[:1])
    _seconds(work, first)
    one, all_of_them = _seconds(work, first), _seconds(work, store)
    more = max(0.0, all_of_them - one) / (snapshots - 1)
    return Cost(max(0.0, one - more), more)


def _seconds(work: Callable[[Path, Path], object], store: Path) -> float:
    """Return what some work on a store takes of the processor, which writes to a new one.

    By its clock, as a trial is so small that one thread does it all, where whole stores keep all
    of them busy, and as other programs don't count.
    """
    output = _output(store)
    shutil.rmtree(output, ignore_errors=True)
    begun = time.process_time()
    work(store, output)
    return time.process_time() - begun


def _output(store: Path) -> Path:
    return store.with_name(f"of-{store.name}")


def _analyze(estimators: Sequence[str], store: Path, output: Path) -> None:
    ibtools.analyze_store(store, estimator=list(estimators), output=output, quiet=True)


def _thin(store: Path, output: Path) -> None:
    ibtools.thin_store(store, output, keep="partition", quiet=True)


def forecast_lines(
    steps: Iterable[Step], expected: Mapping[Run, Expected], budget: Budget | None, *, jobs: int
) -> Iterator[str]:
    """Yield each step, what it takes and what is on disk then; then the sums."""
    total, there, fullest = 0.0, 0.0, 0.0
    for step in steps:
        seconds, change, passing = _cost(step, expected, budget, jobs)
        total, fullest, there = total + seconds, max(fullest, there + passing), there + change
        yield step.says
        yield f"    about {duration(seconds)}; {size(there)} on disk then"
    yield (
        f"about {duration(total)} in all with --jobs {jobs}; {size(fullest)} on disk at the "
        f"fullest, {size(there)} at the end"
    )


def _cost(
    step: Step, expected: Mapping[Run, Expected], budget: Budget | None, jobs: int
) -> tuple[float, float, float]:
    """Return seconds of a step, what it adds to the disk, and what it adds for a while."""
    if step.part is None:
        return DRAWING_SECONDS, 0.0, 0.0
    one, repeats = expected[step.part.run], _repeats(step.part, expected)
    cube = one.cube_bytes * repeats
    if step.kind == "record":
        return one.record_seconds(repeats, jobs), cube, cube
    if step.kind == "thin":
        kept = repeats * one.kept_bytes(all_epochs=budget is None or budget.all_epochs)
        return one.thinning.seconds(one.snapshots * repeats), kept - cube, kept
    return one.analysis.seconds(one.snapshots * repeats), 0.0, 0.0


def _repeats(part: Part, expected: Mapping[Run, Expected]) -> int:
    return int(part.settings.get("repeats", expected[part.run].repeats))
