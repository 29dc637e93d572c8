"""Results like an analysis' own, from a formula: small, smooth, different in every repeat."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from ibtools.analysis.figures import FigureKind

LAYERS = ("hidden_1", "hidden_2", "hidden_3", "hidden_4", "hidden_5", "output")
ENTROPY_X = 12.0
ENTROPY_Y = 0.999157


def create_results(
    *,
    epochs: Sequence[int] | np.ndarray = (0, 1, 2, 5, 10, 50, 100, 300),
    outcomes: Sequence[str] = ("trained", "trained"),
    layers: Sequence[str] = LAYERS,
    estimator: str = "exact",
    long_name: str = "I(X;T)",
) -> xr.Dataset:
    """Create results (repeat, epoch, layer) in which layers fit; the deep ones compress."""
    epoch = np.asarray(epochs, dtype=np.int32)
    time = np.log1p(np.maximum(epoch, 0))[None, :, None] / np.log(10_000)
    depth = np.linspace(0, 1, len(layers))[None, None, :]
    speed = 1 + 0.1 * np.cos(np.arange(len(outcomes)))[:, None, None]
    fitted = 1 - np.exp(-4 * speed * time)
    mi_ty = ENTROPY_Y * (1 - 0.6 * depth**2 * (1 - fitted))
    mi_xt = ENTROPY_X * (1 - 0.45 * depth**3 * (1 + 0.6 * np.sin(5 * speed * time)))
    dims = ("repeat", "epoch", "layer")
    n_repeats = len(outcomes)
    return xr.Dataset(
        {
            "mi_xt": (dims, mi_xt, {"units": "bit", "long_name": long_name}),
            "mi_ty": (dims, mi_ty, {"units": "bit", "long_name": "I(T;Y)"}),
            "entropy_t": (dims, mi_xt, {"units": "bit", "long_name": "H(T)"}),
            "n_states": (dims, np.ceil(2**mi_xt).astype(np.int64)),
            "mi_ty_null": (dims, mi_ty * (mi_xt / ENTROPY_X) ** 4, {"units": "bit"}),
        },
        coords={
            "repeat": np.arange(n_repeats),
            "epoch": epoch,
            "layer": list(layers),
            "seed": ("repeat", np.arange(n_repeats)),
            "outcome": ("repeat", list(outcomes)),
            "phase": ("epoch", np.where(epoch < 0, "prefit", "training")),
        },
        attrs={
            "experiment": "SYN-Tanh",
            "estimator": estimator,
            "n_samples": 4096,
            "entropy_x": ENTROPY_X,
            "entropy_y": ENTROPY_Y,
        },
    )


def create_compressing(*, late: bool = True) -> xr.Dataset:
    """Create results in which the first layer compresses near the ceilings, late or early."""
    results = create_results(epochs=range(1, 101), layers=("hidden_1", "hidden_2", "output"))
    epoch = results["epoch"]
    progress = ((epoch - 10) / 90 if late else epoch / 10).clip(0, 1)
    moved = progress * (results["layer"] == "hidden_1")
    return results.assign(
        mi_xt=(11.9 - moved).broadcast_like(results["mi_xt"]),
        mi_ty=(0.95 + 0.04 * moved).broadcast_like(results["mi_ty"]),
    )


def create_resolutions(**options: Any) -> xr.Dataset:
    """Create results (repeat, epoch, layer, resolution), which grow with the resolution."""
    results = create_results(**options, estimator="resolution")
    share = xr.DataArray(np.linspace(0.2, 1, 9), dims="resolution")
    names = ("mi_xt", "mi_ty", "entropy_t", "mi_ty_null")
    grown = {name: (results[name] * share).assign_attrs(results[name].attrs) for name in names}
    bits = ("layer", [8] * results.sizes["layer"])
    return results.assign(grown).assign_coords(resolution=np.arange(9), bits=bits)


def data_of(kind: FigureKind, **options: Any) -> xr.Dataset:
    """Create what a figure is drawn from."""
    if kind.source != "results":
        return create_recording(**options)
    return create_resolutions(**options) if kind.dims else create_results(**options)


def create_recording(
    *,
    epochs: Sequence[int] = (0, 1, 5, 10),
    last: int = 10,
    outcomes: Sequence[str] = ("trained", "trained", "trained"),
    n_train: int = 48,
    n_test: int = 16,
) -> xr.Dataset:
    """Create what `ibtools.open_store` returns: layers of 3, 2 and 2 units, the last a softmax."""
    rng = np.random.default_rng(0)
    n_repeats, n_epochs, n_samples = len(outcomes), len(epochs), n_train + n_test
    trained = np.arange(min(1, min(epochs) + 1), last + 1, dtype=np.int32)
    values = rng.integers(0, 3, (n_repeats, n_epochs, 3, n_samples, 3)).astype(np.float32)
    values[:, :, 1:, :, 2] = np.nan
    correct = [rng.integers(0, n + 1, (n_repeats, trained.size)) for n in (n_train, n_test)]
    cube = ("repeat", "epoch", "layer", "sample", "unit")
    history = ("repeat", "trained_epoch")
    ranges = rng.random((2, n_repeats, n_epochs, 3)).astype(np.float32)
    return xr.Dataset(
        {
            "activation": (cube, values),
            "code": (cube, np.nan_to_num(values).astype(np.uint8)),
            "activation_min": (cube[:3], -ranges[0]),
            "activation_max": (cube[:3], ranges[1]),
            "train_accuracy": (history, (correct[0] / n_train).astype(np.float32)),
            "test_accuracy": (history, (correct[1] / n_test).astype(np.float32)),
            "complete": (cube[:2], np.ones((n_repeats, n_epochs), bool)),
        },
        coords={
            "repeat": np.arange(n_repeats),
            "seed": ("repeat", np.arange(n_repeats)),
            "epoch": np.asarray(epochs, np.int32),
            "phase": ("epoch", ["training"] * n_epochs),
            "trained_epoch": trained,
            "layer": ["hidden_1", "hidden_2", "output"],
            "n_units": ("layer", [3, 2, 2]),
            "activation_function": ("layer", ["tanh", "tanh", "softmax"]),
            "bits": ("layer", [8, 8, 8]),
            "outcome": ("repeat", list(outcomes)),
            "failed_attempts": ("repeat", [3 * (outcome == "failed") for outcome in outcomes]),
            "label": ("sample", np.arange(n_samples) % 3),
            "split": ("sample", ["train"] * n_train + ["test"] * n_test),
        },
        attrs={"experiment": "SYN-Tanh"},
    )
