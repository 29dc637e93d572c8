"""The ranges that a training starts with: the paper's, or those of the data."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.recorders.capture.keras.snapshot import SnapshotTaker
from ibtools.recorders.engines.keras.build import build_model
from ibtools.recorders.engines.keras.quantizers import calibrate, range_variables
from ibtools.recorders.engines.keras.schemes import is_calibrated
from ibtools.recorders.engines.protocol import Training


def start_ranges(model: Any, training: Training) -> None:
    """Give all ranges of an untrained model the values that a training starts with."""
    x = training.data.x[~training.data.is_test]
    calibrate(model, x)
    if training.ranges != "paper":
        _calibrate_outputs(model, training, x)


def _calibrate_outputs(model: Any, training: Training, x: NDArray[np.float32]) -> None:
    """Give the ranges of outputs those of the model's values, each layer's after those before it.

    They are measured by a model with the same weights, which quantises every output on the range of
    what it is given, as Tanh layers of scheme `paper` are: the range of a snapshot of `x`.
    """
    probe = build_model(
        training.network, training.activation, training.bits, scheme=training.scheme, ranges="probe"
    )
    for variable, of_model in zip(probe.model.weights, model.weights, strict=True):
        variable.assign(of_model)
    SnapshotTaker(probe).predict(x)
    for layer, of_probe in zip(model.layers, probe.model.layers, strict=True):
        if is_calibrated(layer):
            for end, found in zip(
                range_variables(layer, "output"), range_variables(of_probe, "output"), strict=True
            ):
                end.assign(found)
