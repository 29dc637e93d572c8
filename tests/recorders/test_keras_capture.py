"""Layers of Keras models in `model.fit`: Keras 3 on each backend, and tf_keras with tfmot."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ibtools
from ibtools.errors import InputError
from ibtools.recorders.capture.keras_models.callback import name_scalars
from ibtools.recorders.capture.keras_models.fake_quant import candidates

ROOT = Path(__file__).parents[2]
CASES = Path(__file__).with_name("keras3_cases.py")

X = np.random.default_rng(0).normal(size=(128, 6)).astype("float32")
Y = (X[:, :3].sum(axis=1) > 0).astype("int32")
LAYERS = {"hidden": "quant_hidden", "output": "quant_output"}


SAMPLE = "training or fake_quantised or xla or goes_on or names or not_seen"
"""Cases of what differs between backends, and of a whole training."""


@pytest.mark.parametrize(
    ("backend", "cases"),
    [
        pytest.param("jax", "", id="jax", marks=pytest.mark.slow),
        pytest.param("tensorflow", f"({SAMPLE}) and not (hgq or ordered)", id="tensorflow-sample"),
        pytest.param("tensorflow", "", id="tensorflow", marks=pytest.mark.slow),
        pytest.param("torch", "", id="torch", marks=pytest.mark.slow),
    ],
)
def test_keras_3__on_a_backend(backend: str, cases: str, tmp_path: Path):
    """Keras takes its backend when it is loaded: each has a process."""
    for package in ("keras", backend):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "compiled"),  # networks that are built twice
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    environment.pop("TF_USE_LEGACY_KERAS", None)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        cases,
        str(CASES),
    ]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-20_000:]


def build(*, is_deferred: bool = False) -> Any:
    """Compile a network that tfmot quantises."""
    tf_keras = pytest.importorskip("tf_keras")
    tfmot = pytest.importorskip("tensorflow_model_optimization")
    tf_keras.utils.set_random_seed(1)
    model = tf_keras.Sequential(
        [
            *([] if is_deferred else [tf_keras.layers.InputLayer((6,))]),
            tf_keras.layers.Dense(5, name="dense"),
            tf_keras.layers.BatchNormalization(name="norm"),
            tf_keras.layers.ReLU(name="hidden"),
            tf_keras.layers.Dense(2, name="output"),
        ]
    )
    if not is_deferred:
        model = tfmot.quantization.keras.quantize_model(model)
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    return model


def fit(model: Any, *callbacks: Any) -> Any:
    options: dict[str, Any] = {"batch_size": 64, "epochs": 2, "verbose": 0}
    return model.fit(X, Y, validation_data=(X, Y), callbacks=list(callbacks), **options)


def recorder(path: Path) -> ibtools.Recorder:
    return ibtools.Recorder(path, label=Y, x=X, quiet=True)


def bits_of(model: Any) -> list[bytes]:
    return [one.numpy().tobytes() for one in [*model.variables, *model.optimizer.variables]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A network that was recorded while it was trained, with its history and its store."""
    path, model = tmp_path_factory.mktemp("trained") / "run.zarr", build()
    with recorder(path) as recording:
        history = fit(model, ibtools.KerasCallback(recording, X, LAYERS)).history
    return model, history, path


def test_tf_keras__the_training_is_the_same(trained: Any):
    recorded, history, path = trained
    alone = build()
    assert fit(alone).history == history
    assert bits_of(alone) == bits_of(recorded)
    store = ibtools.open_store(path)
    assert store.epoch.values.tolist() == [0, 1, 2]
    assert store.bits.values.tolist() == [8, 8]
    told = store.test_accuracy.isel(repeat=0).sel(trained_epoch=[1, 2])
    np.testing.assert_allclose(told, history["val_accuracy"], rtol=1e-6)


def test_tf_keras__codes_of_tfmot_are_on_the_grid_of_its_variables(trained: Any, tmp_path: Path):
    from ibtools.recorders.capture.grid import Grid

    model, *_ = trained
    codes, values = (
        ibtools.KerasCapture(model, LAYERS, values=plain)(X) for plain in (False, True)
    )
    for name, layer in codes.items():
        ends = [
            one.numpy()
            for end in ("min", "max")
            for one in model.get_layer(LAYERS[name]).weights
            if "kernel" not in one.name and one.name.endswith(f"_{end}:0")
        ]
        grid = Grid.from_range(*ends, bits=8)
        assert (layer.scale, layer.zero_point) == (float(grid.scale), grid.zero_point)
        np.testing.assert_array_equal(
            layer.values, grid.encode(values[name].values, layer=name, first_sample=0)
        )
    known = [exact(tmp_path / f"{i}.zarr", one) for i, one in enumerate((codes, values))]
    for name in ("mi_xt", "mi_ty", "entropy_t", "n_states"):
        np.testing.assert_array_equal(known[0][name], known[1][name])


def exact(path: Path, snapshot: dict[str, Any]) -> Any:
    with recorder(path) as recording:
        recording.snapshot(1, snapshot)
    ibtools.analyze_store(path, estimator="exact", quiet=True)
    return ibtools.open_results(path)


def test_tf_keras__variables_that_a_layer_assigns_are_put_back():
    tf_keras = pytest.importorskip("tf_keras")

    class Counting(tf_keras.layers.Layer):
        def build(self, shape):
            self.n_calls = self.add_weight("n_calls", (), trainable=False)

        def call(self, x):
            self.n_calls.assign_add(1.0)
            return x

    model = tf_keras.Sequential([tf_keras.layers.InputLayer((6,)), Counting(name="counting")])
    before = float(model.variables[0])
    ibtools.KerasCapture(model, "counting")(X)
    assert float(model.variables[0]) == before


def test_tf_keras__a_model_without_weights_is_refused(tmp_path: Path):
    """tf_keras builds it with the first batch, when epoch 0 is over."""
    with (
        pytest.raises(InputError, match=r"must have its weights .* begin it with an Input"),
        recorder(tmp_path / "run.zarr") as recording,
    ):
        fit(build(is_deferred=True), ibtools.KerasCallback(recording, X, "hidden"))


def test_name_scalars__that_become_the_same_are_refused():
    with pytest.raises(InputError, match=r"'a b' and another are 'a_b' .* scalars=\{'a b': ...\}"):
        name_scalars({"a_b": 1.0, "a b": 2.0}, {})
    assert name_scalars({"a_b": 1.0, "a b": 2.0}, {"a b": "c"}) == {"a_b": 1.0, "c": 2.0}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("auc", "auc"), ("1st", "metric_1st"), ("label", "metric_label"), ("x/y-z", "x_y_z")],
)
def test_name_scalars__are_made_valid(name: str, expected: str):
    assert name_scalars({name: 1.0}, {}) == {expected: 1.0}


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize(("low", "high"), [(-1.3, 2.7), (0.0, 6.0), (-0.1, 0.0), (0.0, 0.0)])
@pytest.mark.parametrize("bits", [2, 8, 16])
def test_candidates__the_first_is_that_of_tensorflow(
    low: float, high: float, bits: int, narrow: bool
):
    tf = pytest.importorskip("tensorflow")
    values = tf.quantization.fake_quant_with_min_max_vars(
        10 * X, low, high, num_bits=bits, narrow_range=narrow
    ).numpy()
    grid, *_ = candidates(np.float32(low), np.float32(high), bits, narrow=narrow)
    layer = ibtools.LayerValues.from_values(
        values, scale=grid.scale, zero_point=grid.zero_point, bits=bits
    )
    assert layer.values.min() == int(narrow) or (low, high) == (0.0, 0.0)
