"""What the honest numbers cost: chance level, ceilings and classes on top of the plain count.

The plain count is I(X;T), I(T;Y) and the number of states. One thread, blocks of 50 snapshots, as
a task of a SYN store has them. The baseline of the chance level is that of scikit-learn, for one
table.
"""

from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics.cluster import expected_mutual_information as expectation_of_sklearn

from benchmarks.analysing import WIDTHS
from benchmarks.table import Row, best_time
from ibtools.analysis.estimators.counting import statistics_of_labels
from ibtools.analysis.kernels import chance
from ibtools.analysis.kernels.chance import chance_levels
from ibtools.analysis.kernels.class_information import class_entropies
from ibtools.analysis.kernels.contingency import Contingency
from ibtools.analysis.kernels.counts import Spectrum, label_spectra
from ibtools.analysis.kernels.information import information_of_labels
from ibtools.partition import partition_block

N_SNAPSHOTS, N_SAMPLES = 50, 4096


def layers_of_syn() -> list[NDArray[np.uint8]]:
    """Return codes of tanh layers, (snapshot, sample, unit), each computed from the one before."""
    rng = np.random.default_rng(0)
    values = (np.arange(N_SAMPLES)[:, np.newaxis] >> np.arange(12) & 1) * 2.0 - 1
    layers = []
    for width in WIDTHS:
        weights = rng.standard_normal((values.shape[1], width)) * np.sqrt(2 / values.shape[1])
        drift = np.linspace(0.5, 2, N_SNAPSHOTS)[:, np.newaxis, np.newaxis]
        code = np.rint((np.tanh(values @ weights * drift) + 1) * 127.5).astype(np.uint8)
        values = code[N_SNAPSHOTS // 2] / 127.5 - 1
        layers.append(code)
    return layers


def count(layers: list[NDArray[np.uint8]], y: NDArray[np.int64]) -> None:
    """Count states, and nothing else."""
    for code in layers:
        information_of_labels(partition_block(code)[0], y, 2)


def count_and_compare(
    layers: list[NDArray[np.uint8]], y: NDArray[np.int64], *, classes: bool
) -> None:
    """Count, with all that the results have beside the values, and H(T|Y=c) on request."""
    for code in layers:
        labels, _ = partition_block(code)
        statistics_of_labels(labels, y, 2)
        if classes:
            class_entropies(labels, y, 2)


def rows(seconds: float) -> list[Row]:
    """Measure the layers of a SYN network, and one chance level against scikit-learn."""
    layers, y = layers_of_syn(), np.random.default_rng(1).integers(0, 2, N_SAMPLES)
    runs = {
        "count, chance level, ceilings": partial(count_and_compare, layers, y, classes=False),
        "count, chance level, ceilings, classes": partial(
            count_and_compare, layers, y, classes=True
        ),
    }
    for run in runs.values():
        run()
    plain = best_time(partial(count, layers, y), seconds=seconds) / N_SNAPSHOTS * 1e6
    found = [
        Row(
            f"{what} (baseline: count)",
            best_time(run, seconds=seconds) / N_SNAPSHOTS * 1e6,
            plain,
            "us/snapshot",
        )
        for what, run in runs.items()
    ]
    return [*found, _against_sklearn(layers[-1][-1:], seconds)]


def _against_sklearn(code: NDArray[np.uint8], seconds: float) -> Row:
    """Measure the chance level of a table of ten classes, with nothing kept from before."""
    labels, y = partition_block(code)[0], np.random.default_rng(2).integers(0, 10, N_SAMPLES)
    n_states = int(labels.max()) + 1
    table = Contingency.from_labels(labels[0], y, n_states=n_states, n_classes=10).table
    states, _, _ = label_spectra(labels, y, 10)
    classes = Spectrum.of(np.bincount(y))

    def ours() -> None:
        chance._left_table.cache_clear()
        chance_levels(states, classes)

    ours()
    fast = best_time(ours, seconds=seconds) * 1e6
    slow = best_time(lambda: expectation_of_sklearn(table, N_SAMPLES), seconds=seconds) * 1e6
    return Row(f"chance level, {n_states} states (baseline: scikit-learn)", fast, slow, "us")


if __name__ == "__main__":
    from benchmarks.table import print_table

    print_table(rows(seconds=2.0))
