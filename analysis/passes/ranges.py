"""What a store says about the values of its layers, without the values."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.analysis.measures.block import ROWS
from ibtools.errors import StoreError
from ibtools.store.snapshots import LayerSpec


def read_rows(dataset: xr.Dataset) -> NDArray[np.float64]:
    """Read grid and range of every layer and snapshot.

    Parameters
    ----------
    dataset : Dataset
        Of a store.

    Returns
    -------
    ndarray, (repeat, epoch, layer, row), float64
        The `ROWS`; NaN where the store has no such variable. All are float32 or int32 in the store,
        which float64 holds unchanged.

    Raises
    ------
    StoreError
        If the ranges are missing.
    """
    missing = [name for name in ROWS[2:] if name not in dataset.variables]
    if missing:
        raise StoreError(
            f"estimators that look at values need {', '.join(missing)}, which the Dataset lacks; "
            "open it with ibtools.open_store(path)"
        )
    shape = tuple(dataset.sizes[dim] for dim in ("repeat", "epoch", "layer"))
    rows = [
        dataset[name].transpose("repeat", "epoch", "layer").values
        if name in dataset.variables
        else np.full(shape, np.nan)
        for name in ROWS
    ]
    return np.stack([np.asarray(row, np.float64) for row in rows], axis=-1)


def global_range(
    rows: NDArray[np.float64], layers: Sequence[LayerSpec], complete: NDArray[Any]
) -> tuple[float, float]:
    """Return the range of the values of all layers, epochs and repeats, as recorded.

    Parameters
    ----------
    rows : ndarray, (repeat, epoch, layer, row), float64
        From `read_rows`.
    layers : sequence of LayerSpec
        The layers.
    complete : ndarray, (repeat, epoch), bool
        Which snapshots count.

    Returns
    -------
    low, high : float
        A softmax layer of a quantised network counts as 0 to 1: what was recorded is the range of
        its logits.
    """
    low, high = rows[complete][:, :, 2], rows[complete][:, :, 3]
    softmax = [layer.is_softmax_of_codes for layer in layers]
    low[:, softmax], high[:, softmax] = 0.0, 1.0
    return float(low.min()), float(high.max())
