"""What a module of PyTorch returned, as values."""

from typing import Any

import torch
from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.recorders.capture.batches import Advice

ADVICE = Advice(
    not_called=": leave it out, or call what uses it with forward=",
    called_again="give each use a module of its own (of an activation without parameters, another "
    "instance)",
    no_samples="; put torch.nn.Identity() where they are",
)


def values_of(name: str, output: Any) -> NDArray[Any]:
    """Return an output as an array, or refuse it by the layer's name."""
    if not isinstance(output, torch.Tensor):
        raise InputError(
            f"layer {name!r} must return a tensor, found {type(output).__name__}: take a "
            "module inside of it, or put torch.nn.Identity() where the tensor is"
        )
    tensor = output.detach()
    if tensor.dtype in (torch.float16, torch.bfloat16):
        tensor = tensor.float()
    values: NDArray[Any] = tensor.cpu().numpy()
    return values
