"""Print the oldest versions that pyproject.toml allows, as constraints for pip."""

import re
import tomllib
from pathlib import Path

EXTRAS = ("cluster", "report", "notebook")
"""Not remote: the oldest s3fs pins botocore, and pip looks for very long for what goes with it."""

REQUIREMENT = re.compile(r"([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?>=([0-9.]+)")

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
groups = [project["dependencies"], *(project["optional-dependencies"][name] for name in EXTRAS)]
for requirement in sorted({one for group in groups for one in group}):
    if found := REQUIREMENT.fullmatch(requirement):
        print(f"{found[1]}=={found[2]}")
