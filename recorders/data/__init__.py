"""Data sets: inputs, labels, and the split into training and test samples.

`load_data_set` is the way in. The image data sets are read from files in any format that they are
published in; each format has its own module, which knows nothing of the others.
"""

from collections.abc import Callable
from pathlib import Path

from ibtools.errors import InputError, unknown_name
from ibtools.recorders.data.data_set import DataSet
from ibtools.recorders.data.npz import load_npz
from ibtools.recorders.data.own_images import load_image_folder
from ibtools.registry import Registry
from ibtools.store.inputs import checksum
from ibtools.store.storage import place_of

__all__ = ["DATA_SETS", "DataSet", "checksum", "load_data_set"]

DATA_SETS: Registry[Callable[[Path | None], DataSet]] = Registry(
    "data set",
    "ibtools.data_sets",
    {
        "SYN": "ibtools.recorders.data.syn:load_syn",
        "MNIST": "ibtools.recorders.data.images:load_mnist",
        "Fashion-MNIST": "ibtools.recorders.data.images:load_fashion_mnist",
        "CIFAR-10": "ibtools.recorders.data.images:load_cifar_10",
        "digits": "ibtools.recorders.data.digits:load_digits",
    },
)
"""All data sets that have a name: functions that return a `DataSet`, and take the folder that the
user named, or None."""


def load_data_set(name: str, *, folder: str | Path | None = None) -> DataSet:
    """Load a data set by its name.

    Parameters
    ----------
    name : str
        A name in `DATA_SETS`; or the path of the user's own file, ending in ``.npz``, see
        `ibtools.recorders.data.npz.load_npz`; or that of a folder with the user's own images,
        see `ibtools.recorders.data.own_images.load_image_folder`.
    folder : path, optional
        Where the files of an image data set are; where else they are looked for is described at
        `ibtools.recorders.data.images.load_images`. Not with a path.

    Returns
    -------
    DataSet

    Raises
    ------
    UnknownNameError
        If there is none of that name; the message lists those that there are.
    InputError
        If its files are not found, or don't hold what they should; or if both are paths.

    Examples
    --------
    >>> data = load_data_set("SYN")
    >>> data.x.shape, int(data.y.sum()), int(data.is_test.sum())
    ((4096, 12), 2118, 820)
    """
    known = DATA_SETS.names()
    if name in known:
        return DATA_SETS.load(name)(None if folder is None else Path(place_of(folder)))
    path = Path(place_of(name))
    is_file = path.suffix.lower() == ".npz"
    if not is_file and not path.is_dir():
        ways = ["a path ending in .npz", "a folder of images"]
        raise unknown_name("data set", name, [*known, *ways])
    if folder is not None:
        raise InputError(
            f"the data are {name} itself: leave out the folder of data files, found {folder}"
        )
    return load_npz(path) if is_file else load_image_folder(path)
