"""Everything that the documentation shows is run."""

import doctest
import importlib
import pkgutil
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

import ibtools
from ibtools import settings
from ibtools.analysis import figures
from ibtools.analysis.details import detail_class
from ibtools.analysis.details.across_networks import VARIABLES as ACROSS
from ibtools.analysis.details.input_directions import DIRECTION, SHARE
from ibtools.analysis.details.input_directions import VARIABLES as OF_INPUTS
from ibtools.analysis.estimators.binned import N_CLIPPED
from ibtools.analysis.estimators.counting import PER_UNIT
from ibtools.analysis.estimators.kde import BOUNDS, NOISE_VARIANCE
from ibtools.analysis.estimators.renyi import RENYI
from ibtools.analysis.estimators.sliced import SLICED
from ibtools.analysis.measures.derived_variables import DERIVED
from ibtools.analysis.measures.registry import DETAILS, ESTIMATORS
from ibtools.cli.main import cli
from ibtools.store.schema import RESULT_VARIABLES, STORE_VARIABLES, markdown_table

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PACKAGES_OF = {
    "torch.md": ("torch", "torchao", "brevitas", "lightning"),
    "keras.md": ("keras", "tf_keras", "tensorflow_model_optimization"),
    "recipes.md": ("jax", "sklearn"),
}
"""What the blocks of a page need beyond ibtools."""

STORES_OF = {
    "controls.md": {"frozen.zarr": "--control frozen", "random.zarr": "--labels random"},
}
"""What the blocks of a page are about, besides the usual stores, and how it was recorded."""

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(ibtools.__path__, "ibtools.")
    if not module.name.endswith("__main__")
)


OPTIONAL = {".capture.torch": "torch", ".watch.widget": "anywidget"}
"""Modules that can only be imported where a package is installed."""


def require_optional(name: str) -> None:
    """Skip what a name stands for where its package is not installed."""
    for module, package in OPTIONAL.items():
        if module in name:
            pytest.importorskip(package)


def is_importable(name: str) -> bool:
    return all(find_spec(of) is not None for module, of in OPTIONAL.items() if module in name)


@pytest.mark.parametrize("name", MODULES)
def test_docstrings__examples_run(name: str):
    require_optional(name)
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def code_blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.M | re.S)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """A folder with the stores that the pages speak of, recorded as they say but shorter."""
    folder = tmp_path_factory.mktemp("pages")
    for store in ("syn.zarr", "demo/syn.zarr"):
        record_store(folder / store)
    (folder / "docs").symlink_to(ROOT / "docs")
    return folder


def record_store(path: Path, options: str = "") -> None:
    command = (
        f"record SYN-Tanh --repeats 2 --epochs 10 --schedule every:5 --quiet {options} --output"
    )
    result = CliRunner().invoke(cli, [*command.split(), str(path)])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages__python_blocks_run(page: Path, recorded: Path, monkeypatch):
    """The blocks of a page run in order, in one namespace."""
    monkeypatch.chdir(recorded)
    namespace: dict[str, object] = {}
    for package in PACKAGES_OF.get(page.name, ()):
        pytest.importorskip(package)
    for store, options in STORES_OF.get(page.name, {}).items():
        record_store(recorded / store, options)
    for block in code_blocks(page, "python"):
        exec(compile(block, str(page), "exec"), namespace)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages__commands_parse(page: Path):
    """Every `ibtools` command that a page shows has the options that it is shown with."""
    for block in code_blocks(page, "bash|^```sh"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in line.split("&&"):
                words = shlex.split(part, comments=True)
                if words[:1] == ["ibtools"] and len(words) > 1 and words[1] in cli.commands:
                    cli.commands[words[1]].make_context(words[1], words[2:])


def test_pages__store_tables_are_those_of_the_schema():
    text = (ROOT / "docs" / "store.md").read_text()
    assert markdown_table(STORE_VARIABLES) in text
    assert markdown_table(RESULT_VARIABLES) in text
    assert markdown_table(DERIVED) in text


def test_pages__table_of_figures_is_that_of_the_declarations():
    assert figures.markdown_table() in (ROOT / "docs" / "figures.md").read_text()


def test_controls__table_is_in_the_documentation():
    assert figures.controls_table() in (ROOT / "docs" / "controls.md").read_text()


def test_pages__settings_are_those_that_are_declared():
    assert settings.markdown_table() in (ROOT / "docs" / "experiments.md").read_text()


def test_pages__tables_of_estimators_are_those_of_their_files():
    text = (ROOT / "docs" / "estimators.md").read_text()
    own = (*PER_UNIT, N_CLIPPED, *BOUNDS, NOISE_VARIANCE, *SLICED[1:], *RENYI[2:])
    assert markdown_table(own) in text
    for name in ESTIMATORS.names():
        assert f"| `{name}` |" in text


@pytest.mark.parametrize("kind", [*DETAILS.names(), "by"])
def test_pages__detail_tables_are_those_of_their_files(kind: str):
    text = (ROOT / "docs" / "details.md").read_text()
    assert markdown_table(detail_class(kind).variables) in text


def test_pages__table_of_across_is_that_of_its_file():
    assert markdown_table(ACROSS) in (ROOT / "docs" / "details.md").read_text()


def test_pages__table_of_input_directions_is_that_of_its_file():
    table = markdown_table((*OF_INPUTS, DIRECTION, SHARE))
    assert table in (ROOT / "docs" / "estimators.md").read_text()


def test_pages__every_page_is_in_the_index():
    listed = set(re.findall(r"^\w+$", (ROOT / "docs" / "index.md").read_text(), re.M))
    assert listed == {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"}


def documented_names() -> set[str]:
    """The objects of the API page, with the members that it asks for."""
    text = (ROOT / "docs" / "api.md").read_text()
    names = set(re.findall(r"auto(?:function|class):: (\S+)", text))
    for module, members in re.findall(r"automodule:: (\S+)\n +:members: (.+)", text):
        names |= {f"{module}.{name.strip()}" for name in members.split(",")}
    return names


@pytest.mark.parametrize("name", ibtools.__all__)
def test_api__every_public_name_is_there(name: str):
    require_optional(".capture.torch" if name == "TorchCapture" else name)
    documented = [resolve(one) for one in documented_names() if is_importable(one)]
    errors = vars(importlib.import_module("ibtools.errors")).values()  # the page has all of them
    assert any(getattr(ibtools, name) is one for one in [*documented, *errors])


@pytest.mark.parametrize("name", [n for n in vars(ibtools.IbAccessor) if not n.startswith("_")])
def test_api__every_method_of_the_accessor_says_what_it_does(name: str):
    """The page shows the members of the class; one without a docstring would be left out."""
    assert getattr(ibtools.IbAccessor, name).__doc__


def resolve(dotted: str) -> object:
    """Import what a dotted name stands for."""
    try:
        return importlib.import_module(dotted)
    except ModuleNotFoundError:
        module, _, attribute = dotted.rpartition(".")
        return getattr(importlib.import_module(module), attribute)


@pytest.mark.parametrize(
    "name",
    sorted(
        set(re.findall(r"`(ibtools(?:\.\w+)+)`", (ROOT / "docs" / "architecture.md").read_text()))
    ),
)
def test_architecture__every_name_exists(name: str):
    require_optional(name)
    assert resolve(name) is not None


@pytest.mark.parametrize("command", cli.commands)
def test_pages__every_command_is_in_the_readme(command: str):
    assert f"ibtools {command}" in (ROOT / "README.md").read_text()
