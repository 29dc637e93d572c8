"""Initial weights: to the last bit those that tf_keras draws for the same seed, without it.

A Keras initialiser that is given no seed takes the next number of Python's Mersenne Twister, which
`tf_keras.utils.set_random_seed` seeds, and hands it to one of TensorFlow's stateless operations:
`ibtools.recorders.engines.native.philox`.
"""

import math
import random
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ibtools.recorders.engines.native.philox import (
    has_known_functions,
    normal,
    truncated_normal,
    uniform,
)
from ibtools.recorders.networks import Conv, Network, Pool

Floats = NDArray[np.float32]

_LARGEST_SEED = 10**9
_DEVIATION = 0.87962566103423978  # of a standard normal distribution that is cut off at 2

_SCALED: dict[str, tuple[float, Literal["in", "mean"], bool]] = {
    "glorot_normal": (1.0, "mean", False),
    "glorot_uniform": (1.0, "mean", True),
    "he_normal": (2.0, "in", False),
    "he_uniform": (2.0, "in", True),
    "lecun_normal": (1.0, "in", False),
    "lecun_uniform": (1.0, "in", True),
    "variance_scaling": (1.0, "in", False),
}
"""Variance times the number of inputs, or of the mean of inputs and outputs; whether uniform."""

_FIXED: dict[str, Callable[[int, int], Floats]] = {
    "random_normal": lambda seed, n: normal(seed, n) * np.float32(0.05),
    "random_uniform": lambda seed, n: _uniform(seed, n, 0.05),
    "truncated_normal": lambda seed, n: truncated_normal(seed, n) * np.float32(0.05),
}


def can_draw(network: Network, initializer: str) -> bool:
    """Whether this machine draws the kernels of a network as every other, and as tf_keras.

    All but "orthogonal", whose decomposition rounds in an order of its own; normal distributions
    where the C library computes what glibc does.
    """
    name = _name(network, initializer)
    if name == "orthogonal":
        return False
    return name.endswith("_uniform") or has_known_functions()


def draw_kernels(network: Network, initializer: str, seed: int) -> Iterator[Floats]:
    """Draw the kernels of a network that `can_draw`, layer by layer.

    Parameters
    ----------
    network : Network
        Whose layers they are of; pools have none.
    initializer : str
        One of `ibtools.settings.INITIALIZERS`.
    seed : int
        What `tf_keras.utils.set_random_seed` would be given.

    Yields
    ------
    ndarray, (input, unit) or (row, column, channel before, channel), float32
    """
    name, seeds = _name(network, initializer), random.Random(seed)
    shape = network.input_shape
    for layer in network.layers:
        before, shape = shape, layer.output_shape(shape)
        if isinstance(layer, Pool):
            continue
        area = (layer.size, layer.size, before[2]) if isinstance(layer, Conv) else ()
        axes = (*area, shape[-1]) if area else (math.prod(before), shape[-1])
        yield _draw(name, seeds.randint(1, _LARGEST_SEED), axes).reshape(axes)


def _name(network: Network, initializer: str) -> str:
    return network.kernel_initializer if initializer == "paper" else initializer


def _draw(name: str, seed: int, axes: tuple[int, ...]) -> Floats:
    n = math.prod(axes)
    if name == "width_normal":
        return truncated_normal(seed, n) * np.float32(1 / math.sqrt(axes[-1]))
    if name in _FIXED:
        return _FIXED[name](seed, n)
    scale, mode, is_uniform = _SCALED[name]
    area = math.prod(axes[:-2])
    n_inputs, n_outputs = area * axes[-2], area * axes[-1]
    variance = scale / (n_inputs if mode == "in" else (n_inputs + n_outputs) / 2)
    if is_uniform:
        return _uniform(seed, n, math.sqrt(3 * variance))
    return truncated_normal(seed, n) * np.float32(math.sqrt(variance) / _DEVIATION)


def _uniform(seed: int, n: int, limit: float) -> Floats:
    """Draw from [-limit, limit)."""
    low, high = np.float32(-limit), np.float32(limit)
    return uniform(seed, n) * (high - low) + low
