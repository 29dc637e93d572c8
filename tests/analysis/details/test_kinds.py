"""Laws between layers, classes and splits, on snapshots that Hypothesis draws."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ibtools.analysis.details import About, Classes, Layers, Permutations, Prediction, Splits
from ibtools.analysis.details.kinds import get_details
from ibtools.analysis.details.snapshots import Snapshots
from ibtools.analysis.kernels.information import entropy
from ibtools.errors import InputError, UnknownNameError
from ibtools.partition import partition_block
from ibtools.store.header import Header
from tests.analysis.oracle import slow_information

BOUND = 1e-12


@st.composite
def networks(draw):
    """Draw a header and the partitions (layer, block, sample) of unrelated layers."""
    n, n_layers, n_block = (
        draw(st.integers(1, 40)),
        draw(st.integers(1, 4)),
        draw(st.integers(1, 3)),
    )
    states = draw(hnp.arrays(np.uint8, (n_layers * n_block, n, 1), elements=st.integers(0, 6)))
    labels = partition_block(states)[0].reshape(n_layers, n_block, n)
    y = draw(hnp.arrays(np.int64, n, elements=st.integers(0, 3)))
    return header_of(y, n_layers, draw(hnp.arrays(np.bool_, n))), labels


def header_of(y, n_layers, is_test=None):
    split = np.where(np.zeros(y.size, bool) if is_test is None else is_test, "test", "train")
    columns = {
        "layer": np.array([f"hidden_{i}" for i in range(n_layers)]),
        "n_units": np.full(n_layers, 4),
        "activation_function": np.array(["tanh"] * n_layers),
        "bits": np.full(n_layers, 8),
    }
    return Header(None, {}, {**columns, "label": y, "split": split}, ("code",))


def snapshots_of(labels, **options):
    n_block = labels.shape[1]
    return Snapshots(labels, np.zeros(n_block, int), np.arange(n_block), **options)


@given(networks())
def test_layers__equal_decimals_and_are_symmetric(network):
    """I(T_i;T_j) = I(T_j;T_i) to the last bit, I(T;T) = H(T), I <= min(H(T_i), H(T_j))"""
    header, labels = network
    shared = Layers().compute(snapshots_of(labels), header)["mi_tt"]
    n_layers, n_block, _ = labels.shape
    for b in range(n_block):
        entropies = [entropy(np.bincount(labels[i, b])) for i in range(n_layers)]
        assert np.diag(shared[b]).tolist() == entropies
        np.testing.assert_array_equal(shared[b], shared[b].T)
        assert (shared[b] <= np.minimum.outer(entropies, entropies)).all()
        for i in range(n_layers):
            for j in range(n_layers):
                _, expected = slow_information(labels[i, b], labels[j, b])
                assert abs(shared[b, i, j] - float(expected)) <= BOUND


@given(networks(), st.data())
def test_layers__data_processing(network, data):
    """T_3 = f(T_2): I(T_1;T_3) <= I(T_1;T_2), and I(T_2;T_3) = H(T_3) exactly"""
    header, labels = network
    first, second = labels[0, :1], labels[-1, :1]
    f = np.array(data.draw(st.lists(st.integers(0, 3), min_size=7, max_size=7)), np.uint8)
    third = partition_block(f[second][..., np.newaxis])[0]
    stacked = np.stack([first, second, third])
    shared = Layers().compute(snapshots_of(stacked), header_of(header.label, 3))["mi_tt"][0]
    assert shared[0, 2] <= shared[0, 1] + BOUND
    assert shared[1, 2] == shared[2, 2]


@given(networks())
def test_splits__of_all_and_of_each_part_as_if_alone(network):
    header, labels = network
    found = Splits().compute(snapshots_of(labels), header)
    coordinates = Splits().coordinates(header)
    for k, split in enumerate(coordinates["split"]):
        chosen = np.full(header.label.size, True) if split == "all" else header.split == split
        y = header.label[chosen]
        assert coordinates["split_samples"][k] == y.size
        assert coordinates["split_entropy_x"][k] == entropy(np.ones(y.size, int))
        assert coordinates["split_entropy_y"][k] == entropy(np.bincount(y))
        for layer, block in np.ndindex(labels.shape[:2]):
            entropy_t, mi_ty = slow_information(labels[layer, block][chosen], y)
            assert abs(found["mi_xt"][block, layer, k] - float(entropy_t)) <= BOUND
            assert abs(found["mi_ty"][block, layer, k] - float(mi_ty)) <= BOUND
            assert (
                found["n_states"][block, layer, k] == np.unique(labels[layer, block][chosen]).size
            )


def test_splits__without_test_samples():
    header = header_of(np.array([0, 1, 1]), 1)
    assert Splits().coordinates(header)["split"].tolist() == ["all", "train"]
    coordinates = {name: of for name, of in header.coordinates.items() if name != "split"}
    unknown = replace(header, coordinates=coordinates)
    with pytest.raises(InputError, match="splits need the coordinate split"):
        Splits().validate(unknown)


@given(networks())
def test_classes__coordinates_are_ceilings(network):
    """I(T;[Y=c]) <= H([Y=c]) = class_entropy, and p(c) sums to one"""
    header, labels = network
    coordinates = Classes().coordinates(header)
    found = Classes().compute(snapshots_of(labels), header)
    assert (found["mi_t_class"] <= coordinates["class_entropy"]).all()
    assert coordinates["class_samples"].sum() == header.label.size
    assert found["mi_t_class"].shape == (*labels.shape[1::-1], header.n_classes)


@given(networks(), st.data())
def test_prediction__is_a_label_like_any_other(network, data):
    header, labels = network
    n_block, n = labels.shape[1:]
    prediction = data.draw(hnp.arrays(np.int64, (n_block, n), elements=st.integers(0, 3)))
    found = Prediction().compute(snapshots_of(labels, prediction=prediction), header)
    for layer, block in np.ndindex(labels.shape[:2]):
        _, expected = slow_information(labels[layer, block], prediction[block])
        assert abs(found["mi_t_prediction"][block, layer] - float(expected)) <= BOUND
        about = About("s", prediction[block])
        same = about.compute(snapshots_of(labels[:, block : block + 1]), header)
        assert same["mi_ts"][0, layer] == found["mi_t_prediction"][block, layer]
        assert same["mi_ts_null"][0, layer] == found["mi_t_prediction_null"][block, layer]
    assert found["entropy_prediction"].tolist() == [entropy(np.bincount(one)) for one in prediction]


def test_prediction__needs_a_unit_for_every_class():
    header = header_of(np.array([0, 4, 2, 1, 3]), 2)
    with pytest.raises(InputError, match=r"each of the 5 classes; found 4 in 'hidden_1'"):
        Prediction().validate(header)


def test_about__words_numbers_and_booleans():
    assert About("s", ["b", "a", "b"]).codes.tolist() == [1, 0, 1]
    assert About("s", np.array([10, -3, 10])).codes.tolist() == [1, 0, 1]
    assert About("s", np.array([True, False])).codes.tolist() == [1, 0]
    attributes = About("s", [3, 3, 7, 7]).attributes
    assert (attributes["label_values"], attributes["entropy_s"]) == (2, 1.0)
    assert (
        attributes["label_checksum"]
        == About("s", ["x", "x", "y", "y"]).attributes["label_checksum"]
    )


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("a/b", [0, 1], "of letters, digits, dots, hyphens and underscores, found 'a/b'"),
        ("", [0, 1], "found ''"),
        ("s", [0.5, 1.5], "one whole number or word per sample, found float64"),
        ("s", [[0], [1]], r"of shape \(2, 1\)"),
    ],
)
def test_about__refuses(name, values, message):
    with pytest.raises(InputError, match=message):
        About(name, values)


def test_about__needs_a_value_for_every_sample():
    with pytest.raises(
        InputError, match="one value for each of the 3 samples of the store, found 2"
    ):
        About("s", [0, 1]).validate(header_of(np.array([0, 1, 1]), 1))


def test_permutations__refuse():
    with pytest.raises(InputError, match="at least 2 permutations are needed, found 1"):
        Permutations(1)
    with pytest.raises(InputError, match="must not be negative, found -1"):
        Permutations(seed=-1)


def test_get_details__names_objects_and_each_once():
    found = get_details(["classes", "layers", Classes(), Permutations(10)])
    assert [one.name for one in found] == ["classes", "layers", "permutations-10-0"]
    with pytest.raises(UnknownNameError, match="unknown detail 'clases'; did you mean 'classes'"):
        get_details("clases")
    with pytest.raises(InputError, match="at least one detail is needed"):
        get_details([])
