"""Colours as readers with each kind of colour blindness see them."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib import rcParams, style
from matplotlib.colors import to_rgb

import ibtools
from ibtools.analysis.plots import information_epochs, information_plane
from ibtools.analysis.plots.sheets import PUBLICATION
from ibtools.analysis.plots.style import (
    LAYER_COLORS,
    LAYER_MARKERS,
    create_epoch_colormap,
    layer_styles,
    network_layers,
)

# Machado, Oliveira and Fernandes, A Physiologically-based Model for Simulation of Color Vision
# Deficiency, IEEE Transactions on Visualization and Computer Graphics 15 (2009), severity 1; they
# apply to linear RGB.
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
"""IEC 61966-2-1, sRGB with white D65."""

LEAST_DISTANCE = 15.0
"""CIE 1976 units; about 2.3 are just noticeable side by side."""


def lab(rgb, deficiency):
    """CIE L*a*b* of sRGB colours (color, 3), as seen."""
    rgb = np.asarray(rgb, float)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = (linear @ DEFICIENCIES[deficiency].T).clip(0, 1)
    relative = seen @ TO_XYZ.T / TO_XYZ.sum(axis=1)
    cube = np.where(
        relative > (6 / 29) ** 3, np.cbrt(relative), relative / 3 * (29 / 6) ** 2 + 4 / 29
    )
    x, y, z = cube.T
    return np.column_stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_lab__hand_values():
    np.testing.assert_allclose(
        lab([[1, 1, 1], [0, 0, 0]], "none"), [[100, 0, 0], [0, 0, 0]], atol=0.01
    )
    np.testing.assert_allclose(lab([[1, 0, 0]], "none"), [[53.24, 80.09, 67.20]], atol=0.05)


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_deficiencies__greys_stay_grey(deficiency):
    grey = lab([[0.5, 0.5, 0.5]], deficiency)
    np.testing.assert_allclose(grey[:, 1:], 0, atol=0.1)


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_layer_colors__are_told_apart(deficiency):
    seen = lab([to_rgb(color) for color in LAYER_COLORS], deficiency)
    distance = {
        (LAYER_COLORS[i], LAYER_COLORS[j]): float(np.linalg.norm(seen[i] - seen[j]))
        for i, j in combinations(range(len(seen)), 2)
    }
    closest = min(distance, key=distance.__getitem__)
    assert distance[closest] >= LEAST_DISTANCE, (closest, distance[closest])


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_epoch_colormap__gets_lighter_with_every_epoch(deficiency):
    colors = create_epoch_colormap()(np.linspace(0, 1, 64))[:, :3]
    lightness = lab(colors, deficiency)[:, 0]
    assert (np.diff(lightness) > 0).all()
    assert np.ptp(lightness) > 50


def test_layer_markers__differ_also_where_colors_repeat():
    assert len(set(LAYER_MARKERS)) == len(LAYER_MARKERS) > len(LAYER_COLORS)
    assert len(set(LAYER_COLORS)) == len(LAYER_COLORS)


def test_layer_styles__go_by_role_and_position():
    """The output looks the same at the end of any network, and no hidden layer as it does."""
    shallow, deep = (
        layer_styles([*(f"hidden_{i}" for i in range(1, n)), "output"]) for n in (3, 6)
    )
    assert deep["output"] == shallow["output"]
    assert {name: deep[name] for name in shallow} == shallow
    many = layer_styles([*map(str, range(40)), "output"])
    looks = [many[name] for name in many if name != "output"]
    assert not {(one.color, one.marker) for one in looks} & {
        (many["output"].color, many["output"].marker)
    }
    assert layer_styles(["hidden_1"])["hidden_1"] == deep["hidden_1"]


def test_layer_styles__of_results_of_some_layers(example_store):
    for layers in (None, ["free", "output"]):
        ibtools.analyze_store(example_store, layers=layers, quiet=True)
    some = ibtools.open_results(example_store, estimator="exact-layers-free-output")
    assert network_layers(some) == ["hidden_1", "free", "output"]
    every = layer_styles(network_layers(ibtools.open_results(example_store)))
    for ax in (information_plane(some), information_epochs(some)[0]):
        drawn = {line.get_label(): line.get_marker() for line in ax.lines}
        assert (
            drawn.get("output") or drawn["_last epoch output"],
            drawn.get("free") or drawn["_last epoch free"],
        ) == (every["output"].marker, every["free"].marker)


def test_publication_sheet__cycles_through_the_layer_colors():
    with style.context(PUBLICATION):
        cycle = rcParams["axes.prop_cycle"].by_key()["color"]
    assert [to_rgb(f"#{color.lstrip('#')}") for color in cycle] == [
        to_rgb(color) for color in LAYER_COLORS
    ]
