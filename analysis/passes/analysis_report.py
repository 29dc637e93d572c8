"""What an analysis tells when it is done."""

from collections.abc import Sequence
from dataclasses import dataclass

from ibtools.analysis.passes.saturated import ADVICE, WORDS
from ibtools.shown import counted, python_string, shell_command, visible

DEFAULTS = ("exact", "resolution")
"""Estimators whose results their figures are drawn from where none are named."""

_WHOLE = (
    "; results of {name} are there and have these layers too: to draw or select some of them "
    "nothing needs to be counted, the ones written now are a group of their own"
)


@dataclass(frozen=True)
class AnalysisReport:
    """What an analysis did.

    Parameters
    ----------
    estimator : str
        Specification of the estimator, which is also the name of its results.
    computed : int
        Snapshots (repeat and epoch) that were analysed now.
    skipped : int
        Snapshots whose results were there already.
    incomplete : int
        Scheduled snapshots that are not recorded yet; analyse again after recording.
    n_clipped, n_values : int, optional
        Of an estimator with given bounds: how many values lay outside, of how many, in all results
        that are there now.
    digested : tuple of str, optional
        Layers too large for memory, whose partition is not verified: see
        `ibtools.analysis.kernels.digests.RowDigests`.
    anew : tuple of str, optional
        What of earlier results was out of date and is computed anew, and why.
    figure : str or None, optional
        The figure that shows it best; None if none can be drawn.
    is_saturated : bool, optional
        Whether every layer is saturated in every snapshot, see
        `ibtools.analysis.kernels.chance.SATURATED`: the plane is one dot.
    whole : str, optional
        Of some layers: the results of all layers that were there already, and have these.
    """

    estimator: str
    computed: int
    skipped: int
    incomplete: int
    n_clipped: int | None = None
    n_values: int | None = None
    digested: tuple[str, ...] = ()
    anew: tuple[str, ...] = ()
    figure: str | None = "information-plane"
    is_saturated: bool = False
    whole: str = ""

    def __str__(self) -> str:
        anew = "".join(f"; {phrase}" for phrase in self.anew)
        incomplete = f", {self.incomplete} not recorded yet" if self.incomplete else ""
        clipped = digested = ""
        if self.n_clipped and self.n_values:
            share = 100 * self.n_clipped / self.n_values
            clipped = (
                f"; {self.n_clipped} of {self.n_values} values ({share:.2g} %) lie outside of the "
                "bounds and are in the end bins"
            )
        if self.digested:
            digested = (
                f"; from digests of rows, because --memory is too little for a snapshot: "
                f"{', '.join(map(visible, self.digested))}"
            )
        saturated = f"; {WORDS}; {ADVICE}" if self.is_saturated else ""
        whole = _WHOLE.format(name=self.whole) if self.whole and self.computed else ""
        return (
            f"information/{self.estimator}: {counted(self.computed, 'snapshot')} analysed, "
            f"{self.skipped} skipped (analysed before){incomplete}{clipped}{digested}{anew}"
            f"{whole}{saturated}"
        )


def describe_next(path: str, reports: Sequence[AnalysisReport]) -> str:
    """Say how results are drawn, and opened in Python.

    Parameters
    ----------
    path : str
        Where they were written.
    reports : sequence of AnalysisReport
        Of the estimators. The first that has a figure is drawn.

    Returns
    -------
    str
        One or two lines.

    Examples
    --------
    >>> print(describe_next("syn.zarr", [AnalysisReport("exact", 8, 0, 0)]))
    next: ibtools plot syn.zarr information-plane --output plane.png
    in Python: ibtools.open_results("syn.zarr", estimator="exact")
    """
    names = [one.estimator for one in reports]
    opened = python_string(names[0]) if len(names) == 1 else "None"
    lines = [f"in Python: ibtools.open_results({python_string(path)}, estimator={opened})"]
    drawn = next((one for one in reports if one.figure is not None), None)
    if drawn is not None:
        which = [] if drawn.estimator in DEFAULTS else ["--estimator", drawn.estimator]
        output = f"{str(drawn.figure).rpartition('-')[2]}.png"
        figure = ["plot", path, str(drawn.figure), *which, "--output", output]
        lines.insert(0, f"next: {shell_command(*figure)}")
    return "\n".join(lines)
