"""A trial of what would be trained, before anything is recorded: is it the user's model."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.recorders.capture.keras.describe import describe, looks_up_input
from ibtools.recorders.capture.keras.snapshot import SnapshotTaker
from ibtools.recorders.engines.keras.fit import create_trainable
from ibtools.recorders.engines.keras.quantise import quantise_model
from ibtools.recorders.engines.keras.quantizers import calibrate
from ibtools.recorders.engines.keras.user_model import create_checked
from ibtools.recorders.engines.protocol import Training
from ibtools.recorders.user_code import import_function, running
from ibtools.store.snapshots import FLOAT_BITS

N_TRIED = 32
"""How many samples a model is tried on."""

TOLERANCE = 1e-4
"""How far the copy of a model may be from it by rounding, of values of size 1."""


def validate_trainings(training: Training, other: Training, *, are_repeats: bool) -> None:
    """Check that what would be trained is the user's model, new each time.

    The other training differs in its seeds; if both are repeats, their weights must differ too.
    """
    model = _build(training)
    _validate_input(model, training)
    _validate_samples(model, training)
    _validate_new(model, _build(other), training.network.name, are_repeats=are_repeats)
    if training.bits != FLOAT_BITS:
        _validate_copy(model, training)
    _validate_steps(model, training)


def _build(training: Training) -> Any:
    """Build the user's own model with the seeds of a training."""
    network = training.network
    tf_keras.utils.set_random_seed(training.seeds.model)
    function = import_function(network.name)
    model = create_checked(function, network.name, network.input_shape, network.n_classes)
    found, expected = describe(model), network.layer_specs("", FLOAT_BITS)
    if found != expected:
        raise InputError(
            f"{network.name} must return the same network in every call, but its layers were first "
            f"{_list(expected)} and then {_list(found)}"
        )
    return model


def _list(specs: Sequence[Any]) -> str:
    return ", ".join(f"{spec.name} {spec.n_units} {spec.activation_function}" for spec in specs)


def _validate_input(model: Any, training: Training) -> None:
    """Check that data are whole numbers, and not beyond a table, where a model looks them up."""
    if not looks_up_input(model):
        return
    name, x = training.network.name, training.data.x
    fractional = np.flatnonzero((x != np.rint(x)).reshape(len(x), -1).any(axis=1))
    if fractional.size:
        raise InputError(
            f"{name} looks its input up by whole numbers, but sample {fractional[0]} of "
            f"{training.data.name} has fractions, which would be cut off"
        )
    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.Embedding) and not 0 <= x.min() <= x.max() < (
            layer.input_dim
        ):
            raise InputError(
                f"{name}: layer {layer.name!r} looks up the numbers 0 to {layer.input_dim - 1}, "
                f"but those of {training.data.name} are {x.min():g} to {x.max():g}"
            )


def _validate_samples(model: Any, training: Training) -> None:
    """Check that what layers compute of a sample depends on nothing but the sample."""
    name, (x, _) = training.network.name, _tried(training)
    layers = [model.get_layer(spec.name) for spec in describe(model)]
    whole = _values(name, model, layers, x)
    parts = (_values(name, model, layers, part) for part in np.array_split(x, min(2, len(x))))
    joined = [np.concatenate(of_layer) for of_layer in zip(*parts, strict=True)]
    for layer, expected, found in zip(layers, whole, joined, strict=False):
        if _distance(expected, found) > TOLERANCE:
            raise InputError(
                f"{name} must return a model whose layers compute the same of a sample in any "
                f"batch, but {layer.name!r} does not; is it random, or a normalisation of the "
                "batch, with training=True?"
            )


def _validate_new(model: Any, other: Any, name: str, *, are_repeats: bool) -> None:
    """Check that the second of two models is not the first, nor starts as it does."""
    known = {id(weight) for weight in model.weights}
    if any(id(weight) in known for weight in other.weights):
        raise InputError(
            f"{name} must build a new model in every call, but returns weights that it returned "
            "before, so that every training would go on where the last one ended"
        )
    if are_repeats and _have_same_values(model.weights, other.weights):
        raise InputError(
            f"{name} must return other initial weights for each repeat, drawn from the random seed "
            "that is set before every call, but they are the same for any seed; set no seed of its "
            "own in it, or record a trained network as what it is: one repeat (--repeats 1)"
        )


def _validate_copy(model: Any, training: Training) -> None:
    """Check that without its quantisers, the copy that is quantised does what the model does."""
    name, (x, _) = training.network.name, _tried(training)
    specs = training.network.layer_specs("", training.bits)
    with running(name, "the model can't be copied for quantisation", with_ours=True):
        copy = quantise_model(model, specs, training.scheme, quantisers=False)
    layers = [model.get_layer(spec.name) for spec in specs[:-1]]
    expected = _values(name, model, layers, x)
    found = _values(name, copy.model, [tap.layer for tap in copy.taps[:-1]], x)
    losses, of_copy = _losses(name, model, x), _losses(name, copy.model, x)
    differences = [
        f"layer {spec.name!r} has other values, by up to {distance:.3g}"
        for spec, distance in zip(specs, map(_distance, expected, found), strict=True)
        if not distance <= TOLERANCE
    ]
    if not _have_same_values(model.trainable_weights, copy.model.trainable_weights):
        differences.append("other weights are trained")
    if len(losses) != len(of_copy) or not np.allclose(losses, of_copy, rtol=TOLERANCE):
        differences.append(
            f"its layers' own losses, of regularizers or add_loss, are {losses} and then {of_copy}"
        )
    if differences:
        raise InputError(
            f"{name}: the copy of the model that would be quantised is another model: "
            f"{differences[0]}; record the network with 32 bits (--bits 32), as it is"
        )


def _validate_steps(model: Any, training: Training) -> None:
    """Check that what is trained starts as the model, and can be recorded and trained."""
    name, (x, y) = training.network.name, _tried(training)
    tapped = create_trainable(training)
    if not _have_same_values(model.trainable_weights, tapped.model.trainable_weights):
        raise InputError(
            f"{name} must return the same weights for the same random seed, but they differ; draw "
            "them with Keras' initializers, or from the global seeds of TensorFlow, NumPy or Python"
        )
    calibrate(tapped.model, x)
    with _computing(name, x):  # in a graph, as everything below
        tf.function(lambda: tapped.model(x, training=False))()
    layers, (probabilities, _) = SnapshotTaker(tapped).take_and_predict(x)
    loss = _compute_loss(name, tapped.model, x, tf.one_hot(y, training.data.n_classes))
    for layer, values in layers.items():
        if not np.isfinite(values.values).all():
            raise InputError(f"{name}: layer {layer!r} has values that are not finite")
    if not np.allclose(probabilities.sum(axis=1), 1, atol=TOLERANCE):
        raise InputError(f"{name}: the output must be a softmax, but does not sum to 1")
    if not np.isfinite(loss):
        raise InputError(f"{name}: the loss of {len(x)} samples is {loss}")


def _computing(name: str, x: NDArray[np.float32]) -> AbstractContextManager[None]:
    """Say that it is the user's model that fails."""
    return running(name, f"the model fails on {len(x)} samples")


def _compute_loss(name: str, model: Any, x: NDArray[np.float32], y: Any) -> float:
    """Compute the loss of a training step, and its gradient, without taking the step."""
    with tf.GradientTape() as tape:
        with _computing(name, x):
            probabilities, added = model(x, training=True), model.losses
        loss = tf.add_n([model.loss(y, probabilities), *added])
    with _computing(name, x):
        tape.gradient(loss, model.trainable_weights)
    return float(loss)


def _tried(training: Training) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return some training samples and their labels."""
    chosen = np.flatnonzero(~training.data.is_test)[:N_TRIED]
    return training.data.x[chosen], training.data.y[chosen]


def _values(
    name: str, model: Any, layers: Sequence[Any], x: NDArray[np.float32]
) -> list[NDArray[np.float32]]:
    """Compute the values of some layers, and the output."""
    outputs = [*(layer.get_output_at(-1) for layer in layers), model.output]
    computed = tf_keras.Model(model.inputs, outputs)
    with _computing(name, x):
        values = computed(x, training=False)
    return [value.numpy() for value in tf.nest.flatten(values)]


def _losses(name: str, model: Any, x: NDArray[np.float32]) -> list[float]:
    """Compute what a model adds to the cross-entropy."""
    with _computing(name, x):
        model(x, training=False)
        return [float(loss) for loss in model.losses]


def _distance(expected: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    """Return the largest difference, relative to the largest value if that is above 1."""
    if expected.shape != found.shape:
        return float("inf")
    return float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))


def _have_same_values(first: Sequence[Any], second: Sequence[Any]) -> bool:
    """Tell whether two models have the same weights in the same order."""
    return len(first) == len(second) and all(
        np.array_equal(a.numpy(), b.numpy()) for a, b in zip(first, second, strict=True)
    )
