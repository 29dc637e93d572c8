"""A good store, damaged in ways of its own: no command ends in a traceback, or costs too much.

A case is one to three damages of `tests.fuzzing.damages` and a command. By default a sample of them
runs, always the same; ``--slow`` runs a thousand, and ``IBTOOLS_FUZZ_CASES`` any number, each time
others. What was found so far is in `tests.validation`, as tests with names.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

import ibtools
from tests.conftest import record_example
from tests.fuzzing.damages import Damage, damages
from tests.fuzzing.running import COMMANDS, Costs

SAMPLE = 60
CASES = int(os.environ.get("IBTOOLS_FUZZ_CASES", "1000"))
PARTS = 10

OFTEN = [name for name in COMMANDS if not name.startswith("plot")]
"""What costs little is run in three cases of four."""

pytestmark = [
    # a stranger's store may make any library warn
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    """A small store of codes and floats, with results and details."""
    folder = tmp_path_factory.mktemp("fuzzing")
    path = record_example(folder / "good.zarr", split=np.where(np.arange(64) < 40, "train", "test"))
    ibtools.analyze_store(path, quiet=True)
    ibtools.details_store(path, "classes", quiet=True)
    return path


def run_cases(good: Path, n_cases: int, *, same: bool) -> None:
    case = good.parent / "case"

    @settings(
        max_examples=n_cases,
        deadline=None,
        database=None,
        derandomize=same,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.lists(damages(good), min_size=1, max_size=3),
        st.sampled_from(3 * OFTEN + list(COMMANDS)),
    )
    def run(broken: list[tuple[str, Damage]], command: str) -> None:
        shutil.rmtree(case, ignore_errors=True)
        path = Path(shutil.copytree(good, case / "store.zarr"))
        for said, damage in broken:
            note(said)
            apply(damage, path)
        note(command)
        with Costs() as costs:
            COMMANDS[command](path)
        costs.validate()

    run()


def apply(damage: Damage, path: Path) -> None:
    """Damage a store; what an earlier damage left no room for is no damage."""
    try:
        damage(path)
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError):
        return


@pytest.fixture(autouse=True)
def commands_once(good: Path) -> None:
    """Compile and import before anything is measured."""
    for command in COMMANDS.values():
        command(Path(shutil.copytree(good, good.parent / "first" / "store.zarr")))
        shutil.rmtree(good.parent / "first")


def test_commands__of_a_store_that_may_be_anything(good: Path):
    run_cases(good, SAMPLE, same=True)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_commands__of_a_thousand_stores_that_may_be_anything(good: Path, part: int):
    run_cases(good, -(-CASES // PARTS), same=False)
