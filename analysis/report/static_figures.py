"""The figures of the page that do not move: those of `ibtools plot`, as images inside the page."""

import base64
from dataclasses import dataclass

import xarray as xr

from ibtools.analysis.plots import (
    accuracy,
    information_epochs,
    information_plane,
    label_resolution_epochs,
    resolution_profile,
    scalars,
)
from ibtools.analysis.plots.accuracy import summarise_accuracy
from ibtools.analysis.plots.epochs import label_information_epochs
from ibtools.analysis.plots.files import figure_png
from ibtools.analysis.repeats.accuracy import accuracies
from ibtools.analysis.repeats.controls import measure_beside
from ibtools.analysis.repeats.resolution import summarise_resolutions
from ibtools.analysis.repeats.scalars import ACCURACIES, called, recorded_scalars
from ibtools.analysis.repeats.shown import summarise_repeats
from ibtools.store.counts import counts_of, in_counts


@dataclass(frozen=True)
class StaticFigure:
    """An image of the page.

    Parameters
    ----------
    png : bytes
        The image.
    alternative : str
        What it shows, for those who do not see it.
    caption : str
        How to read it.
    """

    png: bytes
    alternative: str
    caption: str

    @property
    def source(self) -> str:
        """The image as a data URI."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"

    @property
    def width(self) -> int:
        """How wide the page shows it, in its pixels; the image has more, for print."""
        return int(int.from_bytes(self.png[WIDTH_IN_PNG]) * SHOWN)


SHOWN = 0.6
"""Pixels of the page per pixel of an image."""

WIDTH_IN_PNG = slice(16, 20)
"""The bytes of a PNG that hold its width, the highest first."""

FEW = "; of two repeats, each"
"""What is drawn instead."""

PLANE_CAPTION = (
    "Information plane. A point is a layer at an epoch, the mean over repeats; its colour is the "
    "epoch. Hollow points are saturated: nearly every input has a state of its own, so that I(T;Y) "
    "is near H(Y) for any labels whatever."
)

EPOCHS_CAPTION = (
    "Information against epoch: mean over repeats, plus and minus the standard deviation between "
    f"them{FEW}. Dotted is the chance level of I(T;Y), where the estimator has one; what does not "
    "rise above it says nothing about the label."
)

PROFILE_CAPTION = (
    "Information against resolution: each layer with the codes of its units cut to r bits, mean "
    "over repeats; the colour is the epoch. Dotted is the chance level of I(T_r;Y). Where all "
    "inputs are told apart, T says nothing of what was learned; a coarser T_r may."
)

LABEL_RESOLUTION_CAPTION = (
    "Against epoch, the coarsest resolution at which a layer still tells 90 % of its I(T;Y): mean "
    f"over repeats, with 95 % confidence (Student{FEW})."
)

ACCURACY_CAPTION = (
    f"Accuracy against epoch: mean over repeats, with 95 % confidence (Student{FEW})."
)

SCALARS_CAPTION = (
    "What else was recorded after each epoch: mean over repeats, with 95 % confidence "
    f"(Student{FEW})."
)


def accuracy_figure(dataset: xr.Dataset) -> StaticFigure:
    """Draw the accuracies of a store."""
    drawn, counts = accuracy(dataset), counts_of(dataset.attrs)
    words = summarise_accuracy(measure_beside(accuracies, dataset)).caption.replace("\n", ", ")
    return StaticFigure(
        figure_png(drawn),
        f"Lines of training, test and all-sample accuracy against {counts}: {words}.",
        in_counts(ACCURACY_CAPTION, counts),
    )


def scalars_figure(dataset: xr.Dataset) -> StaticFigure | None:
    """Draw losses and scalars of the user's own; nothing where there are none."""
    names = [str(name) for name in recorded_scalars(dataset) if name not in ACCURACIES]
    if not names:
        return None
    drawn, counts = scalars(dataset, names=names), counts_of(dataset.attrs)
    return StaticFigure(
        figure_png(drawn[0]),
        f"Lines of {', '.join(map(called, names))} against {counts}.",
        in_counts(SCALARS_CAPTION, counts),
    )


def information_figures(results: xr.Dataset) -> tuple[StaticFigure, ...]:
    """Draw the plane and information against epoch; no plane where there is no I(X;T)."""
    if "mi_xt" not in results:
        return (_epochs_figure(results, ("mi_ty",)),)
    counts = counts_of(results.attrs)
    words = summarise_repeats(results).caption.replace("\n", ", ")
    plane = StaticFigure(
        figure_png(information_plane(results)),
        f"Scatter of {_labels(results, ('mi_xt', 'mi_ty'))} of every layer and {counts}: {words}.",
        in_counts(PLANE_CAPTION, counts),
    )
    return plane, _epochs_figure(results, ("mi_xt", "mi_ty"))


def resolution_figures(results: xr.Dataset) -> tuple[StaticFigure, ...]:
    """Draw the profile of every layer, and the resolution that tells most of the label."""
    counts = counts_of(results.attrs)
    words = summarise_resolutions(results).caption.replace("\n", ", ")
    labels = _labels(results, ("mi_xt", "mi_ty"))
    profile = StaticFigure(
        figure_png(resolution_profile(results)[0]),
        f"Lines of {labels} against the resolution r at some {counts}s, layer by layer: {words}.",
        in_counts(PROFILE_CAPTION, counts),
    )
    coarsest = StaticFigure(
        figure_png(label_resolution_epochs(results)),
        f"Lines of the coarsest resolution that tells most of I(T;Y) against {counts}: {words}.",
        in_counts(LABEL_RESOLUTION_CAPTION, counts),
    )
    return profile, coarsest


def _epochs_figure(results: xr.Dataset, variables: tuple[str, ...]) -> StaticFigure:
    whole, counts = "mi_xt" in variables, counts_of(results.attrs)
    drawn = information_epochs(results)[0] if whole else label_information_epochs(results)
    words = summarise_repeats(results, variables=variables).caption.replace("\n", ", ")
    return StaticFigure(
        figure_png(drawn),
        f"Lines of {_labels(results, variables)} of every layer against {counts}: {words}.",
        in_counts(EPOCHS_CAPTION, counts),
    )


def _labels(results: xr.Dataset, variables: tuple[str, ...]) -> str:
    return " and ".join(str(results[name].attrs["long_name"]) for name in variables)
