"""Labels of the samples other than the class: by name, or from the user's file."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.storage import place_of

SYN_LABELS = ("popcount", "orbit")
"""Labels that every sample of SYN has: its lit bits, and its class of patterns under rotations."""


def sample_labels(label: str, dataset: xr.Dataset) -> tuple[str, NDArray[Any]]:
    """Look up a label of the samples, or read it from a file.

    Parameters
    ----------
    label : str
        "popcount" or "orbit" for SYN, or the path of a ``.npy`` or ``.csv`` file with one value per
        sample in the order of the store: whole numbers or words.
    dataset : Dataset
        Of the store, as `ibtools.open_store` opens it.

    Returns
    -------
    name : str
        The name, or the file's without suffix.
    values : ndarray, (sample,)
        As `ibtools.analysis.details.About` takes them.

    Raises
    ------
    InputError
        If it is neither, if the store is not of SYN, or if the file does not hold one value for
        each sample.
    """
    if label in SYN_LABELS:
        return label, _label_syn(label, dataset)
    path = Path(place_of(label))
    if path.suffix not in (".npy", ".csv"):
        raise InputError(
            f"a label must be {' or '.join(SYN_LABELS)}, for SYN, or a file that ends in .npy or "
            f".csv, found {label!r}"
        )
    values = _read_npy(path) if path.suffix == ".npy" else _read_csv(path)
    n_samples = dataset.sizes["sample"]
    if values.shape != (n_samples,):
        raise InputError(
            f"{path} must hold one value for each of the {n_samples} samples of the store, found "
            f"an array of shape {values.shape}"
        )
    return path.stem, values


def _label_syn(label: str, dataset: xr.Dataset) -> NDArray[np.int64]:
    from ibtools.recorders.datasets import syn

    patterns = syn.create_patterns()
    if not np.array_equal(dataset["label"].values, syn.label_patterns(patterns)):
        raise InputError(
            f"the label {label} is one of SYN's 4096 patterns in their order, which the samples of "
            "this store are not; give a file with one value per sample"
        )
    return syn.label_popcounts(patterns) if label == "popcount" else syn.label_orbits(patterns)


def _read_npy(path: Path) -> NDArray[Any]:
    try:
        values = np.load(path, allow_pickle=False)
    except ValueError as err:
        raise InputError(f"{path} must hold one plain numpy array: {err}") from err
    return np.asarray(values)


def _read_csv(path: Path) -> NDArray[Any]:
    """Read a column of words, numbers among them: only which are equal matters."""
    words = np.array([line.strip() for line in path.read_text().splitlines() if line.strip()])
    if any("," in word for word in words):
        raise InputError(f"{path} must have a single column, without a header, found a comma")
    return words
