"""The grids of HGQ2's quantisers, whose units have widths of their own.

Quantisers are told by what they have, so that HGQ2 need not be installed.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.recorders.capture.keras_models.models import as_array
from ibtools.recorders.capture.quantiser_grid import QuantiserGrid
from ibtools.store.snapshots import MAX_CODE_BITS


def output_quantiser(layer: Any) -> Any:
    """Return the quantiser of fixed point that a layer is, or its output goes through, or None."""
    quantiser = layer.oq if getattr(layer, "enable_oq", False) else layer
    inner = getattr(quantiser, "quantizer", None)
    if not hasattr(type(inner), "kif") or getattr(quantiser, "affine", None) is not None:
        return None
    return quantiser


def quantiser_grid(quantiser: Any, shape: tuple[int, ...], bits: int, layer: str) -> QuantiserGrid:
    """Return the finest grid of the units of a layer, whose codes have so many bits.

    Widths are trained, and that of the codes is the same in all snapshots of a store.

    Parameters
    ----------
    quantiser : Quantizer
        Built, and of fixed point.
    shape : tuple of int
        Of the output.
    bits : int
        Width of the codes.
    layer : str
        Name of the layer, for the error.

    Raises
    ------
    InputError
        If more bits are needed.
    """
    mapped = quantiser.quantizer.bw_mapper
    numbers = [as_array(mapped.bw_to_x(one, (1, *shape[1:]))) for one in quantiser.quantizer.kif]
    sign, whole, fraction = (np.asarray(one, np.float64) for one in numbers)
    used = sign + whole + fraction > 0  # the other units are 0
    if not used.any():
        return QuantiserGrid(np.array(1, np.float32), np.array(0), bits, 0)
    finest = int(fraction[used].max())
    lowest, n_codes = _ends(sign[used], whole[used], fraction[used], finest)
    if n_codes > 2**bits:
        raise _too_wide(layer, bits, n_codes, finest)
    scale = np.array(2.0**-finest, np.float32)
    if quantiser.scaler is not None:
        scale = scale * np.asarray(quantiser.scaler, np.float32)
    return QuantiserGrid(scale, np.array(0), bits, int(lowest))


def _too_wide(layer: str, bits: int, n_codes: float, finest: int) -> InputError:
    """Build the error for a layer whose units need wider codes than it may have."""
    needed = (int(n_codes) - 1).bit_length()
    more = (
        f"begin a recording with bits={{{layer!r}: {needed}}} or more, "
        if needed <= MAX_CODE_BITS
        else ""
    )
    return InputError(
        f"layer {layer!r} must have codes of {bits} bits at most to be recorded, but its units "
        f"have widths of their own, and on the finest grid of them, in steps of 2**{-finest}, it "
        f"has {n_codes:.0f} codes, of {needed} bits; {more}limit the bits of its quantiser, or "
        f"record values: values=[{layer!r}]"
    )


def _ends(
    sign: NDArray[Any], whole: NDArray[Any], fraction: NDArray[Any], finest: int
) -> tuple[float, float]:
    """Return the smallest code, and how many there are from it, in steps of the finest grid."""
    lowest = min(0.0, (-sign * 2.0 ** (whole + finest)).min())
    highest = max(0.0, (2.0 ** (whole + finest) - 2.0 ** (finest - fraction)).max())
    return lowest, highest - lowest + 1
