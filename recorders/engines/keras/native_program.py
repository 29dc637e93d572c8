"""The state of a Keras model as the arrays that machine code trains, and back."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from ibtools.recorders.capture.grid import Grid
from ibtools.recorders.capture.keras.functions import function_name
from ibtools.recorders.engines.keras.quantise import TappedModel
from ibtools.recorders.engines.keras.quantizers import (
    fake_quantise,
    range_variables,
    range_with_zero,
    short_name,
)
from ibtools.recorders.engines.native import arrays
from ibtools.recorders.engines.native.arrays import Samples, State
from ibtools.recorders.engines.native.machine import Machine
from ibtools.recorders.engines.native.samples import (
    INPUT_BITS,
    lay_out,
    samples_of_codes,
    samples_of_values,
)
from ibtools.recorders.engines.native.stages import (
    FUNCTIONS,
    QUANTITIES,
    Axes,
    Shape,
    Stage,
    describe,
    image_shape,
)
from ibtools.recorders.engines.protocol import Training
from ibtools.store.snapshots import FLOAT_BITS

_KINDS = {
    tf_keras.layers.Dense: arrays.DENSE,
    tf_keras.layers.Conv2D: arrays.CONVOLUTION,
    tf_keras.layers.MaxPooling2D: arrays.POOL,
}


class NativeProgram:
    """A model, and the machine code that trains what it is.

    Parameters
    ----------
    tapped : TappedModel
        Compiled by Keras; of convolutions, pools and dense layers only
        (`ibtools.recorders.engines.choose_engine`).
    training : Training
        What is trained. Its seeds are not part of the program.

    Notes
    -----
    The model itself changes only when a state is stored in it.
    """

    def __init__(self, tapped: TappedModel, training: Training) -> None:
        self._model = tapped.model
        self._wrapped, self._stages = find_stages(tapped.model)
        self._axes = [axes for stage in self._stages for axes in stage.axes]
        self._parameters = [weight for layer in self._wrapped for weight in _weights(layer)]
        self._moments = _moments(tapped.model, self._parameters)
        samples = _encode_samples(training, self._stages[0].inputs)
        self.machine = Machine(describe(self._stages, training), samples)
        self._assign = self._trace_assignment()
        self._assign_moments = self._trace_moments()

    def load(self) -> State:
        """Read a copy of the state that the model has now."""
        ranges = np.zeros((len(self._stages), len(QUANTITIES), 2), np.float32)
        for at, end in self._ranges():
            ranges[at] = end.numpy()
        parameters, momentum, velocity = (
            np.concatenate([*map(_turn, variables, self._axes)])
            for variables in (self._parameters, *self._moments)
        )
        n_steps = np.array([self._model.optimizer.iterations.numpy()], np.int64)
        return State(parameters, momentum, velocity, ranges, n_steps)

    def store(self, state: State) -> None:
        """Give the model the weights and ranges of a state: all that its values depend on."""
        self._assign(tf.constant(state.parameters), tf.constant(state.ranges))

    def store_moments(self, state: State) -> None:
        """Give the model's optimiser the moments and the number of steps of a state."""
        self._assign_moments(*map(tf.constant, (state.momentum, state.velocity, state.n_steps)))

    def _ranges(self) -> list[tuple[tuple[int, int, int], Any]]:
        """Return the variables of all ranges, with their place in `State.ranges`."""
        return [
            ((layer, which, end), variable)
            for layer, (wrapped, stage) in enumerate(zip(self._wrapped, self._stages, strict=True))
            for which, quantity in enumerate(QUANTITIES)
            if stage.is_quantised(quantity)
            for end, variable in enumerate(range_variables(wrapped, quantity))
        ]

    def _trace_assignment(self) -> Any:
        """Trace what assigns weights and ranges to the model in one call."""
        parameters, axes, ranges = self._parameters, self._axes, self._ranges()
        shape = (len(self._stages), len(QUANTITIES), 2)
        places = [int(np.ravel_multi_index(at, shape)) for at, _ in ranges]

        def assign(of_parameters: Any, of_ranges: Any) -> None:
            _assign_parts(parameters, axes, of_parameters)
            ends = tf.unstack(tf.reshape(of_ranges, [-1]), int(np.prod(shape)))
            for place, (_, variable) in zip(places, ranges, strict=True):
                variable.assign(ends[place])

        return _trace(assign, _flat(parameters), tf.TensorSpec(shape, tf.float32))

    def _trace_moments(self) -> Any:
        """Trace what assigns the optimiser's variables in one call."""
        (momentum, velocity), axes = self._moments, self._axes
        iterations = self._model.optimizer.iterations

        def assign(of_momentum: Any, of_velocity: Any, n_steps: Any) -> None:
            _assign_parts(momentum, axes, of_momentum)
            _assign_parts(velocity, axes, of_velocity)
            iterations.assign(n_steps[0])

        flat = _flat(momentum)
        return _trace(assign, flat, flat, tf.TensorSpec([1], tf.int64))


def find_stages(model: Any) -> tuple[list[Any], list[Stage]]:
    """List the layers of a model that are computed, in their order, and what machine code does.

    Left out are what hands values on, the quantiser of the input, and the softmax, which belongs to
    the loss.
    """
    layers = [layer for layer in model.layers if type(_unwrapped(layer)) in _KINDS]
    shapes = [image_shape(layer.output_shape[1:]) for layer in layers]
    inputs = [image_shape(layers[0].input_shape[1:]), *shapes]
    return layers, list(map(_stage, layers, inputs, shapes))


def _stage(layer: Any, inputs: Shape, outputs: Shape) -> Stage:
    inner, config = _unwrapped(layer), getattr(layer, "quantize_config", None)
    sizes: Any = getattr(inner, "kernel_size", getattr(inner, "pool_size", (1,)))
    return Stage(
        _KINDS[type(inner)],
        FUNCTIONS[function_name(inner)],
        inputs,
        outputs,
        int(sizes[0]),
        config.weights if config else (),
        config.output if config else "none",
    )


def _unwrapped(layer: Any) -> Any:
    """Return the layer that tfmot wrapped, or the layer itself."""
    return getattr(layer, "layer", layer)


def _weights(layer: Any) -> list[Any]:
    """Return kernel and bias of a layer, if it has them."""
    named = {short_name(weight): weight for weight in layer.trainable_weights}
    return [named[name] for name in ("kernel", "bias") if name in named]


def _trace(function: Callable[..., None], *signature: Any) -> Any:
    return tf.function(function, input_signature=signature).get_concrete_function()


def _sizes(variables: Sequence[Any]) -> list[int]:
    return [int(np.prod(variable.shape)) for variable in variables]


def _flat(variables: Sequence[Any]) -> Any:
    return tf.TensorSpec([sum(_sizes(variables))], tf.float32)


def _assign_parts(variables: Sequence[Any], axes: Sequence[Axes], flat: Any) -> None:
    """Assign variables the parts of what `_turn` made of them."""
    parts = tf.split(flat, _sizes(variables))
    for variable, (rows, columns, before, units), part in zip(variables, axes, parts, strict=True):
        turned = tf.transpose(tf.reshape(part, [units, before, rows, columns]), [2, 3, 1, 0])
        variable.assign(tf.reshape(turned, variable.shape))


def _turn(variable: Any, axes: Axes) -> NDArray[np.float32]:
    """Lay a weight of these axes out as machine code has it: units, channels, rows, columns."""
    turned: NDArray[np.float32] = variable.numpy().reshape(axes).transpose(3, 2, 0, 1).ravel()
    return turned


def _moments(model: Any, parameters: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Return the variables of Adam's two moments, in the order of the parameters."""
    model.optimizer.build(model.trainable_variables)
    order = [id(variable) for variable in model.trainable_variables]
    places = [order.index(id(parameter)) for parameter in parameters]
    moments = model.optimizer.variables[-2 * len(order) :]  # both of a parameter side by side
    return [moments[2 * place] for place in places], [moments[2 * place + 1] for place in places]


def _encode_samples(training: Training, shape: Shape) -> Samples:
    """Quantise all inputs on the range that `calibrate` gives them, which training keeps."""
    data = training.data
    x = lay_out(data.x, shape)
    if training.bits == FLOAT_BITS:
        return samples_of_values(x, data.is_test)
    low, high = range_with_zero(data.x[~data.is_test])
    grid = Grid.from_range(float(low), float(high), INPUT_BITS)
    codes = grid.encode(fake_quantise(x, low, high, INPUT_BITS).numpy(), layer="input")
    return samples_of_codes(np.asarray(codes, np.uint8), grid, data.is_test)
