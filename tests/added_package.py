"""The package of docs/adding.md, put where Python looks for packages, as an installation does."""

import re
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "adding.md"


def install(site: Path, modules: dict[str, str], entry_points: str) -> Path:
    """Write a package of some modules, and the metadata that announce it."""
    package, metadata = site / "my_package", site / "my_package-1.0.dist-info"
    package.mkdir(parents=True)
    metadata.mkdir()
    (package / "__init__.py").touch()
    for name, text in modules.items():
        (package / f"{name}.py").write_text(text)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(entry_points)
    return site


def install_examples(site: Path) -> Path:
    """Write the package that the page shows: each file is followed by its entry points."""
    modules, entry_points = {}, []
    shown = re.findall(r"^```(python|toml)\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    for (_, module), (kind, announced) in pairwise(shown):
        if kind == "toml":
            (name,) = set(re.findall(r"= \"my_package\.(\w+):", announced))
            modules[name] = module
            groups = re.sub(r"project\.entry-points\.\"(.*)\"", r"\1", announced)
            entry_points.append(groups.replace('"', ""))
    return install(site, modules, "\n".join(entry_points))
