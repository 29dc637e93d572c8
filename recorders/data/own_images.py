"""The user's own images, in files as a known data set has them: a part of it, or another set.

Nothing is known of them, so that any number, size and classes will do. What they turn out to be is
said in the store.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.recorders.data.data_set import DataSet, scale_bytes, validate_classes
from ibtools.recorders.data.image_sets import IMAGE_SETS, Layout
from ibtools.recorders.data.images import Found, find_layouts
from ibtools.recorders.data.published import digest_parts, identify
from ibtools.store.inputs import checksum

_LAYOUTS: Iterable[Layout] = dict.fromkeys(
    layout for images in IMAGE_SETS for layout in images.layouts
)


def load_image_folder(folder: Path) -> DataSet:
    """Load the images of a folder.

    Parameters
    ----------
    folder : path
        It has the files of one of the layouts of `ibtools.recorders.data.image_sets`, plain or
        compressed, itself and not in a subfolder.

    Returns
    -------
    DataSet
        Training samples first, values divided by 255. It has the name of the folder with a slash,
        so that it is never taken for a known data set.

    Raises
    ------
    InputError
        If there are no such files, or those of several layouts; if they are damaged, or images and
        labels don't fit together.
    """
    layout, paths = _find_layout(folder)
    x_train, y_train, x_test, y_test = layout.read(paths)
    for part, x, y in (("training", x_train, y_train), ("test", x_test, y_test)):
        _validate_part(f"{folder}: the {part} part", x, y)
    if x_train.shape[1:] != x_test.shape[1:]:
        raise InputError(
            f"{folder}: training and test images must have one size, but are {x_train.shape[1:]} "
            f"and {x_test.shape[1:]}"
        )
    x = scale_bytes(np.concatenate([x_train, x_test]))
    y = validate_classes(np.concatenate([y_train, y_test]), str(folder))
    return DataSet(
        name=f"{folder.resolve().name}/",
        x=x if x.ndim == 4 else x[..., np.newaxis],
        y=y,
        is_test=np.arange(y.size) >= len(y_train),
        checksum=checksum(x, y),
        n_classes=int(y.max()) + 1,
        published=identify(digest_parts((x_train, y_train, x_test, y_test))) or "",
    )


def _find_layout(folder: Path) -> Found:
    found = find_layouts(_LAYOUTS, folder)
    if len(found) != 1:
        known = "; ".join(" + ".join(layout.files) for layout in _LAYOUTS)
        there = " and ".join(paths[0].name for _, paths in found) or "none of these"
        raise InputError(
            f"{folder}: a folder of data must hold the files of one layout ({known}; each plain, "
            f".gz or .bz2), but holds {there}"
        )
    return found[0]


def _validate_part(where: str, x: NDArray[Any], y: NDArray[Any]) -> None:
    if x.ndim not in (3, 4) or y.shape != x.shape[:1] or not x.size:
        raise InputError(
            f"{where} must be images (sample, row, column) or (sample, row, column, colour), and a "
            f"label for each, but has the shapes {x.shape} and {y.shape}"
        )
    if x.dtype != np.uint8 or y.dtype.kind not in "iu":
        raise InputError(
            f"{where} must be images of bytes (uint8) and integer labels, but is {x.dtype} and "
            f"{y.dtype}"
        )
