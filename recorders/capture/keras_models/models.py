"""Models of Keras 3 and of tf_keras: their layers by name, and running them without a trace.

Neither is imported here: whoever has a model has loaded what it is made with.
"""

import contextlib
import inspect
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.recorders.capture.random_states import random_states_kept


def validate_model(model: Any) -> None:
    """Check that it is a model of one of the two."""
    if not any(isinstance(model, keras.Model) for keras in _loaded("keras", "tf_keras")):
        raise InputError(
            f"model must be a model of Keras 3 or tf_keras, found {type(model).__name__}"
        )


def validate_built(model: Any) -> None:
    """Check that a model has its weights: to make them here would draw random numbers."""
    if not model.built:
        raise InputError(
            f"the model {model.name!r} must have its weights when its layers are taken, but waits "
            "for its first batch; begin it with an Input, or call model.build(input_shape) before"
        )


def named_layers(model: Any) -> dict[str, Any]:
    """Return the layers of a model by their names; those inside of others by dotted ones."""
    found: dict[str, Any] = {}
    _add_layers(found, model, "")
    return found


def _add_layers(found: dict[str, Any], outer: Any, prefix: str) -> None:
    for layer in outer._flatten_layers(include_self=False, recursive=False):
        if type(layer).__name__ == "InputLayer":
            continue
        name = prefix + layer.name
        if found.setdefault(name, layer) is not layer:
            raise InputError(
                f"layers of a model must have different names, found two called {name!r}; "
                "give them names: name="
            )
        _add_layers(found, layer, f"{name}.")


def run(model: Any, inputs: Any) -> None:
    """Evaluate a model as for inference, one operation after the other."""
    parameters = inspect.signature(model.call).parameters.values()
    takes = any(one.name == "training" or one.kind is one.VAR_KEYWORD for one in parameters)
    model(inputs, **({"training": False} if takes else {}))


def as_array(output: Any) -> NDArray[Any] | None:
    """Return a tensor of any backend as an array; None if it is none, or has no values yet."""
    if not hasattr(output, "shape") or not hasattr(output, "dtype"):
        return None
    if hasattr(output, "assign") and not hasattr(output, "read_value"):  # a variable of Keras 3
        output = output.value
    if hasattr(output, "read_value"):  # one of TensorFlow, which NumPy does not convert itself
        output = output.read_value()
    if hasattr(output, "detach"):  # PyTorch
        tensor = output.detach().cpu()
        return np.asarray((tensor.float() if tensor.is_floating_point() else tensor).numpy())
    try:
        return np.asarray(output)
    except (NotImplementedError, TypeError, ValueError):  # a symbol of a function in the making
        return None


@contextlib.contextmanager
def untouched(model: Any) -> Iterator[None]:
    """Leave the variables of a model and all random states as they are, whatever is run inside."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(random_states_kept())
        for keras in _loaded("keras"):
            if isinstance(model, keras.Model):
                _enter_stateless(stack, keras, model)
                break
        else:
            stack.enter_context(_variables_kept(model))
        yield


def _enter_stateless(stack: contextlib.ExitStack, keras: Any, model: Any) -> None:
    """Have Keras 3 keep what is assigned to variables out of these."""
    if keras.backend.backend() == "torch":
        from ibtools.recorders.capture.torch.untouched import untouched as untouched_modules

        stack.enter_context(untouched_modules(model))
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()  # in training, JAX keeps the variables elsewhere
    stack.enter_context(keras.StatelessScope())


@contextlib.contextmanager
def _variables_kept(model: Any) -> Iterator[None]:
    """Put back what is assigned to variables of tf_keras."""
    kept = [(variable, variable.numpy()) for variable in model.variables]
    try:
        yield
    finally:
        for variable, values in kept:
            if variable.numpy().tobytes() != values.tobytes():
                variable.assign(values)


def _loaded(*names: str) -> list[Any]:
    return [sys.modules[name] for name in names if hasattr(sys.modules.get(name), "Model")]
