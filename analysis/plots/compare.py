"""One network under several estimators: analysed where that is still to do, drawn side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ibtools.analysis.estimators import EstimatorLike, get_estimators
from ibtools.analysis.estimators.resolution import DIM
from ibtools.analysis.passes.results import analyze_store, open_results
from ibtools.analysis.plots.comparison import estimator_comparison
from ibtools.analysis.plots.files import make_figure, validate_output
from ibtools.analysis.plots.sheets import Format
from ibtools.errors import InputError
from ibtools.store.storage import StorePath
from ibtools.tasks.memory import DEFAULT_MEMORY

DEFAULT_ESTIMATORS = (
    "exact",
    "binned-uniform-30-layer",
    "binned-unique-30-layer",
    "kde-0.001",
    "kde-maximum-0.001",
    "knn-3",
)
"""One of each kind, with the settings of the literature."""


def compare(
    path: StorePath,
    *,
    estimator: EstimatorLike | Sequence[EstimatorLike] = DEFAULT_ESTIMATORS,
    output: str | Path | None = None,
    layers: Iterable[str] | None = None,
    format: Format | None = None,
    width: float | None = None,
    memory: str | int = DEFAULT_MEMORY,
    scheduler: str | None = None,
    quiet: bool = False,
) -> Figure:
    """Draw the network of a store under several estimators side by side.

    Parameters
    ----------
    path : path or URL
        An ibtools store. What is not analysed yet is analysed first, in one pass, and written into
        the store as `ibtools.analyze_store` does.
    estimator : str, Estimator, or sequence of these, optional
        The columns. By default one of each kind. Of `resolution` those to draw are named, as
        ``resolution-2``.
    output : str or Path, optional
        The file to write, as PNG, SVG, PDF or PGF by its suffix. A file that is there is replaced.
    layers : iterable of str, optional
        The layers to draw. All by default.
    format : "latex" or None, optional
        As of `ibtools.plot`.
    width : float, optional
        The width of the figure in inches; fonts keep their size.
    memory, scheduler : optional
        Of the analysis, as for `ibtools.analyze_store`.
    quiet : bool, optional
        Show no progress of the analysis.

    Returns
    -------
    Figure
        New, and unknown to pyplot.

    Raises
    ------
    UnknownNameError
        If there is no such estimator, no such layer, or `output` has another suffix.
    InputError
        If an option of an estimator is out of range, an estimator is all resolutions, or the store
        has not what it needs.
    StoreError
        If there is no store or no complete snapshot, or results can't be written.
    OSError
        If the file cannot be written.

    See Also
    --------
    ibtools.analysis.plots.comparison.estimator_comparison : The figure, from results.
    """
    if output is not None:
        validate_output(output)
    chosen = get_estimators(estimator)
    for one in chosen:
        if any(DIM in variable.dims for variable in one.variables):
            raise InputError(
                f"{one.specification} is every resolution, too many columns to compare; name some, "
                "such as resolution-2 and resolution-4, or draw all of them as resolution-profile"
            )

    def draw() -> tuple[tuple[Axes, ...], ...]:
        analyze_store(path, estimator=chosen, memory=memory, scheduler=scheduler, quiet=quiet)
        results = [open_results(path, estimator=one) for one in chosen]
        return estimator_comparison(results, layers=layers)

    return make_figure(draw, output=output, format=format, width=width)
