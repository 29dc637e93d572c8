"""Models that users build, of forty kinds: recorded as what they are, or refused in a sentence."""

import json

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

import ibtools
from ibtools.cli.main import cli
from ibtools.errors import InputError
from ibtools.recorders.record import forecast_recording, plan
from ibtools.recorders.resolve import resolve_network
from ibtools.store.info import store_info

ZOO = "tests.recorders.model_zoo"

HANDS_ON = "only hands values on"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """64 samples of 12 whole numbers from 0 to 7, and two classes."""
    path = tmp_path_factory.mktemp("data") / "small.npz"
    x = np.random.default_rng(0).integers(0, 8, (64, 12)).astype(np.float32)
    np.savez(path, x=x, y=np.arange(64) % 2)
    return str(path)


def plan_model(name, data, **settings):
    options = {"epochs": 1, "repeats": 2, "schedule": "every:1", "samples": 16} | settings
    return plan("custom", network=f"{ZOO}:{name}", data=data, **options)


DESCRIBED = {
    "operation": ("tf.nn.relu relu, y softmax", {"h": "has no activation function"}),
    "keras_operation": ("tf.math.tanh tanh, y softmax", {"h": "has no activation function"}),
    "residual": (
        "h tanh, g tanh, y softmax",
        {"tf.__operators__.add": "is an operation without an activation function"},
    ),
    "distributed": ("each relu, y softmax", {"rows": HANDS_ON, "flat": HANDS_ON}),
    "distributed_linear": (
        "y softmax",
        {"rows": HANDS_ON, "each": "has no activation function", "flat": HANDS_ON},
    ),
    "bidirectional": ("both tanh, y softmax", {"rows": HANDS_ON}),
    "cell": ("rnn tanh, y softmax", {"rows": HANDS_ON}),
    "states": ("y softmax", {"rows": HANDS_ON, "lstm": "has 3 outputs"}),
    "attention": (
        "attention multiheadattention, y softmax",
        {"rows": HANDS_ON, "flatten": HANDS_ON},
    ),
    "own_layer": ("h tanh, sine sine, y softmax", {}),
    "lambda_layer": ("h tanh, sine lambda, y softmax", {}),
    "own_dense": ("own relu, y softmax", {}),
    "own_block": (
        "block block, y softmax",
        {
            f"block/{name}": "is inside block, of which only the output is recorded"
            for name in ("dense", "dense_1")
        },
    ),
    "distributed_model": (
        "each timedistributed, y softmax",
        {
            "rows": HANDS_ON,
            "each/inside": "is inside each, of which only the output is recorded",
            "flatten": HANDS_ON,
        },
    ),
    "random_layers": (
        "h tanh, y softmax",
        {
            "noise": "acts in training only",
            "norm": "normalises, without an activation function",
            "drop": "acts in training only",
        },
    ),
    "tokens": (
        "h tanh, y softmax",
        {"look": "looks vectors up, without an activation function", "flat": HANDS_ON},
    ),
    "added_loss": (
        "h tanh, y softmax",
        {
            "tf.math.reduce_mean": "has no values of single samples",
            "add_loss": "acts in training only",
        },
    ),
    "tf_functions": (
        "h0 tanh, h1 gelu, h2 leaky_relu, h3 swish, h4 elu, h5 sigmoid, y softmax",
        {},
    ),
    "other_relus": (
        "leaking leakyrelu, late thresholdedrelu, leaky leakyrelu, learnt prelu, y softmax",
        {"h": "has no activation function"},
    ),
    "function_softmax": ("h relu, y softmax", {}),
    "keras_function_softmax": ("h tanh, y softmax", {}),
    "operation_softmax": ("tf.nn.softmax softmax", {"scores": "has no activation function"}),
    "activated_scores": ("h relu, y softmax", {}),
    "false_relu": ("h own_relu, y softmax", {}),
    "false_linear": ("h own_linear, y softmax", {}),
    "lambda_function": ("h lambda, y softmax", {}),
    "partial_function": ("h partial, y softmax", {}),
    "layer_as_function": ("h leakyrelu, y softmax", {}),
}


@pytest.mark.parametrize("name", DESCRIBED)
def test_describe__every_layer_is_recorded_or_listed(name):
    recorded, left_out = DESCRIBED[name]
    network = resolve_network(f"{ZOO}:{name}", input_shape=(12,), n_classes=2)
    found = ", ".join(f"{spec.name} {spec.activation_function}" for spec in network.layers)
    assert found == recorded
    assert dict(network.left_out) == left_out


REFUSED = {
    "compiled": r"not compiled, but its model has the optimizer SGD, which would not be used",
    "own_train_step": r"its Own has its own train_step, which would not be used",
    "float16": r"computes in float32, .*, but 'h' computes in float16",
    "float64": r"computes in float32, .*, but 'h' computes in float64",
    "stateful": r"but 'rnn' is stateful: its values depend on the batch before",
    "false_softmax": r"a softmax over the classes, but 'y' is own_softmax, of 2 units",
    "lambda_softmax": r"a softmax over the classes, but 'y' is lambda, of 2 units",
    "softmax_of_samples": r"a softmax over the classes, but 'y' is softmax_across",
    "sigmoid_of_one": r"'y' is sigmoid, of 1 unit; .*: make it Dense\(2, activation='softmax'\)",
    "regression": r"is linear, of 1 unit; networks are trained on the cross-entropy of a softmax",
    "scores": r"is linear, of 2 units; .*: give it activation='softmax', or append",
    "no_weights": r"with weights to train, but its has none",
    "nested": r"'inner' is a model of its own, whose layers could not be recorded",
    "raises": r"the function fails: KeyError: 'no such key' \(model_zoo\.py, line \d+\)$",
    "wrong_shapes": r"the function fails: ValueError: Input 0 of .* \(model_zoo\.py, line \d+\)$",
    "of_keras_3_layers": r"the function fails: TypeError: The added layer must be an instance",
    "same_again": r"must build a new model in every call, but returns weights that it returned",
    "shared_layer": r"'kept' is used [23] times; .*Build a new model in every call",
    "fixed_seed": r"other initial weights for each repeat, .*; set no seed of its own in it",
    "trained": r"the same for any seed; .* record a trained network as what it is: one repeat",
    "another_each_time": r"the same network in every call, but .* first h \d .* and then h \d",
    "always_dropping": r"the same of a sample in any batch, but 'y' does not; is it random",
    "normalising_batches": r"the same of a sample in any batch, but 'late' does not",
    "unseeded": r"must return the same weights for the same random seed, but they differ",
    "dividing": r"layer 'tf\.math\.log' has values that are not finite",
    "of_batches": r"the model fails on 32 samples: .*ValueError.*no batch",
}


@pytest.mark.parametrize("name", REFUSED)
def test_plan__refuses_what_it_cannot_record(name, data):
    with pytest.raises(InputError, match=rf"^{ZOO}:{name}.*{REFUSED[name]}"):
        plan_model(name, data, bits=32)


NOT_COPIED = {
    "activity_regularizer": r"'h' has an activity_regularizer, .* append .*ActivityRegularization",
    "own_regularizer": r"would lose the kernel_regularizer of 'h', one of your own",
    "added_loss": r"would lose what add_loss adds to the model",
    "added_metric": r"would lose what add_metric adds to the model",
    "operation": r"'tf\.nn\.relu' is the operation relu; write .*\.Activation\('relu'\) instead",
    "operation_softmax": r"the operation softmax; write .*\.Activation\('softmax'\) instead",
    "attention": r"'attention' is a MultiHeadAttention",
    "own_layer": r"'sine' is a Sine; use layers of tf_keras",
    "own_dense": r"'own' is a Own",
    "own_block": r"'block' is a Block",
    "lambda_layer": r"'sine' is a Lambda",
    "distributed_model": r"'each' is a TimeDistributed",
    "false_relu": r"that of 'h' is own_relu; name one of elu, exponential",
    "lambda_function": r"that of 'h' is lambda",
    "partial_function": r"that of 'h' is partial",
    "layer_as_function": r"that of 'h' is leakyrelu",
}


@pytest.mark.parametrize("name", NOT_COPIED)
def test_plan__refuses_what_a_quantised_copy_would_lose(name, data):
    with pytest.raises(InputError, match=rf"{NOT_COPIED[name]}.*32 bits \(--bits 32\)"):
        plan_model(name, data, bits=8)


COPIED = ("weight_regularizer", "convolutions", "residual", "random_layers")
SLOW_COPIED = (
    *(
        "activity_layer",
        "distributed_linear",
        "frozen",
        "named_alike",
        "normalised_scores",
        "tokens",
    ),
    *("bidirectional", "cell", "masked", "masked_tokens", "gru", "other_relus", "tf_functions"),
    *("constraint", "frozen_afterwards", "frozen_normalisation", "slashed", "one_layer", "states"),
    *("pooled_scores", "activated_scores", "distributed", "partly_trained", "float_tokens"),
)


@pytest.mark.parametrize(
    "name", [*COPIED, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW_COPIED)]
)
def test_plan__the_copy_that_is_quantised_is_the_model(name, data):
    assert plan_model(name, data, bits=8).network.layers


def test_plan__a_trained_model_is_one_repeat(data):
    assert plan_model("trained", data, bits=32, repeats=1).settings.repeats == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (0.5, r"sample 0 of small.npz has fractions, which would be cut off"),
        (3.0, r"layer 'look' looks up the numbers 0 to 7, but those of .* are 3 to 10"),
    ],
)
def test_plan__data_that_a_table_does_not_have(change, message, data, tmp_path):
    with np.load(data) as arrays:
        np.savez(tmp_path / "small.npz", x=arrays["x"] + np.float32(change), y=arrays["y"])
    with pytest.raises(InputError, match=message):
        plan_model("tokens", str(tmp_path / "small.npz"), bits=32)


def test_plan__a_copy_that_is_another_model(data, monkeypatch):
    from ibtools.recorders.engines.keras import quantise

    copy = quantise.copy_layer
    monkeypatch.setattr(
        quantise, "copy_layer", lambda layer, **changes: copy(layer, **changes | altered(layer))
    )

    def altered(layer):
        return {"activation": "relu"} if layer.name == "h" else {}

    with pytest.raises(InputError, match=r"is another model: layer 'h' has other values, by up to"):
        plan_model("one_hidden", data, bits=8)


def break_planning(monkeypatch):
    monkeypatch.setattr("ibtools.recorders.engines.keras.quantise.output_range", None)


def break_snapshots(monkeypatch):
    monkeypatch.setattr("ibtools.recorders.capture.keras.snapshot.choose_batch_size", None)


def break_calibration(monkeypatch):
    monkeypatch.setattr("ibtools.recorders.engines.keras.trial.calibrate", None)


@pytest.mark.parametrize("fault", [break_planning, break_snapshots, break_calibration])
def test_plan__a_fault_of_ours_is_not_blamed_on_the_model(data, monkeypatch, fault):
    """It is a bug, of which the traceback is wanted."""
    fault(monkeypatch)
    with pytest.raises(TypeError, match="'NoneType' object is not callable"):
        plan_model("one_hidden", data, bits=8)


def train(name, data, bits):
    """The untrained and the trained model of an epoch, by engine fit."""
    from ibtools.recorders.engines.keras.fit import FitEngine, create_trainable
    from ibtools.recorders.engines.keras.state import unpack_state

    recording = plan_model(name, data, bits=bits)
    training, states = recording.training(0, 0), []
    FitEngine().train(training, lambda report: not states.append(report.state()))
    models = [create_trainable(training).model for _ in states]
    for model, state in zip(models, states, strict=True):
        unpack_state(model, state)
    return models


def test_train__frozen_layers_stay_as_they_are(data):
    """At 8 bits, tfmot would train their kernels."""
    before, after = train("frozen", data, bits=8)
    for name, is_same in (("quant_h", True), ("quant_g", False)):
        kernels = [model.get_layer(name).weights for model in (before, after)]
        kernels = [next(w for w in each if "kernel:" in w.name).numpy() for each in kernels]
        assert np.array_equal(*kernels) == is_same
    low, high = (v for v in after.get_layer("quant_h").weights if "kernel_m" in v.name)
    assert float(low) < 0 < float(high)


def test_build__numbers_that_are_looked_up_are_not_quantised(data):
    """The nearest multiple of 7 / 255 is no token."""
    from ibtools.recorders.engines.keras.fit import create_trainable

    recording = plan_model("tokens", data, bits=8)
    model = create_trainable(recording.training(0, 0)).model
    looked_up = model.get_layer("look")
    assert isinstance(model.layers[model.layers.index(looked_up) - 1], type(model.layers[0]))
    assert recording.quantised_inputs is None


def test_forecast__lists_what_is_left_out(data):
    """And XLA compiles the training of fewer samples than a batch."""
    found = forecast_recording(
        "custom", network=f"{ZOO}:operation", data=data, bits=32, epochs=1, repeats=1
    )
    lines = found.format().splitlines()
    assert lines[:2] == [
        "layers      tf.nn.relu 4, y 2 (relu, softmax; 32 bits)",
        "left out    h (has no activation function)",
    ]


def test_record__the_store_says_what_was_left_out(data, tmp_path):
    store = str(tmp_path / "s.zarr")
    options = {"network": f"{ZOO}:operation", "data": data, "bits": 32, "samples": 16}
    ibtools.record("custom", store, epochs=1, repeats=1, schedule="every:1", quiet=True, **options)
    left_out = {"h": "has no activation function"}
    assert json.loads(xr.open_zarr(store).attrs["layers_left_out"]) == left_out
    assert store_info(store).left_out == left_out
    printed = CliRunner().invoke(cli, ["info", store]).output
    assert "left out    h (has no activation function)\n" in printed


@pytest.mark.parametrize(("name", "bits"), [("lambda_layer", 8), ("raises", 32)])
def test_record__a_refusal_is_one_line_and_leaves_nothing(name, bits, data, tmp_path):
    store = tmp_path / "s.zarr"
    arguments = ["--network", f"{ZOO}:{name}", "--data", data, "--bits", str(bits)]
    result = CliRunner().invoke(cli, ["record", "custom", *arguments, "--output", str(store)])
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert result.output.count("\n") == 1
    assert not store.exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", [*DESCRIBED, *COPIED, *SLOW_COPIED])
@pytest.mark.parametrize("bits", [8, 32])
def test_record__records_or_refuses(name, bits, data, tmp_path):
    """Nothing is left behind after a refusal; what is recorded is what was planned."""
    store = str(tmp_path / "s.zarr")
    options = {"network": f"{ZOO}:{name}", "data": data, "bits": bits, "samples": 16}
    short = {"epochs": 1, "repeats": 2, "schedule": "every:1", "quiet": True}
    try:
        planned = plan_model(name, data, bits=bits)
    except InputError:
        with pytest.raises(InputError):
            ibtools.record("custom", store, **options, **short)
        assert not (tmp_path / "s.zarr").exists()
        return
    ibtools.record("custom", store, **options, **short)
    dataset = ibtools.open_store(store)
    assert dataset.layer.values.tolist() == [spec.name for spec in planned.network.layers]
    assert json.loads(dataset.attrs["layers_left_out"]) == dict(planned.network.left_out)
    assert dataset.complete.all()
    assert int(dataset.n_recomputed_differences.sum()) == 0
