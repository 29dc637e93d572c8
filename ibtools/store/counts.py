"""What the numbers of snapshots count: epochs of training, or steps of the optimiser.

All that says so in words, in figures, tables and files, takes the word from here.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal, cast

COUNTS = "counts"
"""The attribute of a store, and of its results, that says what is counted."""

Counts = Literal["epoch", "step"]
"""What the numbers of snapshots count: epochs of training, or steps of the optimiser."""

_EPOCH = re.compile(r"\b(?:([Aa])n )?([Ee])poch")


def counts_of(attributes: Mapping[Any, Any]) -> Counts:
    """Tell by the attributes of a store or results what its epochs are; epochs where none says it.

    Examples
    --------
    >>> counts_of({"counts": "step"}), counts_of({})
    ('step', 'epoch')
    """
    return cast(Counts, attributes.get(COUNTS, "epoch"))


def in_counts(text: str, counts: str) -> str:
    """Say of what is counted what a text says of epochs.

    Examples
    --------
    >>> in_counts("A point is a layer at an epoch, of 2 epochs from trained_epoch on.", "step")
    'A point is a layer at a step, of 2 steps from trained_epoch on.'
    """
    if counts == "epoch":
        return text
    return _EPOCH.sub(lambda found: _replacement(found, counts), text)


def _replacement(found: re.Match[str], counts: str) -> str:
    article = f"{found[1]} " if found[1] else ""
    return article + (counts.capitalize() if found[2] == "E" else counts)
