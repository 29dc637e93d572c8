"""The estimators of float layers on blocks and stores: names, variables, refusals, meaning."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import ibtools
from ibtools.analysis.estimators import Exact, Kde, Knn, Renyi, Sliced, parse_estimator
from ibtools.analysis.kernels.distances import noisy_information
from ibtools.analysis.kernels.gram import chosen_samples, matrix_entropy
from ibtools.analysis.kernels.permutations import sample_permutations
from ibtools.analysis.kernels.slices import line_information, random_directions
from ibtools.analysis.plots import information_epochs, information_plane
from ibtools.analysis.repeats.ranks import rank_repeats
from ibtools.errors import InputError, StoreError, UnknownNameError
from ibtools.export import export_results
from tests.analysis.test_discretising import code_block, float_block

EVERY = [
    "kde-0.05",
    "kde-relative-0.1",
    "kde-maximum-0.001",
    "knn-3",
    "sliced-8-0",
    "renyi-1.01-50-0",
]


@pytest.mark.parametrize(
    "specification",
    [
        *EVERY,
        "kde-0.00001",
        "knn-10",
        "kde-relative-0.1-null-5",
        "knn-3-null-0",
        "sliced-8-0-null-2",
    ],
)
def test_parse_estimator__round_trip(specification: str):
    estimator = parse_estimator(specification)
    assert estimator.specification == specification
    assert parse_estimator(estimator.specification) == estimator


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("kde", "kde-0.001"),
        ("kde-1e-3", "kde-0.001"),
        ("kde-relative", "kde-relative-0.01"),
        ("kde-maximum", "kde-maximum-0.001"),
        ("knn", "knn-3"),
        ("sliced", "sliced-128-0"),
        ("sliced-16", "sliced-16-0"),
        ("renyi", "renyi-1.01-1000-0"),
        ("renyi-2", "renyi-2-1000-0"),
        ("kde-null-9", "kde-0.001-null-9"),
        ("renyi-2-null-2", "renyi-2-1000-0"),
    ],
)
def test_parse_estimator__defaults(short: str, full: str):
    assert parse_estimator(short).specification == full


@given(st.floats(1e-12, 1e12), st.sampled_from(["given", "relative", "maximum"]))
def test_parse_estimator__round_trip_of_any_noise(noise: float, scale):
    estimator = Kde(noise, scale)
    assert parse_estimator(estimator.specification) == estimator


@pytest.mark.parametrize(
    ("specification", "kind", "message"),
    [
        ("kde-0", InputError, "noise must be a positive number, a variance; found 0.0"),
        ("kde-1e999", InputError, "noise must be a positive number"),
        ("kde-relative-nan", InputError, "noise must be a positive number"),
        ("kde-0.1.2", InputError, "noise must be a number, found '0.1.2'; write for example kde-0"),
        ("kde-relatve-0.1", UnknownNameError, "scale of noise 'relatve'; did you mean 'relative'"),
        ("kde-0.1-per-unit", InputError, "kde measures whole layers"),
        ("knn-0", InputError, "n_neighbours must be a positive whole number, found 0"),
        ("knn-x", InputError, "positive whole number, found 'x'; write for example knn-3"),
        ("knn-3-per-unit", InputError, "knn measures whole layers"),
        ("sliced-1", InputError, "at least 2 projections are needed, found 1"),
        ("sliced-x", InputError, "sliced must be written as in sliced-128-0"),
        ("sliced-8-per-unit", InputError, "sliced measures whole layers"),
        ("renyi-1", InputError, "alpha must be a positive number and not 1, found 1.0"),
        ("renyi-nan", InputError, "alpha must be a positive number"),
        ("renyi-1.01-1", InputError, "at least 2 samples are needed, found 1"),
        ("renyi-1.01-9-0-3", InputError, "renyi must be written as in renyi-1.01-1000-0"),
        ("renyi-per-unit", InputError, "renyi measures whole layers"),
        ("knn-3-null-x", InputError, "n_neighbours must be a positive whole number"),
    ],
)
def test_parse_estimator__refuses(specification: str, kind: type, message: str):
    with pytest.raises(kind, match=message):
        parse_estimator(specification)


def random_block(seed=0, **settings):
    rng = np.random.default_rng(seed)
    return float_block(np.tanh(rng.normal(size=(3, 80, 3))), **settings)


@pytest.mark.parametrize("name", EVERY)
def test_statistics__are_the_variables_of_each_snapshot(name: str):
    estimator, block = parse_estimator(name), random_block()
    found = estimator.compute(block)
    assert tuple(found) == tuple(one.name for one in estimator.variables)
    for index in range(3):
        alone = estimator.compute(float_block(block.recorded[index : index + 1]))
        for variable, value in found.items():
            assert value.dtype == np.float64
            assert value[index] == alone[variable][0]


@pytest.mark.parametrize("name", EVERY)
def test_chance_level__is_the_mean_over_permutations_that_are_counted_one_by_one(name: str):
    """Of renyi under the same kernel, so that its width is given; of sliced along each direction"""
    block = random_block()
    few = [parse_estimator(f"{name}-null-{n}").compute(block) for n in (0, 1, 3)]
    assert "mi_ty_null" not in few[0]
    assert all(few[2][variable][1] == few[0][variable][1] for variable in few[0])
    orders = sample_permutations(80, 3, seed=0)
    values = [mi_ty_of_labels(name, block, order) for order in orders]
    assert few[1]["mi_ty_null"][1] == pytest.approx(values[0], abs=1e-9)
    assert few[2]["mi_ty_null"][1] == pytest.approx(np.mean(values), abs=1e-9)
    above = few[2]["mi_ty"] - few[2]["mi_ty_null"]
    np.testing.assert_array_equal(few[2]["mi_ty_above_null"], above)


def mi_ty_of_labels(name: str, block, order) -> float:
    """I(T;Y) of the second snapshot by the estimator itself, for permuted labels."""
    values, estimator = block.values(1), parse_estimator(f"{name}-null-0")
    if name.startswith("sliced"):
        place = [one.tolist() for one in sample_permutations(80, 3, seed=0)].index(order.tolist())
        direction = random_directions(3, 8, seed=0)[place]
        return line_information(values.astype(float) @ direction, block.y[order], 3)
    if name.startswith("renyi"):
        chosen = chosen_samples(80, 50, seed=0)
        labels = block.y[chosen][np.argsort(order[chosen])]
        assert sorted(labels) == sorted(block.y[chosen])
        width = estimator.compute(block)["kernel_width"][1]
        points = values[chosen].astype(float)
        kernel = np.exp(-((points[:, None] - points) ** 2).sum(axis=2) / width**2) / 50
        same = labels[:, None] == labels
        t, of_y, both = (
            matrix_entropy(np.linalg.eigvalsh(one), 1.01)
            for one in (kernel, same / 50, kernel * same)
        )
        return t + of_y - both
    return float(estimator.compute(replace(block, y=block.y[order]))["mi_ty"][1])


@pytest.mark.parametrize("name", EVERY)
def test_chance_level__of_what_tells_the_label_and_of_noise(name: str):
    y = np.arange(300) % 2
    values = np.random.default_rng(3).normal(size=(2, 300, 2))
    values[1, :, 0] += 8 * y
    values[1] /= 4
    found = parse_estimator(name).compute(float_block(values, y=y))
    assert abs(found["mi_ty_above_null"][0]) < 0.1
    assert found["mi_ty_above_null"][1] > (0.25 if name.startswith("sliced") else 0.5)


def test_chance_level__refuses_less_than_no_permutations():
    for kind in (Kde, Knn, Sliced, Renyi):
        with pytest.raises(InputError, match="n_permutations must not be negative, found -1"):
            kind(n_permutations=-1)


def test_kde__variables_are_bounds():
    found = Kde(0.05).compute(random_block())
    block = random_block()
    expected = noisy_information(block.values(1), block.y, 0.05)
    assert found["mi_xt"][1] == expected.mi_xt_upper
    assert found["mi_xt_lower"][1] == expected.mi_xt_lower
    assert found["mi_ty"][1] == expected.mi_ty


def test_kde__relative_is_to_the_variance_of_the_layer():
    block = random_block()
    found = Kde(0.1, "relative").compute(block)
    assert found["noise_variance"] == pytest.approx(
        0.1 * block.recorded.astype(float).var(axis=1).mean(axis=1)
    )
    shifted = Kde(0.1, "relative").compute(float_block(8 * block.recorded + 16))
    assert shifted["mi_xt"] == pytest.approx(found["mi_xt"], abs=1e-5)


def test_kde__maximum_is_to_the_largest_value():
    block = random_block()
    found = Kde(0.01, "maximum").compute(block)
    largest = np.abs(block.recorded).max(axis=(1, 2)).astype(float)
    assert found["noise_variance"] == pytest.approx(0.01 * largest**2)
    scaled = Kde(0.01, "maximum").compute(float_block(-8 * block.recorded))
    assert scaled["mi_xt"] == pytest.approx(found["mi_xt"], abs=1e-9)
    reaching = block.recorded / np.float32(largest[0])
    given_noise = Kde(0.01).compute(float_block(reaching[:1]))
    assert given_noise["mi_xt"][0] == pytest.approx(found["mi_xt"][0], abs=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_statistics__a_constant_layer_has_exactly_none(name: str):
    for value in (0.0, 0.3):
        found = parse_estimator(name).compute(float_block(np.full((1, 40, 2), value)))
        assert all(
            array.tolist() == [0.0] for key, array in found.items() if key != "noise_variance"
        )


@pytest.mark.parametrize("function", ["relu", "softmax"])
@pytest.mark.parametrize("name", EVERY)
def test_statistics__of_codes_are_those_of_their_values(name: str, function: str):
    code = np.random.default_rng(0).integers(0, 12, (2, 90, 3), np.uint8)
    block = code_block(code, function=function)
    values = np.stack([block.values(index) for index in range(2)])
    found = parse_estimator(name).compute(block)
    expected = parse_estimator(name).compute(float_block(values))
    for variable in expected:
        np.testing.assert_array_equal(found[variable], expected[variable])


def test_kde__little_noise_on_codes_is_counting():
    """Noise far below the step of the grid: the exact information of the quantised layer"""
    block = code_block(np.random.default_rng(0).integers(0, 3, (2, 90, 2), np.uint8), scale=1.0)
    found, exact = Kde(1e-3).compute(block), Exact().compute(block)
    for name in ("mi_xt", "mi_xt_lower"):
        assert found[name] == pytest.approx(exact["mi_xt"], abs=1e-9)
    for name in ("mi_ty", "mi_ty_lower", "mi_ty_upper"):
        assert found[name] == pytest.approx(exact["mi_ty"], abs=1e-9)


@pytest.mark.parametrize("name", ["kde", "knn", "sliced", "renyi"])
@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_statistics__values_without_distances(name: str, value: float):
    values = np.zeros((1, 40, 2))
    values[0, 3, 1] = value
    with pytest.raises(InputError, match="layer 'x' has values that are not finite"):
        parse_estimator(name).compute(float_block(values))


def test_analyze__names_what_is_measured(example_store: Path):
    dataset = ibtools.open_store(example_store)
    found = ibtools.analyze(dataset, estimator="kde-relative-0.1")
    labels = {str(name): found[name].attrs["long_name"] for name in found.data_vars}
    assert labels == {
        "mi_xt": "I(X;T + noise)",
        "mi_ty": "I(T + noise;Y)",
        "mi_ty_null": "chance level of I(T + noise;Y)",
        "mi_ty_above_null": "I(T + noise;Y) above chance",
        "mi_xt_lower": "I(X;T + noise), lower bound",
        "mi_ty_lower": "I(T + noise;Y), lower bound",
        "mi_ty_upper": "I(T + noise;Y), upper bound",
        "noise_variance": "variance of the noise",
    }
    assert "of T + noise, not of the layer itself" in found["mi_xt"].attrs["description"]
    expected = {"representation": "T + noise", "noise": 0.1, "noise_scale": "relative"}
    assert expected.items() <= found.attrs.items()
    assert "upper bound" in found.attrs["note_mi_xt"]
    neighbours = ibtools.analyze(dataset, estimator="knn")
    assert list(neighbours.data_vars) == ["mi_ty", "mi_ty_null", "mi_ty_above_null"]
    assert neighbours["mi_ty"].attrs["long_name"] == "I(T;Y)"
    assert "infinite" in neighbours.attrs["note_mi_xt"]


def test_analyze_store__round_trip_beside_others(example_store: Path):
    names = ["exact", *EVERY]
    reports = ibtools.analyze_store(example_store, estimator=names, quiet=True)
    assert [report.computed for report in reports] == [8] * len(names)
    found = ibtools.open_results(example_store, estimator=names).load()
    expected = ibtools.analyze(ibtools.open_store(example_store), estimator=names).compute()
    xr.testing.assert_equal(found, expected)
    assert np.isnan(found["mi_xt"].sel(estimator="knn-3")).all()
    alone = ibtools.open_results(example_store, estimator="knn").load()
    assert alone["mi_ty"].equals(found["mi_ty"].sel(estimator="knn-3", drop=True))


def test_export__results_without_mi_xt(example_store: Path, tmp_path: Path):
    ibtools.analyze_store(example_store, estimator=["exact", "knn"], quiet=True)
    table, _ = export_results(example_store, tmp_path / "tables")
    lines = table.read_text().splitlines()
    assert len([line for line in lines if line.startswith("arrays,knn-3,")]) == 8 * 3


@pytest.mark.parametrize("name", ["kde", "knn", "sliced", "renyi"])
def test_analyze__a_store_of_partitions_has_no_values(tmp_path: Path, name: str):
    values = np.random.default_rng(0).random((1, 1, 20, 3), np.float32)
    path = tmp_path / "s.zarr"
    ibtools.record_arrays(path, {"x": values}, label=np.arange(20) % 2, keep="partition")
    with pytest.raises(InputError, match="needs the values of units, but the store keeps only"):
        ibtools.analyze(ibtools.open_store(path), estimator=name)


def test_analyze__knn_needs_neighbours_of_the_class(tmp_path: Path):
    values = np.random.default_rng(0).random((1, 1, 20, 3), np.float32)
    path = tmp_path / "s.zarr"
    ibtools.record_arrays(path, {"x": values}, label=np.repeat([0, 2], [17, 3]))
    with pytest.raises(InputError, match="knn-3 needs at least 4 samples of every class, but cla"):
        ibtools.analyze_store(path, estimator="knn-3", quiet=True)
    with pytest.raises(StoreError, match="no results yet"):
        ibtools.open_results(path, estimator="knn-3")
    found = ibtools.analyze(ibtools.open_store(path), estimator="knn-2").compute()
    assert np.isfinite(found["mi_ty"]).all()


def test_figures__of_results_without_mi_xt_say_why(example_store: Path):
    results = ibtools.analyze(ibtools.open_store(example_store), estimator="knn").compute()
    for draw in (information_plane, information_epochs, rank_repeats):
        with pytest.raises(StoreError, match=r"knn-3 have no I\(X;T\), .* is infinite where T is"):
            draw(results)


def test_information_epochs__bounds_are_dotted(example_store: Path):
    results = ibtools.analyze(ibtools.open_store(example_store), estimator="kde-0.1").compute()
    upper, lower = information_epochs(results)
    lines = {line.get_label(): line for line in (*upper.lines, *lower.lines)}
    for name in ("mi_xt_lower", "mi_ty_lower", "mi_ty_upper"):
        expected = results[name].sel(layer="free").mean("repeat")
        np.testing.assert_allclose(lines[f"_{name} free"].get_ydata(), expected)


def test_check__a_rise_of_neighbours_is_an_error_of_the_estimate(tmp_path: Path):
    """The next layer is one unit of the first, which tells the class but hides among louder ones"""
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    first = rng.normal(size=(200, 6)).astype(np.float32)
    first[:, 0] = (y + 0.1 * rng.random(200)) * 0.1
    path = tmp_path / "s.zarr"
    layers = {"first": first[None, None], "second": first[None, None, :, :1]}
    ibtools.record_arrays(path, layers, label=y)
    ibtools.analyze_store(path, estimator=["exact", "knn", "kde"], quiet=True)
    report = ibtools.check(path, chain=True, quiet=True)
    (broken,) = report.violations
    assert (broken.subject, broken.name) == ("information/knn-3", "data processing, I(T;Y)")
    assert "an error that grows with the number of units" in broken.words


def test_check__a_negative_estimate_of_neighbours_is_no_violation(tmp_path: Path):
    """It is what the estimator's error makes of nothing; bounds are for what is counted."""
    values = np.random.default_rng(2).normal(size=(1, 1, 100, 2)).astype(np.float32)
    path = tmp_path / "s.zarr"
    ibtools.record_arrays(path, {"noise": values}, label=np.arange(100) % 2)
    ibtools.analyze_store(path, estimator="knn", quiet=True)
    assert float(ibtools.open_results(path, estimator="knn")["mi_ty"].max()) < -0.01
    report = ibtools.check(path, quiet=True)
    assert report.ok
    (bounds,) = [one for one in report.checks if one.name == "bounds"]
    assert (bounds.subject, bounds.status) == ("information/knn-3", "not checked")
    assert "may be negative" in bounds.words


def test_check__other_quantities_need_not_obey_the_laws(example_store: Path):
    ibtools.analyze_store(example_store, estimator=["sliced-8", "renyi"], quiet=True)
    report = ibtools.check(example_store, chain=True, quiet=True)
    for name in ("sliced-8-0", "renyi-1.01-1000-0"):
        found = {one.name: one for one in report.checks if one.subject == f"information/{name}"}
        for law in ("bounds", "data processing, I(X;T)", "data processing, I(T;Y)"):
            assert found[law].status == "not checked"
            assert "another quantity" in found[law].words


def test_compare__sliced_and_renyi_are_columns(example_store: Path):
    figure = ibtools.compare(example_store, estimator=["sliced-8", "renyi"], quiet=True)
    texts = [ax.get_ylabel().replace("$", "") for ax in figure.axes]
    assert any(text.startswith("S(T)") for text in texts)
    assert any(text.startswith("matrix-based I(T;Y)") for text in texts)


def test_plot__a_negative_estimate_is_inside_of_the_axes(tmp_path: Path):
    values = np.random.default_rng(2).normal(size=(1, 3, 100, 2)).astype(np.float32)
    path = tmp_path / "s.zarr"
    layers = {"noise": values, "more": values[:, ::-1]}
    ibtools.record_arrays(path, layers, label=np.arange(100) % 2)
    ibtools.analyze_store(path, estimator=["exact", "knn"], quiet=True)
    results = ibtools.open_results(path, estimator=["exact", "knn"]).load()
    lowest = float(results["mi_ty"].min())
    assert lowest < -0.01
    axes = ibtools.compare(path, estimator=["exact", "knn"], quiet=True).axes
    drawn = [(ax, np.min(line.get_ydata())) for ax in axes for line in ax.lines]
    (ax,) = {ax for ax, least in drawn if least == lowest}
    assert ax.get_ylim()[0] < lowest
