"""Engines: what trains a network and reports of it, and which one suits which network."""

from functools import cache
from typing import cast

from ibtools.errors import InputError, RecordingError
from ibtools.extras import lacking
from ibtools.recorders.engines.protocol import Engine
from ibtools.recorders.networks import Conv, Dense, Layer, Network
from ibtools.recorders.resolve import AnyNetwork
from ibtools.registry import Registry, load_attribute

ENGINES: Registry[type[Engine]] = Registry(
    "engine",
    "ibtools.engines",
    {
        "native": "ibtools.recorders.engines.native.engine:NativeEngine",
        "compiled": "ibtools.recorders.engines.keras.compiled:CompiledEngine",
        "fit": "ibtools.recorders.engines.keras.fit:FitEngine",
    },
)
"""All engines: `ibtools.recorders.engines.protocol.Engine`, created without arguments."""

FORMER_NAMES = {"dense": "native"}
"""What stores of earlier versions call an engine, and its name."""

MAX_UNITS, MAX_CHANNELS = 128, 16
"""Widest layers that engine `native` trains faster than `compiled`: see docs/performance.md."""


def choose_engine(network: AnyNetwork, name: str | None) -> str:
    """Check that an engine can train a network; without a name, choose the faster of ours."""
    layers = _plain_layers(network)
    if name is None:
        return "native" if layers and all(map(_is_narrow, layers)) else "compiled"
    if name in FORMER_NAMES:
        raise InputError(
            f"engine {name!r} is called {FORMER_NAMES[name]!r}; choose that, or none: it is taken "
            "where it is the fastest"
        )
    ENGINES.find(name)
    if name == "native" and not layers:
        raise InputError(
            "engine 'native' trains networks of dense layers, convolutions without padding and max "
            f"pools only, but {network.name!r} is another; choose engine 'compiled', or none"
        )
    return name


def present_name(name: str) -> str:
    """Return the name of the engine that a store says it was recorded with."""
    return FORMER_NAMES.get(name, name)


def load_engine(target: str) -> Engine:
    """Import and create an engine, "module:attribute", and with it what it trains with."""
    try:
        return cast("type[Engine]", load_attribute(target))()
    except ModuleNotFoundError as err:
        raise RecordingError(lacking(f"the engine at {target}", [err.name], "record")) from err


@cache
def shared_engine(target: str) -> Engine:
    """Load an engine once in a process: what it compiled for one repeat serves the next."""
    return load_engine(target)


def _plain_layers(network: AnyNetwork) -> tuple[Layer, ...]:
    """Return the layers of a network that has only such as machine code knows; else none."""
    return network.layers if isinstance(network, Network) else network.plain_layers


def _is_narrow(layer: Layer) -> bool:
    match layer:
        case Dense(units):
            return units <= MAX_UNITS
        case Conv(channels):
            return channels <= MAX_CHANNELS
    return True
