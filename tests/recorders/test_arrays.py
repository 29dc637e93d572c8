from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import xarray as xr

import ibtools
from ibtools.errors import StoreError, UnknownNameError
from ibtools.snapshots import LayerValues
from tests.conftest import LABEL, example_snapshots

EPOCHS = (0, 1, 5, 10)


def example_arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "hidden": rng.random((2, 3, 8, 5), dtype="float32"),
        "output": rng.integers(0, 255, (2, 3, 8, 2), "uint8"),
    }


def test_record_arrays__round_trip(tmp_path: Path):
    arrays = example_arrays()
    path = tmp_path / "s.zarr"
    ibtools.record_arrays(
        path,
        arrays,
        label=np.arange(8) % 2,
        epochs=[0, 1, 10],
        split=["train"] * 6 + ["test"] * 2,
        activation_functions={"output": "softmax"},
        scale={"output": 0.25},
        zero_point={"output": [[1, 2, 3], [4, 5, 6]]},
    )
    dataset = xr.open_zarr(path).load()
    np.testing.assert_array_equal(dataset["activation"].sel(layer="hidden"), arrays["hidden"])
    found = dataset["code"].sel(layer="output").isel(unit=slice(2))
    np.testing.assert_array_equal(found, arrays["output"])
    assert (dataset["scale"].sel(layer="output") == 0.25).all()
    assert dataset["zero_point"].sel(layer="output").values.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert dataset["complete"].all()
    assert dataset["outcome"].values.tolist() == ["trained", "trained"]
    assert dataset["split"].values.tolist() == ["train"] * 6 + ["test"] * 2
    assert dataset["bits"].values.tolist() == [32, 8]


def test_record_arrays__says_what_inputs_and_layers_are(tmp_path: Path):
    options = {"label": np.arange(8) % 2, "overwrite": True}
    for inputs, is_chain, expected in (
        ("population", True, ("population", "chain")),
        ("sample", False, ("sample", "graph")),
        (None, None, (None, None)),
    ):
        meaning = {"inputs": inputs, "is_chain": is_chain}
        ibtools.record_arrays(tmp_path / "s.zarr", example_arrays(), **options, **meaning)
        attributes = ibtools.open_store(tmp_path / "s.zarr").attrs
        assert (attributes.get("inputs"), attributes.get("layers")) == expected


def test_record_arrays__unknown_inputs(tmp_path: Path):
    with pytest.raises(UnknownNameError, match="inputs 'all'"):
        ibtools.record_arrays(
            tmp_path / "s.zarr", example_arrays(), label=np.arange(8) % 2, inputs="all"
        )


def test_record_arrays__dask_arrays_give_the_same_store(tmp_path: Path):
    arrays = example_arrays()
    lazy = {name: da.from_array(array, chunks=(1, 2, 8, 1)) for name, array in arrays.items()}
    for name, source in {"numpy": arrays, "dask": lazy}.items():
        ibtools.record_arrays(tmp_path / name, source, label=np.arange(8) % 2)
    found = xr.open_zarr(tmp_path / "dask").load()
    xr.testing.assert_equal(found, xr.open_zarr(tmp_path / "numpy").load())


def test_record_arrays__stream_in_any_order_gives_the_same_store(tmp_path: Path):
    in_order = list(example_snapshots())
    mixed = [in_order[i] for i in (5, 0, 3, 7, 1, 4, 6, 2)]
    for name, snapshots in {"order": iter(in_order), "mixed": iter(mixed)}.items():
        ibtools.record_arrays(
            tmp_path / name, snapshots, label=LABEL, repeats=range(2), epochs=EPOCHS
        )
    expected = xr.open_zarr(tmp_path / "order").load()
    xr.testing.assert_equal(xr.open_zarr(tmp_path / "mixed").load(), expected)


def test_record_arrays__a_stream_that_breaks_loses_nothing(tmp_path: Path):
    def breaking():
        for number, snapshot in enumerate(example_snapshots()):
            if number == 6:
                raise RuntimeError("out of memory")
            yield snapshot

    path = tmp_path / "s.zarr"
    with pytest.raises(RuntimeError, match="out of memory"):
        ibtools.record_arrays(path, breaking(), label=LABEL, repeats=range(2), epochs=EPOCHS)
    dataset = xr.open_zarr(path).load()
    assert dataset["complete"].values.tolist() == [[True] * 4, [True, True, False, False]]
    assert dataset["outcome"].values.tolist() == ["pending", "pending"]


def test_record_arrays__a_stream_that_ends_early_says_what_is_missing(tmp_path: Path):
    snapshots = list(example_snapshots())[:5]
    with pytest.raises(StoreError, match="repeat 1 lacks 3 of 4 epochs, first 1; what came is"):
        ibtools.record_arrays(
            tmp_path / "s.zarr", iter(snapshots), label=LABEL, repeats=range(2), epochs=EPOCHS
        )
    assert int(ibtools.open_store(tmp_path / "s.zarr")["complete"].sum()) == 5


def test_record_arrays__float64_without_loss_is_taken(tmp_path: Path):
    values = np.arange(8.0).reshape(1, 1, 4, 2) / 4
    ibtools.record_arrays(tmp_path / "s.zarr", {"x": values}, label=[0, 1, 0, 1])
    found = ibtools.open_store(tmp_path / "s.zarr")["activation"]
    np.testing.assert_array_equal(found.values[:, :, 0], values)


GOOD = np.zeros((1, 1, 4, 2), "float32")


@pytest.mark.parametrize(
    ("activations", "options", "message"),
    [
        ({"x": GOOD}, {"label": [0, 1, 0]}, r"\(sample, unit\) = \(3, 2\), found \(4, 2\)"),
        ({"x": GOOD[0]}, {}, r"\(repeat, epoch, sample, unit\), found shape \(1, 4, 2\)"),
        ({"x": GOOD, "y": GOOD[:, [0, 0]]}, {}, "must have 1 repeats and 1 epochs, found 1 and 2"),
        ({"x": np.full_like(GOOD, np.nan)}, {}, "no NaN, found one at sample 0, unit 0"),
        ({"x": GOOD.astype("int64")}, {}, "found int64; shift signed codes"),
        ({"x": GOOD.astype("int8")}, {}, "found int8"),
        ({"x": GOOD.astype("float64") + 0.1}, {}, "loses digits as float32"),
        ({}, {}, "at least one layer, found none"),
        (iter(()), {"epochs": [0], "repeats": [0]}, "at least one snapshot, found none"),
        (iter(()), {}, "needs epochs= and repeats="),
        (iter(()), {"epochs": [0], "repeats": [0], "scale": {"x": 1}}, "as LayerValues"),
        (iter([(3, 0, {"x": GOOD[0, 0]})]), {"epochs": [0], "repeats": [0]}, "repeat 3 was not"),
        (iter([(0, 3, {"x": GOOD[0, 0]})]), {"epochs": [0], "repeats": [0]}, "epoch 3 is not in"),
        (
            iter([(0, 0, {"x": GOOD[0]})]),
            {"epochs": [0], "repeats": [0]},
            r"\(sample, unit\), found",
        ),
    ],
)
def test_record_arrays__refuses(tmp_path: Path, activations, options: dict, message: str):
    with pytest.raises(StoreError, match=message):
        ibtools.record_arrays(
            tmp_path / "s.zarr", activations, **({"label": [0, 1, 0, 1]} | options)
        )


def test_record_arrays__codes_need_a_positive_scale(tmp_path: Path):
    layers = {"x": LayerValues(np.zeros((4, 2), "uint8"), scale=0.0)}
    with pytest.raises(StoreError, match="scale must be positive, found 0"):
        ibtools.record_arrays(
            tmp_path / "s.zarr", iter([(0, 0, layers)]), label=[0, 1, 0, 1], epochs=[0], repeats=[0]
        )
