"""What a store says of how it was recorded: its attribute `configuration`, and that of results."""

import json
from collections.abc import Mapping
from typing import Any

CONFIGURATION = "configuration"

_KNOWN_OTHERWISE = ("recorded_epochs",)
"""What results have a coordinate for."""


def configuration_of(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the settings of a recording, by the attributes of a store or of results.

    Empty for a store that was not trained by ibtools, and for results of earlier versions.

    Examples
    --------
    >>> configuration_of({"configuration": '{"bits": 8}'}), configuration_of({})
    ({'bits': 8}, {})
    """
    found: dict[str, Any] = json.loads(str(attributes.get(CONFIGURATION, "{}")))
    return found


def is_training(attributes: Mapping[Any, Any]) -> bool:
    """Whether a store was recorded by a training of ibtools' own, which ``--resume`` finishes."""
    return "experiment" in configuration_of(attributes)


def how_to_finish(attributes: Mapping[Any, Any]) -> str:
    """Say how a recording that is not whole is gone on with.

    Examples
    --------
    >>> how_to_finish({"configuration": '{"experiment": "SYN-Tanh"}'})
    'run the same ibtools record with --resume'
    >>> how_to_finish({"experiment": "arrays"})
    'a Recorder goes on with resume=True; what came from arrays or files has to be recorded again'
    """
    if is_training(attributes):
        return "run the same ibtools record with --resume"
    return (
        "a Recorder goes on with resume=True; what came from arrays or files has to be recorded "
        "again"
    )


def configuration_of_results(attributes: Mapping[Any, Any]) -> dict[str, str]:
    """Return the attribute that the results of a store get of it, if it has any."""
    found = configuration_of(attributes)
    kept = {name: value for name, value in found.items() if name not in _KNOWN_OTHERWISE}
    return {CONFIGURATION: json.dumps(kept, sort_keys=True)} if kept else {}
