"""The information plane: what the layers know of the input against what they know of the label."""

from collections.abc import Iterable
from typing import Literal

import xarray as xr
from matplotlib.axes import Axes

from ibtools.analysis.figures import LAYERS, PLANE_AXES, FigureKind
from ibtools.analysis.passes.stacking import select_estimator
from ibtools.analysis.plots.canvas import Canvas, Grid
from ibtools.analysis.plots.legends import draw_figure_legend, draw_legend_below
from ibtools.analysis.plots.limits import Limits, plane_limits
from ibtools.analysis.plots.names import figure_text
from ibtools.analysis.plots.panels import (
    Panel,
    draw_colorbar,
    draw_panel,
    legend_handles,
    panels_scale,
)
from ibtools.analysis.plots.planes import information_facets
from ibtools.analysis.plots.sheets import drawing_style
from ibtools.analysis.plots.style import LayerStyle, layer_styles, network_layers
from ibtools.analysis.plots.zoom import zoom_limits
from ibtools.analysis.repeats.plane_axes import X_AXES, Y_AXES, choose_axes
from ibtools.analysis.repeats.shown import summarise_repeats
from ibtools.errors import InputError

ALONE = Grid(panel=(5.4, 4.6))
ZOOMED = Grid(panel=(4.5, 4.3), ncols=2)
STACKED = Grid(panel=(5.4, 4.0))


def information_plane(
    results: xr.Dataset,
    *,
    ax: Axes | None = None,
    zoom_ax: Axes | None = None,
    layers: Iterable[str] | None = None,
    limits: Limits | Literal["paper"] | None = "paper",
    zoom: Limits | Literal["auto"] | None = "auto",
    colorbar: bool = True,
    x: str = X_AXES[0],
    y: str = Y_AXES[0],
) -> Axes:
    """Draw the information plane: one point per layer and epoch, the mean over repeats.

    The points of one epoch are joined by a thin line, in long trainings those of some epochs only;
    those of the last epoch have a black outline around their colour. The colour is the epoch, on
    the same norm as the colour bar; a random-label prefit is grey. Hollow points are saturated:
    nearly every input has a state of its own, so that I(T;Y) is near H(Y) whatever was learned
    (`ibtools.analysis.kernels.chance.SATURATED`). Dashed lines are the ceilings H(X) and H(Y);
    dotted lines are the chance level of I(T;Y) of each layer, where the results have it. A second
    panel shows what moves late in training and is too small to be seen in the first, where it is
    framed; there only layers within it that are near each other are joined.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer)
        From `ibtools.analyze` or `ibtools.open_results`, lazy or not; `mi_xt` and `mi_ty` in bits.
        Repeats that failed are left out and counted in the title. Of a control that is beside them
        (`ibtools.beside_control`) the means are a grey line for each layer, which ends in a grey
        marker.
    ax : Axes, optional
        Where to draw, in the caller's style. By default a new figure in the style of ibtools,
        unknown to pyplot.
    zoom_ax : Axes, optional
        Where to draw the zoom beside the caller's `ax`; without it, `ax` has no zoom.
    layers : iterable of str, optional
        The layers to draw, joined in this order. All by default.
    limits : ((x0, x1), (y0, y1)) or "paper" or None, optional
        What is shown, in bits. "paper" are the paper's axes for its data sets, widened where points
        lie outside; None, and "paper" for other data, is what holds the points and the ceilings.
    zoom : ((x0, x1), (y0, y1)) or "auto" or None, optional
        What the zoom shows, in bits. "auto" is where most moves late in training that the plane
        can't show (`ibtools.analysis.plots.zoom.moving_box`), if there is such a place. None is no
        zoom.
    colorbar : bool, optional
        Whether to add a colour bar, which takes its space from the axes.
    x : {"mi_xt", "mi_xt_given_y"}, optional
        What is drawn across: I(X;T), or what of it is not about the label, I(X;T|Y).
    y : {"mi_ty", "mi_ty_above_null", "mi_ty_adjusted"}, optional
        What is drawn upwards: I(T;Y), what of it is above its chance level, or which part that is
        of all that could be. Ceilings and chance level are those of I(X;T) and I(T;Y) only.

    Returns
    -------
    Axes
        Those of the whole plane; their `figure` saves and displays.

    Raises
    ------
    UnknownNameError
        If the results have no such layer, or there is no such axis.
    StoreError
        If something that is needed is missing from the results, or they have no complete snapshot.
    InputError
        If limits are none, or `zoom_ax` is given without `ax`.

    Notes
    -----
    Markers and their legend tell layers apart; the legend is below the axes, for which figures of
    the caller should have ``layout="constrained"``.

    References
    ----------
    Shwartz-Ziv and Tishby, Opening the Black Box of Deep Neural Networks via Information, arXiv
    1703.00810.

    Examples
    --------
    A plane and its zoom in a figure of one's own::

        figure = matplotlib.figure.Figure(figsize=(10, 4.5), layout="constrained")
        left, right = figure.subplots(1, 2)
        information_plane(results, ax=left, zoom_ax=right)
        figure.savefig("plane.pdf")
    """
    if zoom_ax is not None and ax is None:
        raise InputError("zoom_ax must come with ax, the axes of the whole plane; give both")
    results = choose_axes(select_estimator(results), x, y)
    summary = summarise_repeats(results, layers)
    shown = plane_limits([summary], limits)
    marked = zoom_limits(summary, zoom, shown) if ax is None or zoom_ax is not None else None
    styles = layer_styles(network_layers(results))
    with drawing_style(ax):
        panel = Panel(summary, figure_text(summary.caption), shown, marked)
        given = None if ax is None else [one for one in (ax, zoom_ax) if one is not None]
        canvas = Canvas.of(given, _grid(marked), 1 if marked is None else 2)
        _draw(canvas, panel, styles, colorbar=colorbar)
    return canvas.axes[0]


def _grid(marked: Limits | None) -> Grid:
    if marked is None:
        return ALONE
    return ZOOMED if ZOOMED.fitting(2) == ZOOMED else STACKED


def _draw(canvas: Canvas, panel: Panel, styles: dict[str, LayerStyle], *, colorbar: bool) -> None:
    scale, zoomed = panels_scale([panel]), panel.zoomed()
    ax, *zoom_axes = canvas.axes
    points = draw_panel(ax, panel, styles, scale)
    for zoom_ax in zoom_axes:
        if zoomed is None:
            zoom_ax.set_axis_off()
        else:
            draw_panel(zoom_ax, zoomed, styles, scale)
    handles = legend_handles(panel.summary.layers, styles, [panel])
    if canvas.is_ours and zoom_axes:
        draw_figure_legend(canvas.figure, handles)
    else:
        draw_legend_below(ax, handles)
    if colorbar:
        draw_colorbar(points, canvas.axes, scale)


FIGURE = FigureKind(
    information_plane,
    "results",
    shows="I(X;T) and I(T;Y) of every layer and epoch, with a zoom",
    read_against="ceilings H(X) and H(Y), chance level of I(T;Y)",
    command_options=(LAYERS, *PLANE_AXES),
    facets=information_facets,
    control=("beside", "subtract"),
)
