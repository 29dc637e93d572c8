"""Which folder is which package; everything else about ibtools is in pyproject.toml.

`ibtools/recorders` and `ibtools/analysis` are links for editors and tools. Builds don't need them:
in an unpacked zip, and in a clone on Windows, they are text files.
"""

from setuptools import find_packages, setup

FOLDERS = {"ibtools": "ibtools", "ibtools.recorders": "recorders", "ibtools.analysis": "analysis"}

# what is found through a link too is the same package
inner = {f"{root}.{name}" for root, folder in FOLDERS.items() for name in find_packages(folder)}

setup(packages=sorted(inner | set(FOLDERS)), package_dir=FOLDERS)
