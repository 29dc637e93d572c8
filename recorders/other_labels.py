"""Labels of the samples other than the class: by name, or from the user's file."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.recorders.data import syn
from ibtools.store.storage import place_of
from ibtools.text_file import split_lines

SYN_LABELS = ("popcount", "orbit")
"""Labels that every sample of SYN has: its lit bits, and its class of patterns under rotations."""

_LONGEST_WORD = 200
_WORD = re.compile(r'"(?P<quoted>(?:[^"]|"")*)"|[^",;\t]*')
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,3})?|nan", re.IGNORECASE)


def sample_labels(label: str, dataset: xr.Dataset) -> tuple[str, NDArray[Any]]:
    """Look up a label of the samples, or read it from a file.

    Parameters
    ----------
    label : str
        "popcount" or "orbit" for SYN, or the path of a ``.npy`` or ``.csv`` file with one value per
        sample in the order of the store: whole numbers or words. A ``.csv`` file is one column
        without a header, in UTF-8, or in UTF-16 with a byte order mark.
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
        If it is neither, if the store is not of SYN, or if the file is not as described, or does
        not hold one value for each sample.
    """
    if label in SYN_LABELS:
        return label, _label_syn(label, dataset)
    path = Path(place_of(label))
    if path.suffix.lower() not in (".npy", ".csv"):
        raise InputError(
            f"a label must be {' or '.join(SYN_LABELS)}, for SYN, or a file that ends in .npy or "
            f".csv, found {label!r}"
        )
    values = _read_npy(path) if path.suffix.lower() == ".npy" else _read_csv(path)
    n_samples = dataset.sizes["sample"]
    if values.shape != (n_samples,):
        header = "; the first may be a header: take it out" * (values.shape == (n_samples + 1,))
        raise InputError(
            f"{path} must hold one value for each of the {n_samples} samples of the store, found "
            f"an array of shape {values.shape}{header}"
        )
    return path.stem, values


def _label_syn(label: str, dataset: xr.Dataset) -> NDArray[np.int64]:
    patterns = syn.create_patterns()
    if not np.array_equal(dataset["label"].values, syn.label_patterns(patterns)):
        raise InputError(
            f"the label {label} is one of SYN's 4096 patterns in their order, which the samples of "
            "this store are not; give a file with one value per sample"
        )
    return syn.label_popcounts(patterns) if label == "popcount" else syn.label_orbits(patterns)


def _read_npy(path: Path) -> NDArray[Any]:
    try:
        # mapped, numpy compares what the header announces with the file before it makes room
        values = np.load(path, allow_pickle=False, mmap_mode="r")
    except (EOFError, ValueError) as err:  # an empty file; a damaged one, or one of objects
        raise InputError(
            f"{path} must hold one plain numpy array, as numpy.save writes it ({err})"
        ) from err
    if not isinstance(values, np.ndarray):
        raise InputError(
            f"{path} must hold one plain numpy array, found an .npz archive of several"
        )
    return np.array(values)


def _read_csv(path: Path) -> NDArray[Any]:
    """Read a column of words, numbers among them: only which are equal matters."""
    lines = split_lines(path.read_bytes(), where=str(path))
    words = [_parse_word(line.strip(), f"{path}, line {i}") for i, line in enumerate(lines, 1)]
    _validate_spelling(path, words)
    return np.array(words)


def _parse_word(line: str, where: str) -> str:
    """Return the word of a line, without the quotation marks that spreadsheets put around it."""
    if not line:
        raise InputError(f"{where}: must hold the label of a sample, but is blank")
    if len(line) > _LONGEST_WORD:
        raise InputError(
            f"{where}: a label must have {_LONGEST_WORD} characters at the most, found {len(line)}"
        )
    found = _WORD.fullmatch(line)
    if found is None:
        raise InputError(
            f"{where}: must hold one column, in which a word with a comma, semicolon, tab or "
            f"quotation mark is quoted, but is {line!r}"
        )
    return line if found["quoted"] is None else found["quoted"].replace('""', '"').strip()


def _validate_spelling(path: Path, words: list[str]) -> None:
    """Refuse a label that is written in two ways, and numbers that are no labels."""
    written: dict[str | Decimal, str] = {}
    for word in dict.fromkeys(words):
        meant = Decimal(word) if _NUMBER.fullmatch(word) else normalize("NFC", word)
        other = written.setdefault(meant, word)
        if other != word:
            raise InputError(
                f"{path}: a label must be written in the same way throughout, found {other!r} and "
                f"{word!r}, which mean the same"
            )
    numbers = [meant for meant in written if isinstance(meant, Decimal)]
    broken = [number for number in numbers if number != number.to_integral_value()]
    if broken and len(numbers) == len(written):
        raise InputError(
            f"{path}: labels must be whole numbers or words, found {written[broken[0]]!r}; put "
            "continuous values into bins first, and leave out no value"
        )
