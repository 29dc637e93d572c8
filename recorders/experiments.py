"""The named experiments: what is trained on what, and how it is recorded by default."""

from dataclasses import dataclass, replace

from ibtools.registry import Registry


@dataclass(frozen=True)
class Experiment:
    """One named experiment, as data. Every setting can be changed when it is recorded.

    Parameters
    ----------
    name : str
        As written on the command line.
    network, data_set : str or None
        Names that `resolve_network` and `load_data_set` know; None must be chosen by the user.
    activation : str
        Function of the hidden layers.
    epochs, repeats, bits : int
        What is recorded unless told otherwise; of the paper's experiments, its numbers.
    paper_step : int, optional
        The schedule ``paper`` records after epoch 1 and then every so many epochs.
    """

    name: str
    network: str | None
    data_set: str | None
    activation: str
    epochs: int
    repeats: int
    bits: int
    paper_step: int | None = None


CUSTOM = Experiment("custom", None, None, "relu", 100, 1, 8)
"""Leaves network and data to the user."""

EXPERIMENTS: Registry[Experiment] = Registry(
    "experiment",
    "ibtools.experiments",
    {
        "SYN-Tanh": "ibtools.recorders.paper:SYN_TANH",
        "SYN-ReLU": "ibtools.recorders.paper:SYN_RELU",
        "SYN-ReLU6": "ibtools.recorders.paper:SYN_RELU6",
        "MNIST-Bottleneck-2": "ibtools.recorders.paper:ON_MNIST_BOTTLENECK_2",
        "MNIST-Bottleneck-4": "ibtools.recorders.paper:ON_MNIST_BOTTLENECK_4",
        "MNIST-HourGlass": "ibtools.recorders.paper:ON_MNIST_HOURGLASS",
        "MNIST-4x10": "ibtools.recorders.paper:ON_MNIST_4X10",
        "MNIST-Conv": "ibtools.recorders.paper:ON_MNIST_CONV",
        "custom": "ibtools.recorders.experiments:CUSTOM",
    },
    of=Experiment,
)
"""Every named experiment."""


def get_experiment(name: str) -> Experiment:
    """Look an experiment up, which is called as it is registered.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    InputError
        If another package announces it, but it can't be imported or is no `Experiment`.

    Examples
    --------
    >>> get_experiment("SYN-Tanh").epochs
    8000
    """
    return replace(EXPERIMENTS.load(name), name=name)
