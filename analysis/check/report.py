"""What an audit says: one line per check, where the worst is, and words for what it means."""

import math
import textwrap
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from ibtools.analysis.check import words
from ibtools.shown import visible
from ibtools.store.counts import Counts, in_counts
from ibtools.table import format_table, terminal_columns

Status = Literal["ok", "note", "violation", "not checked"]
"""A violation breaks what must hold. A note is worth knowing and breaks nothing."""

WIDTH = 100
"""Columns of the printed report, at the most."""


@dataclass(frozen=True)
class Worst:
    """Where the worst case of a check is, and how bad it is.

    Parameters
    ----------
    repeat, epoch, layer : int, int, str or None
        Where; None for what the check does not tell apart.
    amount : float or None
        By how much; None where no number can say it.
    unit : str
        Of the amount.
    """

    repeat: int | None
    epoch: int | None
    layer: str | None
    amount: float | None
    unit: str

    def __str__(self) -> str:
        return self.describe()

    def describe(self, counts: Counts = "epoch") -> str:
        """Say it in words."""
        named = {"repeat": self.repeat, counts: self.epoch, "layer": self.layer}
        place = ", ".join(f"{name} {value}" for name, value in named.items() if value is not None)
        if self.amount is None:
            return place
        return f"{self.amount:.3g} {self.unit}{f': {place}' * bool(place)}"


@dataclass(frozen=True)
class Check:
    """The outcome of one check.

    Parameters
    ----------
    name : str
        What was checked.
    subject : str
        "recording", or the results that were checked, such as "information/exact".
    status : {"ok", "note", "violation", "not checked"}
        The outcome.
    found, checked : int
        How many cases break the check, of how many.
    cases : str
        What a case is, such as "snapshots".
    worst : Worst or None
        The worst case.
    words : str
        What it means, or why it could not be checked; empty where all is well.
    """

    name: str
    subject: str
    status: Status
    found: int = 0
    checked: int = 0
    cases: str = ""
    worst: Worst | None = None
    words: str = ""

    def count(self, counts: Counts = "epoch") -> str:
        """Say how many cases break the check, of how many; nothing if there was none."""
        cases = in_counts(self.cases, counts)
        return f"{self.found} of {self.checked} {cases}" if self.checked else ""

    def describe_worst(self, counts: Counts) -> str:
        """Say how bad the worst case is, and where; nothing if there is none."""
        return "" if self.worst is None else self.worst.describe(counts)


@dataclass(frozen=True)
class CheckReport:
    """The audit of a store.

    Parameters
    ----------
    store : str
        Its path.
    checks : tuple of Check
        One per check, those of the recording first.
    counts : {"epoch", "step"}, optional
        What the numbers of its snapshots count.
    """

    store: str
    checks: tuple[Check, ...]
    counts: Counts = "epoch"

    @property
    def violations(self) -> tuple[Check, ...]:
        """The checks that found what must not be."""
        return tuple(check for check in self.checks if check.status == "violation")

    @property
    def ok(self) -> bool:
        """Whether there is no violation."""
        return not self.violations

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON can hold it."""
        return {"store": self.store, "ok": self.ok, "checks": [asdict(one) for one in self.checks]}

    def format(self) -> str:
        """Return the table and the words that ``ibtools check`` prints."""
        head = f"{visible(self.store)}: {self.count()}"
        return "\n".join([head, "", *_table(self), *_paragraphs(self.checks)])

    def count(self) -> str:
        """Say how many checks there are, and how many of them found something."""
        counted = ("violation", "violations"), ("note", "notes"), ("not checked", "not checked")
        numbers = [sum(one.status == status for one in self.checks) for status, _ in counted]
        parts = [
            f"{number or 'no'} {name if number == 1 else plural}"
            for number, (name, plural) in zip(numbers, counted, strict=True)
            if number or name == "violation"
        ]
        return f"{len(self.checks)} checks, {', '.join(parts)}"


def judge(
    name: str,
    broken: xr.DataArray,
    *,
    cases: str,
    meaning: str,
    checked: xr.DataArray | None = None,
    amount: xr.DataArray | None = None,
    unit: str = "",
    subject: str = "recording",
    status: Status = "violation",
    always_worst: bool = False,
) -> Check:
    """Turn what was found per repeat, epoch and layer into a line of the report.

    Parameters
    ----------
    name, cases, subject : str
        As of `Check`.
    broken : DataArray, (repeat, epoch, layer) or some of these, bool
        The cases that break the check. All dims are consumed.
    meaning : str
        What it means where any is broken.
    checked : DataArray, bool, optional
        The cases that could be checked; all by default.
    amount : DataArray, float64, optional
        How bad each case is.
    unit : str, optional
        Of the amount.
    status : {"violation", "note"}, optional
        What a broken check is.
    always_worst : bool, optional
        Name the worst case also where none breaks the check.

    Returns
    -------
    Check
        "ok" where no case is broken, "not checked" where there was none to check.
    """
    checked = xr.ones_like(broken) if checked is None else checked.broadcast_like(broken)
    broken = (broken & checked).transpose(*broken.dims)
    found, total = int(broken.sum()), int(checked.sum())
    if not total:
        return not_checked(name, words.NO_SNAPSHOT, subject=subject)
    worst = None
    if found or always_worst:
        candidates = broken if found else checked.transpose(*broken.dims)
        worst = _locate(candidates, amount, unit)
    if not found:
        return Check(name, subject, "ok", 0, total, cases, worst)
    return Check(name, subject, status, found, total, cases, worst, meaning)


def not_checked(name: str, why: str, *, subject: str = "recording") -> Check:
    """Say that a check could not be made, and why."""
    return Check(name, subject, "not checked", words=why)


def group_by_words(checks: Iterable[Check]) -> dict[str, list[Check]]:
    """Collect the checks whose outcome means the same, by the words that say what."""
    alike: dict[str, list[Check]] = {}
    for check in checks:
        if check.words:
            alike.setdefault(check.words, []).append(check)
    return alike


def _locate(candidates: xr.DataArray, amount: xr.DataArray | None, unit: str) -> Worst:
    """Find the candidate with the largest amount; the first of equal ones."""
    rated = xr.ones_like(candidates, float) if amount is None else amount
    rated = rated.broadcast_like(candidates).transpose(*candidates.dims).fillna(np.inf)
    values = np.where(candidates.values, rated.values, -np.inf)
    index = np.unravel_index(int(np.argmax(values)), values.shape)
    at = {str(dim): int(i) for dim, i in zip(candidates.dims, index, strict=True)}
    names = {dim: candidates[dim].values[i] for dim, i in at.items()}
    size = float(values.max())
    return Worst(
        repeat=int(names["repeat"]) if "repeat" in names else None,
        epoch=int(names["epoch"]) if "epoch" in names else None,
        layer=str(names["layer"]) if "layer" in names else None,
        amount=size if amount is not None and math.isfinite(size) else None,
        unit=unit,
    )


def _table(report: CheckReport) -> list[str]:
    rows = [_row(check, report.counts) for check in report.checks]
    return format_table(("status", "check", "of", "found", "worst"), rows)


def _row(check: Check, counts: Counts) -> tuple[str, str, str, str, str]:
    status = check.status.upper() if check.status == "violation" else check.status
    return (
        status,
        check.name,
        check.subject,
        check.count(counts) or "-",
        check.describe_worst(counts),
    )


def _paragraphs(checks: tuple[Check, ...]) -> list[str]:
    """Say what is behind the lines of the table; once where several mean the same."""
    lines = []
    for meaning, alike in group_by_words(checks).items():
        status = alike[0].status.upper() if alike[0].status == "violation" else alike[0].status
        names = ", ".join(dict.fromkeys(check.name for check in alike))
        subjects = ", ".join(dict.fromkeys(check.subject for check in alike))
        lines += ["", visible(f"{status}: {names} ({subjects})"), *_wrap(meaning)]
    return lines


def _wrap(meaning: str) -> list[str]:
    """Fill lines with words, but leave a command whole, on a line of its own, to be copied."""
    prose, colon, command = meaning.partition(": ibtools ")
    lines = textwrap.wrap(
        prose + colon[:1],
        min(WIDTH, terminal_columns()),
        initial_indent="  ",
        subsequent_indent="  ",
        break_on_hyphens=False,
    )
    return [*lines, f"  ibtools {command}"] if command else lines
