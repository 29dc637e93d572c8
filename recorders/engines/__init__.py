"""Engines: what trains a network and reports of it, and which one suits which network."""

from functools import cache
from importlib.util import find_spec
from typing import cast

from ibtools.errors import InputError, RecordingError
from ibtools.extras import lacking
from ibtools.recorders.engines.native.initial import can_draw
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

_ON_KERAS = "ibtools.recorders.engines.keras.native:NativeKerasEngine"
"""Engine `native` where snapshots are those of the tf_keras model."""

MAX_UNITS, MAX_CHANNELS = 128, 16
"""Widest layers that engine `native` trains faster than `compiled`: see docs/performance.md."""


def choose_engine(network: AnyNetwork, name: str | None) -> str:
    """Check that an engine can train a network; without a name, choose the faster of ours.

    Without TensorFlow, that is the one which needs none, where it can train the network.
    """
    layers = plain_layers(network)
    if name is None:
        is_fastest = layers and all(map(_is_narrow, layers))
        return "native" if is_fastest or (layers and not _has_tensorflow()) else "compiled"
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


def choose_snapshots(
    network: AnyNetwork, engine: str, initializer: str, name: str | None
) -> str | None:
    """Check what shall compute snapshots; without a name, choose engine `native` itself if it can.

    Other engines have no choice, and None. Engine `native` computes those of a network from the
    table whose initial weights are the same on every machine, with or without TensorFlow.
    """
    if engine != "native":
        if name is not None:
            raise InputError(
                f"snapshots can be chosen for engine 'native' only, but engine is {engine!r} and "
                f"snapshots {name!r}; leave one of them out"
            )
        return None
    is_able = isinstance(network, Network) and can_draw(network, initializer)
    if name == "native" and not is_able:
        raise InputError(
            "snapshots 'native' need a network from the table, with an initialiser that this "
            f"machine draws as every other, but {network.name!r} with initialiser {initializer!r} "
            "is none; choose snapshots 'keras'"
        )
    return name or ("native" if is_able else "keras")


def find_engine(name: str, snapshots: str | None) -> str:
    """Return where an engine is, "module:attribute"."""
    return _ON_KERAS if (name, snapshots) == ("native", "keras") else ENGINES.find(name)


def present_name(name: str) -> str:
    """Return the name of the engine that a store says it was recorded with."""
    return FORMER_NAMES.get(name, name)


def load_engine(target: str) -> Engine:
    """Import and create an engine, "module:attribute", and with it what it trains with."""
    try:
        return cast("type[Engine]", load_attribute(target))()
    except ModuleNotFoundError as err:
        raise RecordingError(
            f"{lacking(f'the engine at {target}', [err.name], 'record')}; without it, engine "
            "'native' trains networks from the table"
        ) from err


@cache
def shared_engine(target: str) -> Engine:
    """Load an engine once in a process: what it compiled for one repeat serves the next."""
    return load_engine(target)


def _has_tensorflow() -> bool:
    return find_spec("tensorflow") is not None


def plain_layers(network: AnyNetwork) -> tuple[Layer, ...]:
    """Return the layers of a network that has only such as machine code knows; else none."""
    return network.layers if isinstance(network, Network) else network.plain_layers


def _is_narrow(layer: Layer) -> bool:
    match layer:
        case Dense(units):
            return units <= MAX_UNITS
        case Conv(channels):
            return channels <= MAX_CHANNELS
    return True
