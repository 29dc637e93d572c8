"""The package as users get it: built, installed, imported from elsewhere."""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import ibtools

ROOT = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    names = ["ibtools", "recorders", "analysis", "pyproject.toml", "README.md", "LICENSE"]
    source.mkdir()
    for name in names:
        place = ROOT / name
        if place.is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(place, source / name, symlinks=True, ignore=ignore)
        else:
            shutil.copy(place, source / name)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", cwd=source)
    return next((source / "dist").glob("*.whl"))


def test_wheel__works_in_a_bare_environment(wheel: Path, tmp_path: Path):
    """Installed without extras, all three packages import, and the command runs, from elsewhere."""
    venv.create(tmp_path / "bare", with_pip=False, system_site_packages=False)
    python = tmp_path / "bare" / "bin" / "python"
    site = Path(run(python, "-c", "import site; print(site.getsitepackages()[0])").strip())
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--target", site, wheel)
    link_dependencies(site)
    program = (
        "import ibtools, ibtools.recorders, ibtools.analysis, importlib.util as u; "
        "import ibtools.recorders.arrays, ibtools.recorders.record; "
        "import ibtools.analysis.html_report, importlib.resources as r; "
        "page = r.files('ibtools.analysis.html_report') / 'templates' / 'page.html'; "
        "assert page.is_file(); "
        "assert 'site-packages' in ibtools.analysis.__file__; "
        "import matplotlib.style as s; s.use('ibtools.analysis.plots.publication'); "
        "s.use('ibtools.analysis.plots.latex'); "
        "assert u.find_spec('tensorflow') is None; "
        "assert u.find_spec('analysis') is None and u.find_spec('recorders') is None"
    )
    run(python, "-c", program, cwd=tmp_path)
    assert "record" in run(python, "-m", "ibtools", "--help", cwd=tmp_path)
    done = subprocess.run(
        [python, "-m", "ibtools", "record", "SYN-Tanh", "--output", "x.zarr"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "pip install 'ibtools-nn[record]'" in done.stderr


def link_dependencies(site: Path) -> None:
    """Show the bare environment everything that is installed here, but for TensorFlow and ibtools.

    Tests need no network, so the dependencies are not downloaded again.
    """
    hidden = (
        "tensorflow",
        "tf_keras",
        "keras",
        "ibtools",
        "__editable__",
        "easy_install",
        "_virtualenv",
    )
    for place in Path(sys.prefix).glob("lib/python*/site-packages/*"):
        if not place.name.lower().startswith(hidden) and not (site / place.name).exists():
            (site / place.name).symlink_to(place)


def imported_by(program: str) -> set[str]:
    listing = run(sys.executable, "-c", f"{program}; import sys; print(*sys.modules)")
    return {name.split(".")[0] for name in listing.split()}


def test_import__loads_neither_tensorflow_nor_matplotlib_nor_numba():
    loaded = imported_by("import ibtools; ibtools.__dir__()")
    assert not loaded & {"tensorflow", "tf_keras", "keras", "matplotlib", "numba", "plotly"}


def test_analyze_command__loads_no_tensorflow(example_store: Path):
    program = (
        "from click.testing import CliRunner; from ibtools.cli import cli; "
        f"assert CliRunner().invoke(cli, ['analyze', {str(example_store)!r}]).exit_code == 0"
    )
    loaded = imported_by(program)
    assert "numba" in loaded
    assert not loaded & {"tensorflow", "tf_keras", "keras", "matplotlib"}


def test_record_arrays__loads_no_tensorflow():
    loaded = imported_by("import ibtools; ibtools.record_arrays")
    assert not loaded & {"tensorflow", "tf_keras", "matplotlib"}


@pytest.mark.parametrize(
    ("package", "statement"),
    [
        ("ibtools", "import tensorflow"),
        ("ibtools", "import matplotlib.pyplot"),
        ("ibtools", "import ibtools.analysis"),
        ("ibtools", "from ibtools.recorders.training import seeds"),
        ("recorders", "import ibtools.analysis.partition"),
        ("recorders", "import tf_keras"),
        ("recorders/engines/keras", "import matplotlib"),
        ("recorders/engines/keras", "from ibtools.analysis import partition"),
        ("analysis", "import tensorflow as tf"),
        ("analysis", "import matplotlib.pyplot"),
        ("analysis", "from ibtools.recorders.training import seeds"),
        ("analysis/plots", "import ibtools.recorders"),
        ("analysis", "import plotly.graph_objects"),
        ("analysis/html_report", "import matplotlib"),
    ],
)
def test_lint__forbids_imports_across_the_layers(package: str, statement: str):
    done = subprocess.run(
        f"{sys.executable} -m ruff check --select TID --stdin-filename {package}/new_module.py -",
        shell=True,
        cwd=ROOT,
        input=f"{statement}\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "TID25" in done.stdout


def test_public_names__are_not_hidden_by_modules():
    """A module `ibtools.x`, once imported, would take the place of the function `ibtools.x`."""
    modules = {path.stem for path in Path(ibtools.__path__[0]).iterdir()}
    assert not modules & set(ibtools.__all__)
