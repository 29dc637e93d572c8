import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ibtools.errors import InputError, UnknownNameError
from ibtools.registry import Registry

GROUP = "ibtools.tests_of_registry"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package that is installed, and announces one thing that is there and one that is not."""
    metadata = tmp_path / "shapes_of_mine-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: shapes-of-mine\nVersion: 1.0\n"
    )
    (metadata / "entry_points.txt").write_text(
        f"[{GROUP}]\nsquare = shapes_of_mine:SQUARE\nlost = shapes_of_mine:LOST\npi = nowhere:pi\n"
    )
    (tmp_path / "shapes_of_mine.py").write_text("SQUARE = 4\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("shapes_of_mine", None)


def _shapes() -> Registry[object]:
    return Registry("shape", GROUP, {"pi": "math:pi", "circle": "no.such.module:circle"})


def test_load__imports_what_a_name_leads_to() -> None:
    assert _shapes().load("pi") == pytest.approx(3.14159, abs=1e-5)


def test_names__import_nothing(package: Path) -> None:
    assert _shapes().names() == ["pi", "circle", "lost", "square"]
    assert _shapes().find("circle") == "no.such.module:circle"
    assert _shapes().find("square") == "shapes_of_mine:SQUARE"
    assert "shapes_of_mine" not in sys.modules


def test_load__entry_point_of_another_package(package: Path) -> None:
    assert _shapes().load("square") == 4


def test_load__ours_go_before_entry_points_of_the_same_name(package: Path) -> None:
    assert _shapes().load("pi") == pytest.approx(3.14159, abs=1e-5)


def test_load__entry_point_that_leads_nowhere(package: Path) -> None:
    with pytest.raises(InputError, match=r"shape 'lost' is announced by shapes-of-mine .*LOST"):
        _shapes().load("lost")


def test_load__own_module_that_is_missing_is_no_input_error() -> None:
    with pytest.raises(ModuleNotFoundError, match="no"):
        _shapes().load("circle")


def test_load__what_is_of_another_type_is_an_input_error(package: Path) -> None:
    shapes: Registry[str] = Registry("shape", GROUP, {"circle": "string:digits"}, of=str)
    assert shapes.load("circle") == "0123456789"
    with pytest.raises(InputError, match=r"shape 'square' must be a str, found int; .*:SQUARE"):
        shapes.load("square")


def test_load_all__leaves_out_what_is_broken_of_others(package: Path) -> None:
    shapes: Registry[object] = Registry("shape", GROUP, {"circle": "string:digits"})
    assert list(shapes.load_all()) == ["circle", "square"]


def test_load__unknown_name_lists_those_that_there_are(package: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown shape 'sqare'; did you mean 'square'\?"):
        _shapes().load("sqare")
