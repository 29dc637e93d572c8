"""Controls of figures: put beside what is drawn, or taken from it, whichever figure it is.

Figures take Datasets that hold their controls (`ibtools.beside_control`), or differences from them
(`ibtools.above_control`). So all of them do with a control what is done here, before they draw.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from ibtools.analysis.figures import get_figure
from ibtools.analysis.repeats.controls import above_control, beside_control
from ibtools.errors import InputError
from ibtools.shown import counted


def validate_control(figure: str, given: object, *, subtract: bool) -> None:
    """Check that a figure can do with a control what is asked for, before anything is opened.

    Raises
    ------
    UnknownNameError
        If there is no such figure.
    InputError
        If it can't, which says why; or if there is no control to subtract.
    """
    kind = get_figure(figure)
    if subtract and given is None:
        raise InputError("to subtract a control, give it: control=, or --control STORE")
    if given is not None and not kind.control:
        raise InputError(f"figure {figure!r} takes no control: {kind.no_control}")
    if subtract and "subtract" not in kind.control:
        raise InputError(
            f"figure {figure!r} draws a control beside, and does not subtract it: {kind.no_control}"
        )


def match_controls(given: Any, n_stores: int) -> list[Any]:
    """List the controls of several stores, one for each, in their order.

    Raises
    ------
    InputError
        If they are not as many.
    """
    several = isinstance(given, Sequence) and not isinstance(given, str)
    controls = list(given) if several else [given]
    if len(controls) != n_stores:
        raise InputError(
            f"each store needs a control of its own, in the same order; got {len(controls)} for "
            f"{counted(n_stores, 'store')}"
        )
    return controls


def with_control(
    drawn: xr.Dataset | Mapping[str, xr.Dataset],
    control: xr.Dataset | Mapping[str, xr.Dataset] | None,
    *,
    several: bool,
    subtract: bool,
) -> xr.Dataset | Mapping[str, xr.Dataset]:
    """Return what a figure is drawn from, with its control beside or subtracted, if there is one.

    Parameters
    ----------
    drawn : Dataset, or mapping of str to Dataset
        Of one recording, or of several by their titles.
    control : Dataset, or mapping of str to Dataset, or None
        Of the controls, by the same titles.
    several : bool
        Whether they are drawn in facets.
    subtract : bool
        Whether differences are drawn.

    Raises
    ------
    InputError
        If a recording has no control among several, or one that is another recording.
    """
    if control is None:
        return drawn
    join = above_control if subtract else beside_control
    if not several and isinstance(drawn, xr.Dataset) and isinstance(control, xr.Dataset):
        return join(drawn, control)
    if isinstance(drawn, xr.Dataset) or isinstance(control, xr.Dataset) or {*drawn} != {*control}:
        raise InputError(
            "several recordings need a control each: give both as mappings of the same titles to "
            "Datasets"
        )
    return {title: join(one, control[title]) for title, one in drawn.items()}
