"""Where a Dataset comes from: the attributes that every store and every result carries."""

import datetime
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


def version() -> str:
    """Return the version of ibtools that is installed."""
    return metadata.version("ibtools-nn")


def library_versions() -> dict[str, str]:
    """Return the versions of the installed libraries that decide about numbers."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def provenance() -> dict[str, str]:
    """Return creation time (UTC), ibtools version and library versions, as attributes."""
    return {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "ibtools_version": version(),
        "library_versions": ", ".join(f"{name} {v}" for name, v in library_versions().items()),
    }
