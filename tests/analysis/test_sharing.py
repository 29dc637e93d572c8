"""What units share: by hand, against `dit`, over every permutation, and laws between them."""

from itertools import permutations

import dit
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ibtools.analysis.kernels import digests
from ibtools.analysis.kernels.chance import expected_mutual_information
from ibtools.analysis.kernels.digests import RowDigests, UnitDigests
from ibtools.analysis.kernels.permutations import shuffled_units
from ibtools.analysis.kernels.sharing import (
    correlations,
    correlations_of_units,
    degrees,
    information_given_others,
    knowledge_of_units,
    sum_units,
)
from ibtools.partition import partition, partition_block
from tests.analysis.oracle import slow_information, slow_partition

BOUND = 1e-11

COIN = np.arange(8) // 4
SECOND = np.arange(8) // 2 % 2
THIRD = np.arange(8) % 2


def labels_of(rows: np.ndarray) -> np.ndarray:
    """Label the units of rows (sample, unit), as (1, unit, sample)."""
    columns = np.ascontiguousarray(rows.T, np.uint8)[..., np.newaxis]
    return partition_block(columns)[0][np.newaxis]


def shared(rows: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Compute all numbers of one snapshot (sample, unit)."""
    layer, units, others = knowledge_of_units(labels_of(rows), y, int(y.max()) + 1)
    given = information_given_others(layer.information, others.information)
    found = correlations(layer.entropy, units.entropy, others.entropy)
    numbers = {
        "entropy": layer.entropy,
        "information": layer.information,
        "alone": sum_units(units.information),
        "given": sum_units(given),
        "r": degrees(sum_units(units.information), layer.information, y.size),
        "v": degrees(sum_units(given), layer.information, y.size),
        "tc": found.total_correlation,
        "dtc": found.dual_total_correlation,
        "o": found.o_information,
    }
    return {name: float(value[0]) for name, value in numbers.items()}


@pytest.mark.parametrize(
    ("units", "y", "expected"),
    [
        # an exclusive or: nothing alone, and both are needed
        ([COIN, SECOND], COIN ^ SECOND, {"r": 0, "v": 2, "tc": 0, "dtc": 0, "o": 0}),
        # three copies: from any of them, and none is needed
        ([COIN, COIN, COIN], COIN, {"r": 3, "v": 0, "tc": 2, "dtc": 1, "o": 1}),
        # independent units, a bit of the label in each of two: no more and no less than needed
        ([COIN, SECOND, THIRD], 2 * COIN + SECOND, {"r": 1, "v": 1, "tc": 0, "dtc": 0, "o": 0}),
        # two coins and their exclusive or: any unit follows from the others
        ([COIN, SECOND, COIN ^ SECOND], COIN, {"r": 1, "v": 0, "tc": 1, "dtc": 2, "o": -1}),
        # the exclusive or of three
        ([COIN, SECOND, THIRD], COIN ^ SECOND ^ THIRD, {"r": 0, "v": 3, "tc": 0, "o": 0}),
        # one unit: all of it is in the one, and is lost with it
        ([COIN], COIN, {"r": 1, "v": 1, "tc": 0, "dtc": 0, "o": 0}),
    ],
)
def test_sharing__by_hand(units, y, expected):
    found = shared(np.stack(units, axis=1), y)
    assert {name: found[name] for name in expected} == expected


def test_degrees__of_a_layer_that_knows_nothing_are_missing():
    found = shared(np.stack([COIN, SECOND], axis=1), THIRD)
    assert found["information"] == found["alone"] == found["given"] == 0
    assert np.isnan([found["r"], found["v"]]).all()


ROWS = hnp.arrays(
    np.uint8,
    st.tuples(st.integers(1, 30), st.integers(1, 5)),
    elements=st.integers(0, 3),
)


def classes(data, n_samples: int) -> np.ndarray:
    return data.draw(hnp.arrays(np.int64, n_samples, elements=st.integers(0, 2)))


@given(ROWS, st.data())
@settings(max_examples=25, deadline=None)
def test_sharing__equals_dit(rows, data):
    y = classes(data, len(rows))
    found = shared(rows, y)
    outcomes, counts = np.unique(np.column_stack([rows, y]), axis=0, return_counts=True)
    joint = dit.Distribution([tuple(map(int, one)) for one in outcomes], counts / counts.sum())
    units, label = list(range(rows.shape[1])), [rows.shape[1]]
    layer = joint.marginal(units)
    measures = dit.multivariate
    each = [[unit] for unit in units]
    assert found["tc"] == pytest.approx(measures.total_correlation(layer, each), abs=1e-9)
    assert found["dtc"] == pytest.approx(measures.dual_total_correlation(layer, each), abs=1e-9)
    assert found["o"] == pytest.approx(measures.o_information(layer, each), abs=1e-9)
    alone = [measures.coinformation(joint, [[unit], label]) for unit in units]
    given_others = [
        measures.coinformation(joint, [[unit], label], [other for other in units if other != unit])
        for unit in units
    ]
    assert found["alone"] == pytest.approx(sum(alone), abs=1e-9)
    assert found["given"] == pytest.approx(sum(given_others), abs=1e-9)


@given(ROWS, st.data())
@settings(deadline=None)
def test_sharing__laws(rows, data):
    """0 <= v <= min(n, ...), TC/(n-1) <= DTC <= (n-1) TC, and what the label explains of both."""
    y = classes(data, len(rows))
    n_units, found = rows.shape[1], shared(rows, y)
    assert 0 <= found["alone"] <= n_units * found["information"] + BOUND
    assert 0 <= found["given"] <= n_units * found["information"] + BOUND
    assert found["tc"] <= (n_units - 1) * found["dtc"] + BOUND
    assert found["dtc"] <= (n_units - 1) * found["tc"] + BOUND
    assert found["dtc"] <= found["entropy"] + BOUND
    of_class = dict.fromkeys(("tc", "dtc", "o"), 0.0)
    for c in np.unique(y):
        inside = shared(rows[y == c], y[y == c])
        for name in of_class:
            of_class[name] += (y == c).mean() * inside[name]
    known = found["information"]
    assert abs(found["tc"] - of_class["tc"] - (found["alone"] - known)) <= BOUND
    assert abs(found["dtc"] - of_class["dtc"] - (known - found["given"])) <= BOUND
    explained = found["alone"] + found["given"] - 2 * known
    assert abs(found["o"] - of_class["o"] - explained) <= BOUND


@given(ROWS, st.data())
@settings(deadline=None)
def test_sharing__order_of_units_and_samples_changes_no_bit(rows, data):
    y = classes(data, len(rows))
    samples = np.array(data.draw(st.permutations(range(len(rows)))))
    units = np.array(data.draw(st.permutations(range(rows.shape[1]))))
    again = shared(rows[samples][:, units], y[samples])
    np.testing.assert_equal(again, shared(rows, y))


@given(st.integers(2, 5), st.integers(1, 3), st.data())
@settings(max_examples=15, deadline=None)
def test_sharing__chance_is_the_mean_over_all_permutations_of_the_labels(n_samples, n_units, data):
    rows = data.draw(hnp.arrays(np.uint8, (n_samples, n_units), elements=st.integers(0, 2)))
    y = classes(data, n_samples)
    layer, units, others = knowledge_of_units(labels_of(rows), y, 3)
    every = [shared(rows, np.array(one)) for one in permutations(y.tolist())]
    alone, given_others = (np.mean([one[name] for one in every]) for name in ("alone", "given"))
    assert abs(sum_units(units.chance)[0] - alone) <= BOUND
    by_chance = sum_units(information_given_others(layer.chance, others.chance))[0]
    assert abs(by_chance - given_others) <= BOUND


@given(ROWS)
@settings(deadline=None)
def test_unit_digests__are_the_verified_partitions(rows):
    found = UnitDigests.of(labels_of(rows))
    np.testing.assert_array_equal(found.all_units()[0], partition(rows)[0])
    without = np.concatenate(list(found.without_each()))
    for unit in range(rows.shape[1]):
        np.testing.assert_array_equal(without[unit], slow_partition(np.delete(rows, unit, 1))[0])


def test_unit_digests__are_row_digests_of_the_labels_and_any_portion_gives_the_same(monkeypatch):
    rows = np.random.default_rng(0).integers(0, 200, (2, 300, 7), np.uint8)
    labels = np.concatenate([labels_of(one) for one in rows])
    found = UnitDigests.of(labels)
    for block in range(2):
        words = np.ascontiguousarray(labels[block].T, np.uint64)
        expected = RowDigests.of(words, n_samples=300).lanes
        np.testing.assert_array_equal(found.lanes[block], expected)
    whole = np.concatenate(list(found.without_each()))
    assert whole.shape == (14, 300)
    for portion in (1, 4 * 300 * 3):
        monkeypatch.setattr(digests, "PORTION_BYTES", portion)
        parts = list(found.without_each())
        assert len(parts) == (14 if portion == 1 else 5)
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_shuffled_units__two_units_have_the_chance_level_of_their_information():
    """For two units TC = DTC = I(T_1;T_2), whose mean over permutations has a closed form."""
    rng = np.random.default_rng(3)
    rows = np.stack([rng.integers(0, 4, 60), rng.integers(0, 3, 60)], axis=1).astype(np.uint8)
    labels = labels_of(rows)
    _, units, _ = knowledge_of_units(labels, np.zeros(60, int), 1)
    drawn = [
        correlations_of_units(one, units.entropy)
        for one in shuffled_units(labels, n_permutations=400, seeds=[7])
    ]
    total = np.array([one.total_correlation[0] for one in drawn])
    np.testing.assert_allclose(total, [one.dual_total_correlation[0] for one in drawn], atol=BOUND)
    table = np.zeros((4, 3), int)
    np.add.at(table, tuple(rows.T), 1)
    expected = expected_mutual_information(table)
    assert abs(total.mean() - expected) <= 5 * total.std(ddof=1) / 20


def test_shuffled_units__permute_each_unit_on_its_own_and_leave_the_rest():
    labels = labels_of(np.random.default_rng(1).integers(0, 50, (200, 4), np.uint8))
    kept = labels.copy()
    drawn = [one.copy() for one in shuffled_units(labels, n_permutations=3, seeds=[5])]
    np.testing.assert_array_equal(labels, kept)
    for one in drawn:
        assert (one != labels).any(axis=2).all()
        np.testing.assert_array_equal(np.sort(one, axis=2), np.sort(labels, axis=2))
    orders = [np.argsort(one[0, unit], kind="stable") for one in drawn for unit in range(4)]
    assert len({order.tobytes() for order in orders}) == 12
    both = np.concatenate([labels, labels])
    first = next(iter(shuffled_units(both, n_permutations=1, seeds=[6, 5])))
    np.testing.assert_array_equal(first[1], drawn[0][0])
    assert (first[0] != first[1]).any()


def test_shuffled_units__every_order_is_equally_likely():
    labels = np.array([[[0, 1, 2]]], np.uint16)
    drawn = shuffled_units(labels, n_permutations=6000, seeds=[0])
    counts: dict[tuple[int, ...], int] = {}
    for one in drawn:
        order = tuple(one[0, 0].tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    assert all(abs(count - 1000) <= 5 * np.sqrt(1000 * 5 / 6) for count in counts.values())


def test_sharing__of_a_wide_layer_equals_counting():
    rows = np.random.default_rng(2).integers(0, 2, (150, 40), np.uint8)
    rows[:, 3] = rows[:, 5]
    y = rows[:, 0].astype(int)
    layer, units, others = knowledge_of_units(labels_of(rows), y, 2)
    for unit in (0, 3, 17):
        states, _ = slow_partition(np.delete(rows, unit, 1))
        expected = slow_information(states, y)
        assert others.entropy[0, unit] == pytest.approx(float(expected[0]), abs=1e-12)
        assert others.information[0, unit] == pytest.approx(float(expected[1]), abs=1e-12)
    assert units.information[0, 0] == layer.information[0]
