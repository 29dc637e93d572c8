"""How written details are opened and drawn: by xarray, as each kind says."""

from collections.abc import Sequence

from ibtools.analysis.details.kinds import detail_class
from ibtools.analysis.details.results import GROUP, DetailsReport
from ibtools.shown import python_string


def describe_opening(path: str, reports: Sequence[DetailsReport]) -> str:
    """Say how details are opened and drawn in Python.

    Parameters
    ----------
    path : str
        Where they were written.
    reports : sequence of DetailsReport
        Of the details.

    Returns
    -------
    str
        A line of code for each, after one that says what they are.

    Examples
    --------
    >>> print(describe_opening("syn.zarr", [DetailsReport("details/exact/by-orbit", 8, 0, 0)]))
    next, in Python (plot is that of xarray):
      ibtools.open_details("syn.zarr", "by-orbit").mi_ts.mean("repeat").plot(x="epoch", hue="layer")
    """
    lines = [f"  {_opening(path, one)}" for one in reports]
    return "\n".join(["next, in Python (plot is that of xarray):", *lines])


def _opening(path: str, report: DetailsReport) -> str:
    estimator, name = report.group.removeprefix(f"{GROUP}/").split("/")
    which = "" if estimator == "exact" else f", estimator={python_string(estimator)}"
    opened = f"{python_string(path)}, {python_string(name)}{which}"
    return f"ibtools.open_details({opened}).{detail_class(name).first_look}"
