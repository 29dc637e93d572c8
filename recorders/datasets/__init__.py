"""Data sets: inputs, labels, and the split into training and test samples.

`load_data_set` is the way in. The image data sets are read from files in any format that they are
published in; each format has its own module, which knows nothing of the others.
"""

from collections.abc import Callable
from pathlib import Path

from ibtools.errors import InputError, unknown_name
from ibtools.recorders.datasets import syn
from ibtools.recorders.datasets.data_set import DataSet, checksum
from ibtools.recorders.datasets.digits import load_digits
from ibtools.recorders.datasets.image_sets import CIFAR_10, FASHION_MNIST, MNIST
from ibtools.recorders.datasets.images import load_images
from ibtools.recorders.datasets.npz import load_npz
from ibtools.recorders.datasets.own_images import load_image_folder
from ibtools.recorders.datasets.split import stratified_split
from ibtools.storage import place_of

__all__ = ["DATA_SETS", "DataSet", "checksum", "load_data_set"]


def load_data_set(name: str, *, folder: str | Path | None = None) -> DataSet:
    """Load a data set by its name.

    Parameters
    ----------
    name : str
        A key of `DATA_SETS`; or the path of the user's own file, ending in ``.npz``, see
        `ibtools.recorders.datasets.npz.load_npz`; or that of a folder with the user's own images,
        see `ibtools.recorders.datasets.own_images.load_image_folder`.
    folder : path, optional
        Where the files of an image data set are; where else they are looked for is described at
        `ibtools.recorders.datasets.images.load_images`. Not with a path.

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
    if name in DATA_SETS:
        return DATA_SETS[name](None if folder is None else Path(place_of(folder)))
    path = Path(place_of(name))
    is_file = path.suffix.lower() == ".npz"
    if not is_file and not path.is_dir():
        known = [*DATA_SETS, "a path ending in .npz", "a folder of images"]
        raise unknown_name("data set", name, known)
    if folder is not None:
        raise InputError(
            f"the data are {name} itself: leave out the folder of data files, found {folder}"
        )
    return load_npz(path) if is_file else load_image_folder(path)


def _load_syn() -> DataSet:
    x = syn.create_patterns()
    y = syn.label_patterns(x)
    is_test = stratified_split(y, "SYN")
    return DataSet("SYN", x, y, is_test, checksum(x, y), 2, is_population=True, published="SYN")


DATA_SETS: dict[str, Callable[[Path | None], DataSet]] = {
    "SYN": lambda _: _load_syn(),
    "MNIST": lambda folder: load_images(MNIST, folder),
    "Fashion-MNIST": lambda folder: load_images(FASHION_MNIST, folder),
    "CIFAR-10": lambda folder: load_images(CIFAR_10, folder),
    "digits": lambda _: load_digits(),
}
"""Loaders of the known data sets by name; they take the folder that the user named."""
