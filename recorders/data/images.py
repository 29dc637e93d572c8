"""Loading image data sets, from whichever files there are."""

import os
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.recorders.data.compression import SUFFIXES
from ibtools.recorders.data.data_set import DataSet, scale_bytes
from ibtools.recorders.data.image_sets import (
    CIFAR_10,
    FASHION_MNIST,
    MNIST,
    ImageSet,
    Layout,
)
from ibtools.recorders.data.published import describe_parts, digest_parts, identify
from ibtools.store.inputs import checksum
from ibtools.store.storage import place_of

FOLDER_VARIABLE = "IBTOOLS_DATA"
"""The environment variable that names the folder of data files."""


class Found(NamedTuple):
    """A layout, and where its files are."""

    layout: Layout
    paths: list[Path]


def load_images(images: ImageSet, folder: Path | None = None) -> DataSet:
    """Load an image data set from local files, or let Keras download it.

    Parameters
    ----------
    images : ImageSet
        Which, and what is checked.
    folder : path, optional
        Where its files are, plain or compressed, or in a subfolder; nowhere else is looked. By
        default they are looked for in the folder that the environment variable ``IBTOOLS_DATA``
        names, then in Keras' cache, and at last Keras downloads them to its cache.

    Returns
    -------
    DataSet
        Training samples first, then test samples, each in the order of their files. Values are
        float32(byte) / float32(255).

    Raises
    ------
    InputError
        If files are missing or damaged, or their content is not what was published; or if the
        download fails.
    """
    layout, paths = _find(images, folder)
    x_train, y_train, x_test, y_test = layout.read(paths)
    where = f"{paths[0].parent}, {paths[0].name}" + (" ..." if paths[1:] else "")
    x_train, y_train = _validated(images, where, "training", images.n_train, x_train, y_train)
    x_test, y_test = _validated(images, where, "test", images.n_test, x_test, y_test)
    _validate_content(images, paths[0].parent, digest_parts((x_train, y_train, x_test, y_test)))
    x = scale_bytes(np.concatenate([x_train, x_test]))
    y = np.concatenate([y_train, y_test]).astype(np.int64)
    is_test = np.arange(y.size) >= images.n_train
    n_classes, name = images.n_classes, images.name
    return DataSet(name, x, y, is_test, checksum(x, y), n_classes=n_classes, published=name)


load_mnist = partial(load_images, MNIST)
load_fashion_mnist = partial(load_images, FASHION_MNIST)
load_cifar_10 = partial(load_images, CIFAR_10)


def _find(images: ImageSet, folder: Path | None) -> Found:
    """Look for the files where `load_images` says."""
    own = _own_folder(folder)
    if own is not None:
        found = _search(images, own)
        if found is not None:
            return found
        _validate_not_partial(images, own)
        if folder is not None:
            raise InputError(f"{images.name} is not in {folder}; {_wanted(images)}")
    cache = Path.home() / ".keras" / "datasets"
    found = _search(images, cache) or _search(images, _download(images, own, cache))
    if found is None:
        _validate_not_partial(images, cache)
        raise InputError(
            f"{images.name} is not in {cache}, though Keras says that it downloaded it"
        )
    return found


def _own_folder(folder: Path | None) -> Path | None:
    """Return the folder that the user named, if any; an empty variable names none."""
    named = os.environ.get(FOLDER_VARIABLE)
    source = f" ({FOLDER_VARIABLE})" if folder is None else ""
    own = Path(place_of(named)) if folder is None and named else folder
    if own is not None and not own.is_dir():
        raise InputError(f"the folder of data files must exist, but {own}{source} does not")
    return own


def find_layouts(layouts: Iterable[Layout], place: Path) -> list[Found]:
    """Find the layouts that are complete in a folder, in their order."""
    found = []
    for layout in layouts:
        paths = [path for path in (_file(place, name) for name in layout.files) if path]
        if len(paths) == len(layout.files):
            found.append(Found(layout, paths))
    return found


def _search(images: ImageSet, folder: Path) -> Found | None:
    """Return the first complete layout; a subfolder, being named after the data set, goes first."""
    places = _places(images, folder)
    return next((one for place in places for one in find_layouts(images.layouts, place)), None)


def _places(images: ImageSet, folder: Path) -> list[Path]:
    return [*(folder / name for name in images.subfolders), folder]


def _file(place: Path, name: str) -> Path | None:
    """Return the file of that name, whether plain or compressed."""
    candidates = (place / (name + suffix) for suffix in SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)


def _validate_not_partial(images: ImageSet, folder: Path) -> None:
    for place in _places(images, folder):
        for layout in images.layouts:
            missing = [name for name in layout.files if _file(place, name) is None]
            if len(missing) < len(layout.files):
                raise InputError(
                    f"{place}: holds a part of {images.name}; missing: {', '.join(missing)}"
                )


def _download(images: ImageSet, own: Path | None, cache: Path) -> Path:
    """Let Keras download, and return where to."""
    places = f"{cache}" if own is None else f"{own} ({FOLDER_VARIABLE}) or {cache}"
    looked = f"{images.name} is not in {places}"
    help_ = f"{_wanted(images)} that {FOLDER_VARIABLE} names"
    try:
        from ibtools.recorders.data.download import download
    except ModuleNotFoundError as err:
        raise InputError(f"{looked}, and without {err.name} there is no download; {help_}") from err
    try:
        return download(images.name)
    except InputError as err:
        raise InputError(f"{looked}, and {err}; {help_}") from err


def _wanted(images: ImageSet) -> str:
    layouts = ", or ".join(" + ".join(layout.files) for layout in images.layouts)
    return f"put {layouts} (each plain, .gz or .bz2) into a folder"


def _validated(
    images: ImageSet, where: str, part: str, n: int, x: NDArray[Any], y: NDArray[Any]
) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Check one part of the data set, and give its images their shape."""
    if len(x) != len(y):
        raise InputError(f"{where}: {len(x)} {part} images, but {len(y)} labels")
    rows, columns, colours = images.shape
    shapes = [(n, *images.shape)] + [(n, rows, columns)] * (colours == 1)
    if x.shape not in shapes or y.ndim != 1:
        raise InputError(
            f"{where}: the {part} images of {images.name} must be {_by(shapes[-1])}, "
            f"but are {_by(x.shape)}, with labels {_by(y.shape)}; a part of it, or other images, "
            "are recorded under the name of their folder: --data FOLDER (data=)"
        )
    if x.dtype != np.uint8 or y.dtype.kind not in "iu":
        raise InputError(
            f"{where}: images must be bytes (uint8) and labels integers, "
            f"but are {x.dtype} and {y.dtype}"
        )
    if y.min() < 0 or y.max() >= images.n_classes:
        raise InputError(
            f"{where}: labels of {images.name} must be 0 to {images.n_classes - 1}, "
            f"but the {part} labels are {y.min()} to {y.max()}"
        )
    return x.reshape(n, *images.shape), y


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _validate_content(images: ImageSet, folder: Path, digests: Mapping[str, str]) -> None:
    """Refuse whatever else bears the same names of files."""
    found = identify(digests)
    if found == images.name:
        return
    raise InputError(
        f"{folder}: the files must be those of {images.name} as it was published, but are "
        f"{f'those of {found}' if found else describe_parts(digests)}; put each data set into a "
        f"subfolder, such as {images.subfolders[0]}, or record this one under the name of its "
        f"folder: --data {folder} (data=)"
    )
