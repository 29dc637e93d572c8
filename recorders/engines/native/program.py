"""The state of a Keras model as the arrays that machine code trains, and back."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ibtools.recorders.capture.grid import Grid
from ibtools.recorders.engines.keras.quantise import TappedModel
from ibtools.recorders.engines.keras.quantizers import (
    fake_quantise,
    range_variables,
    range_with_zero,
)
from ibtools.recorders.engines.native import training as machine_code
from ibtools.recorders.engines.native.arrays import WIDE, Samples, State
from ibtools.recorders.engines.native.description import (
    QUANTITIES,
    Axes,
    Shape,
    describe,
    find_stages,
)
from ibtools.recorders.engines.protocol import Training
from ibtools.store.snapshots import FLOAT_BITS, History


class NativeProgram:
    """Trains and evaluates a model for several epochs in one call.

    Parameters
    ----------
    tapped : TappedModel
        Compiled by Keras; of convolutions, pools and dense layers only
        (`ibtools.recorders.engines.choose_engine`).
    training : Training
        What is trained. Its seeds are not part of the program.

    Notes
    -----
    The model itself changes only when a state is stored in it. Weights differ from those of
    `tf_keras.Model.fit` by the order in which sums round.
    """

    def __init__(self, tapped: TappedModel, training: Training) -> None:
        self._model = tapped.model
        self._stages = find_stages(tapped.model)
        self._layers = describe(self._stages, training)
        weights = [pair for stage in self._stages for pair in stage.weights]
        self._parameters, self._axes = map(list, zip(*weights, strict=True))
        self._moments = _moments(tapped.model, self._parameters)
        self._samples = _encode_samples(training, self._stages[0].inputs)
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

    def run(
        self, training: Training, epochs: Sequence[int], n_evaluated: int, state: State
    ) -> list[History]:
        """Train some epochs, and `state` with them; return histories of the first `n_evaluated`.

        It needs neither the model nor the GIL.
        """
        train = np.flatnonzero(~training.data.is_test)
        orders = [train[training.seeds.batch_order(epoch, train.size)] for epoch in epochs]
        labels = [training.trained_label(epoch) for epoch in epochs]
        found = machine_code.train(
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

    def _ranges(self) -> list[tuple[tuple[int, int, int], Any]]:
        """Return the variables of all ranges, with their place in `State.ranges`."""
        return [
            ((layer, which, end), variable)
            for layer, stage in enumerate(self._stages)
            for which, quantity in enumerate(QUANTITIES)
            if stage.is_quantised(quantity)
            for end, variable in enumerate(range_variables(stage.layer, quantity))
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
    x = _lay_out(data.x, shape)
    if training.bits == FLOAT_BITS:
        no_codes = np.empty((0, 0), np.uint8)
        return Samples(no_codes, x, np.float32(1), np.float32(0), data.is_test)
    low, high = range_with_zero(data.x[~data.is_test])
    grid = Grid.from_range(float(low), float(high), bits=8)
    codes = grid.encode(fake_quantise(x, low, high, grid.bits).numpy(), layer="input")
    no_values, zero_point = np.empty((0, 0), np.float32), np.float32(grid.zero_point)
    return Samples(np.asarray(codes, np.uint8), no_values, grid.scale, zero_point, data.is_test)


def _lay_out(x: NDArray[np.float32], shape: Shape) -> NDArray[np.float32]:
    """Lay samples out as machine code has them: channels, rows, columns, as in `Samples`."""
    channels, rows, columns = shape
    images = x.reshape(len(x), rows, columns, channels).transpose(0, 3, 1, 2)
    by_sample = images.reshape(len(x), -1)
    return np.ascontiguousarray(by_sample if by_sample.shape[1] > WIDE else by_sample.T)
