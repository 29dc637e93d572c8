"""Stores of known information: what is known is what is there."""

import math
from collections import Counter

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import ibtools
from ibtools.cli.main import cli
from ibtools.errors import InputError, StoreExistsError
from ibtools.recorders.known_states import KnownStates

SMALL = {"samples": 48, "classes": 3, "repeats": 2, "schedule": [0, 3, 9]}


def entropy(symbols) -> float:
    sizes = Counter(symbols).values()
    return -math.fsum(size / len(symbols) * math.log2(size / len(symbols)) for size in sizes)


@st.composite
def known_states(draw) -> KnownStates:
    per_class, n_classes = draw(st.integers(1, 12)), draw(st.integers(2, 5))
    told = draw(st.integers(0, per_class))
    n_units = KnownStates(per_class, n_classes, told).n_units
    return KnownStates(per_class, n_classes, told, draw(st.integers(0, n_units)))


@given(known_states(), st.integers(0, 2**32))
def test_known_states__have_the_information_that_they_say(known: KnownStates, seed: int):
    states = known.draw(np.random.default_rng(seed)).tolist()
    label = [sample % known.n_classes for sample in range(len(states))]
    h_t = entropy(states)
    assert known.entropy_t == pytest.approx(h_t, abs=1e-12)
    joint = entropy(list(zip(states, label, strict=True)))
    assert known.mi_ty == pytest.approx(h_t + entropy(label) - joint, abs=1e-12)


@given(known_states())
def test_nearest__finds_what_there_is(known: KnownStates):
    sizes = {"per_class": known.per_class, "n_classes": known.n_classes}
    found = KnownStates.nearest(known.entropy_t, known.mi_ty, **sizes)
    assert (found.entropy_t, found.mi_ty) == (known.entropy_t, known.mi_ty)


def test_known_states__are_drawn():
    known = KnownStates(per_class=16, n_classes=2, told=8, apart=4)
    first, second = (known.draw(np.random.default_rng(seed)).tolist() for seed in (0, 1))
    assert first == known.draw(np.random.default_rng(0)).tolist() != second


def test_simulate_store__exact_finds_what_is_known(tmp_path):
    path = tmp_path / "known.zarr"
    ibtools.simulate_store(path, **SMALL)
    ibtools.analyze_store(path, quiet=True)
    store, results = ibtools.open_store(path), ibtools.open_results(path)
    assert store.sizes["epoch"] == 3
    assert store.sizes["repeat"] == 2
    for name, known in (("mi_xt", "entropy_t"), ("entropy_t", "entropy_t"), ("mi_ty", "mi_ty")):
        expected = store[f"known_{known}"].values
        np.testing.assert_allclose(results[name].values, expected, rtol=0, atol=1e-12)
    assert ibtools.check(path, quiet=True).ok


def test_simulate_store__has_what_was_asked_for(tmp_path):
    path = tmp_path / "asked.zarr"
    curve = np.array([[0.25, 0.5], [0.75, 1.0]])
    layers = {"curve": (5.0, curve), "label": (1.0, 1.0), "nothing": (0, 0), "all": (6, 1)}
    options = {"samples": 64, "repeats": 2, "schedule": [1, 2]}
    ibtools.simulate_store(path, layers, **options)
    store = ibtools.open_store(path)
    assert store.layer.values.tolist() == list(layers)
    found = store.known_mi_ty.transpose("layer", "repeat", "epoch").values
    assert found.tolist() == [curve.tolist(), *([[value] * 2] * 2 for value in (1, 0, 1))]
    entropies = store.known_entropy_t.mean(["repeat", "epoch"]).values
    np.testing.assert_allclose(entropies, [5, 1, 0, 6], atol=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": {"a": (3.0, 1.5)}}, r"layer 'a': I\(T;Y\) must be 0 to H\(Y\) = 1 bits"),
        ({"layers": {"a": (0.5, 0.5)}}, r"H\(T\) must be 1.5 to 5.5 bits, found 0.5"),
        ({"layers": {"a": (6.0, 0.5)}}, r"H\(T\) must be 1.5 to 5.5 bits, found 6"),
        ({"layers": {"a": 3.0}}, r"must have H\(T\) and I\(T;Y\), two numbers or arrays"),
        ({"layers": {"a": ([1.0, 2, 3], 0.5)}}, r"broadcast to \(repeat, epoch\) = \(3, 2\)"),
        ({"samples": 63}, "samples must be a multiple of the 2 classes"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"classes": 1}, "classes must be 2 or more, found 1"),
    ],
)
def test_simulate_store__refuses_what_cannot_be(options, message: str, tmp_path):
    with pytest.raises(InputError, match=message):
        ibtools.simulate_store(tmp_path / "x.zarr", **{"samples": 64, "schedule": [0, 1]} | options)
    assert not any(tmp_path.iterdir())


def test_simulate__writes_a_store_that_analyze_takes(tmp_path):
    path = str(tmp_path / "known.zarr")
    arguments = ["simulate", "--output", path, "--samples", "32", "--epochs", "5", "--repeats", "1"]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert done.output == f"{path}: simulated; next: ibtools analyze {path}\n"
    again = CliRunner().invoke(cli, arguments)
    assert again.exit_code == 1
    with pytest.raises(StoreExistsError, match="a store is there already"):
        ibtools.simulate_store(path)
