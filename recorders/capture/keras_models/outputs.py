"""What a layer of Keras returned, as values."""

from typing import Any

from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.recorders.capture.batches import Advice
from ibtools.recorders.capture.keras_models.models import as_array
from ibtools.store.floats import as_float32, is_floating

ADVICE = Advice(
    not_called=", or is so inside of a compiled function: leave it out, or take the layer around "
    "it",
    called_again="give each use a layer of its own",
    off_grid="XLA rounds otherwise than the operations it was given: switch it off for this layer "
    "(jit_compile=False, no jax.jit around what quantises), or record the values",
)


def values_of(name: str, output: Any) -> NDArray[Any]:
    """Return an output as an array, float32 if it is floating, or refuse it by the layer's name."""
    array = as_array(output)
    if array is None:
        raise InputError(
            f"layer {name!r} must return a tensor with values, found {type(output).__name__}: "
            "take a layer inside of it or around it"
        )
    return as_float32(name, array) if is_floating(array.dtype) else array
