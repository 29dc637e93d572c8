"""Bounds on the information of a layer plus noise: closed forms, slow twins, laws."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import norm

from ibtools.analysis.kernels.distances import TILE, Components, kernel_sums, noisy_information
from ibtools.analysis.kernels.information import entropy

BITS = 1 / math.log(2)


def slow_entropy(points, variance, kernel_variance):
    """Saxe et al.'s published formula: the entropy in nats from the whole matrix of distances."""
    n, d = points.shape
    distances = ((points[:, None] - points[None]) ** 2).sum(axis=-1)
    log_density = logsumexp(-distances / (2 * kernel_variance), axis=1) - math.log(n)
    return d / 2 * math.log(2 * math.pi * math.e * variance) - log_density.mean()


def slow_information(values, y, variance):
    """I(X;T') and I(T';Y), upper and lower bounds in bits, before any is cut off."""
    points = values.astype(np.float64)
    noise = points.shape[1] / 2 * math.log(2 * math.pi * math.e * variance)
    found = {}
    for name, width in (("upper", variance), ("lower", 4 * variance)):
        of_classes = [
            (y == label).mean() * slow_entropy(points[y == label], variance, width)
            for label in np.unique(y)
        ]
        whole = slow_entropy(points, variance, width)
        found[name] = whole - noise, whole, sum(of_classes)
    upper, lower = found["upper"], found["lower"]
    return {
        "mi_xt_upper": upper[0] * BITS,
        "mi_xt_lower": lower[0] * BITS,
        "mi_ty": (upper[1] - upper[2]) * BITS,
        "mi_ty_upper": (upper[1] - lower[2]) * BITS,
        "mi_ty_lower": (lower[1] - upper[2]) * BITS,
    }


def random_layer(n_samples, n_units, n_classes=2, seed=0, distinct=None):
    """Draw values and classes that depend on them; `distinct` limits the different values."""
    rng = np.random.default_rng(seed)
    values = np.tanh(rng.normal(size=(distinct or n_samples, n_units))).astype(np.float32)
    values = values[rng.integers(0, len(values), n_samples)] if distinct else values
    y = np.digitize(values[:, 0], np.linspace(-1, 1, n_classes + 1)[1:-1])
    return values, np.where(rng.random(n_samples) < 0.1, rng.integers(0, n_classes, n_samples), y)


@pytest.mark.parametrize("variance", [1e-3, 0.05, 10.0])
@pytest.mark.parametrize(
    ("n_samples", "n_units", "n_classes", "distinct"),
    [(TILE - 1, 3, 2, None), (TILE, 1, 3, None), (2 * TILE + 1, 5, 10, None), (600, 4, 3, 40)],
)
def test_noisy_information__equals_the_published_formula(
    n_samples, n_units, n_classes, distinct, variance
):
    values, y = random_layer(n_samples, n_units, n_classes, distinct=distinct)
    found = noisy_information(values, y, variance)
    slow = slow_information(values, y, variance)
    ceiling = min(entropy(np.bincount(y)), slow["mi_xt_upper"])
    assert found.mi_xt_upper == pytest.approx(slow["mi_xt_upper"], abs=1e-9)
    assert found.mi_xt_lower == pytest.approx(slow["mi_xt_lower"], abs=1e-9)
    assert found.mi_ty == pytest.approx(slow["mi_ty"], abs=1e-9)
    assert found.mi_ty_upper == pytest.approx(min(slow["mi_ty_upper"], ceiling), abs=1e-9)
    assert found.mi_ty_lower == pytest.approx(max(slow["mi_ty_lower"], 0), abs=1e-9)


def test_kernel_sums__by_hand():
    """Two samples of class 0 at 0, one of class 1 at distance 2, variance 1: exponents 2 and 1/2"""
    values, y = np.array([[0, 0], [2, 0], [0, 0]], np.float32), np.array([0, 1, 0])
    components = Components.of(values, y)
    assert components.n_samples.tolist() == [2, 1]
    expected = [
        [2 + math.exp(-2), 1 + 2 * math.exp(-2)],
        [2 + math.exp(-0.5), 1 + 2 * math.exp(-0.5)],
        [2, 1],
        [2, 1],
    ]
    np.testing.assert_allclose(kernel_sums(values, components, 1.0), expected)


def test_components__a_state_of_two_classes_is_two():
    values, y = np.array([[-0.0], [0.0], [0.0]], np.float32), np.array([1, 0, 1])
    components = Components.of(values, y)
    assert components.of_class.tolist() == [0, 1]
    assert components.n_samples.tolist() == [1, 2]


def mixture(points, variance):
    """The density of a mixture of Gaussians around points on a line."""
    return lambda t: norm.pdf(t, points, math.sqrt(variance)).mean()


def integrated_entropy(points, variance):
    """The differential entropy in bits of such a mixture, by numerical integration."""
    density, reach = mixture(points, variance), 12 * math.sqrt(variance)
    total, _ = quad(
        lambda t: -density(t) * math.log2(density(t)),
        min(points) - reach,
        max(points) + reach,
        points=sorted(points),
        limit=400,
    )
    return total


@pytest.mark.parametrize("variance", [0.01, 0.1, 0.5, 3.0])
def test_noisy_information__brackets_the_integrated_mixture(variance):
    """On a line the entropies of the mixtures are known, and so both informations."""
    points = np.array([-1.5, -1.2, -0.3, 0.0, 0.4, 1.9])
    y = np.array([0, 0, 0, 1, 1, 1])
    whole = integrated_entropy(points, variance)
    noise = 0.5 * math.log2(2 * math.pi * math.e * variance)
    by_class = [integrated_entropy(points[y == label], variance) for label in (0, 1)]
    found = noisy_information(points[:, None].astype(np.float32), y, variance)
    assert found.mi_xt_lower <= whole - noise + 1e-6
    assert found.mi_xt_upper >= whole - noise - 1e-6
    assert found.mi_ty_lower <= whole - np.mean(by_class) + 1e-6
    assert found.mi_ty_upper >= whole - np.mean(by_class) - 1e-6


@pytest.mark.parametrize("variance", [0.003, 0.03, 0.3])
def test_noisy_information__brackets_a_monte_carlo_estimate(variance):
    """In more dimensions the true mixture is sampled: 40 draws around each of 300 points."""
    values, y = random_layer(300, 4, 3)
    points, rng = values.astype(np.float64), np.random.default_rng(1)
    mi_xt, mi_ty = [], []
    for _ in range(40):
        noise = rng.normal(size=points.shape) * math.sqrt(variance)
        distances = ((points[:, None] + noise[:, None] - points[None]) ** 2).sum(axis=-1)
        kernels = np.exp(-distances / (2 * variance))
        own = np.exp(-(noise**2).sum(axis=1) / (2 * variance))
        same = (kernels * (y[:, None] == y)).sum(axis=1) / np.bincount(y)[y]
        mi_xt.append(np.log2(own / kernels.mean(axis=1)).mean())
        mi_ty.append(np.log2(same / kernels.mean(axis=1)).mean())
    found = noisy_information(values, y, variance)
    for true, low, high in (
        (np.mean(mi_xt), found.mi_xt_lower, found.mi_xt_upper),
        (np.mean(mi_ty), found.mi_ty_lower, found.mi_ty_upper),
    ):
        error = 4 * max(np.std(mi_xt), np.std(mi_ty)) / math.sqrt(40)
        assert low - error <= true <= high + error


@pytest.mark.parametrize("ratio", [0.1, 1.0, 30.0])
def test_noisy_information__gaussian_channel(ratio):
    """T normal with variance P: both bounds have a closed form around 1/2 log2(1 + P / s^2)

    The mean of exp(-(x - x')^2 / 2w) over x' is sqrt(w / (w + P)) exp(-x^2 / 2(w + P)).
    """
    x = norm.ppf((np.arange(4000) + 0.5) / 4000)[:, None].astype(np.float32)
    variance = 1 / ratio
    found = noisy_information(x, np.zeros(4000, int), variance)

    def closed_form(width):
        return 0.5 * math.log2(1 + 1 / width) + BITS / (2 * (width + 1))

    assert found.mi_xt_upper == pytest.approx(closed_form(variance), abs=5e-3)
    assert found.mi_xt_lower == pytest.approx(closed_form(4 * variance), abs=5e-3)
    assert found.mi_xt_lower < 0.5 * math.log2(1 + ratio) < found.mi_xt_upper


def test_noisy_information__well_separated_values_are_counted():
    """Far apart for the noise, T' tells exactly the states of T: H(T) and I(T;Y) by counting"""
    states = np.array([0, 0, 0, 1, 2, 3, 3, 3])
    y = np.array([0, 0, 1, 0, 1, 1, 1, 1])
    found = noisy_information(states[:, None].astype(np.float32) * 10, y, 0.01)
    h_t, h_y_given_t = entropy(np.bincount(states)), 3 / 8 * entropy(np.array([2, 1]))
    assert found.mi_xt_lower == found.mi_xt_upper == pytest.approx(h_t)
    h_y = entropy(np.bincount(y))
    for information in (found.mi_ty_lower, found.mi_ty, found.mi_ty_upper):
        assert information == pytest.approx(h_y - h_y_given_t)


def test_noisy_information__all_inputs_told_apart_has_the_ceilings():
    values = np.arange(4096, dtype=np.float32)[:, None]
    y = np.arange(4096) % 2
    found = noisy_information(values, y, 1e-3)
    assert (found.mi_xt_lower, found.mi_xt_upper) == (12.0, 12.0)
    assert (found.mi_ty_lower, found.mi_ty, found.mi_ty_upper) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("variance", [0.0, 1e-9, 1.0])
def test_noisy_information__a_constant_layer_has_exactly_none(variance):
    found = noisy_information(np.full((100, 3), 0.7, np.float32), np.arange(100) % 3, variance)
    assert set(vars(found).values()) == {0.0}


def test_noisy_information__narrow_noise_beside_large_values():
    """Distances are not lost in squares of the values: 1000 and 1000.001 are ten noises apart"""
    values = np.array([[1000], [1000.0010]], np.float32)
    difference = float(values[1, 0]) - float(values[0, 0])
    found = noisy_information(values, np.array([0, 1]), (difference / 10) ** 2)
    assert found.mi_xt_upper == pytest.approx(1.0, abs=1e-6)


LAYERS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 25), st.integers(1, 4)),
    elements=st.floats(width=32, min_value=-4, max_value=4) | st.integers(-2, 2).map(float),
)
VARIANCES = st.sampled_from([1e-3, 0.1, 1.0, 20.0])


def classes_of(values, data):
    label = st.integers(0, 3)
    return np.array(data.draw(st.lists(label, min_size=len(values), max_size=len(values))))


@given(LAYERS, VARIANCES, st.data())
def test_noisy_information__order_of_the_bounds(values, variance, data):
    """0 <= lower <= upper <= log2 N, and 0 <= lower <= estimate <= upper <= min(H(Y), I(X;T'))"""
    y = classes_of(values, data)
    found = noisy_information(values, y, variance)
    assert 0 <= found.mi_xt_lower <= found.mi_xt_upper <= entropy(np.ones(len(y), np.int64))
    assert 0 <= found.mi_ty_lower <= found.mi_ty <= found.mi_ty_upper
    assert found.mi_ty_upper <= min(entropy(np.bincount(y)), found.mi_xt_upper)


@settings(max_examples=50)
@given(LAYERS, VARIANCES, st.data())
def test_noisy_information__the_estimate_needs_no_cutting_off(values, variance, data):
    """The difference of upper bounds is never negative (a conjecture), nor above H(Y)."""
    y = classes_of(values, data)
    slow = slow_information(values, y, variance)["mi_ty"]
    assert -1e-9 <= slow <= entropy(np.bincount(y)) + 1e-9


@given(LAYERS, VARIANCES, st.data())
def test_noisy_information__geometry_is_all_that_counts(values, variance, data):
    """Permuting samples and units, reflecting, and rotating by a right angle change nothing."""
    y = classes_of(values, data)
    samples = data.draw(st.permutations(range(len(values))))
    units = data.draw(st.permutations(range(values.shape[1])))
    moved = -values[samples][:, units]
    found, expected = (
        noisy_information(moved, y[samples], variance),
        noisy_information(values, y, variance),
    )
    for name, value in vars(expected).items():
        assert getattr(found, name) == pytest.approx(value, abs=1e-12)


def test_noisy_information__rotation():
    values, y = random_layer(200, 3)
    rotation, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    found = noisy_information((values @ rotation + 5).astype(np.float32), y, 0.01)
    for name, value in vars(noisy_information(values, y, 0.01)).items():
        assert getattr(found, name) == pytest.approx(value, abs=1e-4)


@given(LAYERS, st.floats(1e-3, 5), st.floats(1, 50))
def test_noisy_information__more_noise_leaves_less(values, variance, factor):
    """Both bounds on I(X;T') fall with the noise."""
    y = np.zeros(len(values), int)
    less, more = (noisy_information(values, y, v) for v in (variance, factor * variance))
    assert more.mi_xt_upper <= less.mi_xt_upper + 1e-12
    assert more.mi_xt_lower <= less.mi_xt_lower + 1e-12


@given(LAYERS, st.sampled_from([0.25, 4.0]))
def test_noisy_information__scale_of_values_and_noise(values, scale):
    """Scaling values by c and the variance by c^2 changes nothing."""
    y = np.arange(len(values)) % 2
    found = noisy_information(values * np.float32(scale), y, 0.1 * scale**2)
    expected = noisy_information(values, y, 0.1)
    for name, value in vars(expected).items():
        assert getattr(found, name) == pytest.approx(value, abs=1e-9)
