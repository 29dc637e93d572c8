"""Where a Dataset comes from: the attributes that every store and every result carries."""

import datetime
import platform
from collections.abc import Iterable
from importlib import metadata

LIBRARIES = (
    "numpy",
    "xarray",
    "zarr",
    "dask",
    "numba",
    "tensorflow",
    "tf_keras",
    "tensorflow-model-optimization",
)
"""What decides about numbers."""

FURTHER_LIBRARIES = (
    "scipy",
    "pandas",
    "matplotlib",
    "plotly",
    "jinja2",
    "click",
    "tqdm",
    "scikit-learn",
    "distributed",
    "fsspec",
    "s3fs",
)
"""What a report of a bug needs besides."""


def version() -> str:
    """Return the version of ibtools that is installed."""
    return metadata.version("ibtools-nn")


def library_versions(names: Iterable[str] = LIBRARIES) -> dict[str, str]:
    """Return the versions of those libraries that are installed."""
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def version_report() -> dict[str, str]:
    """Return the versions of ibtools, Python, platform and libraries: what a bug report needs."""
    return {
        "ibtools": version(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        **library_versions((*LIBRARIES, *FURTHER_LIBRARIES)),
    }


def provenance() -> dict[str, str]:
    """Return creation time (UTC), ibtools version and library versions, as attributes."""
    return {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "ibtools_version": version(),
        "library_versions": ", ".join(f"{name} {v}" for name, v in library_versions().items()),
    }
