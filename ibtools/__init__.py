"""How much the layers of a neural network know about the input, and how much about the label.

Training writes activations to a Zarr store (`record`, `record_arrays`); analysis and plots run out
of core over the store (`open_store`, `analyze`, `open_results`, `plot`). The two meet nowhere else.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ibtools.accessor import IbAccessor
from ibtools.errors import IbtoolsError, StoreError
from ibtools.store.datasets import open_store
from ibtools.store.snapshots import LayerValues
from ibtools.tasks.forking import survive_forks

if TYPE_CHECKING:
    # the names that __getattr__ finds
    from ibtools.analysis.check import check
    from ibtools.analysis.details import (
        details,
        details_store,
        open_details,
        permutation_test,
    )
    from ibtools.analysis.details.across_networks import across
    from ibtools.analysis.details.input_directions import sliced_input_information
    from ibtools.analysis.passes.graph import analyze
    from ibtools.analysis.passes.results import analyze_store, open_results
    from ibtools.analysis.plots import animate_store, plot, plot_store, plot_stores
    from ibtools.analysis.plots.compare import compare
    from ibtools.analysis.repeats.controls import above_control, beside_control
    from ibtools.analysis.repeats.dynamics import dynamics
    from ibtools.analysis.repeats.summary import summary
    from ibtools.analysis.repeats.uncertainty import repeat_intervals
    from ibtools.analysis.report import report
    from ibtools.analysis.watch import watch
    from ibtools.export import export_results
    from ibtools.recorders.arrays import record_arrays
    from ibtools.recorders.capture.keras_models.callback import KerasCallback
    from ibtools.recorders.capture.keras_models.capture import KerasCapture
    from ibtools.recorders.capture.torch.capture import TorchCapture
    from ibtools.recorders.imports import import_activations
    from ibtools.recorders.other_labels import sample_labels
    from ibtools.recorders.record import forecast_recording, record
    from ibtools.recorders.recorder import Recorder
    from ibtools.recorders.simulate import simulate_store
    from ibtools.reproduction import reproduce
    from ibtools.store.thinning import thin_store

_LAZY = {
    "across": "ibtools.analysis.details.across_networks",
    "KerasCallback": "ibtools.recorders.capture.keras_models.callback",
    "KerasCapture": "ibtools.recorders.capture.keras_models.capture",
    "TorchCapture": "ibtools.recorders.capture.torch.capture",
    "above_control": "ibtools.analysis.repeats.controls",
    "beside_control": "ibtools.analysis.repeats.controls",
    "analyze": "ibtools.analysis.passes.graph",
    "analyze_store": "ibtools.analysis.passes.results",
    "animate_store": "ibtools.analysis.plots",
    "compare": "ibtools.analysis.plots.compare",
    "check": "ibtools.analysis.check",
    "dynamics": "ibtools.analysis.repeats.dynamics",
    "open_results": "ibtools.analysis.passes.results",
    "details": "ibtools.analysis.details",
    "details_store": "ibtools.analysis.details",
    "open_details": "ibtools.analysis.details",
    "permutation_test": "ibtools.analysis.details",
    "sample_labels": "ibtools.recorders.other_labels",
    "export_results": "ibtools.export",
    "forecast_recording": "ibtools.recorders.record",
    "import_activations": "ibtools.recorders.imports",
    "plot": "ibtools.analysis.plots",
    "plot_store": "ibtools.analysis.plots",
    "plot_stores": "ibtools.analysis.plots",
    "record": "ibtools.recorders.record",
    "record_arrays": "ibtools.recorders.arrays",
    "repair_store": "ibtools.recorders.repair",
    "Recorder": "ibtools.recorders.recorder",
    "repeat_intervals": "ibtools.analysis.repeats.uncertainty",
    "report": "ibtools.analysis.report",
    "reproduce": "ibtools.reproduction",
    "simulate_store": "ibtools.recorders.simulate",
    "sliced_input_information": "ibtools.analysis.details.input_directions",
    "summary": "ibtools.analysis.repeats.summary",
    "thin_store": "ibtools.store.thinning",
    "watch": "ibtools.analysis.watch",
}
"""What is imported when it is first used: neither numba nor matplotlib nor TensorFlow loads
before, nor does PyTorch."""

__all__ = [
    "IbAccessor",
    "IbtoolsError",
    "KerasCallback",
    "KerasCapture",
    "LayerValues",
    "Recorder",
    "StoreError",
    "TorchCapture",
    "above_control",
    "across",
    "analyze",
    "analyze_store",
    "animate_store",
    "beside_control",
    "check",
    "compare",
    "details",
    "details_store",
    "dynamics",
    "export_results",
    "forecast_recording",
    "import_activations",
    "open_details",
    "open_results",
    "open_store",
    "permutation_test",
    "plot",
    "plot_store",
    "plot_stores",
    "record",
    "record_arrays",
    "repair_store",
    "repeat_intervals",
    "report",
    "reproduce",
    "sample_labels",
    "simulate_store",
    "sliced_input_information",
    "summary",
    "thin_store",
    "watch",
]

survive_forks()


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'ibtools' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
