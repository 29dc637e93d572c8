"""How written details are opened and drawn: by xarray, as no figure of ibtools is of them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ibtools.analysis.details.results import GROUP, DetailsReport
from ibtools.shown import python_string

DRAWN: Mapping[str, str] = MappingProxyType(
    {
        "classes": 'mi_t_class.mean("repeat").plot(x="epoch", hue="layer", col="class")',
        "layers": 'mi_tt.mean("repeat").plot(x="epoch", hue="other_layer", col="layer")',
        "prediction": 'mi_t_prediction.mean("repeat").plot(x="epoch", hue="layer")',
        "splits": 'mi_ty_above_null.mean("repeat").plot(x="epoch", hue="layer", col="split")',
        "units": 'mi_unit_y.mean("repeat").isel(epoch=-1).plot(x="unit", hue="layer")',
        "by": 'mi_ts.mean("repeat").plot(x="epoch", hue="layer")',
        "permutations": 'permuted_p.median("repeat").plot(x="epoch", hue="layer")',
    }
)
"""A first look at every kind of detail: what to call of the Dataset."""


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
    kind = name.partition("-")[0]
    opened = f"{python_string(path)}, {python_string(name)}{which}"
    return f"ibtools.open_details({opened}).{DRAWN[kind]}"
