"""The steps of a reproduction: what each says, mostly a command, and what it calls."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import xarray as xr

import ibtools
from ibtools.reproduction.experiments import Reproduction, Run
from ibtools.reproduction.parts import Part
from ibtools.shown import analyze_command, shell_command
from ibtools.store.groups import is_taken

Kind = Literal["record", "analyze", "thin", "draw", "table"]


@dataclass(frozen=True)
class Step:
    """One thing that a reproduction does.

    Parameters
    ----------
    kind : {"record", "analyze", "thin", "draw", "table"}
        What sort of thing.
    says : str
        The command that does it, or a sentence.
    does : callable
        Does it; what is there already is not done again.
    part : Part, optional
        What it is done to, unless it takes seconds only.
    output : Path, optional
        The figure or table that it makes.
    """

    kind: Kind
    says: str
    does: Callable[[], object]
    part: Part | None = None
    output: Path | None = None


Parts = dict[Run, tuple[Part, ...]]
"""The stores of every run."""


def record_step(part: Part, **how: Any) -> Step:
    """Record a part, or finish it."""
    pairs = ((f"--{key.replace('_', '-')}", value) for key, value in part.settings.items())
    spelled = [word for pair in pairs for word in pair]

    def do() -> None:
        if part.has_codes:
            part.folder.mkdir(parents=True, exist_ok=True)
            resume = is_taken(part.store)
            ibtools.record(part.run.experiment, part.store, resume=resume, **part.settings, **how)

    says = shell_command("record", part.run.experiment, *spelled, "--output", part.store)
    return Step("record", says, do, part)


def analyze_step(part: Part, estimators: Sequence[str], *, quiet: bool) -> Step:
    """Analyse a part, as far as that is not done."""
    output = None if part.results == part.store else part.results

    def do() -> None:
        if part.has_codes:
            ibtools.analyze_store(
                part.store, estimator=list(estimators), output=output, quiet=quiet
            )

    return Step("analyze", analyze_command(part.store, *estimators, output=output), do, part)


def thin_step(part: Part, *, epochs: str | None, quiet: bool) -> Step:
    """Keep the partition of each layer of a part in place of its codes."""

    def thin(store: Path, output: Path) -> None:
        ibtools.thin_store(store, output, keep=_unless_kept(part), epochs=epochs, quiet=quiet)

    def do() -> None:
        part.thin_with(thin)

    chosen = () if epochs is None else ("--epochs", epochs)
    kept = () if _unless_kept(part) is None else ("--keep", "partition")
    says = shell_command("thin", part.store, *kept, *chosen, "--output", part.thin)
    return Step("thin", f"{says}, then delete {part.store.name}", do, part)


def _unless_kept(part: Part) -> Literal["partition"] | None:
    """Return what is to be kept, if it is not all that is there."""
    return None if part.settings.get("keep") == "partition" else "partition"


def scatter_step(part: Part, layer: str) -> Step:
    """Draw the values of a layer of two units at the end, as long as they are there."""
    output = part.folder / f"{part.run.title}-scatter.png"

    def do() -> None:
        if part.has_codes:
            ibtools.plot_store(part.store, "scatter", output=output, layer=layer)

    says = shell_command("plot", part.store, "scatter", "--layer", layer, "--output", output)
    return Step("draw", says, do, output=output)


def open_parts(parts: Sequence[Part], estimator: str) -> xr.Dataset:
    """Open the results of a run."""
    return ibtools.open_results([part.results for part in parts], estimator=estimator)


def figure_steps(reproduction: Reproduction, stores: Parts, folder: Path) -> Iterator[Step]:
    """Yield what draws the figures of an experiment."""
    first = reproduction.estimators[0] if reproduction.estimators else "exact"
    for figure in reproduction.figures:
        if figure == "panels":
            panels = {run.title: (run, first) for run in reproduction.runs}
            yield _panels_step(panels, stores, folder / f"{reproduction.name}.png")
            continue
        for run in reproduction.runs:
            if figure == "estimators":
                panels = {name: (run, name) for name in reproduction.estimators}
                yield _panels_step(panels, stores, folder / f"{run.title}-estimators.png")
            else:
                yield _plot_step(run, figure, stores[run], folder)


def _panels_step(panels: dict[str, tuple[Run, str]], stores: Parts, output: Path) -> Step:
    def do() -> None:
        from ibtools.analysis.plots import information_planes  # noqa: TID251
        from ibtools.analysis.plots.files import make_figure  # noqa: TID251

        results = {
            title: open_parts(stores[run], estimator) for title, (run, estimator) in panels.items()
        }
        make_figure(lambda: information_planes(results), output=output)

    return Step("draw", f"draw {output}: {', '.join(panels)}", do, output=output)


def _plot_step(run: Run, figure: str, parts: Sequence[Part], folder: Path) -> Step:
    from ibtools.analysis.figures import get_figure  # noqa: TID251

    output = folder / f"{run.title}-{figure}.png"
    kind = get_figure(figure)
    paths = [part.results if kind.source == "results" else part.store for part in parts]

    def do() -> None:
        if kind.source == "results":
            opened = open_parts(parts, kind.estimator)
        else:
            opened = ibtools.open_store([part.opened for part in parts])
        ibtools.plot(opened, figure, output=output)

    return Step(
        "draw", shell_command("plot", *paths, figure, "--output", output), do, output=output
    )
