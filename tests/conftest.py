"""What all tests share."""

import gc
import re
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from hypothesis import settings

import ibtools
from ibtools.store import durable
from ibtools.store.snapshots import LayerValues
from tests.analysis.wide_layers import record_wide


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run the tests marked slow")


def pytest_configure(config: pytest.Config) -> None:
    # The first example that calls a kernel waits for its compilation.
    settings.register_profile("slow", deadline=None)
    settings.register_profile("sample", deadline=None, max_examples=40)
    settings.load_profile("slow" if config.getoption("--slow") else "sample")


def pytest_collection_finish() -> None:
    """Spare the garbage collector the modules of all frameworks, which are never garbage."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    for item in [*_slow(items), *_beyond_the_sample(items)]:
        item.add_marker(pytest.mark.skip(reason="slow; run with --slow"))


def _slow(items: list[pytest.Item]) -> list[pytest.Item]:
    return [item for item in items if "slow" in item.keywords]


def _beyond_the_sample(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return the cases of sampled tests but for a few of each, spread evenly over all."""
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sampled") and "slow" not in item.keywords:
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left = []
    for of_test in cases.values():
        (n_run,) = of_test[0].get_closest_marker("sampled").args
        chosen = {round(place) for place in np.linspace(0, len(of_test) - 1, n_run)}
        left += [item for place, item in enumerate(of_test) if place not in chosen]
    return left


LACKS_TENSORFLOW = re.compile(
    r"needs (tensorflow|tf_keras)\w*, which is not installed"
    r"|No module named '(tensorflow|tf_keras|tensorflow_model_optimization)'"
)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, None]:
    """Skip what failed because TensorFlow is not installed: `make test-newest`, `test-oldest`."""
    outcome = yield
    _skip_without_tensorflow(outcome.get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, None]:
    """Skip a whole file of which that is true."""
    outcome = yield
    _skip_without_tensorflow(outcome.get_result())


def _skip_without_tensorflow(report: pytest.TestReport | pytest.CollectReport) -> None:
    if (
        report.failed
        and find_spec("tensorflow") is None
        and LACKS_TENSORFLOW.search(str(report.longrepr))
    ):
        report.outcome = "skipped"
        report.longrepr = (report.nodeid, 0, "Skipped: TensorFlow is not installed")


FORCE = durable._force
"""What forces files to the disk; only tests that cut its power wait for that."""


@pytest.fixture(scope="session", autouse=True)
def unforced():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durable, "_force", lambda descriptor: None)
        yield


@pytest.fixture
def forced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Force files to the disk, as everywhere but in tests."""
    monkeypatch.setattr(durable, "_force", FORCE)


LABEL = np.arange(64) % 3


def example_snapshots(repeats: int = 2, epochs: tuple[int, ...] = (0, 1, 5, 10)):
    """Stream snapshots of a network with quantised, float and softmax layers of several widths."""
    for repeat in range(repeats):
        for epoch in epochs:
            rng = np.random.default_rng([repeat, epoch])
            yield (
                repeat,
                epoch,
                {
                    "hidden_1": LayerValues(rng.integers(0, 4, (64, 5), "uint8"), 0.25, 2),
                    "free": rng.integers(0, 3, (64, 2)).astype("float32"),
                    "output": LayerValues(rng.integers(0, 9, (64, 3), "uint8"), 0.5, 4),
                },
            )


@pytest.fixture(scope="session")
def recorded_example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `example_store` is a copy of; leave it as it is."""
    return record_example(tmp_path_factory.mktemp("recorded") / "example.zarr")


@pytest.fixture(scope="session")
def recorded_partition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `partition_store` is a copy of; leave it as it is."""
    return record_example(tmp_path_factory.mktemp("recorded") / "partition.zarr", keep="partition")


@pytest.fixture(scope="session")
def analysed_by(
    recorded_example: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """The example store with results of some estimators, analysed once; leave it as it is."""

    @cache
    def analysed(*estimators: str) -> Path:
        folder = tmp_path_factory.mktemp("analysed")
        store = Path(shutil.copytree(recorded_example, folder / "example.zarr"))
        ibtools.analyze_store(store, estimator=list(estimators), quiet=True)
        return store

    return analysed


@pytest.fixture(scope="session")
def recorded_wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `wide_store` is a copy of; leave it as it is."""
    path = tmp_path_factory.mktemp("recorded") / "wide.zarr"
    record_wide(path)
    return path


@pytest.fixture
def wide_store(recorded_wide: Path, tmp_path: Path) -> Path:
    """A store whose layers are larger than a tiny memory."""
    return Path(shutil.copytree(recorded_wide, tmp_path / "wide.zarr"))


@pytest.fixture
def example_store(recorded_example: Path, tmp_path: Path) -> Path:
    """A small complete store: 2 repeats, 4 epochs, 3 layers, 64 samples."""
    return Path(shutil.copytree(recorded_example, tmp_path / "example.zarr"))


@pytest.fixture
def partition_store(recorded_partition: Path, tmp_path: Path) -> Path:
    """The example store, of which only the partition is kept."""
    return Path(shutil.copytree(recorded_partition, tmp_path / "partition.zarr"))


def record_example(path: Path, **options) -> Path:
    ibtools.record_arrays(
        path,
        example_snapshots(),
        **{"label": LABEL} | options,
        repeats=range(2),
        epochs=(0, 1, 5, 10),
        activation_functions={"hidden_1": "tanh", "output": "softmax"},
    )
    return path


@pytest.fixture
def blank_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the figures of reports, but not their pixels, which take half of the time."""
    place = "ibtools.analysis.report.static_figures.figure_png"
    monkeypatch.setattr(place, lambda figure: b"\x89PNG")


@pytest.fixture
def forbid_computing():
    """A context in which computing any dask graph fails."""

    def refuse(graph, keys, **options):
        raise AssertionError("something was computed that should have stayed lazy")

    @contextmanager
    def forbidden():
        with dask.config.set(scheduler=refuse):
            yield

    return forbidden()
