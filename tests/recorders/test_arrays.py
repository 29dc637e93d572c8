from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import xarray as xr

import ibtools
from ibtools.errors import IbtoolsError, StoreError, StoreExistsError, UnknownNameError
from ibtools.store.info import describe_info, store_info
from ibtools.store.snapshots import LayerValues
from tests.conftest import LABEL, example_snapshots

EPOCHS = (0, 1, 5, 10)


def example_arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "hidden": rng.random((2, 3, 8, 5), dtype="float32"),
        "output": rng.integers(0, 255, (2, 3, 8, 2), "uint8"),
    }


def test_record_arrays__what_is_there_is_not_resumed(tmp_path: Path):
    """A store of arrays has no command that goes on with it, and none is recommended."""
    options = {"label": np.arange(8) % 2}
    ibtools.record_arrays(tmp_path / "s.zarr", example_arrays(), **options)
    with pytest.raises(StoreExistsError, match="is there already") as caught:
        ibtools.record_arrays(tmp_path / "s.zarr", example_arrays(), **options)
    assert "--resume" not in str(caught.value)
    assert "has to be recorded again" in str(caught.value)


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
        ({"x": GOOD}, {"label": [0, 1, 0]}, r"of the 3 samples .* found shape \(1, 1, 4, 2\)"),
        ({"x": GOOD[0]}, {}, r"\(repeat, epoch, sample, unit\), .* found shape \(1, 4, 2\); of a"),
        ({"x": GOOD, "y": GOOD[:, [0, 0]]}, {}, "must have 1 repeat and 1 epoch, found 1 and 2"),
        ({"x": np.full_like(GOOD, np.nan)}, {}, "no NaN, found one at sample 0, unit 0"),
        ({"x": GOOD.astype("int64")}, {}, "found int64; shift signed codes"),
        ({"x": GOOD.astype("int8")}, {}, "found int8"),
        ({"x": GOOD.astype("float64") + 0.1}, {}, "loses digits as float32"),
        ({}, {}, "at least one layer, found none"),
        (iter(()), {"epochs": [0], "repeats": [0]}, "at least one snapshot, found none"),
        (iter(()), {}, "needs epochs= and repeats="),
        (iter(()), {"epochs": [0], "repeats": [0], "scale": {"x": 1}}, "as LayerValues"),
        (iter([(3, 0, {"x": GOOD[0, 0]})]), {"epochs": [0], "repeats": [0]}, "repeat 3 was not"),
        (iter([(0, 3, {"x": GOOD[0, 0]})]), {"epochs": [0], "repeats": [0]}, "epoch 3 was not"),
        (
            iter([(0, 0, {"x": GOOD[0]})]),
            {"epochs": [0], "repeats": [0]},
            r"\(sample, unit\) = \(4, 8\), found \(1, 8\)",
        ),
    ],
)
def test_record_arrays__refuses(tmp_path: Path, activations, options: dict, message: str):
    with pytest.raises(StoreError, match=message):
        ibtools.record_arrays(
            tmp_path / "s.zarr", activations, **({"label": [0, 1, 0, 1]} | options)
        )


CODE = np.arange(8, dtype="uint8").reshape(1, 1, 4, 2)
ONE = {"epochs": [0], "repeats": [0]}


def one_snapshot(**layers):
    return iter([(0, 0, layers)])


@pytest.mark.parametrize(
    ("activations", "options", "message"),
    [
        ({"x": CODE}, {"scale": {"y": 2.0}}, "unknown layer in scale 'y'. Known: x"),
        ({"x": CODE}, {"zero_point": {"y": 2}}, "unknown layer in zero_point 'y'"),
        ({"x": CODE}, {"activation_functions": {"y": "relu"}}, "layer in activation_functions"),
        ({"x": CODE}, {"bits": {"y": 4}}, "unknown layer in bits 'y'"),
        ({"x": CODE}, {"scale": 2.0}, r"scale must be a mapping of layers, such as \{'x': ...\}"),
        ({"x": CODE}, {"scale": {"x": "2"}}, "scale must be a number, found <U1"),
        ({"x": CODE}, {"scale": {"x": [1.0, 2.0, 3.0]}}, r"\(1, 1\), found shape \(3,\); where"),
        ({"x": CODE[:, [0, 0]]}, {"scale": {"x": [1, 2]}}, r"\(1, 2\), found shape \(2,\)"),
        ({"x": CODE}, {"scale": {"x": 1e-60}}, "positive, found 1e-60, which is 0.0 as float32"),
        ({"x": CODE}, {"scale": {"x": np.inf}}, "scale must be positive, found inf"),
        ({"x": CODE}, {"zero_point": {"x": 1.5}}, "zero point must be a whole number .* found 1.5"),
        ({"x": CODE}, {"zero_point": {"x": 2**40}}, "whole number of 32 bits"),
        ({"x": GOOD}, {"scale": {"x": 2.0}}, "scale is of codes, but layer 'x' has values"),
        ({"x": GOOD}, {"bits": 8}, "bits=8 is of codes, but no layer has codes"),
        ({"x": GOOD}, {"bits": {"x": 8}}, "has values, which are of 32 bits, found bits=8"),
        ({"x": CODE}, {"bits": 2}, "2-bit codes must be below 4, found 7"),
        ({"x": CODE}, {"bits": 4.0}, "bits must be 1 to 16, found 4.0"),
        ({"x": CODE}, {"bits": 17}, "bits must be 1 to 16, found 17"),
        ({"x": CODE}, {"split": "train"}, r"split must have one entry .* found shape \(\)"),
        ({"x": CODE}, {"x": [1, 2]}, "x must have an input for each of the 4 samples, found 2"),
        ({"x": CODE}, {"epochs": [2**40]}, "epochs must be whole numbers .* found 1099511627776"),
        ({"x": CODE}, {"repeats": [0.5]}, "repeats must be whole numbers .* found 0.5"),
        ({0: CODE}, {}, r"a word \(str\) for a name, found 0"),
        ({"x": LayerValues(CODE[0, 0], 1.0)}, {}, "is a LayerValues, which is of one snapshot"),
        ({"x": CODE.tolist()}, {}, "found int64; shift signed codes"),
        ({"x": [[1, 2], [3]]}, {}, "must be an array .*: setting an array element"),
        ({"x": CODE[0, 0]}, {}, r"found shape \(4, 2\); of a single snapshot, give array\[None"),
        ({"x": GOOD.astype(complex)}, {}, "found complex128"),
        ({"x": GOOD.astype("float64") + 1e300}, {}, "is float64 and loses digits"),
        ({"x": np.ma.array(CODE, mask=CODE > 3)}, {}, "must have no masked values"),
        (
            {
                "x": xr.DataArray(
                    CODE.transpose(2, 1, 0, 3), dims=("sample", "epoch", "repeat", "u")
                )
            },
            {"label": [0]},
            r"axes repeat, epoch, sample first, found .* give .transpose\(repeat, epoch, sample",
        ),
        (GOOD, ONE, "a mapping .* or an iterable of snapshots .* found ndarray"),
        (None, {}, "found NoneType"),
        (iter([(0, {"x": GOOD[0, 0]})]), ONE, r"must be \(repeat, epoch, .* found \(int, dict\)"),
        (iter([(0, 0, GOOD[0, 0])]), ONE, r"found \(int, int, ndarray\)"),
        (iter([(0, 0.5, {"x": GOOD[0, 0]})]), ONE, r"found \(int, float, dict\)"),
        (one_snapshot(x=(CODE[0, 0], 1.0)), ONE, "a tuple of 2; .* ibtools.LayerValues"),
        (one_snapshot(x=CODE[0, 0, :, 0]), ONE, r"must be \(sample, unit\), .* shape \(4,\)"),
        (one_snapshot(x=LayerValues(CODE[0, 0], 1.0, 0.5)), ONE, "whole number .* found 0.5"),
        (
            one_snapshot(x=LayerValues(CODE[0, 0], [1, 2, 3])),
            ONE,
            r"scale .* one number, .* \(3,\)",
        ),
        (one_snapshot(x=LayerValues(CODE[0, 0])), ONE, "scale must be positive, found nan"),
    ],
)
def test_record_arrays__refuses_before_anything_is_created(
    tmp_path: Path, activations, options: dict, message: str
):
    path = tmp_path / "s.zarr"
    with pytest.raises(IbtoolsError, match=message):
        ibtools.record_arrays(path, activations, **({"label": [0, 1, 0, 1]} | options))
    assert not path.exists()


def test_record_arrays__a_snapshot_that_comes_twice(tmp_path: Path):
    snapshots = iter([(0, 0, {"x": CODE[0, 0]}), (0, 0, {"x": CODE[0, 0] + 1})])
    with pytest.raises(StoreError, match="of repeat 0, epoch 0 came twice"):
        ibtools.record_arrays(tmp_path / "s.zarr", snapshots, label=[0, 1, 0, 1], **ONE)
    np.testing.assert_array_equal(xr.open_zarr(tmp_path / "s.zarr").code.squeeze(), CODE[0, 0])


class OnlyAnArray:
    """Stands for what other frameworks have: it turns into an array, and that is all."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self.values


@pytest.mark.parametrize(
    ("given", "bits"),
    [
        (CODE, 8),
        (CODE.astype(">u2"), 16),
        (CODE > 3, 1),
        (OnlyAnArray(CODE), 8),
        (np.ma.array(CODE), 8),
        (GOOD.astype("float16") + 0.5, 32),
        ((GOOD + 0.5).astype(">f4"), 32),
        ((GOOD + 0.5).tolist(), 32),
        (xr.DataArray(CODE, dims=("repeat", "epoch", "sample", "channel")), 8),
    ],
)
def test_record_arrays__takes(tmp_path: Path, given, bits: int):
    ibtools.record_arrays(tmp_path / "s.zarr", {"x": given}, label=[0, 1, 0, 1])
    dataset = ibtools.open_store(tmp_path / "s.zarr")
    assert dataset["bits"].values.tolist() == [bits]
    np.testing.assert_array_equal(dataset["activation"].values[:, :, 0], np.asarray(given))


def test_record_arrays__units_of_several_axes_are_flattened(tmp_path: Path):
    images = np.random.default_rng(0).integers(0, 9, (2, 3, 4, 5, 6, 2), "uint8")
    flat = images.reshape(2, 3, 4, 60)
    snapshots = ((r, e, {"x": images[r, e]}) for r, e in np.ndindex(2, 3))
    options = {"label": [0, 1, 0, 1], "repeats": range(2), "epochs": range(3)}
    for activations in ({"x": images}, snapshots):
        ibtools.record_arrays(tmp_path / "s.zarr", activations, **options, overwrite=True)
        np.testing.assert_array_equal(xr.open_zarr(tmp_path / "s.zarr").code[:, :, 0], flat)


def test_record_arrays__bits_of_all_layers_or_of_each(tmp_path: Path):
    arrays = {"a": CODE, "b": CODE // 2, "c": GOOD}
    for bits, expected in ((4, [4, 4, 32]), ({"b": 2}, [8, 2, 32]), (None, [8, 8, 32])):
        ibtools.record_arrays(
            tmp_path / "s.zarr", arrays, label=[0, 1, 0, 1], bits=bits, overwrite=True
        )
        assert ibtools.open_store(tmp_path / "s.zarr")["bits"].values.tolist() == expected


@pytest.mark.parametrize(
    ("label", "numbers", "classes"),
    [
        ([1, 2, 3, 1], [0, 1, 2, 0], [1, 2, 3]),
        ([-1, 1, 1, -1], [0, 1, 1, 0], [-1, 1]),
        (np.array([0, 2**63, 1, 0], "uint64"), [0, 2, 1, 0], [0, 1, 2**63]),
        (list("abca"), [0, 1, 2, 0], ["a", "b", "c"]),
        ([False, True, False, True], [0, 1, 0, 1], None),
        ([0, 1, 2, 1], [0, 1, 2, 1], None),
    ],
)
def test_record_arrays__numbers_labels_and_says_so(tmp_path: Path, label, numbers, classes):
    path = tmp_path / "s.zarr"
    ibtools.record_arrays(path, {"x": CODE}, label=label)
    dataset = xr.open_zarr(path)
    assert dataset["label"].values.tolist() == numbers
    assert dataset.attrs.get("classes") == classes
    said = describe_info(store_info(path), path)["samples"]
    assert said.startswith(f"4 in {max(numbers) + 1} classes")
    assert ("numbered from 0: " in said) == (classes is not None)


def test_record_arrays__knows_which_inputs_are_equal(tmp_path: Path):
    x = np.array([[0.0, 1], [-0.0, 1], [2, 3], [0, 1]], "float32").reshape(4, 1, 2)
    ibtools.record_arrays(tmp_path / "s.zarr", {"x": CODE}, label=[0, 1, 0, 1], x=x)
    dataset = ibtools.open_store(tmp_path / "s.zarr")
    assert dataset["input"].values.tolist() == [0, 0, 1, 0]
    assert "input" in xr.open_zarr(tmp_path / "s.zarr").coords


def test_record_arrays__codes_need_a_positive_scale(tmp_path: Path):
    layers = {"x": LayerValues(np.zeros((4, 2), "uint8"), scale=0.0)}
    with pytest.raises(StoreError, match="scale must be positive, found 0"):
        ibtools.record_arrays(
            tmp_path / "s.zarr", iter([(0, 0, layers)]), label=[0, 1, 0, 1], epochs=[0], repeats=[0]
        )
