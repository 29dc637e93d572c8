"""The state of a training as bytes: all that decides how it goes on, exactly."""

import io
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import RecordingError


def pack_state(model: Any) -> bytes:
    """Write down the state of a compiled model in training: equal states give equal bytes."""
    archive = io.BytesIO()
    arrays = (variable.numpy() for variable in _variables(model))
    np.savez(archive, *arrays)
    return archive.getvalue()


def unpack_state(model: Any, state: bytes) -> None:
    """Put a model of the same network into a state, or leave it as it was if that does not fit."""
    arrays = _load_arrays(state)
    variables = _variables(model)
    _validate_match(variables, arrays)
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def copy_state(source: Any, target: Any) -> None:
    """Put a model into the state of another, compiled one of the same network."""
    for variable, of_source in zip(_variables(target), _variables(source), strict=True):
        variable.assign(of_source)


def _load_arrays(state: bytes) -> list[NDArray[Any]]:
    try:
        with np.load(io.BytesIO(state), allow_pickle=False) as archive:
            return [archive[name] for name in archive.files]
    except (zipfile.BadZipFile, EOFError, ValueError) as err:
        raise RecordingError(
            f"a state must be what pack_state returned, but these {len(state)} bytes are no "
            f"archive ({err}); train from the start"
        ) from err


def _variables(model: Any) -> list[Any]:
    """List all variables in a fixed order, having made sure that the optimiser's exist."""
    model.optimizer.build(model.trainable_variables)
    return [*model.weights, *model.optimizer.variables]


def _validate_match(variables: list[Any], arrays: list[NDArray[Any]]) -> None:
    expected = [(tuple(variable.shape), variable.dtype.as_numpy_dtype) for variable in variables]
    found = [(array.shape, array.dtype.type) for array in arrays]
    if expected != found:
        raise RecordingError(
            f"a state must have the {len(expected)} variables of the network that it is to resume, "
            f"in shape and dtype, but this one's {len(found)} are others; resume with the "
            "configuration it was recorded with"
        )
