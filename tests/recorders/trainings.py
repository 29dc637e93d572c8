"""Small trainings, and everything that an engine reports of them."""

import hashlib
from functools import cache

from ibtools.recorders.data import load_data_set
from ibtools.recorders.engines.protocol import Training
from ibtools.recorders.networks import Network, dense_layers, get_network
from ibtools.recorders.training.seeds import SeedStreams

SYN = get_network("syn")

SMALL = Network("small", SYN.input_shape, dense_layers(5, 3, 2))
"""Two hidden layers instead of five: XLA compiles its training in less than half the time."""


def create_training(activation="tanh", bits=8, epochs=3, *, network=SYN, repeat=0, **settings):
    data, seeds = load_data_set("SYN"), SeedStreams(base=0, repeat=repeat)
    return Training(
        network=network,
        activation=activation,
        bits=bits,
        data=data,
        seeds=seeds,
        epochs=epochs,
        **settings,
    )


CASES = {
    "relu-4": ("relu", 4, {}),
    "prefit-full": ("tanh", 4, {"scheme": "full", "prefit": 2}),
}


def training_of(case):
    activation, bits, settings = CASES[case]
    return create_training(activation, bits, network=SMALL, **settings)


@cache
def fit_reports_of(case):
    """What engine `fit` reports of a case: the reference of all others, trained once."""
    from ibtools.recorders.engines.keras.fit import (
        FitEngine,  # TensorFlow is not for every test here
    )

    return record(FitEngine(), training_of(case))


def record(engine, training, resume=None, n_reports=99):
    """Everything an engine reports: (epoch, history, snapshot, state) of each recorded epoch."""
    reports = []

    def on_epoch(report):
        if training.is_recorded(report.epoch):
            reports.append((report.epoch, report.history, report.snapshot(), report.state()))
        return len(reports) < n_reports

    engine.train(training, on_epoch, resume=resume)
    return reports


def digest(reports):
    result = hashlib.sha256()
    for epoch, history, snapshot, state in reports:
        result.update(f"{epoch} {history}".encode())
        for name, layer in snapshot.items():
            result.update(f"{name} {layer.scale} {layer.zero_point}".encode())
            result.update(layer.values.tobytes())
        result.update(state)
    return result.hexdigest()
