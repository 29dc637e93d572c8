"""Every notebook in examples/ runs, in a folder of its own, and is committed clean."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
ALL = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
FRAMEWORKS = {"6_a_pytorch_network": "torch", "7_a_keras_network": "keras"}
"""What a notebook needs that tests do not have everywhere."""


def read(notebook: Path) -> nbformat.NotebookNode:
    return nbformat.read(notebook, as_version=4)


def execute(notebook: Path, folder: Path) -> nbformat.NotebookNode:
    """Run in a process of its own, because nbclient leaves event loops and sockets behind."""
    program = (
        "import sys, nbformat, nbclient; notebook = nbformat.read(sys.argv[1], 4); "
        "nbclient.NotebookClient(notebook, timeout=None).execute(); nbformat.write(notebook, 'out')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(notebook)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return read(folder / "out")


@pytest.mark.sampled(2)
@ALL
def test_notebooks__run_and_draw(notebook: Path, tmp_path: Path):
    """The figures of all but that about clusters are shown, not only made."""
    pytest.importorskip(FRAMEWORKS.get(notebook.stem, "ibtools"))
    cells = execute(notebook, tmp_path).cells
    kinds = {
        kind for cell in cells for out in cell.get("outputs", []) for kind in out.get("data", ())
    }
    assert ("image/png" in kinds) == (notebook.stem != "5_on_a_cluster")


def test_notebooks__run_twice_in_one_folder(tmp_path: Path):
    """What a notebook recorded there before is recorded anew."""
    for _ in range(2):
        execute(EXAMPLES / "3_arrays_of_another_framework.ipynb", tmp_path)


@ALL
def test_notebooks__record_anew_what_no_other_store_is_called(notebook: Path):
    """As often as they record something, they say so; the names are of examples only."""
    code = "\n".join(cell.source for cell in read(notebook).cells if cell.cell_type == "code")
    recordings = re.findall(r"ibtools\.(?:record|record_arrays|Recorder)\(", code)
    names = set(re.findall(r'"([^"]*\.zarr)"', code))
    assert names
    assert all(name.startswith("example-") for name in names)
    shared = code.count("**settings")
    assert len(re.findall(r'overwrite"?(?:=|: )True', code)) == len(recordings) - max(shared - 1, 0)


@ALL
def test_notebooks__are_committed_clean(notebook: Path):
    """Without outputs, counts and what the editor adds: clear them before committing."""
    found = read(notebook)
    assert found.metadata == METADATA
    for cell in found.cells:
        assert not cell.metadata
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@ALL
def test_notebooks__links_lead_somewhere(notebook: Path):
    text = "\n".join(cell.source for cell in read(notebook).cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert links
    assert all((EXAMPLES / link).exists() for link in links)


@pytest.mark.parametrize("page", [EXAMPLES / "README.md", ROOT / "docs" / "examples.md"])
def test_pages__list_each_notebook_with_what_it_teaches(page: Path):
    rows = re.findall(r"^\| \[[^]]+\]\(\S*?([^/\s]+)\.ipynb\) \| (.+) \|$", page.read_text(), re.M)
    assert dict(rows) == {notebook.stem: teaches(notebook) for notebook in NOTEBOOKS}


def teaches(notebook: Path) -> str:
    first = read(notebook).cells[0].source
    return re.fullmatch(r"# .+\n\nThis notebook teaches (.+)\.", first)[1]


def test_own_model__takes_less_than_ten_lines():
    """From an empty notebook to the plane of one's own network: the first code of notebook 2."""
    cells = read(EXAMPLES / "2_your_own_tf_keras_model.ipynb").cells
    code = next(cell.source for cell in cells if cell.cell_type == "code")
    assert "information-plane" in code
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) < 10
