"""The networks and experiments of the paper."""

from ibtools.recorders.experiments import Experiment
from ibtools.recorders.networks import Conv, Dense, Layer, Network, Pool, dense_layers

CONV_CHANNELS = 2
"""Channels of both convolutions of mnist-conv."""


def _mnist_network(name: str, *layers: Layer) -> Network:
    return Network(f"mnist-{name}", (28, 28, 1), layers, "width_normal")


SYN = Network("syn", (12,), dense_layers(10, 7, 5, 4, 3, 2))
MNIST_4X10 = _mnist_network("4x10", *dense_layers(10, 10, 10, 10, 10))
MNIST_BOTTLENECK_2 = _mnist_network("bottleneck-2", *dense_layers(16, 8, 4, 2, 10))
MNIST_BOTTLENECK_4 = _mnist_network("bottleneck-4", *dense_layers(16, 12, 8, 4, 10))
MNIST_HOURGLASS = _mnist_network("hourglass", *dense_layers(16, 8, 4, 2, 4, 8, 10))
MNIST_CONV = _mnist_network("conv", *((Conv(CONV_CHANNELS), Pool()) * 2), Dense(16), Dense(10))


def _syn(title: str) -> Experiment:
    return Experiment(f"SYN-{title}", "syn", "SYN", title.lower(), 8000, 50, 8, paper_step=5)


def _mnist(title: str, repeats: int) -> Experiment:
    network = f"mnist-{title.lower()}"
    return Experiment(f"MNIST-{title}", network, "MNIST", "relu", 3000, repeats, 8, paper_step=2)


SYN_TANH = _syn("Tanh")
SYN_RELU = _syn("ReLU")
SYN_RELU6 = _syn("ReLU6")
ON_MNIST_BOTTLENECK_2 = _mnist("Bottleneck-2", repeats=20)
ON_MNIST_BOTTLENECK_4 = _mnist("Bottleneck-4", repeats=20)
ON_MNIST_HOURGLASS = _mnist("HourGlass", repeats=20)
ON_MNIST_4X10 = _mnist("4x10", repeats=10)
ON_MNIST_CONV = _mnist("Conv", repeats=10)
