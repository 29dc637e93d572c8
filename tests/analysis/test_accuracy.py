import numpy as np
import pytest
from scipy import stats

from ibtools.analysis.repeats.accuracy import accuracies
from ibtools.analysis.repeats.intervals import confidence_half_width
from ibtools.errors import StoreError
from tests.analysis.results_example import create_recording, create_results


def test_accuracies__all_samples_are_counted_from_both():
    dataset = create_recording(n_train=3276, n_test=820)
    found = accuracies(dataset)
    correct = np.rint(dataset["train_accuracy"] * 3276) + np.rint(dataset["test_accuracy"] * 820)
    np.testing.assert_array_equal(found["all"] * 4096, correct)
    np.testing.assert_array_equal(found["train"], dataset["train_accuracy"])
    assert found["all"].attrs["units"] == "1"


def test_accuracies__without_test_samples_all_is_train():
    dataset = create_recording().isel(sample=slice(48))
    dataset["test_accuracy"][:] = np.nan
    found = accuracies(dataset)
    np.testing.assert_allclose(found["all"], found["train"], rtol=1e-7)


def test_accuracies__errors():
    with pytest.raises(StoreError, match="not from results; missing: train_accuracy"):
        accuracies(create_results())
    dataset = create_recording()
    dataset["split"][5] = ""
    with pytest.raises(StoreError, match="found 47 and 16 of 64"):
        accuracies(dataset)


def test_confidence_half_width__is_scipys_t_interval():
    values = np.random.default_rng(0).random((7, 5))
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    half = confidence_half_width(values.std(axis=0, ddof=1), np.full(5, 7))
    np.testing.assert_allclose(values.mean(axis=0) - half, expected.low)
    np.testing.assert_allclose(values.mean(axis=0) + half, expected.high)


def test_confidence_half_width__textbook_values_and_one_repeat():
    """t of 2, 4 and 50 repeats from a printed table of Student's distribution."""
    n = np.array([2, 4, 50])
    quantiles = confidence_half_width(np.ones(3), n) * np.sqrt(n)
    np.testing.assert_allclose(quantiles, [12.706, 3.182, 2.010], atol=5e-4)
    assert np.isnan(confidence_half_width(np.array([np.nan]), np.array([1]))).all()
