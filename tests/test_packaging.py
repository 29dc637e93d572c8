"""The package as users get it: built, installed, imported from elsewhere."""

import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import venv
import zipfile
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


LINKS = ("ibtools/recorders", "ibtools/analysis")
NAMES = ("ibtools", "recorders", "analysis", "setup.py", "pyproject.toml", "README.md", "LICENSE")


def copy_source(place: Path) -> Path:
    """Copy what a wheel is made of, with its links."""
    place.mkdir()
    for name in NAMES:
        if (ROOT / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(ROOT / name, place / name, symlinks=True, ignore=ignore)
        else:
            shutil.copy(ROOT / name, place / name)
    return place


def build(source: Path, kind: str = "wheel") -> Path:
    run(sys.executable, "-m", "build", f"--{kind}", "--no-isolation", cwd=source)
    (built,) = (source / "dist").iterdir()
    return built


def files_in(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return sorted(archive.namelist())


def clone_without_links(place: Path) -> Path:
    """Copy the source as Git for Windows checks it out: links are text files that hold where to."""
    source = copy_source(place)
    for name in LINKS:
        target = os.readlink(source / name)
        (source / name).unlink()
        (source / name).write_text(target)
    return source


def unpacked_zip(place: Path) -> Path:
    """Copy the source through a zip file as forges offer them, by a program that makes no links."""
    source = copy_source(place.with_name("zipped"))
    with zipfile.ZipFile(place.with_suffix(".zip"), "w") as archive:
        for path in sorted(source.rglob("*")):
            if path.is_symlink():
                entry = zipfile.ZipInfo(path.relative_to(source).as_posix())
                entry.external_attr = (stat.S_IFLNK | 0o755) << 16
                archive.writestr(entry, os.readlink(path))
            elif path.is_file():
                archive.write(path, path.relative_to(source))
    with zipfile.ZipFile(place.with_suffix(".zip")) as archive:
        archive.extractall(place)
    return place


def unpacked_sdist(place: Path) -> Path:
    with tarfile.open(build(copy_source(place.with_name("released")), "sdist")) as archive:
        archive.extractall(place, filter="data")
    (source,) = place.iterdir()
    return source


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return build(copy_source(tmp_path_factory.mktemp("wheel") / "source"))


def test_wheel__has_every_module(wheel: Path):
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "ibtools").rglob("*.py")}
    for folder in ("recorders", "analysis"):
        paths = (ROOT / folder).rglob("*.py")
        modules |= {f"ibtools/{path.relative_to(ROOT).as_posix()}" for path in paths}
    assert modules == {name for name in files_in(wheel) if name.endswith(".py")}


@pytest.mark.parametrize("obtain", [clone_without_links, unpacked_zip, unpacked_sdist])
def test_wheel__is_the_same_wherever_links_are_none(obtain, wheel: Path, tmp_path: Path):
    source = obtain(tmp_path / "source")
    assert not any((source / name).is_symlink() for name in LINKS)
    assert files_in(build(source)) == files_in(wheel)


def test_editable__without_links_imports_every_package(tmp_path: Path):
    source = clone_without_links(tmp_path / "source")
    python = install_alone(tmp_path / "bare", "--no-build-isolation", "--editable", source)
    program = (
        "import ibtools, ibtools.recorders.data.syn, ibtools.analysis.plots.sheets as s; "
        "print(ibtools.__file__, s.__file__, sep='\\n')"
    )
    found = run(python, "-c", program, cwd=tmp_path).splitlines()
    assert [Path(one).relative_to(source).as_posix() for one in found] == [
        "ibtools/__init__.py",
        "analysis/plots/sheets.py",
    ]


def test_wheel__works_in_a_bare_environment(wheel: Path, tmp_path: Path):
    """Installed without extras, all three packages import, and the command runs, from elsewhere."""
    python = install_alone(tmp_path / "bare", wheel)
    program = (
        "import ibtools, ibtools.recorders, ibtools.analysis, importlib.util as u; "
        "import ibtools.recorders.arrays, ibtools.recorders.record; "
        "import ibtools.analysis.report, importlib.resources as r; "
        "page = r.files('ibtools.analysis.report') / 'templates' / 'page.html'; "
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
        [python, "-m", "ibtools", "record", "SYN-Tanh", "--engine", "fit", "--output", "x.zarr"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "pip install 'ibtools-nn[record] @ file://" in done.stderr  # it came from no index


def install_alone(place: Path, *what: str | Path) -> Path:
    """Install ibtools into an environment that has nothing else of it; return its Python."""
    venv.create(place, with_pip=False, system_site_packages=False)
    python = place / "bin" / "python"
    site = Path(run(python, "-c", "import site; print(site.getsitepackages()[0])").strip())
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--target", site, *what)
    link_dependencies(site)
    return python


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
    assert not loaded & {
        "tensorflow",
        "tf_keras",
        "keras",
        "torch",
        "matplotlib",
        "numba",
        "plotly",
    }


def test_analyze_command__loads_no_tensorflow(example_store: Path):
    program = (
        "from click.testing import CliRunner; from ibtools.cli.main import cli; "
        f"assert CliRunner().invoke(cli, ['analyze', {str(example_store)!r}]).exit_code == 0"
    )
    loaded = imported_by(program)
    assert "numba" in loaded
    assert not loaded & {"tensorflow", "tf_keras", "keras", "matplotlib"}


def test_record_arrays__loads_no_tensorflow():
    loaded = imported_by("import ibtools; ibtools.record_arrays")
    assert not loaded & {"tensorflow", "tf_keras", "torch", "matplotlib"}


def test_keras_callback__loads_no_framework():
    loaded = imported_by("import ibtools; ibtools.KerasCallback; ibtools.KerasCapture")
    assert not loaded & {"tensorflow", "tf_keras", "keras", "jax", "torch", "matplotlib"}


@pytest.mark.parametrize(
    ("package", "statement"),
    [
        ("ibtools", "import tensorflow"),
        ("ibtools", "import matplotlib.pyplot"),
        ("ibtools", "import ibtools.analysis"),
        ("ibtools", "from ibtools.recorders.training import seeds"),
        ("ibtools", "def f():\n    import ibtools.analysis.passes.results"),
        ("ibtools/store/validation", "def f():\n    from ibtools.recorders.training import seeds"),
        ("ibtools/cli", "import ibtools.analysis"),
        ("ibtools/cli", "import tensorflow"),
        ("recorders", "import ibtools.analysis.kernels.counts"),
        ("recorders", "import tf_keras"),
        ("recorders", "import torch"),
        ("recorders", "import keras"),
        ("recorders/capture/keras_models", "import keras"),
        ("recorders/capture/keras_models", "import tensorflow"),
        ("recorders/capture/keras_models", "import jax"),
        ("recorders/capture", "from torch import nn"),
        ("recorders/capture/keras", "import torch"),
        ("recorders/capture/torch", "import tensorflow"),
        ("recorders/capture/torch", "from ibtools.analysis.passes import results"),
        ("ibtools", "def f():\n    import torch"),
        ("recorders/engines/keras", "import matplotlib"),
        ("recorders/engines/native", "import tensorflow"),
        ("recorders/engines/keras", "from ibtools.analysis.passes import results"),
        ("analysis", "import tensorflow as tf"),
        ("analysis", "import matplotlib.pyplot"),
        ("analysis", "from ibtools.recorders.training import seeds"),
        ("analysis/plots", "import ibtools.recorders"),
        ("analysis", "import plotly.graph_objects"),
        ("analysis/report", "import matplotlib"),
    ],
)
def test_lint__forbids_imports_across_the_layers(package: str, statement: str):
    pytest.importorskip("ruff")
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


def test_readme__links_for_an_index_lead_to_files_that_are_there(tmp_path: Path):
    """An index shows README.md where no relative link leads anywhere."""
    page, url = tmp_path / "README.md", "https://example.org/owner/name"
    shutil.copy(ROOT / "README.md", page)
    run(sys.executable, ROOT / ".ci" / "absolute_links.py", page, url, "v1.2.3")
    text = page.read_text()
    targets = re.findall(r"\]\(([^)]*)\)", text)
    assert all(target.startswith("https://") for target in targets)
    ours = [target.removeprefix(url) for target in targets if target.startswith(url)]
    assert len(ours) > 20
    for target in ours:
        _, kind, tag, path = target.split("/", 3)
        assert (ROOT / path).exists()
        assert tag == "v1.2.3"
        assert kind == ("raw" if path.endswith(".png") else "blob")
