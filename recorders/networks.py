"""Networks as data: what an engine builds, and what a store is told of it. No TensorFlow here."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from ibtools.errors import InputError
from ibtools.registry import Registry
from ibtools.settings import validate_setting
from ibtools.store.snapshots import FLOAT_BITS, LayerSpec

KernelInitializer = Literal["glorot_uniform", "width_normal"]
"""How the kernels of a network are drawn when the initialiser is "paper".

"glorot_uniform" is Keras' default. "width_normal" is a normal distribution with standard deviation
1 / sqrt(units), or of a convolution 1 / sqrt(channels), cut off and drawn again beyond two of them.
Biases start at zero.
"""


@dataclass(frozen=True)
class Dense:
    """A fully connected layer; samples that are not flat yet are flattened before it.

    Parameters
    ----------
    units : int
        How many units it has.
    """

    units: int

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of its output for one sample."""
        return (self.units,)


@dataclass(frozen=True)
class Conv:
    """A two-dimensional convolution without padding, with stride 1.

    Parameters
    ----------
    channels : int
        How many it has.
    size : int
        Height and width of the kernel.
    """

    channels: int
    size: int = 3

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of its output for one sample (height, width, channel)."""
        return (*(length - self.size + 1 for length in input_shape[:2]), self.channels)


@dataclass(frozen=True)
class Pool:
    """The maximum over squares that do not overlap; what is left over at the edge is dropped.

    Parameters
    ----------
    size : int
        Height and width of a square.
    """

    size: int = 2

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of its output for one sample (height, width, channel)."""
        return (*(length // self.size for length in input_shape[:2]), *input_shape[2:])


Layer = Dense | Conv | Pool

_NAMES: dict[type, str] = {Dense: "hidden", Conv: "conv", Pool: "pool"}


@dataclass(frozen=True)
class Network:
    """A network: its last layer is a softmax, the others have the experiment's activation function.

    Parameters
    ----------
    name : str
        As in `NETWORKS`.
    input_shape : tuple of int
        Shape of one sample: (feature,), or (height, width, channel) for convolutions.
    layers : tuple of Dense, Conv or Pool
        From the first hidden layer to the output, which is a `Dense`.
    kernel_initializer : {"glorot_uniform", "width_normal"}
        Distribution of the initial kernels when the initialiser is "paper"; see
        `KernelInitializer`.

    Raises
    ------
    InputError
        If there is no output layer, or a layer without units, or a convolution or pool of samples
        that have no height, width and channel.

    Examples
    --------
    >>> network = Network("tiny", (4,), (Dense(3), Dense(2)))
    >>> network.layer_names
    ('hidden_1', 'output')
    >>> network.layer_specs("tanh", bits=8)[1]
    LayerSpec(name='output', n_units=2, activation_function='softmax', bits=8)
    """

    name: str
    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    kernel_initializer: KernelInitializer = "glorot_uniform"

    def __post_init__(self) -> None:
        if not self.layers or not isinstance(self.layers[-1], Dense):
            raise InputError(f"network {self.name!r} must have at least the output layer, a Dense")
        shape = self.input_shape
        for layer, name in zip(self.layers, self.layer_names, strict=True):
            if not isinstance(layer, Dense) and len(shape) != 3:
                raise InputError(
                    f"layer {name!r} of network {self.name!r} must follow samples of shape "
                    f"(height, width, channel), but follows {shape}"
                )
            shape = layer.output_shape(shape)
            if min(shape) < 1:
                raise InputError(
                    f"layer {name!r} of network {self.name!r} must have at least one unit, "
                    f"but has the shape {shape}"
                )

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Names of the recorded layers: conv_1, pool_1, hidden_1, hidden_2, ..., output."""
        counts = dict.fromkeys(_NAMES.values(), 0)
        names = []
        for layer in self.layers[:-1]:
            kind = _NAMES[type(layer)]
            counts[kind] += 1
            names.append(f"{kind}_{counts[kind]}")
        return (*names, "output")

    @property
    def is_chain(self) -> bool:
        """Whether each layer is computed from the one before it and nothing else: it is."""
        return True

    @property
    def quantises_input(self) -> bool:
        """Whether, where layers are quantised, the input is rounded to 8 bits first: it is."""
        return True

    @property
    def left_out(self) -> tuple[tuple[str, str], ...]:
        """The layers that are not recorded, and why: what flattens, where samples are not flat."""
        convolved = any(not isinstance(layer, Dense) for layer in self.layers)
        flattens = convolved or len(self.input_shape) > 1
        return (("flatten", "only hands values on"),) if flattens else ()

    @property
    def n_classes(self) -> int:
        """Units of the output layer."""
        return math.prod(self.layers[-1].output_shape(()))

    def layer_specs(
        self, activation: str, bits: int, scheme: str = "paper"
    ) -> tuple[LayerSpec, ...]:
        """Describe the recorded layers as a store must know them, up to the `output_function`."""
        validate_setting("activation", activation)
        validate_setting("bits", bits)
        validate_setting("scheme", scheme)
        functions = ["pool" if isinstance(layer, Pool) else activation for layer in self.layers]
        functions[-1] = output_function(bits, scheme)
        rows = zip(self.layer_names, self._sizes(), functions, strict=True)
        return tuple(LayerSpec(name, size, function, bits) for name, size, function in rows)

    def validate_initializer(self, initializer: str) -> None:
        """Check that kernels can be drawn in this way; any network can have any of them."""
        validate_setting("initializer", initializer)

    def _sizes(self) -> Iterator[int]:
        shape = self.input_shape
        for layer in self.layers:
            shape = layer.output_shape(shape)
            yield math.prod(shape)


def dense_layers(*units: int) -> tuple[Dense, ...]:
    """Return fully connected layers with these numbers of units."""
    return tuple(Dense(n) for n in units)


def output_function(bits: int, scheme: str) -> str:
    """Name the function of an output layer as a store must know it.

    It is "softmax", whose codes are those of the logits, or "softmax_quantised", whose codes are
    those of the probabilities.
    """
    quantised = scheme == "full" and bits != FLOAT_BITS
    return "softmax_quantised" if quantised else "softmax"


NETWORKS: Registry[Network] = Registry(
    "network",
    "ibtools.networks",
    {
        "syn": "ibtools.recorders.paper:SYN",
        "mnist-4x10": "ibtools.recorders.paper:MNIST_4X10",
        "mnist-bottleneck-2": "ibtools.recorders.paper:MNIST_BOTTLENECK_2",
        "mnist-bottleneck-4": "ibtools.recorders.paper:MNIST_BOTTLENECK_4",
        "mnist-hourglass": "ibtools.recorders.paper:MNIST_HOURGLASS",
        "mnist-conv": "ibtools.recorders.paper:MNIST_CONV",
    },
    of=Network,
)
"""The known networks by name."""


def get_network(name: str) -> Network:
    """Look a network up, which is called as it is registered.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    InputError
        If another package announces it, but it can't be imported or is no `Network`.
    """
    return replace(NETWORKS.load(name), name=name)
