"""The named experiments: what is trained on what, and how it is recorded."""

from dataclasses import dataclass

from ibtools.errors import unknown_name


@dataclass(frozen=True)
class Experiment:
    """One named experiment, as data.

    Parameters
    ----------
    name : str
        As written on the command line.
    network, data_set : str
        Names in `ibtools.recorders.networks` and `ibtools.recorders.datasets`.
    activation : str
        Function of the hidden layers.
    epochs, repeats, bits : int
        The paper's numbers.
    paper_step : int
        The schedule ``paper`` records after epoch 1 and then every so many epochs.
    """

    name: str
    network: str
    data_set: str
    activation: str
    epochs: int
    repeats: int
    bits: int
    paper_step: int


_SYN = {
    f"SYN-{title}": Experiment(
        f"SYN-{title}", "syn", "SYN", title.lower(), epochs=8000, repeats=50, bits=8, paper_step=5
    )
    for title in ("Tanh", "ReLU", "ReLU6")
}

EXPERIMENTS: dict[str, Experiment] = {**_SYN}
"""Every named experiment."""


def get_experiment(name: str) -> Experiment:
    """Look an experiment up.

    Raises
    ------
    UnknownNameError
        If there is none of that name; the message lists all.

    Examples
    --------
    >>> get_experiment("SYN-Tanh").epochs
    8000
    """
    if name not in EXPERIMENTS:
        raise unknown_name("experiment", name, EXPERIMENTS)
    return EXPERIMENTS[name]
