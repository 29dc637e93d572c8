"""The named experiments: what is trained on what, and how the paper recorded it."""

from dataclasses import dataclass

from ibtools.errors import unknown_name


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
        The paper's numbers.
    paper_step : int or None
        The schedule ``paper`` records after epoch 1 and then every so many epochs.
    """

    name: str
    network: str | None
    data_set: str | None
    activation: str
    epochs: int
    repeats: int
    bits: int
    paper_step: int | None


def _syn(title: str) -> Experiment:
    return Experiment(f"SYN-{title}", "syn", "SYN", title.lower(), 8000, 50, 8, paper_step=5)


def _mnist(title: str, repeats: int) -> Experiment:
    network = f"mnist-{title.lower()}"
    return Experiment(f"MNIST-{title}", network, "MNIST", "relu", 3000, repeats, 8, paper_step=2)


EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        _syn("Tanh"),
        _syn("ReLU"),
        _syn("ReLU6"),
        _mnist("Bottleneck-2", repeats=20),
        _mnist("Bottleneck-4", repeats=20),
        _mnist("HourGlass", repeats=20),
        _mnist("4x10", repeats=10),
        _mnist("Conv", repeats=10),
        Experiment("custom", None, None, "relu", 100, 1, 8, paper_step=None),
    )
}
"""Every named experiment; "custom" leaves network and data to the user."""


def get_experiment(name: str) -> Experiment:
    """Look an experiment up.

    Examples
    --------
    >>> get_experiment("SYN-Tanh").epochs
    8000
    """
    if name not in EXPERIMENTS:
        raise unknown_name("experiment", name, EXPERIMENTS)
    return EXPERIMENTS[name]
