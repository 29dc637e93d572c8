"""A Keras model of dense layers as the arrays that machine code trains, and back."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from ibtools.recorders.capture.grid import Grid
from ibtools.recorders.engines.keras.quantise import TappedModel
from ibtools.recorders.engines.keras.quantizers import (
    fake_quantise,
    range_variables,
    range_with_zero,
    short_name,
)
from ibtools.recorders.engines.native import dense_arrays, dense_kernel
from ibtools.recorders.engines.native.dense_arrays import DenseLayers, Samples, State
from ibtools.recorders.engines.protocol import Training
from ibtools.store.snapshots import FLOAT_BITS, History

_QUANTITIES = ("kernel", "bias", "output")

_FUNCTIONS = {
    "tanh": dense_arrays.TANH,
    "relu": dense_arrays.RELU,
    "relu6": dense_arrays.RELU6,
}

_OUTPUTS = {
    "none": dense_arrays.CONTINUOUS,
    "current": dense_arrays.CURRENT,
    "average": dense_arrays.AVERAGE,
}


class DenseProgram:
    """Trains and evaluates a model of dense layers for several epochs in one call.

    Parameters
    ----------
    tapped : TappedModel
        Compiled by Keras; built of a `Network` that has only `Dense` layers.
    training : Training
        What is trained. Its seeds are not part of the program.

    Notes
    -----
    The model itself changes only when a state is stored in it. Weights differ from those of
    `tf_keras.Model.fit` by the order in which sums round.
    """

    def __init__(self, tapped: TappedModel, training: Training) -> None:
        self._model = tapped.model
        self._dense = [layer for layer in tapped.model.layers if _is_dense(layer)]
        self._layers = _describe(self._dense, training)
        self._moments = _moments(tapped.model, self._parameters())
        self._samples = _encode_samples(training)
        self._assign = self._trace_assignment()
        self._assign_moments = self._trace_moments()

    def load(self) -> State:
        """Read a copy of the state that the model has now."""
        ranges = np.zeros((len(self._dense), len(_QUANTITIES), 2), np.float32)
        for at, end in self._ranges():
            ranges[at] = end.numpy()
        parameters, momentum, velocity = (
            np.concatenate([_turn(variable.numpy()).ravel() for variable in variables])
            for variables in (self._parameters(), *self._moments)
        )
        n_steps = np.array([self._model.optimizer.iterations.numpy()], np.int64)
        return State(parameters, momentum, velocity, ranges, n_steps)

    def store(self, state: State) -> None:
        """Give the model the weights and ranges of a state: all that its values depend on."""
        self._assign(tf.constant(state.parameters), tf.constant(state.ranges))

    def store_moments(self, state: State) -> None:
        """Give the model's optimiser the moments and the number of steps of a state."""
        self._assign_moments(*map(tf.constant, (state.momentum, state.velocity, state.n_steps)))

    def run(
        self, training: Training, epochs: Sequence[int], n_evaluated: int, state: State
    ) -> list[History]:
        """Train some epochs, and `state` with them; return histories of the first `n_evaluated`.

        It needs neither the model nor the GIL.
        """
        train = np.flatnonzero(~training.data.is_test)
        orders = [train[training.seeds.batch_order(epoch, train.size)] for epoch in epochs]
        labels = [training.trained_label(epoch) for epoch in epochs]
        found = dense_kernel.train(
            self._layers,
            self._samples,
            np.stack(orders),
            np.stack(labels),
            training.batch_size,
            training.learning_rate,
            n_evaluated,
            state,
        )
        return [History(*map(float, row)) for row in found]

    def _parameters(self) -> list[Any]:
        return [weight for layer in self._dense for weight in _weights(layer)]

    def _ranges(self) -> list[tuple[tuple[int, int, int], Any]]:
        """Return the variables of all ranges, with their place in `State.ranges`."""
        return [
            ((layer, which, end), variable)
            for layer, dense in enumerate(self._dense)
            for which, quantity in enumerate(_QUANTITIES)
            if _is_quantised(dense, quantity)
            for end, variable in enumerate(range_variables(dense, quantity))
        ]

    def _trace_assignment(self) -> Any:
        """Trace what assigns weights and ranges to the model in one call."""
        parameters, ranges = self._parameters(), self._ranges()
        shape = (len(self._dense), len(_QUANTITIES), 2)
        places = [int(np.ravel_multi_index(at, shape)) for at, _ in ranges]

        def assign(of_parameters: Any, of_ranges: Any) -> None:
            _assign_parts(parameters, of_parameters)
            ends = tf.unstack(tf.reshape(of_ranges, [-1]), int(np.prod(shape)))
            for place, (_, variable) in zip(places, ranges, strict=True):
                variable.assign(ends[place])

        return _trace(assign, _flat(parameters), tf.TensorSpec(shape, tf.float32))

    def _trace_moments(self) -> Any:
        """Trace what assigns the optimiser's variables in one call."""
        momentum, velocity = self._moments
        iterations = self._model.optimizer.iterations

        def assign(of_momentum: Any, of_velocity: Any, n_steps: Any) -> None:
            _assign_parts(momentum, of_momentum)
            _assign_parts(velocity, of_velocity)
            iterations.assign(n_steps[0])

        flat = _flat(momentum)
        return _trace(assign, flat, flat, tf.TensorSpec([1], tf.int64))


def _trace(function: Callable[..., None], *signature: Any) -> Any:
    return tf.function(function, input_signature=signature).get_concrete_function()


def _sizes(variables: Sequence[Any]) -> list[int]:
    return [int(np.prod(variable.shape)) for variable in variables]


def _flat(variables: Sequence[Any]) -> Any:
    return tf.TensorSpec([sum(_sizes(variables))], tf.float32)


def _assign_parts(variables: Sequence[Any], flat: Any) -> None:
    """Assign variables, whose kernels lie (input, unit), parts of what lies (unit, input)."""
    for variable, part in zip(variables, tf.split(flat, _sizes(variables)), strict=True):
        turned = tf.reshape(part, list(variable.shape)[::-1])
        variable.assign(tf.transpose(turned) if len(variable.shape) > 1 else turned)


def _is_dense(layer: Any) -> bool:
    return isinstance(getattr(layer, "layer", layer), tf_keras.layers.Dense)


def _weights(layer: Any) -> list[Any]:
    """Return kernel and bias of a layer, wrapped by tfmot or not."""
    named = {short_name(weight): weight for weight in layer.trainable_weights}
    return [named["kernel"], named["bias"]]


def _is_quantised(layer: Any, quantity: str) -> bool:
    config = getattr(layer, "quantize_config", None)
    if config is None:
        return False
    return config.output != "none" if quantity == "output" else quantity in config.weights


def _describe(dense: Sequence[Any], training: Training) -> DenseLayers:
    """Describe the layers of a model to the machine code."""
    kernels = [_weights(layer)[0] for layer in dense]
    configs = [getattr(layer, "quantize_config", None) for layer in dense]
    outputs = [config.output if config else "none" for config in configs]
    functions = [_FUNCTIONS[training.activation]] * (len(dense) - 1)
    bits = 1 if training.bits == FLOAT_BITS else training.bits
    return DenseLayers(
        np.array([kernels[0].shape[0], *(kernel.shape[1] for kernel in kernels)], np.int64),
        np.array([*functions, dense_arrays.LINEAR], np.int64),
        np.array([[_is_quantised(layer, q) for q in _QUANTITIES[:2]] for layer in dense]),
        np.array([_OUTPUTS.get(output, dense_arrays.FIXED) for output in outputs], np.int64),
        np.float32(2**bits - 1),
        training.scheme == "full" and training.bits != FLOAT_BITS,
        training.control == "frozen",
    )


def _moments(model: Any, parameters: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Return the variables of Adam's two moments, in the order of the parameters."""
    model.optimizer.build(model.trainable_variables)
    order = [id(variable) for variable in model.trainable_variables]
    places = [order.index(id(parameter)) for parameter in parameters]
    moments = model.optimizer.variables[-2 * len(order) :]  # both of a parameter side by side
    return [moments[2 * place] for place in places], [moments[2 * place + 1] for place in places]


def _turn(array: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(array.T)


def _encode_samples(training: Training) -> Samples:
    """Quantise all inputs on the range that `calibrate` gives them, which training keeps."""
    data = training.data
    x, scale, zero_point = data.x.reshape(len(data.x), -1), np.float32(1), 0
    codes: Any = x
    if training.bits != FLOAT_BITS:
        low, high = range_with_zero(x[~data.is_test])
        grid = Grid.from_range(float(low), float(high), bits=8)
        codes = grid.encode(fake_quantise(x, low, high, grid.bits).numpy(), layer="input")
        scale, zero_point = grid.scale, grid.zero_point
    if x.shape[1] <= dense_arrays.WIDE:
        codes = np.ascontiguousarray(codes.T)
    return Samples(codes, scale, np.float32(zero_point), data.is_test)
