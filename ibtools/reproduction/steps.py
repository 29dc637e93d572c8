"""The steps of a reproduction: what each says, mostly a command, and what it calls."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import xarray as xr

import ibtools
from ibtools.reproduction.experiments import Reproduction, Run, control_of
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
    """Keep the partition of each layer of a part in place of its codes, of some or all epochs."""
    keep: Literal["partition"] | None = "partition"
    if part.settings.get("keep") == keep:
        keep = None

    def thin(store: Path, output: Path) -> None:
        ibtools.thin_store(store, output, keep=keep, epochs=epochs, quiet=quiet)

    is_thin = keep is None and epochs is None
    options = {"--keep": keep, "--epochs": epochs, "--output": part.thin}
    words = [word for pair in options.items() if pair[1] is not None for word in pair]
    says = f"keep {part.store} as {part.thin}"
    if not is_thin:
        says = shell_command("thin", part.store, *words)
    return Step("thin", says, lambda: part.thin_with(None if is_thin else thin), part)


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
    """Yield what draws the figures of an experiment, with controls where they are recorded."""
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
                yield _plot_step(run, figure, stores, folder / f"{run.title}-{figure}.png")


def learned_steps(run: Run, stores: Parts, folder: Path) -> Iterator[Step]:
    """Yield what draws what a run learned: above its control, and the plane at two bits."""
    above, plane = (folder / f"{run.title}-{name}.png" for name in ("above-control", "two-bits"))
    yield _plot_step(run, "information-epochs", stores, above, subtract=True)
    yield _plot_step(run, "information-plane", stores, plane, estimator="resolution-2")


def _panels_step(panels: dict[str, tuple[Run, str]], stores: Parts, output: Path) -> Step:
    def do() -> None:
        from ibtools.analysis.plots import information_planes  # noqa: TID251
        from ibtools.analysis.plots.files import make_figure  # noqa: TID251

        results = {
            title: open_parts(stores[run], estimator) for title, (run, estimator) in panels.items()
        }
        ncols = 3 if len(results) == 3 else 2  # no place is left empty
        make_figure(lambda: information_planes(results, ncols=ncols), output=output)

    return Step("draw", f"draw {output}: {', '.join(panels)}", do, output=output)


def _plot_step(
    run: Run,
    figure: str,
    stores: Parts,
    output: Path,
    *,
    estimator: str | None = None,
    subtract: bool = False,
) -> Step:
    """Draw a figure of a run, with its control if there is one that the figure can draw."""
    from ibtools.analysis.figures import get_figure  # noqa: TID251

    kind = get_figure(figure)
    is_of_results = kind.source == "results"
    control = stores.get(control_of(run)) if is_of_results and kind.control else None
    options = [] if estimator is None else ["--estimator", estimator]
    options += [word for part in control or () for word in ("--control", str(part.results))]
    options += ["--subtract"] if subtract else []

    def open_run(parts: Sequence[Part]) -> xr.Dataset:
        if is_of_results:
            return open_parts(parts, estimator or kind.estimator)
        return ibtools.open_store([part.opened for part in parts])

    def do() -> None:
        beside = None if control is None else open_run(control)
        drawn = open_run(stores[run])
        ibtools.plot(drawn, figure, output=output, control=beside, subtract=subtract)

    paths = [part.results if is_of_results else part.store for part in stores[run]]
    says = f"draw {output}: {figure} of {', '.join(path.name for path in paths)}"
    if len(paths) == 1:
        says = shell_command("plot", *paths, figure, *options, "--output", output)
    return Step("draw", says, do, output=output)
