"""What can train: the table of engines, and which one suits a network."""

from ibtools.errors import InputError, unknown_name
from ibtools.recorders.networks import Dense, Network
from ibtools.recorders.resolve import AnyNetwork

ENGINES = {
    "compiled": "ibtools.recorders.keras.compiled:CompiledEngine",
    "dense": "ibtools.recorders.keras.dense:DenseEngine",
    "fit": "ibtools.recorders.keras.fit:FitEngine",
}
"""Where each engine is found; imported when it is used, because it brings TensorFlow."""

MAX_DENSE_UNITS = 128
"""Widest layer that engine `dense` trains faster than `compiled`: see docs/performance.md."""


def choose_engine(network: AnyNetwork, name: str | None) -> str:
    """Check that an engine can train a network, or choose one.

    Parameters
    ----------
    network : Network or UserNetwork
        What is to be trained.
    name : str or None
        A key of `ENGINES`. None chooses "dense" for networks of dense layers of at most
        `MAX_DENSE_UNITS` units, and "compiled" for all others.

    Returns
    -------
    str
        A key of `ENGINES`.

    Raises
    ------
    UnknownNameError
        If there is no such engine.
    InputError
        If it is "dense" and the network is a user's own, or has other layers.
    """
    widths = [layer.units for layer in _dense_layers(network)]
    if name is None:
        return "dense" if widths and max(widths) <= MAX_DENSE_UNITS else "compiled"
    find_engine(name)
    if name == "dense" and not widths:
        raise InputError(
            "engine 'dense' trains the networks of ibtools that have dense layers only, but "
            f"{network.name!r} is another; choose engine 'compiled', or none"
        )
    return name


def find_engine(name: str) -> str:
    """Return where an engine is found, "module:attribute".

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    """
    if name not in ENGINES:
        raise unknown_name("engine", name, ENGINES)
    return ENGINES[name]


def _dense_layers(network: AnyNetwork) -> list[Dense]:
    """Return the layers of a network of ours that has no others, else none."""
    layers = network.layers if isinstance(network, Network) else ()
    dense = [layer for layer in layers if isinstance(layer, Dense)]
    return dense if len(dense) == len(layers) else []
