"""The grids of PyTorch's quantisers, read from a module and its output.

Quantisers are told by what they have, not by their classes, so that Brevitas and torchao need not
be installed: `FakeQuantize` of torch.ao and of torchao are two classes of one kind.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.recorders.capture.quantiser_grid import QuantiserGrid
from ibtools.store.snapshots import MAX_CODE_BITS


def is_quant_tensor(output: Any) -> bool:
    """Whether an output is a QuantTensor of Brevitas, of integer codes."""
    names = ("value", "scale", "zero_point", "bit_width", "signed")
    return isinstance(output, tuple) and all(hasattr(output, name) for name in names)


def value_of(output: Any) -> Any:
    """Return the tensor of an output: a QuantTensor's values, everything else as it is."""
    return output.value if is_quant_tensor(output) else output


def brevitas_quantiser(module: torch.nn.Module) -> torch.nn.Module | None:
    """Return what computes the QuantTensor of a module's output, which itself may return floats."""
    for name in ("act_quant", "output_quant"):
        proxy = getattr(module, name, None)
        if isinstance(proxy, torch.nn.Module) and hasattr(proxy, "is_quant_enabled"):
            return proxy
    return None


def fake_quantiser(module: Any) -> Any:
    """Return the FakeQuantize that a module is, or that its output goes through; None without."""
    for one in (module, getattr(module, "activation_post_process", None)):
        if all(hasattr(one, name) for name in ("fake_quant_enabled", "quant_min", "qscheme")):
            return one
    return None


def quant_tensor_grid(output: Any) -> QuantiserGrid | None:
    """Return the grid of a QuantTensor; None if its codes are wider than a store's."""
    bits = round(float(output.bit_width.max()))
    if bits > MAX_CODE_BITS:
        return None
    lowest = -(2 ** (bits - 1)) if output.signed else 0
    return QuantiserGrid(_array(output.scale), _array(output.zero_point), bits, lowest)


def fake_quantiser_grid(quantiser: Any, n_axes: int) -> QuantiserGrid | None:
    """Return the grid that a FakeQuantize is on; None while it is switched off."""
    if not bool(quantiser.fake_quant_enabled[0]):
        return None
    scale, zero_point = _array(quantiser.scale), _array(quantiser.zero_point)
    if getattr(quantiser, "is_per_channel", False):
        shape = [1] * n_axes
        shape[quantiser.ch_axis] = scale.size
        scale, zero_point = scale.reshape(shape), zero_point.reshape(shape)
    lowest, highest = int(quantiser.quant_min), int(quantiser.quant_max)
    return QuantiserGrid(scale, zero_point, (highest - lowest).bit_length(), lowest)


def unobserved_quantisers(model: torch.nn.Module) -> dict[str, torch.nn.Module]:
    """Return the quantisers that have no range yet: they round everything to whole numbers."""
    return {
        name: module
        for name, module in model.named_modules()
        if fake_quantiser(module) is module and _waits(module)
    }


def refuse_unobserved(quantisers: Mapping[str, torch.nn.Module]) -> None:
    """Make a pass that uses a quantiser without a range an error."""
    for name, quantiser in quantisers.items():
        quantiser.register_forward_pre_hook(partial(_refuse, name))


def _refuse(name: str, module: Any, args: Any) -> None:
    raise InputError(
        f"the quantiser {name!r} must have a range, but has seen no batch yet: record after the "
        "first step of training, or calibrate the model with a batch before"
    )


def _waits(quantiser: Any) -> bool:
    """Whether a FakeQuantize takes its range from values, and has seen none."""
    least = getattr(quantiser.activation_post_process, "min_val", None)
    unset = isinstance(least, torch.Tensor) and bool(torch.isinf(least).all())  # of none, too
    return unset and bool(quantiser.observer_enabled[0]) and bool(quantiser.fake_quant_enabled[0])


def _array(tensor: Any) -> NDArray[Any]:
    found: NDArray[Any] = np.array(torch.as_tensor(tensor).detach().cpu().numpy())
    return found.reshape(()) if found.size == 1 else found
