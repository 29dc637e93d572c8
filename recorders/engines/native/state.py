"""The state of a training: as it begins, and as bytes."""

import io
import zipfile

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import RecordingError
from ibtools.recorders.engines.native.arrays import AVERAGE, FIXED, Samples, State
from ibtools.recorders.engines.native.initial import draw_kernels
from ibtools.recorders.engines.native.samples import choose_samples
from ibtools.recorders.engines.native.snapshot import measured_ranges
from ibtools.recorders.engines.native.stages import QUANTITIES, Stage, describe, plan_stages
from ibtools.recorders.engines.protocol import Training
from ibtools.recorders.engines.schemes import FIRST_RANGE
from ibtools.recorders.networks import Network

_OUTPUT = QUANTITIES.index("output")


def begin(network: Network, training: Training, stages: list[Stage], samples: Samples) -> State:
    """Return the state that a training starts with: that of `tf_keras` and tfmot, to the last bit.

    Ranges are those of `ibtools.recorders.engines.keras.calibration.start_ranges`; calibrated ones
    agree with these but for rounding.
    """
    kernels = draw_kernels(network, training.initializer, training.seeds.model)
    parts = []
    ranges = np.zeros((len(stages), len(QUANTITIES), 2), np.float32)
    for stage, of_stage in zip(stages, ranges, strict=True):
        if stage.axes:
            kernel = next(kernels)
            if stage.is_quantised("kernel"):
                of_stage[0] = min(kernel.min(), 0), max(kernel.max(), 0)
            turned = kernel.reshape(stage.axes[0]).transpose(3, 2, 0, 1)
            parts += [turned.ravel(), np.zeros(stage.outputs[0], np.float32)]
        if stage.output_rule == AVERAGE or stage.output == "kept":
            of_stage[_OUTPUT] = FIRST_RANGE
        elif stage.output_rule == FIXED:
            of_stage[_OUTPUT] = stage.output
    parameters = np.concatenate(parts)
    moments = np.zeros_like(parameters), np.zeros_like(parameters)
    state = State(parameters, *moments, ranges, np.zeros(1, np.int64))
    if training.ranges != "paper":
        _calibrate(network, training, stages, samples, state)
    return state


def _calibrate(
    network: Network, training: Training, stages: list[Stage], samples: Samples, state: State
) -> None:
    """Give outputs the ranges that they have on the training samples, layer by layer.

    They are measured with every moving range that of the current tensor.
    """
    rows = np.flatnonzero(~training.data.is_test)
    of_training = choose_samples(samples, rows, stages[0].inputs)
    probe = describe(plan_stages(network, training, ranges="probe"), training)
    found = measured_ranges(probe, of_training, state)
    for layer, stage in enumerate(stages):
        if stage.output in ("average", "kept"):
            state.ranges[layer, _OUTPUT] = found[layer]


def pack(state: State) -> bytes:
    """Write a state down: equal states give equal bytes."""
    archive = io.BytesIO()
    np.savez(archive, **state._asdict())
    return archive.getvalue()


def unpack(packed: bytes, like: State) -> State:
    """Read a state of the same network as another.

    Raises
    ------
    RecordingError
        If it is of another network, or no state.
    """
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, EOFError, ValueError) as err:
        raise RecordingError(
            f"a state must be what the engine packed, but these {len(packed)} bytes are no archive "
            f"({err}); train from the start"
        ) from err
    expected = {name: _kind(array) for name, array in like._asdict().items()}
    found = {name: _kind(array) for name, array in arrays.items()}
    if expected != found:
        raise RecordingError(
            f"a state must have the arrays {expected} of the network that it is to resume, but "
            f"this one has {found}; resume with the configuration it was recorded with"
        )
    return State(**arrays)


def _kind(array: NDArray[np.generic]) -> tuple[tuple[int, ...], str]:
    return array.shape, array.dtype.name
