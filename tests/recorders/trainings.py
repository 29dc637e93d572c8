"""Small trainings, and everything that an engine reports of them."""

import hashlib

from ibtools.recorders.data import load_data_set
from ibtools.recorders.engines.protocol import Training
from ibtools.recorders.networks import get_network
from ibtools.recorders.training.seeds import SeedStreams


def create_training(activation="tanh", bits=8, epochs=3, *, repeat=0, **settings):
    data, seeds = load_data_set("SYN"), SeedStreams(base=0, repeat=repeat)
    return Training(
        network=get_network("syn"),
        activation=activation,
        bits=bits,
        data=data,
        seeds=seeds,
        epochs=epochs,
        **settings,
    )


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
