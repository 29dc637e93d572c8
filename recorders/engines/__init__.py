"""Engines: what trains a network and reports of it, and which one suits which network."""

from functools import cache
from typing import cast

from ibtools.errors import InputError, RecordingError
from ibtools.recorders.engines.protocol import Engine
from ibtools.recorders.networks import Dense, Network
from ibtools.recorders.resolve import AnyNetwork
from ibtools.registry import Registry, load_attribute

ENGINES: Registry[type[Engine]] = Registry(
    "engine",
    "ibtools.engines",
    {
        "compiled": "ibtools.recorders.engines.keras.compiled:CompiledEngine",
        "dense": "ibtools.recorders.engines.native.dense:DenseEngine",
        "fit": "ibtools.recorders.engines.keras.fit:FitEngine",
    },
)
"""All engines: `ibtools.recorders.engines.protocol.Engine`, created without arguments."""

MAX_DENSE_UNITS = 128
"""Widest layer that engine `dense` trains faster than `compiled`: see docs/performance.md."""


def choose_engine(network: AnyNetwork, name: str | None) -> str:
    """Check that an engine can train a network; without a name, choose the faster of ours."""
    widths = [layer.units for layer in _dense_layers(network)]
    if name is None:
        return "dense" if widths and max(widths) <= MAX_DENSE_UNITS else "compiled"
    ENGINES.find(name)
    if name == "dense" and not widths:
        raise InputError(
            "engine 'dense' trains the networks of ibtools that have dense layers only, but "
            f"{network.name!r} is another; choose engine 'compiled', or none"
        )
    return name


def load_engine(target: str) -> Engine:
    """Import and create an engine, "module:attribute", and with it what it trains with."""
    try:
        return cast("type[Engine]", load_attribute(target))()
    except ModuleNotFoundError as err:
        raise RecordingError(
            f"the engine at {target} needs {err.name}, which is not installed; TensorFlow and all "
            "of ibtools' own engines are installed with: pip install 'ibtools-nn[record]'"
        ) from err


@cache
def shared_engine(target: str) -> Engine:
    """Load an engine once in a process: what it compiled for one repeat serves the next."""
    return load_engine(target)


def _dense_layers(network: AnyNetwork) -> list[Dense]:
    """Return the layers of a network of ours that has no others, else none."""
    layers = network.layers if isinstance(network, Network) else ()
    dense = [layer for layer in layers if isinstance(layer, Dense)]
    return dense if len(dense) == len(layers) else []
