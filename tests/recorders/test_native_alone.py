"""Engine `native` without TensorFlow: weights, states and stores are what they are with it."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ibtools
from ibtools.errors import GridError, InputError, RecordingError, StoreError
from ibtools.recorders import engines
from ibtools.recorders.capture.grid import Grid
from ibtools.recorders.data import DataSet
from ibtools.recorders.engines import choose_engine, choose_snapshots
from ibtools.recorders.engines.native import initial, philox, snapshot
from ibtools.recorders.engines.native.arrays import CURRENT
from ibtools.recorders.engines.native.engine import NativeEngine, NativeProgram
from ibtools.recorders.engines.native.state import pack, unpack
from ibtools.recorders.engines.protocol import Training
from ibtools.recorders.networks import Conv, Dense, Network, Pool, dense_layers, get_network
from ibtools.recorders.training.seeds import SeedStreams
from ibtools.settings import INITIALIZERS
from tests.recorders.trainings import create_training, digest, record

CONVOLVED = Network("images", (9, 8, 2), (Conv(3), Pool(2), Conv(2, 2), Dense(4), Dense(2)))
POOLED = Network("pooled", (13, 12, 1), (Pool(2), Conv(2), Pool(2), Dense(3), Dense(2)))


def create_images(network=CONVOLVED, **settings):
    """A training on images of random numbers, of which two pixels tell the class.

    None lies on the edge of two codes of the input quantiser, where roundings differ.
    """
    steps = np.random.default_rng(0).integers(-15, 51, (203, *network.input_shape))
    x = (steps / 50).astype(np.float32)
    flat = x.reshape(len(x), -1)
    y = (flat[:, 0] + flat[:, -1] > 0.7).astype(np.int64)
    data = DataSet("random", x, y, np.arange(len(x)) % 4 == 0, checksum="random", n_classes=2)
    defaults = {"activation": "relu", "bits": 8, "epochs": 2, "batch_size": 50}
    return Training(network=network, data=data, seeds=SeedStreams(0, 0), **defaults | settings)


TRAININGS = {
    "tanh": lambda: create_training("tanh", 8, 2),
    "full": lambda: create_training("tanh", 4, 2, scheme="full"),
    "float": lambda: create_training("relu", 32, 2),
    "images": create_images,
    "images-tanh": lambda: create_images(activation="tanh"),
    "pooled": lambda: create_images(POOLED, activation="relu6", scheme="full"),
}


@pytest.fixture(scope="module", params=TRAININGS)
def training(request):
    return TRAININGS[request.param]()


@pytest.fixture(scope="module")
def reports(training):
    return record(NativeEngine(), training)


# Random numbers and initial weights


@pytest.mark.parametrize("draw", [philox.uniform, philox.normal, philox.truncated_normal])
@pytest.mark.parametrize("seed", [1, 12345, 999_999_999])
def test_philox__is_what_tensorflow_draws(draw, seed):
    random = pytest.importorskip("tensorflow").random
    expected = getattr(random, f"stateless_{draw.__name__}")([10_001], seed=[seed, 0])
    np.testing.assert_array_equal(draw(seed, 10_001), expected)


def test_philox__known_numbers():
    """Where there is no TensorFlow either: of the seed 7."""
    uniform, truncated = philox.uniform(7, 3), philox.truncated_normal(7, 3)
    assert uniform.tolist() == [0.7470787763595581, 0.67218017578125, 0.057779550552368164]
    assert philox.has_known_functions() or sys.platform != "linux"
    assert not philox.has_known_functions() or truncated.tolist() == [
        -0.6741727590560913,
        -0.35869255661964417,
        -1.8795816898345947,
    ]


@pytest.mark.parametrize("initializer", INITIALIZERS)
@pytest.mark.parametrize("network", [get_network("syn"), get_network("mnist-conv"), CONVOLVED])
def test_draw_kernels__are_those_of_tf_keras(network, initializer):
    tf_keras = pytest.importorskip("tf_keras")
    from ibtools.recorders.engines.keras.build import build_model

    if initializer == "orthogonal":
        assert not initial.can_draw(network, initializer)
        return
    tf_keras.utils.set_random_seed(77)
    model = build_model(network, "relu", 32, initializer=initializer).model
    expected = [weight.numpy() for weight in model.trainable_weights[::2]]
    for found, kernel in zip(initial.draw_kernels(network, initializer, 77), expected, strict=True):
        np.testing.assert_array_equal(found, kernel)


def test_can_draw__normal_numbers_need_the_functions_of_glibc(monkeypatch):
    monkeypatch.setattr(initial, "has_known_functions", lambda: False)
    assert initial.can_draw(get_network("syn"), "paper")
    assert not initial.can_draw(get_network("mnist-4x10"), "paper")
    assert initial.can_draw(get_network("mnist-4x10"), "he_uniform")
    assert choose_snapshots(get_network("mnist-4x10"), "native", "paper", None) == "keras"


# What is trained and recorded, beside the tfmot model


@pytest.mark.parametrize("name", TRAININGS)
def test_begin__is_the_state_of_the_model(name):
    pytest.importorskip("tensorflow_model_optimization")
    training = TRAININGS[name]()
    program, of_model = NativeProgram(training), keras_program(training)
    for found, expected in zip(program.begin(training), of_model.load(), strict=True):
        np.testing.assert_array_equal(found, expected)
    machine, expected = program.machine, of_model.machine
    np.testing.assert_array_equal(machine.layers.each, expected.layers.each)
    assert machine.layers[1:] == expected.layers[1:]
    for found, there in zip(machine.samples, expected.samples, strict=True):
        np.testing.assert_array_equal(found, there)


def keras_program(training):
    from ibtools.recorders.engines.keras.calibration import start_ranges
    from ibtools.recorders.engines.keras.fit import create_trainable
    from ibtools.recorders.engines.keras.native_program import NativeProgram as KerasProgram

    tapped = create_trainable(training)
    start_ranges(tapped.model, training)
    return KerasProgram(tapped, training)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("ranges", ["calibrated", "fixed"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_begin__calibrates_as_the_model_is(activation, ranges):
    pytest.importorskip("tensorflow_model_optimization")
    training = create_training(activation, 8, 0, ranges=ranges)
    found, expected = NativeProgram(training).begin(training), keras_program(training).load()
    np.testing.assert_allclose(found.ranges, expected.ranges, rtol=1e-5)


def test_train__is_the_same_as_with_a_model_but_for_codes_at_an_edge(training, reports):
    """The states to the last bit; codes differ by one at the most, and hardly ever."""
    pytest.importorskip("tensorflow_model_optimization")
    from ibtools.recorders.engines.keras.native import NativeKerasEngine
    from ibtools.recorders.engines.keras.state import unpack_state

    engine = NativeKerasEngine()
    expected = record(engine, training)
    model, program = engine._trainer.model, engine._trainer._program
    for (_, history, layers, state), (_, of_model, others, there) in zip(
        reports, expected, strict=True
    ):
        unpack_state(model, there)
        like = program.load()
        like.ranges[program.machine.layers.each["output"] == CURRENT, 2] = 0  # of a snapshot
        for name, here, same in zip(like._fields, unpack(state, like), like, strict=True):
            np.testing.assert_array_equal(here, same, err_msg=name)
        assert history is of_model is None or vars(history) == pytest.approx(
            vars(of_model), abs=1e-4
        )
        assert_nearly_same(layers, others)


def assert_nearly_same(layers, others):
    assert list(layers) == list(others)
    for name, one in others.items():
        found = layers[name]
        assert found.values.dtype == one.values.dtype, name
        np.testing.assert_allclose(found.scale, one.scale, rtol=1e-6, err_msg=name)
        assert found.zero_point == one.zero_point, name
        difference = np.abs(found.values.astype(float) - one.values)
        if one.values.dtype == np.float32:
            assert difference.max() < 1e-5, name
        else:
            assert difference.max() <= 1, name
            assert (difference > 0).mean() < 2e-3, name


@pytest.mark.parametrize("name", ["tanh", "full", "images"])
def test_take__every_value_is_on_the_grid_of_tensorflow(name):
    """What a layer hands to the next, quantised again by TensorFlow on its range, is the same."""
    tf = pytest.importorskip("tensorflow")
    training = TRAININGS[name]()
    program = NativeProgram(training)
    layers, samples = program.machine.layers, program.machine.samples
    state = program.begin(training)
    program.machine.run(training, [1], 0, state)
    ranges = snapshot.measured_ranges(layers, samples, state)
    taken = program.report(training, 1, None, state).snapshot()
    for (name, layer), (low, high), one in zip(taken.items(), ranges, layers.each, strict=True):
        if one["output"] == 0 or (name == "output" and training.scheme == "full"):
            continue
        grid = Grid.from_range(low, high, training.bits)
        assert (layer.scale, layer.zero_point) == (grid.scale, grid.zero_point)
        values = (layer.values.astype(np.float32) - layer.zero_point) * np.float32(layer.scale)
        again = tf.quantization.fake_quant_with_min_max_vars(values, low, high, training.bits)
        np.testing.assert_array_equal(grid.encode(again.numpy(), layer=name), layer.values)


def test_take__a_value_beside_the_grid_is_refused(monkeypatch):
    training = create_training(epochs=0)
    monkeypatch.setattr(snapshot, "compute", lambda *_: None)  # leaves what memory holds
    monkeypatch.setattr(
        snapshot.SnapshotMachine,
        "_recorded",
        lambda self, layer, work: np.full((len(work.labels), 10), 0.1234, np.float32),
    )
    with pytest.raises(GridError, match=r"hidden_1"):
        record(NativeEngine(), training)


# What every engine promises


def test_train__resumed_equals_uninterrupted(training, reports):
    epoch, *_, state = reports[1]
    resumed = record(NativeEngine(), training, resume=(epoch, state))
    assert digest(resumed) == digest(reports[2:])


def test_train__repeats_do_not_depend_on_each_other():
    second, engine = create_training(epochs=2, repeat=1), NativeEngine()
    record(engine, create_training(epochs=2))
    program = engine._program
    assert digest(record(engine, second)) == digest(record(NativeEngine(), second))
    assert engine._program is program


def test_train__schedule_does_not_change_the_training(training, reports):
    ends = frozenset({reports[0][0], reports[-1][0]})
    found = record(NativeEngine(), replace(training, recorded_epochs=ends))
    assert digest(found) == digest([reports[0], reports[-1]])


def test_train__records_a_subset_and_evaluates_all():
    training = create_training("relu", 4, epochs=1)
    chosen = np.arange(0, 4096, 7)
    (_, history, whole, _), (_, of_subset, subset, _) = (
        record(NativeEngine(), replace(training, recorded=recorded))[-1]
        for recorded in (None, chosen)
    )
    assert of_subset == history
    assert np.array_equal(subset["output"].values, whole["output"].values[chosen])


def test_train__a_snapshot_taken_again_in_other_batches_is_the_same(training):
    differences = []

    def on_epoch(report):
        first, again = report.snapshot(), report.recompute()
        differences.extend((first[k].values != again[k].values).mean() for k in first)
        return True

    NativeEngine().train(training, on_epoch)
    assert max(differences) < 1e-3


@pytest.mark.parametrize("n_reports", [1, 2])
def test_train__stops_when_told_to(n_reports):
    assert len(record(NativeEngine(), create_training(epochs=3), n_reports=n_reports)) == n_reports


def test_train__a_frozen_control_changes_ranges_only():
    first, *_, last = record(NativeEngine(), create_training("relu", 8, 2, control="frozen"))
    like = NativeProgram(create_training("relu")).begin(create_training("relu"))
    begun, ended = (unpack(report[3], like) for report in (first, last))
    np.testing.assert_array_equal(begun.parameters, ended.parameters)
    assert (begun.ranges != ended.ranges).any()


def test_unpack__another_network_or_no_state():
    syn, images = (NativeProgram(one).begin(one) for one in (create_training(), create_images()))
    assert pack(unpack(pack(syn), syn)) == pack(syn)
    with pytest.raises(RecordingError, match="resume with the configuration it was recorded with"):
        unpack(pack(syn), images)
    with pytest.raises(RecordingError, match="these 3 bytes are no archive"):
        unpack(b"abc", syn)


# What is chosen, and stores


def test_choose_snapshots__by_engine_network_and_initializer():
    syn = get_network("syn")
    assert choose_snapshots(syn, "native", "paper", None) == "native"
    assert choose_snapshots(syn, "native", "paper", "keras") == "keras"
    assert choose_snapshots(syn, "native", "orthogonal", None) == "keras"
    assert choose_snapshots(syn, "compiled", "paper", None) is None
    with pytest.raises(InputError, match="draws as every other, but 'syn' with initialiser 'orth"):
        choose_snapshots(syn, "native", "orthogonal", "native")
    with pytest.raises(InputError, match="for engine 'native' only, but engine is 'fit'"):
        choose_snapshots(syn, "fit", "paper", "native")


def test_choose_engine__without_tensorflow_any_network_that_native_can_train(monkeypatch):
    wide = Network("wide", (2,), dense_layers(129, 2))
    assert choose_engine(wide, None) == ("compiled" if engines._has_tensorflow() else "native")
    monkeypatch.setattr(engines, "_has_tensorflow", lambda: False)
    assert choose_engine(wide, None) == "native"


SHORT = {"epochs": 3, "repeats": 2, "schedule": "every:1", "quiet": True}

WITHOUT = """
import sys
for name in ("tensorflow", "tf_keras", "tensorflow_model_optimization", "keras"):
    sys.modules[name] = None  # importing it fails
import ibtools
from ibtools.errors import RecordingError
print(ibtools.record(sys.argv[1], sys.argv[2], epochs=3, repeats=2, schedule="every:1", quiet=True))
for options in {"engine": "compiled"}, {"initializer": "orthogonal"}:
    try:
        ibtools.record("SYN-Tanh", sys.argv[2] + "-2", epochs=1, repeats=1, **options)
    except RecordingError as err:
        print(err)
"""


@pytest.mark.parametrize("experiment", ["SYN-Tanh", "SYN-ReLU"])
def test_record__without_tensorflow_to_the_same_bytes(experiment, tmp_path):
    """A network of the paper, recorded in a process in which no framework can be imported."""
    alone, here = tmp_path / "alone.zarr", tmp_path / "here.zarr"
    command = [sys.executable, "-c", WITHOUT, experiment, str(alone)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "RecordReport(trained=2, failed=0, failed_attempts=0)"
    assert [line.partition(" needs ")[2].partition(",")[0] for line in lines[1:]] == [
        "tensorflow"
    ] * 2
    ibtools.record(experiment, here, **SHORT)
    assert contents(alone)
    assert contents(alone) == contents(here)
    configuration = json.loads(ibtools.open_store(alone).attrs["configuration"])
    assert (configuration["engine"], configuration["snapshots"]) == ("native", "native")


def contents(store: Path) -> dict[str, bytes]:
    """Return the bytes of all chunks of a store: all but the metadata, which say when and where."""
    files = sorted(file for file in store.rglob("c/**/*") if file.is_file())
    return {file.relative_to(store).as_posix(): file.read_bytes() for file in files}


def test_record__a_store_is_resumed_with_the_snapshots_it_has(tmp_path):
    pytest.importorskip("tensorflow_model_optimization")
    own, former = tmp_path / "own.zarr", tmp_path / "former.zarr"
    ibtools.record("SYN-Tanh", own, **SHORT)
    ibtools.record("SYN-Tanh", former, snapshots="keras", **SHORT)
    configuration = json.loads(ibtools.open_store(former).attrs["configuration"])
    assert "snapshots" not in configuration  # as in a store from before there was a choice
    for store in (own, former):
        assert ibtools.record("SYN-Tanh", store, resume=True, **SHORT).trained == 2
    with pytest.raises(StoreError, match="snapshots is keras in the store, native was asked for"):
        ibtools.record("SYN-Tanh", former, resume=True, snapshots="native", **SHORT)
    with pytest.raises(StoreError, match="snapshots is native in the store, keras was asked for"):
        ibtools.record("SYN-Tanh", own, resume=True, snapshots="keras", **SHORT)
