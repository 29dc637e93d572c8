"""Exact information of the codes cut to fewer bits."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import ibtools
from ibtools.analysis.estimators import LayerBlock, parse_estimator
from ibtools.analysis.estimators.resolution import AtResolution, Resolution
from ibtools.analysis.kernels.counts import label_spectra
from ibtools.analysis.kernels.cut_codes import Levels, cut_levels, float_levels
from ibtools.analysis.kernels.resolution import resolution_spectra
from ibtools.analysis.plots import information_plane
from ibtools.analysis.repeats.resolution import label_resolution
from ibtools.errors import InputError, StoreError
from ibtools.partition import partition_block
from ibtools.store.snapshots import LayerSpec

N_CLASSES = 3


@st.composite
def layers(draw) -> tuple[Levels, np.ndarray]:
    """Levels (block, sample, unit) and classes (sample,), of any width, offset or saturation.

    The classes may be a function of the states.
    """
    bits = draw(st.integers(1, 16))
    n_units = draw(st.sampled_from([1, 2, 3, 8, 9, 13, 40, 70]))
    n_samples = draw(st.integers(1, 60) | st.integers(200, 400))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    largest = draw(st.integers(0, 2**bits - 1))
    codes = rng.integers(0, largest + 1, (2, n_samples, n_units))
    if draw(st.booleans()):
        codes[:, n_samples // 2 :] = codes[:, : n_samples - n_samples // 2]
    y = codes[0, :, 0] % N_CLASSES if draw(st.booleans()) else rng.integers(0, N_CLASSES, n_samples)
    around = draw(st.sampled_from([0, 2 ** (bits - 1), -3, 2**bits + 5, -(10**6)]))
    zero = around + rng.integers(0, draw(st.integers(1, 4)), (2, n_units))
    dtype = np.uint8 if bits <= 8 else np.uint16
    return Levels(codes.astype(dtype), zero, bits), y


@given(layers())
def test_resolution_spectra__are_those_of_cut_levels(layer):
    expect_spectra_of_cut_levels(*layer)


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.just(2), st.integers(1, 30), st.integers(1, 9)),
        elements=st.floats(width=32, allow_nan=False) | st.sampled_from([0.0, -0.0, 1.0, 1.5]),
    )
)
def test_resolution_spectra__of_float_values(values):
    y = np.arange(values.shape[1]) % N_CLASSES
    expect_spectra_of_cut_levels(float_levels(values), y)


def expect_spectra_of_cut_levels(levels: Levels, y: np.ndarray) -> None:
    labels, _ = partition_block(levels.codes)
    states, classes, cells = resolution_spectra(levels, labels, y, N_CLASSES)
    for resolution in range(levels.bits + 1):
        cut, _ = partition_block(cut_levels(levels, resolution))
        expected_t, expected_y, expected_ty = label_spectra(cut, y, N_CLASSES)
        for found, expected in ((states, expected_t), (cells, expected_ty)):
            np.testing.assert_array_equal(found.counts[:, resolution], expected.counts)
            np.testing.assert_array_equal(found.cells[:, resolution], expected.cells)
    assert classes.counts.tolist() == expected_y.counts[expected_y.counts > 0].tolist()


@pytest.mark.parametrize("n_units", [1, 70])
def test_resolution_spectra__codes_of_more_bits_than_are_said_end(n_units: int):
    """As a damaged store may have: what has no bit to tell it apart does at the full resolution."""
    codes = np.zeros((1, 40, n_units), np.uint8)
    codes[0, :, 0] = np.arange(40) * 4 % 160
    labels, _ = partition_block(codes)
    levels = Levels(codes, np.zeros((1, n_units), np.int64), 1)
    states, _, _ = resolution_spectra(levels, labels, np.arange(40) % 2, 2)
    assert states.cells.sum(axis=-1).tolist() == [[1, 40]]


@given(layers())
def test_cut_levels__are_the_formula(layer):
    levels, _ = layer
    number = levels.codes.astype(np.int64) - levels.zero[:, np.newaxis]
    for resolution in range(1, levels.bits + 1):
        step = 2 ** (levels.bits - resolution)
        expected = -((-number) // step)
        assert (cut_levels(levels, resolution) == expected.astype(np.uint32)).all()
    assert (cut_levels(levels, 0) == (number > 0)).all()


def test_float_levels__keep_the_order_of_values():
    values = np.array([-np.inf, -2, -1e-40, -0.0, 0.0, 1e-40, 1, 1.5, np.inf], np.float32)
    levels = float_levels(values[np.newaxis, :, np.newaxis])
    assert (np.diff(levels.codes.ravel().astype(np.int64)) >= 0).all()
    assert levels.codes[0, 3, 0] == levels.codes[0, 4, 0] == levels.zero[0, 0]


def test_float_levels__cut_to_nine_bits_are_exponents():
    """Rounded up: all that is above 1, up to 2, is one state, and 1 belongs to what is below."""
    values = np.array([1.0, 1.0000001, 1.5, 2.0, 2.1, 0.6], np.float32)
    cut = cut_levels(float_levels(values[np.newaxis, :, np.newaxis]), 9).ravel()
    assert [int(one) for one in cut - cut[0]] == [0, 1, 1, 1, 2, 0]


def block_of(code, *, zero=0, activation="relu", bits=2, most_bits=0) -> LayerBlock:
    code = np.asarray(code, np.uint8)
    layer = LayerSpec("layer", code.shape[2], activation, bits)
    rows = {"zero_point": np.full(len(code), float(zero)), "scale": np.ones(len(code))}
    y = np.arange(code.shape[1]) % 2
    return LayerBlock(code, layer, y, 2, rows=rows, most_bits=most_bits)


def test_compute__by_hand():
    """Codes 0 to 3: off, on, on, on; then 0, 1, 1, 2; then all apart."""
    found = Resolution().compute(block_of([[[0], [1], [2], [3]]]))
    assert found["n_states"].tolist() == [[2, 3, 4]]
    np.testing.assert_allclose(found["entropy_t"], [[np.log2(4) - 0.75 * np.log2(3), 1.5, 2.0]])
    np.testing.assert_allclose(found["mi_ty"], [[1 - 0.75 * 0.91829583, 0.5, 1.0]])
    assert found["n_singletons"].tolist() == [[1, 2, 4]]
    of_offset = Resolution().compute(block_of([[[0], [1], [2], [3]]], zero=1))
    assert of_offset["n_states"].tolist() == [[2, 2, 4]]


def test_compute__softmax_is_of_what_is_below_the_largest():
    """At 0, which logits are the largest; shifts of all logits never matter."""
    code = [[[3, 0], [2, 0], [3, 1], [0, 3], [1, 1]]]
    found = Resolution().compute(block_of(code, activation="softmax"))
    assert found["n_states"].tolist() == [[3, 4, 4]]


def test_compute__a_layer_of_fewer_bits_is_itself_above_its_own():
    found = Resolution().compute(block_of([[[0], [1], [2], [3]]], most_bits=5))
    assert found["n_states"].tolist() == [[2, 3, 4, 4, 4, 4]]


@given(layers())
def test_compute__information_grows_with_resolution(layer):
    """T_r is a function of T_(r + 1): a law, to the last bit but for rounding around 0."""
    levels, y = layer
    labels, _ = partition_block(levels.codes)
    spec = LayerSpec("layer", levels.codes.shape[2], "tanh", levels.bits)
    rows = {"zero_point": levels.zero[:, 0].astype(float), "scale": np.ones(2)}
    found = Resolution().compute(LayerBlock(levels.codes, spec, y, N_CLASSES, rows=rows))
    assert (np.diff(found["entropy_t"]) >= 0).all()
    assert (np.diff(found["n_states"]) >= 0).all()
    assert (np.diff(found["n_singletons"]) >= 0).all()
    assert (np.diff(found["mi_ty"]) >= -1e-12).all()
    assert (found["n_states"][:, -1] == labels.max(axis=1) + 1).all()


def test_at_resolution__is_one_of_all():
    rng = np.random.default_rng(0)
    block = block_of(rng.integers(0, 16, (3, 50, 4)), zero=5, bits=4)
    every = Resolution().compute(block)
    for bits in range(5):
        one = AtResolution(bits=bits).compute(block)
        for name, values in one.items():
            np.testing.assert_array_equal(values, every[name][:, bits])


@pytest.mark.parametrize("words", ["resolution-x", "resolution-33", "resolution--1"])
def test_parse__wrong_bits(words):
    with pytest.raises(InputError, match="whole number from 0 to 32, found"):
        parse_estimator(words)


def test_parse__means_over_units_are_of_one_resolution():
    with pytest.raises(InputError, match="resolution-2-per-unit"):
        parse_estimator("resolution-per-unit")
    assert parse_estimator("resolution-2-per-unit").specification == "resolution-2-per-unit"


@pytest.fixture
def mixed_store(tmp_path):
    """A layer of four bits and one of float values, and labels that go with neither."""
    rng = np.random.default_rng(1)
    snapshots = [
        (
            repeat,
            epoch,
            {
                "hidden": ibtools.LayerValues(rng.integers(0, 16, (40, 3), np.uint8), 0.5, 3),
                "output": rng.standard_normal((40, 5), np.float32),
            },
        )
        for repeat in range(2)
        for epoch in range(3)
    ]
    path = tmp_path / "mixed.zarr"
    options = {"label": np.arange(40) % 4, "repeats": range(2), "epochs": range(3)}
    ibtools.record_arrays(path, snapshots, bits={"hidden": 4}, **options)
    return path


def test_analyze_store__is_the_lazy_analysis(mixed_store):
    ibtools.analyze_store(mixed_store, estimator=["resolution", "exact"], quiet=True)
    found = ibtools.open_results(mixed_store, estimator="resolution")
    assert dict(found["mi_xt"].sizes) == {"repeat": 2, "epoch": 3, "layer": 2, "resolution": 33}
    assert found["resolution"].values.tolist() == list(range(33))
    lazy = ibtools.analyze(ibtools.open_store(mixed_store), estimator="resolution")
    xr.testing.assert_equal(found.load(), lazy.load())
    exact = ibtools.open_results(mixed_store)
    for resolution, layers in ((32, [0, 1]), (4, [0])):
        at = found.sel(resolution=resolution, drop=True).isel(layer=layers)
        xr.testing.assert_equal(at, exact.isel(layer=layers).load())


def test_analyze_store__of_some_layers_has_their_resolutions(mixed_store):
    ibtools.analyze_store(mixed_store, estimator="resolution", layers=["hidden"], quiet=True)
    found = ibtools.open_results(mixed_store, estimator="resolution-layers-hidden")
    assert found.sizes["resolution"] == 5


def test_open_results__one_resolution_of_all(mixed_store):
    ibtools.analyze_store(mixed_store, estimator="resolution", quiet=True)
    found = ibtools.open_results(mixed_store, estimator="resolution-2").load()
    assert found.attrs["estimator"] == "resolution-2"
    lazy = ibtools.analyze(ibtools.open_store(mixed_store), estimator="resolution-2").load()
    xr.testing.assert_equal(found, lazy)
    for name in found.data_vars:
        assert found[name].attrs == lazy[name].attrs
    apart = ("created", "coordinates", "ibtools_results")
    known, expected = (
        {name: said for name, said in one.attrs.items() if name not in apart}
        for one in (found, lazy)
    )
    assert known == expected
    with pytest.raises(StoreError, match="no results of estimator 'resolution-2-per-unit'"):
        ibtools.open_results(mixed_store, estimator="resolution-2-per-unit")
    with pytest.raises(StoreError, match="resolution-7"):
        ibtools.open_results(mixed_store, estimator="resolution-7-population-chao-shen")


def test_open_results__of_all_estimators_has_each_resolution(example_store):
    estimators = ["resolution", "exact", "resolution-1"]
    ibtools.analyze_store(example_store, estimator=estimators, quiet=True)
    found = ibtools.open_results(example_store, estimator=None)
    names = found["estimator"].values.tolist()
    assert len(names) == len(set(names)) == 34
    one = found.sel(estimator="resolution-1")
    expected = ibtools.open_results(example_store, estimator="resolution-1")
    np.testing.assert_array_equal(one["mi_ty"], expected["mi_ty"])


def outcomes(path) -> dict[str, str]:
    found = ibtools.check(path, quiet=True)
    own = [one for one in found.checks if one.subject.startswith("information/")]
    return {one.name: one.status for one in own}


def test_check__asks_for_growth_with_resolution_and_not_from_layer_to_layer(example_store):
    ibtools.analyze_store(example_store, estimator="resolution", quiet=True)
    found = outcomes(example_store)
    assert found["resolutions"] == found["recount"] == found["bounds"] == "ok"
    assert found["data processing, I(X;T)"] == "not checked"


def test_check__finds_information_that_falls(example_store, monkeypatch):
    """Written as it should not be: coarse and fine are swapped."""
    compute = Resolution.compute
    monkeypatch.setattr(
        Resolution,
        "compute",
        lambda self, block: {name: of[:, ::-1] for name, of in compute(self, block).items()},
    )
    ibtools.analyze_store(example_store, estimator="resolution", quiet=True)
    found = outcomes(example_store)
    assert found["resolutions"] == found["recount"] == "violation"


def results_of(mi_ty) -> xr.Dataset:
    """Results of one layer at one epoch, by repeat and resolution."""
    values = np.asarray(mi_ty, float)[:, np.newaxis, np.newaxis]
    dims = ("repeat", "epoch", "layer", "resolution")
    n = len(values)
    return xr.Dataset(
        dict.fromkeys(("mi_xt", "mi_ty", "mi_ty_null"), (dims, values)),
        {"repeat": range(n), "epoch": [0], "layer": ["a"], "outcome": ("repeat", ["trained"] * n)},
        {"estimator": "resolution", "entropy_x": 3.0, "entropy_y": 1.0},
    )


def test_label_resolution__by_hand():
    results = results_of([[0.1, 0.89, 0.95, 1.0], [0.0, 0.0, 0.0, 0.0], [0.9, 0.9, 1.0, 1.0]])
    assert label_resolution(results)[:, 0, 0].values.tolist() == [2, 0, 0]
    assert label_resolution(results, share=1)[:, 0, 0].values.tolist() == [3, 0, 2]
    nothing = label_resolution(results_of([[np.nan] * 4]))
    assert nothing.isnull().all()
    with pytest.raises(InputError, match="above 0 and at most 1"):
        label_resolution(results, share=0)
    for part in (0, [0, 2], slice(None, None, -1)):
        few = results.assign_coords(resolution=range(4)).isel(resolution=part)
        with pytest.raises(StoreError, match="must be of all resolutions"):
            label_resolution(few)


@pytest.mark.parametrize("figure", ["resolution-profile", "label-resolution"])
def test_figures__of_all_resolutions(mixed_store, figure, tmp_path):
    ibtools.analyze_store(mixed_store, estimator="resolution", quiet=True)
    drawn = ibtools.plot_store(mixed_store, figure, output=tmp_path / "figure.png")
    results = ibtools.open_results(mixed_store, estimator="resolution")
    ibtools.plot(results, figure)
    beside = ibtools.plot(results, figure, control=results)
    lines = [line.get_label() for ax in beside.axes for line in ax.lines]
    assert lines.count("_control") == (4 if figure == "resolution-profile" else 2)
    first = drawn.axes[0]
    if figure == "resolution-profile":
        titles = [ax.get_title() for ax in drawn.axes[:4]]
        assert titles == ["hidden", "output", "", ""]
        longest = max(len(line.get_xdata()) for line in first.lines)
        assert longest == 5, "a layer is drawn up to its own bits"
    else:
        assert first.get_ylim()[1] > 32


def test_figures__ask_for_one_resolution(mixed_store):
    ibtools.analyze_store(mixed_store, estimator="resolution", quiet=True)
    found = ibtools.open_results(mixed_store, estimator="resolution")
    with pytest.raises(StoreError, match="resolution-2"):
        information_plane(found)
    with pytest.raises(StoreError, match="resolution-2"):
        ibtools.plot_store(mixed_store, "information-plane", estimator="resolution")
    ibtools.plot_store(mixed_store, "information-plane", estimator="resolution-2")


def test_results_of_a_selected_resolution__say_which(example_store):
    """So that others are not subtracted from them, or drawn beside them, without a word."""
    ibtools.analyze_store(example_store, estimator="resolution", quiet=True)
    found = ibtools.open_results(example_store, estimator="resolution")
    ax = information_plane(found.sel(resolution=2), zoom=None)
    assert "resolution-2" in ax.get_title()
    assert ax.get_xlabel() == "$I(X;T_2)$ [bit]"
    with pytest.raises(InputError, match="resolution-2 in the recording, resolution-5"):
        ibtools.above_control(found.sel(resolution=2), found.sel(resolution=5))
    with pytest.raises(InputError, match="estimator: resolution-2 in the recording, resolution "):
        ibtools.above_control(found.sel(resolution=2), found)
