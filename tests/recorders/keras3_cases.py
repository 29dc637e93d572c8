"""Tests of Keras 3 that are run once per backend, each in a process of its own: KERAS_BACKEND.

`test_keras_capture.py` starts them.
"""

import random
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import ibtools
from ibtools.errors import GridError, InputError, StoreError, UnknownNameError
from ibtools.recorders.capture.keras_models.models import as_array
from ibtools.store.decode import dequantise
from tests.recorders.test_recorder import chunks_of

BACKEND = keras.backend.backend()
RNG = np.random.default_rng(0)
X = RNG.normal(size=(128, 6)).astype("float32")
Y = (X[:, :3].sum(axis=1) > 0).astype("int32")


class FakeQuant(layers.Layer):
    """Quantises on a range that is trained, with six bits."""

    def __init__(self, low: Any = -1.3, high: Any = 2.7, *, axis=None, narrow=False, **options):
        super().__init__(**options)
        self.low, self.high, self.axis, self.narrow = low, high, axis, narrow

    def build(self, shape):
        self.ends = [
            self.add_weight(
                name=name,
                shape=np.shape(end),
                initializer=lambda *_, end=end, **__: np.float32(end),
            )
            for name, end in (("low", self.low), ("high", self.high))
        ]

    def call(self, x):
        return keras.quantizers.fake_quant_with_min_max_vars(
            x, *self.ends, num_bits=6, narrow_range=self.narrow, axis=self.axis
        )

    def get_config(self):
        names = ("low", "high", "axis", "narrow")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class Noisy(layers.Layer):
    """Draws random numbers, also when it is not trained, and counts its calls."""

    def __init__(self, **options):
        super().__init__(**options)
        self.seeds = keras.random.SeedGenerator(3)

    def build(self, shape):
        self.n_calls = self.add_weight(name="n_calls", shape=(), trainable=False)

    def call(self, x):
        self.n_calls.assign(self.n_calls + 1)
        return x + 0.01 * keras.random.normal(keras.ops.shape(x), seed=self.seeds)


def build(*inner: Any, seed: int = 1, dropout: float = 0.3) -> Any:
    """Compile a network whose layers have names."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(5, name="dense"),
            layers.BatchNormalization(name="norm"),
            layers.Dropout(dropout, name="dropout"),
            *inner,
            layers.Dense(2, name="output"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    return model


def fit(model: Any, *callbacks: Any, epochs: int = 3, **options: Any) -> Any:
    return model.fit(
        X,
        Y,
        batch_size=64,
        epochs=epochs,
        validation_data=(X, Y),
        verbose=0,
        callbacks=list(callbacks),
        **options,
    )


def recorder(path: Path, **options: Any) -> ibtools.Recorder:
    return ibtools.Recorder(path, label=Y, x=X, quiet=True, **options)


def bits_of(variables: list[Any]) -> list[bytes]:
    return [as_array(one).tobytes() for one in variables]


def test_callback__the_training_is_the_same(tmp_path: Path):
    def train(*callbacks: Any) -> tuple[Any, ...]:
        model = build(Noisy(name="noisy"), FakeQuant(name="quantised"))
        history = fit(model, *callbacks).history
        drawn = random.random(), float(np.random.rand()), float(keras.random.uniform(()))  # noqa: NPY002
        return bits_of([*model.variables, *model.optimizer.variables]), history, drawn

    with recorder(tmp_path / "run.zarr") as recording:
        recorded = train(ibtools.KerasCallback(recording, X, "*", batch_size=64))
    assert recorded == train()


def test_capture__leaves_modes_and_variables(tmp_path: Path):
    model = build(Noisy(name="noisy"), FakeQuant(name="quantised"))
    before, attributes = bits_of(model.variables), [set(vars(one)) for one in model.layers]
    modes = [getattr(one, "training", None) for one in model.layers]
    first, second = (ibtools.KerasCapture(model, "*")(X) for _ in range(2))
    assert bits_of(model.variables) == before
    assert [set(vars(one)) for one in model.layers] == attributes
    assert [getattr(one, "training", None) for one in model.layers] == modes
    for name, layer in first.items():  # the same noise: its seed has not moved
        np.testing.assert_array_equal(layer.values, second[name].values)


def test_callback__records_epochs_and_numbers(tmp_path: Path):
    with recorder(tmp_path / "run.zarr", schedule="0,2,3") as recording:
        history = fit(build(), ibtools.KerasCallback(recording, X, ["dense", "output"])).history
    store = ibtools.open_store(tmp_path / "run.zarr")
    assert store.epoch.values.tolist() == [0, 2, 3]
    assert store.layer.values.tolist() == ["dense", "output"]
    told = store.isel(repeat=0).sel(trained_epoch=[1, 2, 3])
    for ours, theirs in (
        ("train_loss", "loss"),
        ("train_accuracy", "accuracy"),
        ("test_loss", "val_loss"),
        ("test_accuracy", "val_accuracy"),
    ):
        np.testing.assert_allclose(told[ours], history[theirs], rtol=1e-6)


def test_callback__snapshots_are_of_the_network_at_their_epoch(tmp_path: Path):
    model = build()
    untrained = ibtools.KerasCapture(model, "output")(X)["output"].values
    with recorder(tmp_path / "run.zarr") as recording:
        fit(model, ibtools.KerasCallback(recording, X, "output"))
    cube = ibtools.open_store(tmp_path / "run.zarr").activation.isel(repeat=0, layer=0)
    np.testing.assert_array_equal(cube.sel(epoch=0)[:, :2], untrained)
    trained = as_array(model(X, training=False))
    np.testing.assert_allclose(cube.sel(epoch=3)[:, :2], trained, rtol=1e-4, atol=1e-6)


def test_callback__goes_on(tmp_path: Path):
    model, path = build(FakeQuant(name="quantised")), tmp_path / "run.zarr"
    for n_epochs in (2, 4):
        with recorder(path, resume=True) as recording:
            callback = ibtools.KerasCallback(recording, X, ["quantised", "output"])
            fit(model, callback, epochs=n_epochs, initial_epoch=recording.next_epoch - 1)
    store = ibtools.open_store(path)
    assert store.epoch.values.tolist() == [0, 1, 2, 3, 4]
    assert bool(store.complete.all())


class Death(Exception):
    """What ends a training."""


def continue_training(model: Any, callbacks: list[Any], last: int, *, is_random: bool) -> None:
    """Train up to epoch 4, at random if asked to, by what each epoch determines."""
    if not is_random:
        fit(model, *callbacks, initial_epoch=last, epochs=4, shuffle=False)
        return
    for epoch in range(last + 1, 5):
        keras.utils.set_random_seed(epoch)
        model.get_layer("dropout").seed_generator.state.assign([epoch, 0])
        fit(model, *callbacks, initial_epoch=epoch - 1, epochs=epoch)


def go_on(path: Path, *, is_random: bool, dies_after: int | None = None) -> list[bytes]:
    """Train from where the recording is, and keep the model after each epoch."""

    def maybe_die(epoch: int, logs: Any) -> None:
        if epoch + 1 == dies_after:
            raise Death

    checkpoint, known = str(path.with_suffix(".{epoch}.keras")), {"FakeQuant": FakeQuant}
    with recorder(path, resume=True) as recording:
        last = recording.next_epoch - 1
        if last:
            model = keras.models.load_model(checkpoint.format(epoch=last), known)
        else:
            model = build(FakeQuant(name="quantised"), dropout=0.3 * is_random)
        callbacks = [
            keras.callbacks.ModelCheckpoint(checkpoint),
            ibtools.KerasCallback(recording, X, ["quantised", "output"]),
            keras.callbacks.LambdaCallback(on_epoch_end=maybe_die),
        ]
        continue_training(model, callbacks, last, is_random=is_random)
        return bits_of([*model.weights, *model.optimizer.variables])


@pytest.mark.parametrize("is_random", [False, True], ids=["ordered", "random"])
def test_callback__a_training_that_was_interrupted_ends_with_the_same_bytes(
    tmp_path: Path, is_random: bool
):
    """The model that Keras saved has its optimiser, but neither order of batches nor seeds."""
    if is_random and BACKEND != "tensorflow":
        pytest.skip("seeds of an epoch are as they are assigned on TensorFlow only")
    whole = go_on(tmp_path / "whole.zarr", is_random=is_random)
    with pytest.raises(Death):
        go_on(tmp_path / "parts.zarr", is_random=is_random, dies_after=2)
    assert go_on(tmp_path / "parts.zarr", is_random=is_random) == whole
    assert chunks_of(tmp_path / "parts.zarr") == chunks_of(tmp_path / "whole.zarr")


def begin(recording: ibtools.Recorder, epoch: int) -> None:
    """Have a training begin, without training."""
    callback = ibtools.KerasCallback(recording, X, "output")
    callback.set_model(build())
    callback.on_epoch_begin(epoch)


def test_callback__that_goes_back_is_refused(tmp_path: Path):
    with recorder(tmp_path / "run.zarr") as recording:
        begin(recording, 2)
        with pytest.raises(
            InputError, match=r"after epoch 2, .* initial_epoch=0; load the weights"
        ):
            begin(recording, 0)


def test_callback__begins_with_a_trained_network(tmp_path: Path):
    with recorder(tmp_path / "run.zarr") as recording:
        begin(recording, 2)
    assert ibtools.open_store(tmp_path / "run.zarr").epoch.values.tolist() == [2]


def exact(path: Path, snapshot: dict[str, Any]) -> Any:
    with recorder(path) as recording:
        recording.snapshot(1, snapshot)
    ibtools.analyze_store(path, estimator="exact", quiet=True)
    return ibtools.open_results(path)


def assert_same_information(folder: Path, model: Any, names: list[str]) -> None:
    """Check codes against the values that they are made of, and what is known of both."""
    codes = ibtools.KerasCapture(model, names, batch_size=64)(X)
    values = ibtools.KerasCapture(model, names, batch_size=64, values=True)(X)
    for name, one in codes.items():
        assert one.values.dtype.kind == "u"
        decoded = dequantise(one.values, np.float32(one.scale), np.asarray(one.zero_point))
        np.testing.assert_array_equal(decoded, values[name].values)
    ours, theirs = exact(folder / "codes.zarr", codes), exact(folder / "values.zarr", values)
    for name in ("mi_xt", "mi_ty", "entropy_t", "n_states"):
        np.testing.assert_array_equal(ours[name], theirs[name])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"narrow": True},
        {"low": 0.0, "high": 1.7},
        {"low": [-1.0, -2.0, 0.0, -0.3, -1.1], "high": [1.0, 0.5, 3.0, 0.1, 1.3], "axis": -1},
    ],
    ids=["layer", "narrow", "positive", "channels"],
)
def test_capture__fake_quantised_layers_are_codes(options: dict[str, Any], tmp_path: Path):
    assert_same_information(tmp_path, build(FakeQuant(name="quantised", **options)), ["quantised"])


def hgq_network(**widths: Any) -> Any:
    pytest.importorskip("hgq")
    from hgq.config import LayerConfigScope, QuantizerConfigScope
    from hgq.layers import QDense

    keras.utils.set_random_seed(1)
    quantisers = QuantizerConfigScope(default_q_type="kif", overflow_mode="SAT", i0=2, f0=4)
    with quantisers, LayerConfigScope(enable_ebops=True, beta0=1e-4, enable_oq=True):
        model = keras.Sequential(
            [
                keras.Input((6,)),
                QDense(5, activation="relu", name="hidden"),
                QDense(2, name="output"),
            ]
        )
    assign_widths(model, **widths)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    return model


def assign_widths(model: Any, **widths: Any) -> None:
    """Give the units of the hidden layer widths, as the training would."""
    for name, numbers in widths.items():
        variable = getattr(model.get_layer("hidden").oq.quantizer, f"_{name}")
        variable.assign(np.float32(numbers).reshape(variable.shape))


def test_capture__hgq_units_of_mixed_widths_are_codes_on_the_finest_grid(tmp_path: Path):
    model = hgq_network(f=[1, 2, 6, -1, -9], i=[2, 1, 0, 3, 2])
    hidden = ibtools.KerasCapture(model, "hidden")(X)["hidden"]
    assert (hidden.scale, hidden.zero_point, hidden.bits) == (2.0**-6, 2**3 * 2**6, 16)
    assert not (hidden.values[:, 4] - hidden.zero_point).any()  # it has no bits
    assert_same_information(tmp_path, model, ["hidden", "output", "output.output_iq"])


def test_callback__hgq_training_is_the_same(tmp_path: Path):
    def train(*callbacks: Any) -> Any:
        model = hgq_network()
        return fit(model, *callbacks).history, bits_of(model.variables)

    with recorder(tmp_path / "run.zarr") as recording:
        recorded = train(ibtools.KerasCallback(recording, X, ["hidden", "output"]))
    assert recorded == train()
    assert ibtools.open_store(tmp_path / "run.zarr").bits.values.tolist() == [16, 16]


def test_capture__hgq_beyond_16_bits_is_refused():
    model = hgq_network(f=[1, 2, 12, 3, 4], i=[6, 1, 0, 3, 2])
    with pytest.raises(
        InputError, match=r"16 bits at most .* 522241 codes, of 19 bits; limit .*=\['hidden'\]"
    ):
        ibtools.KerasCapture(model, "hidden")(X)
    assert ibtools.KerasCapture(model, "hidden", values=True)(X)["hidden"].bits is None


def test_capture__hgq_codes_have_the_width_that_is_asked_for(tmp_path: Path):
    """It is one in a recording; units that outgrow it are an error that says what they need."""
    model = hgq_network(f=[1, 2, 3, -1, 0], i=[2, 1, 0, 2, 1])
    capture = ibtools.KerasCapture(model, {"first": "hidden"}, bits={"first": 6})
    values = ibtools.KerasCapture(model, {"first": "hidden"}, values=True, bits={"first": 6})
    with recorder(tmp_path / "run.zarr") as recording:
        recording.snapshot(1, capture(X))
        assign_widths(model, f=[1, 1, 2, -1, 0])
        recording.snapshot(2, capture(X))
        expected = values(X)["first"].values
        assign_widths(model, f=[1, 1, 4, -1, 0])
        with pytest.raises(
            InputError,
            match=r"6 bits at most .* 121 codes, of 7 bits; begin .* bits=\{'first': 7\}",
        ):
            recording.snapshot(3, capture(X))
    store = ibtools.open_store(tmp_path / "run.zarr")
    assert (store.bits.values.tolist(), store.code.dtype) == ([6], np.uint8)
    decoded = store.ib.activation.isel(repeat=0, layer=0).sel(epoch=2)
    np.testing.assert_array_equal(decoded, expected)
    with pytest.raises(StoreError, match=r"layer 'hidden': bits must be .* found 17"):
        ibtools.KerasCapture(model, "hidden", bits={"hidden": 17})


def test_capture__wide_fake_quantisation_is_refused():
    class Wide(FakeQuant):
        def call(self, x):
            bits = 16 if BACKEND == "tensorflow" else 20
            return keras.quantizers.fake_quant_with_min_max_vars(x, *self.ends, num_bits=bits)

    capture = ibtools.KerasCapture(build(Wide(name="wide")), "wide")
    if BACKEND == "tensorflow":  # which itself has no more than 16 bits
        assert capture(X)["wide"].values.dtype == np.uint16
        return
    with pytest.raises(InputError, match=r"16 bits at most to be recorded, found 20"):
        capture(X)


def compiled(function: Any) -> Any:
    """Compile with XLA."""
    if BACKEND == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function, jit_compile=True)


class Compiled(FakeQuant):
    """Quantises inside of a function that XLA compiles."""

    def call(self, x):
        if not hasattr(self, "compiled"):
            self.compiled = compiled(super().call)
        return self.compiled(x)


@pytest.mark.skipif(BACKEND == "torch", reason="has no XLA here")
def test_capture__what_xla_compiled_is_taken_as_values(tmp_path: Path):
    model = build(Compiled(name="quantised"))
    assert ibtools.KerasCapture(model, "quantised")(X)["quantised"].values.dtype == np.float32


@pytest.mark.skipif(BACKEND == "torch", reason="has no XLA here")
def test_capture__grids_that_are_not_seen_are_found_or_it_says_what_to_switch_off():
    capture = ibtools.KerasCapture(
        build(Compiled(name="quantised")), {"hidden": "quantised"}, bits={"hidden": 6}
    )
    if BACKEND == "jax":
        hidden = capture(X)["hidden"]
        assert hidden.scale == np.float32(4.0) * (np.float32(1) / np.float32(63))
        return
    with pytest.raises(GridError, match=r"switch it off for this layer \(jit_compile=False"):
        capture(X)


def test_capture__off_the_grid_says_what_to_switch_off():
    class Moved(FakeQuant):
        def call(self, x):
            output = super().call(x)
            if BACKEND == "torch" and not output.requires_grad:
                output += 0.01  # in place
            return output

    if BACKEND != "torch":
        pytest.skip("tensors do not change in place")
    with pytest.raises(GridError, match=r"must be on the grid .*jit_compile=False"):
        ibtools.KerasCapture(build(Moved(name="moved")), "moved")(X)


def test_capture__bits_find_a_grid_of_ones_own():
    class Rounded(layers.Layer):
        def call(self, x):
            return keras.ops.clip(keras.ops.round(x * 4) / 4, -2, 2)

    capture = ibtools.KerasCapture(build(Rounded(name="own")), "own", bits={"own": 8})
    assert capture(X)["own"].scale == 0.25


def test_capture__names_patterns_and_batches():
    inner = keras.Sequential([keras.Input((5,)), layers.Dense(4, name="act")], name="inner")
    model = build(inner)
    assert ibtools.KerasCapture(model, "**", exclude=["d*", "norm"]).layers == (
        *("inner", "inner.act", "output"),
    )
    whole = ibtools.KerasCapture(model, {"hidden": "inner.act"}, batch_size=None)(X)
    parts = ibtools.KerasCapture(model, {"hidden": "inner.act"}, batch_size=64)(X)
    np.testing.assert_allclose(whole["hidden"].values, parts["hidden"].values, rtol=1e-4, atol=1e-6)


def test_capture__shapes_and_several_inputs():
    image, number = keras.Input((4, 4, 1), name="image"), keras.Input((2,), name="number")
    convolved = layers.Conv2D(3, 2, name="convolved")(image)
    joined = layers.Concatenate(name="joined")([layers.Flatten()(convolved), number])
    model = keras.Model({"image": image, "number": number}, layers.Dense(2, name="output")(joined))
    inputs = {"image": RNG.normal(size=(9, 4, 4, 1)), "number": RNG.normal(size=(9, 2))}
    taken = ibtools.KerasCapture(model, ["convolved", "output"], batch_size=4)(inputs)
    assert {name: one.values.shape for name, one in taken.items()} == {
        "convolved": (9, 3, 3, 3),
        "output": (9, 2),
    }
    with pytest.raises(InputError, match="arrays of as many samples"):
        ibtools.KerasCapture(model, "output")({**inputs, "number": np.zeros((8, 2))})


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_capture__narrow_floats_are_values(policy: str):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(3, name="hidden", dtype=policy)])
    hidden = ibtools.KerasCapture(model, "hidden")(X)["hidden"].values
    assert hidden.dtype == np.float32


class Own(keras.Model):
    """A model by subclassing, whose call knows no training."""

    def __init__(self, n_uses: int = 1):
        super().__init__()
        self.first = layers.Dense(6, name="first")
        self.last = layers.Dense(2, name="last")
        self.unused = layers.Dense(2, name="unused", trainable=False)
        self.n_uses = n_uses

    def build(self, shape):
        for layer in (self.first, self.last, self.unused):
            layer.build(shape)

    def call(self, x):
        for _ in range(self.n_uses):
            x = self.first(x)
        return self.last(x)


def test_callback__models_of_ones_own_are_built_by_fit(tmp_path: Path):
    model = Own()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    first = 1 if BACKEND == "tensorflow" else 0  # there, the first batch builds
    with recorder(tmp_path / "run.zarr", schedule=f"{first},2") as recording:
        fit(model, ibtools.KerasCallback(recording, X, ["first", "last"]))
    assert ibtools.open_store(tmp_path / "run.zarr").epoch.values.tolist() == [first, 2]


def test_capture__refuses():
    with pytest.raises(InputError, match="model of Keras 3 or tf_keras, found int"):
        ibtools.KerasCapture(3, "output")
    with pytest.raises(InputError, match="batch_size must be at least 1"):
        ibtools.KerasCapture(build(), "output", batch_size=0)
    with pytest.raises(UnknownNameError, match=r"unknown layer 'nothing'.*dense"):
        ibtools.KerasCapture(build(), "nothing")
    with pytest.raises(InputError, match=r"must have its weights .* model.build\(input_shape\)"):
        ibtools.KerasCapture(Own(), "first")(X)
    model = Own()
    model.build((None, 6))
    with pytest.raises(InputError, match="'unused' must be called when the model is"):
        ibtools.KerasCapture(model, "unused")(X)
    twice = Own(n_uses=2)
    twice.build((None, 6))
    with pytest.raises(InputError, match="'first' must be called once in a pass, but is called 2"):
        ibtools.KerasCapture(twice, "first")(X)


def test_capture__a_diverged_training_is_an_error():
    model = build()
    model.get_layer("output").bias.assign([np.nan, 0])
    with pytest.raises(StoreError, match="NaN, found one at sample 0, unit 0: the training diverg"):
        ibtools.KerasCapture(model, "output")(X)


def test_capture__ranges_of_the_batch_must_be_taken_at_once():
    class OfBatch(layers.Layer):
        def call(self, x):
            ends = keras.ops.minimum(keras.ops.min(x), 0), keras.ops.max(x)
            return keras.quantizers.fake_quant_with_min_max_vars(x, *ends)

    model = build(OfBatch(name="own"))
    with pytest.raises(GridError, match=r"another for each: take all inputs at once"):
        ibtools.KerasCapture(model, "own", batch_size=64)(X)
    assert ibtools.KerasCapture(model, "own", batch_size=None)(X)["own"].values.dtype == np.uint8


def test_capture__functions_that_watch_go_on():
    import sys

    def watch(*_: Any) -> None:
        return None

    model = build(FakeQuant(name="quantised"))
    sys.setprofile(watch)
    try:
        ibtools.KerasCapture(model, "quantised")(X)
        assert sys.getprofile() is watch
    finally:
        sys.setprofile(None)
