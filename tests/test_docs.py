"""Everything that the documentation shows is run."""

import doctest
import importlib
import pkgutil
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

import ibtools
from ibtools.cli import cli
from ibtools.detail_schema import DETAIL_VARIABLES
from ibtools.schema import RESULT_VARIABLES, STORE_VARIABLES, markdown_table

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(ibtools.__path__, "ibtools.")
    if not module.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_docstrings__examples_run(name: str):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def code_blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.M | re.S)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """A folder with the stores that the pages speak of, recorded as they say but shorter."""
    folder = tmp_path_factory.mktemp("pages")
    command = "record SYN-Tanh --repeats 2 --epochs 10 --quiet --output"
    for store in ("syn.zarr", "demo/syn.zarr"):
        result = CliRunner().invoke(cli, [*command.split(), str(folder / store)])
        assert result.exit_code == 0, result.output
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages__python_blocks_run(page: Path, recorded: Path, monkeypatch):
    """The blocks of a page run in order, in one namespace."""
    monkeypatch.chdir(recorded)
    namespace: dict[str, object] = {}
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


@pytest.mark.parametrize("kind", DETAIL_VARIABLES)
def test_pages__detail_tables_are_those_of_the_schema(kind: str):
    text = (ROOT / "docs" / "details.md").read_text()
    assert markdown_table(DETAIL_VARIABLES[kind]) in text


@pytest.mark.parametrize("command", cli.commands)
def test_pages__every_command_is_in_the_readme(command: str):
    assert f"ibtools {command}" in (ROOT / "README.md").read_text()
