import numpy as np
import pytest

from ibtools.analysis.plots.limits import plane_limits
from ibtools.analysis.plots.zoom import moving_box, near_pairs, zoom_limits
from ibtools.analysis.repeats.shown import summarise_repeats
from ibtools.errors import InputError
from tests.analysis.results_example import create_compressing, create_results

PLANE = ((0.0, 10.0), (0.0, 1.0))
TIME = np.linspace(0, 1, 21)


def path(x, y):
    """A layer at 21 epochs."""
    return np.stack(np.broadcast_arrays(x, y, TIME)[:2], axis=-1)


STILL = path(9.9, 0.98)
RISING = path(3 + 4 * TIME, 0.9 * TIME)
COMPRESSING = path(9.8 - TIME, 0.97 - 0.03 * TIME)
"""At the ceilings; through the whole plane; a tenth of it wide, beside the ceilings."""


def box_of(*paths):
    return moving_box(np.stack(paths, axis=1), PLANE)


def holds(box, one):
    low, high = np.transpose(box)
    return bool(((one > low) & (one < high)).all())


def test_moving_box__holds_the_layer_that_compresses_and_not_the_one_that_rises():
    box = box_of(COMPRESSING, RISING)
    assert holds(box, COMPRESSING)
    assert not holds(box, RISING)
    (x0, x1), (y0, y1) = box
    assert (x0, x1) == pytest.approx((8.72, 9.88))
    assert (y0, y1) == pytest.approx((0.9376, 0.9724))


def test_moving_box__a_crowd_at_the_ceilings_is_no_reason():
    assert box_of(*[STILL] * 20) is None
    assert box_of(*[STILL] * 20, RISING) is None


def test_moving_box__a_crowd_that_trembles_is_no_reason():
    rng = np.random.default_rng(0)
    crowd = [STILL + rng.uniform(-0.01, 0.01, STILL.shape) * (10, 1) for _ in range(20)]
    assert box_of(*crowd) is None
    aside = COMPRESSING - (4, 0.4)
    box = box_of(*crowd, aside)
    assert holds(box, aside)
    assert not holds(box, STILL)


def test_moving_box__holds_layers_that_stand_near_one_that_moves():
    assert holds(box_of(STILL, STILL, COMPRESSING, RISING), STILL)


def test_moving_box__is_where_most_moves():
    slow = COMPRESSING - (6, 0)
    twice = [COMPRESSING - (0, 0.02), COMPRESSING]
    assert holds(box_of(slow, RISING, *twice), twice[0])
    assert holds(box_of(slow, RISING, *twice), twice[1])


def test_moving_box__none_where_the_plane_shows_it():
    assert box_of(RISING) is None
    near = ((8.5, 10.0), (0.9, 1.0))
    assert moving_box(COMPRESSING[:, None], near) is None


def test_moving_box__moves_with_the_plane():
    """It is of fractions of the plane, whatever its units."""
    paths = np.stack([STILL, COMPRESSING, RISING], axis=1)
    scale, shift = np.array([3.0, 0.5]), np.array([-7.0, 2.0])
    moved = [tuple(row) for row in (np.transpose(PLANE) * scale + shift).T]
    expected = np.transpose(box_of(STILL, COMPRESSING, RISING)) * scale + shift
    np.testing.assert_allclose(np.transpose(moving_box(paths * scale + shift, moved)), expected)


def test_moving_box__is_within_the_plane_and_not_too_narrow():
    (x0, x1), (y0, y1) = box_of(path(1 - TIME, 0.5))
    assert x0 == 0
    assert x1 == pytest.approx(1.08)
    assert y1 - y0 == pytest.approx(1.16 * 0.01)


def test_moving_box__leaves_out_what_has_no_value_or_is_outside():
    gaps = COMPRESSING.copy()
    gaps[3] = np.nan
    gaps[7] = 1000.0
    assert box_of(gaps, RISING) == box_of(COMPRESSING, RISING)
    assert box_of(COMPRESSING * np.nan, COMPRESSING) == box_of(COMPRESSING)
    assert box_of(COMPRESSING * np.nan) is None


@pytest.mark.parametrize("shape", [(1, 1, 2), (1, 6, 2), (0, 6, 2), (9, 1, 2)])
def test_moving_box__none_of_single_points_and_no_epochs(shape):
    assert moving_box(np.full(shape, 0.5), PLANE) is None


@pytest.mark.parametrize("late", [True, False])
def test_zoom_limits__are_of_the_second_half_of_the_scale_of_epochs(late):
    summary = summarise_repeats(create_compressing(late=late))
    box = zoom_limits(summary, "auto", plane_limits([summary], "paper"))
    if not late:
        assert box is None
        return
    (x0, x1), _ = box
    assert x0 < 10.9
    assert x1 > 11.9


def test_zoom_limits__of_few_epochs_and_as_given():
    summary = summarise_repeats(create_results(epochs=[5]))
    assert zoom_limits(summary, "auto", PLANE) is None
    assert zoom_limits(summary, None, PLANE) is None
    assert zoom_limits(summary, ((1, 2), (0, 1)), PLANE) == ((1.0, 2.0), (0.0, 1.0))
    with pytest.raises(InputError, match="limits must be"):
        zoom_limits(summary, ((2, 1), (0, 1)), PLANE)


def test_zoom_limits__of_a_prefit_alone():
    summary = summarise_repeats(create_results(epochs=[-40, -30, -20, -10]))
    assert zoom_limits(summary, "auto", PLANE) is None


def test_near_pairs__are_within_the_box():
    points = np.array([[[0.1, 0.1], [0.4, 0.4], [0.6, 0.6], [1.2, 0.6]]])
    pairs = near_pairs(points, ((0, 1), (0, 1)))
    np.testing.assert_array_equal(pairs[0, :4], points[0, [0, 1, 1, 2]])
    assert np.isnan(pairs[0, 4:]).all()


def test_near_pairs__of_layers_that_are_far_apart_at_some_epoch_are_not_drawn_at_any():
    near, far = [[0.1, 0.1], [0.4, 0.4]], [[0.1, 0.1], [0.7, 0.4]]
    box = ((0, 1), (0, 1))
    assert np.isfinite(near_pairs(np.array([near, near]), box)).all()
    assert np.isnan(near_pairs(np.array([near, far]), box)).all()
    outside = [[0.1, 0.1], [1.7, 0.4]]
    assert np.isfinite(near_pairs(np.array([near, outside]), box)[0]).all()


@pytest.mark.parametrize("shape", [(3, 1, 2), (0, 4, 2)])
def test_near_pairs__of_one_layer_or_no_epoch(shape):
    assert near_pairs(np.zeros(shape), PLANE).size == 0
