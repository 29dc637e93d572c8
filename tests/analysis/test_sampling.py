import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import ibtools
from ibtools.analysis.estimators import (
    Binned,
    Exact,
    Population,
    create_estimators,
    parse_estimator,
)
from ibtools.analysis.kernels.counts import label_spectra
from ibtools.analysis.kernels.information import entropy, mutual_information
from ibtools.analysis.kernels.sampling import (
    CORRECTIONS,
    corrected_entropy,
    corrected_information,
    corrected_information_of_spectra,
)
from ibtools.cli.main import cli
from ibtools.errors import InputError, UnknownNameError
from ibtools.store.header import records_population
from tests.analysis.strategies import labelled_samples

COUNTS = hnp.arrays(np.int64, st.integers(1, 12), elements=st.integers(0, 300)).filter(np.any)


def slow_g(n: int) -> float:
    """Grassberger (2003): G(1), G(2), and two recursions."""
    g = {1: -np.euler_gamma - math.log(2), 2: 2 - np.euler_gamma - math.log(2)}
    for m in range(1, n // 2 + 1):
        g[2 * m + 1] = g[2 * m]
        g[2 * m + 2] = g[2 * m] + 2 / (2 * m + 1)
    return g[n]


def slow_entropy(counts, correction: str) -> float:
    """The formulas, state by state, in bits."""
    counts = [int(n) for n in np.ravel(counts) if n]
    total = sum(counts)
    if correction == "miller-madow":
        plug_in = -sum(n / total * math.log(n / total) for n in counts)
        return (plug_in + (len(counts) - 1) / (2 * total)) / math.log(2)
    if correction == "grassberger":
        mean = sum(n * slow_g(n) for n in counts) / total
        return (math.log(total) - mean) / math.log(2)
    once = min(sum(n == 1 for n in counts), total - 1)
    p = [(1 - once / total) * n / total for n in counts]
    return sum(-q * math.log2(q) / (1 - (1 - q) ** total) for q in p)


@pytest.mark.parametrize(
    ("correction", "expected"),
    [
        # H = 1.5 bits, three states, four samples
        ("miller-madow", 1.5 + 2 / 8 / math.log(2)),
        # ln 4 - (2 G(2) + 2 G(1)) / 4 with the published G(1) and G(2)
        ("grassberger", 2 - (1 - np.euler_gamma - math.log(2)) / math.log(2)),
        # coverage 1/2: p = 1/4, 1/8, 1/8; 1 - (3/4)^4 = 175/256, 1 - (7/8)^4 = 1695/4096
        ("chao-shen", (1 / 2) * 256 / 175 + 2 * (3 / 8) * 4096 / 1695),
    ],
)
def test_corrected_entropy__by_hand(correction, expected):
    assert corrected_entropy(np.array([2, 1, 0, 1]), correction) == pytest.approx(
        expected, abs=1e-14
    )


@given(COUNTS, st.sampled_from(sorted(CORRECTIONS)))
def test_corrected_entropy__oracle(counts, correction):
    expected = slow_entropy(counts, correction)
    assert corrected_entropy(counts, correction) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("n", [*range(1, 30), 1000, 70_000])
def test_grassberger__published_recursion(n: int):
    """A single state of n samples leaves ln n - G(n)."""
    expected = (math.log(n) - slow_g(n)) / math.log(2)
    assert corrected_entropy(np.array([n]), "grassberger") == pytest.approx(expected, abs=1e-11)


@given(st.integers(1, 10_000), st.sampled_from(["miller-madow", "chao-shen"]))
def test_corrected_entropy__one_state(n, correction):
    """A constant layer has 0 bits."""
    assert corrected_entropy(np.array([n]), correction) == pytest.approx(0, abs=1e-12)


@given(COUNTS)
def test_corrected_entropy__at_least_that_of_the_counts(counts):
    """H of the counts <= H of Miller and Madow"""
    assert corrected_entropy(counts, "miller-madow") >= entropy(counts) - 1e-12


def test_chao_shen__coverage():
    """Without states seen once, nothing is known to be missing; with all, the result is finite."""
    many = np.full(4, 1000)
    assert corrected_entropy(many, "chao-shen") == pytest.approx(2, abs=1e-12)
    assert math.isfinite(corrected_entropy(np.ones(50, int), "chao-shen"))
    assert corrected_entropy(np.ones(50, int), "chao-shen") > math.log2(50)


@given(labelled_samples(), st.sampled_from(sorted(CORRECTIONS)))
def test_corrected_information_of_spectra__is_that_of_the_table(samples, correction):
    labels, y, n_states, n_classes = samples
    labels = np.unique(labels, return_inverse=True)[1].astype(np.uint32)
    table = np.zeros((n_states, n_classes), int)
    np.add.at(table, (labels, y), 1)
    spectra = label_spectra(labels[np.newaxis], y, n_classes)
    h, i = corrected_information_of_spectra(*spectra, correction)
    assert h[0] == pytest.approx(corrected_entropy(table.sum(axis=1), correction), abs=1e-9)
    assert i[0] == pytest.approx(corrected_information(table, correction), abs=1e-9)
    expected = (
        slow_entropy(table.sum(axis=1), correction)
        + slow_entropy(table.sum(axis=0), correction)
        - slow_entropy(table, correction)
    )
    assert i[0] == pytest.approx(expected, abs=1e-8)


def test_corrected_information__miller_madow_is_the_plug_in_less_its_bias():
    table = np.array([[3, 1, 0], [2, 2, 5]])
    bias = (5 - 2 - 3 + 1) / (2 * 13 * math.log(2))
    expected = mutual_information(table) - bias
    assert corrected_information(table, "miller-madow") == pytest.approx(expected, abs=1e-14)


def mean_of(estimate: Callable, probabilities, n_samples: int) -> float:
    rng = np.random.default_rng(0)
    shape = np.shape(probabilities)
    draws = rng.multinomial(n_samples, np.ravel(probabilities), size=400)
    return float(np.mean([estimate(draw.reshape(shape)) for draw in draws]))


def bits(p) -> float:
    p = np.ravel(p)[np.ravel(p) > 0]
    return float(-(p * np.log2(p)).sum())


ZIPF = 1 / np.arange(1, 101) / np.sum(1 / np.arange(1, 101))


@pytest.mark.parametrize("correction", CORRECTIONS)
@pytest.mark.parametrize(
    ("probabilities", "n_samples"), [(np.full(50, 1 / 50), 100), (ZIPF, 150), (ZIPF, 600)]
)
def test_corrected_entropy__less_biased_than_counts(correction, probabilities, n_samples):
    """The mean over samples of a known distribution comes at least twice as near to its entropy."""
    truth = bits(probabilities)
    plug_in = mean_of(entropy, probabilities, n_samples)
    corrected = mean_of(
        lambda counts: corrected_entropy(counts, correction), probabilities, n_samples
    )
    assert plug_in < truth
    assert abs(corrected - truth) < 0.5 * abs(plug_in - truth)


INDEPENDENT = np.outer(np.full(20, 1 / 20), [0.5, 0.3, 0.2])
BINARY_CHANNEL = np.array([[0.45, 0.05], [0.05, 0.45]])


@pytest.mark.parametrize(
    ("joint", "n_samples", "correction"),
    [
        *((INDEPENDENT, 300, correction) for correction in CORRECTIONS),
        (BINARY_CHANNEL, 60, "miller-madow"),
    ],
)
def test_corrected_information__less_biased_than_counts(joint, n_samples, correction):
    truth = bits(joint.sum(axis=1)) + bits(joint.sum(axis=0)) - bits(joint)
    plug_in = mean_of(mutual_information, joint, n_samples)
    corrected = mean_of(lambda table: corrected_information(table, correction), joint, n_samples)
    assert plug_in > truth
    assert abs(corrected - truth) < 0.6 * abs(plug_in - truth)


def test_mutual_information__of_a_sample_may_be_too_small():
    """Counts make H too small, I(T;Y) too large, but not where the state determines the label."""
    copy = np.diag([0.5, 0.3, 0.2])
    assert mean_of(mutual_information, copy, 20) < bits([0.5, 0.3, 0.2]) - 0.03
    assert mean_of(mutual_information, INDEPENDENT, 20) > 0.3


def test_chao_shen__corrects_nothing_where_no_state_was_seen_once():
    """Its information of a well sampled binary channel is that of the counts, nearly."""
    table = np.array([[450, 50], [50, 450]])
    assert abs(corrected_information(table, "chao-shen") - mutual_information(table)) < 1e-12


def test_corrected_entropy__unknown_correction():
    with pytest.raises(UnknownNameError, match="did you mean 'chao-shen'"):
        corrected_entropy(np.array([1]), "chao-shin")


def syn(samples: int | None) -> dict[str, str]:
    return {"configuration": json.dumps({"data_set": "SYN", "samples": samples})}


def test_records_population__syn_unless_a_part_of_it():
    assert records_population(syn(None))
    assert not records_population(syn(1000))
    assert not records_population({"configuration": json.dumps({"data_set": "MNIST"})})
    assert not records_population({**syn(None), "inputs": "sample"})


def test_parse_estimator__population():
    found = parse_estimator("exact-population-grassberger")
    assert found == Population(Exact(), "grassberger")
    binned = parse_estimator("binned-uniform-8-global-population-miller-madow")
    assert binned == Population(Binned(n_bins=8, bounds="global"), "miller-madow")
    assert parse_estimator(binned.specification) == binned
    assert (binned.needs, binned.needs_global_range, found.needs) == (
        "values",
        True,
        "partition",
    )
    assert binned.attributes == {
        "strategy": "uniform",
        "n_bins": 8,
        "bounds": "global",
        "target": "population",
        "correction": "miller-madow",
    }


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ("exact-population", "needs a correction: miller-madow, grassberger, chao-shen"),
        ("exact-population-miller", "unknown correction 'miller'"),
        ("exact-per-unit-population-chao-shen", "whole layers only"),
        ("exact-population-chao-shen-population-chao-shen", "unknown correction"),
    ],
)
def test_parse_estimator__population_that_is_none(specification, message):
    with pytest.raises((InputError, UnknownNameError), match=message):
        parse_estimator(specification)


def test_create_estimators__target_and_correction():
    found = create_estimators(["exact", "binned"], target="population", correction="chao-shen")
    assert [one.specification for one in found] == [
        "exact-population-chao-shen",
        "binned-uniform-30-layer-population-chao-shen",
    ]
    assert create_estimators(["exact"], target="recorded") == (Exact(),)
    with pytest.raises(InputError, match="is for the target population; add"):
        create_estimators(["exact"], correction="chao-shen")
    with pytest.raises(UnknownNameError, match="did you mean 'population'"):
        create_estimators(["exact"], target="populaton")
    with pytest.raises(InputError, match="estimators that count states"):
        create_estimators(
            ["exact-population-chao-shen"], target="population", correction="chao-shen"
        )


def test_analyze__population(example_store: Path):
    dataset = ibtools.open_store(example_store)
    results = ibtools.analyze(
        dataset, estimator=["exact", "exact-population-miller-madow"]
    ).compute()
    exact, corrected = results.isel(estimator=0), results.isel(estimator=1)
    expected = exact.entropy_t + (exact.n_states - 1) / (2 * 64 * np.log(2))
    np.testing.assert_allclose(corrected.entropy_t, expected)
    np.testing.assert_array_equal(corrected.n_states, exact.n_states)
    np.testing.assert_array_equal(corrected.n_singletons, exact.n_singletons)
    one = ibtools.analyze(dataset, estimator="exact-population-miller-madow")
    assert one.mi_xt.attrs["long_name"] == "I(X;T) of the population"
    assert one.attrs["target"] == "population"


def test_analyze__the_population_itself(example_store: Path):
    dataset = ibtools.open_store(example_store).assign_attrs(inputs="population")
    with pytest.raises(InputError, match="inputs of this store are the whole"):
        ibtools.analyze(dataset, estimator="exact-population-chao-shen")
    ibtools.analyze(dataset, estimator="exact")


def test_cli_analyze__population(example_store: Path):
    command = ["analyze", str(example_store), "--quiet", "--target", "population"]
    result = CliRunner().invoke(cli, [*command, "--correction", "chao-shen"])
    assert result.exit_code == 0, result.output
    assert "information/exact-population-chao-shen: 8 snapshots analysed" in result.output
    results = ibtools.open_results(example_store, estimator="exact-population-chao-shen")
    assert results.attrs["correction"] == "chao-shen"
    report = ibtools.check(example_store, quiet=True)
    laws = [one for one in report.checks if "population" in one.subject]
    kept = ("analysed", "marks", "checksums")
    assert {one.status for one in laws if one.name not in kept} == {"not checked"}
    assert CliRunner().invoke(cli, command).exit_code == 1
