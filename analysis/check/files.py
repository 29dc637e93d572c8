"""Checks of the files of a recording: all there, and as they were written."""

import xarray as xr
import zarr

from ibtools.analysis.check import words
from ibtools.analysis.check.report import Check, Status
from ibtools.shown import shell_command
from ibtools.store.checksums import BOUND_COORDINATES, changed_coordinates, find_checksums
from ibtools.store.damage import find_damage


def check_files(group: zarr.Group, path: str, *, quiet: bool) -> Check:
    """Compare every file of a recording with its checksums.

    Parameters
    ----------
    group : zarr.Group
        A store, as `ibtools.store.opened.open_group` opens it.
    path : str
        Where it is, for the command that goes on.
    quiet : bool
        Show no progress.
    """
    damage, n_files = find_damage(group, quiet=quiet)
    known = find_checksums(group) is not None
    if not damage:
        status: Status = "ok" if known else "note"
        text = "" if known else words.NO_CHECKSUMS
        return Check("files", "recording", status, 0, n_files, "files", words=text)
    first = damage[0]
    text = words.DAMAGED.format(
        key=first.place.key,
        why=first.why,
        holds=first.holds,
        more=f", and {len(damage) - 1} more" if len(damage) > 1 else "",
        command=shell_command("check", path, "--repair"),
    )
    return Check("files", "recording", "violation", len(damage), n_files, "files", words=text)


def check_coordinates(group: zarr.Group, store: xr.Dataset) -> Check:
    """Compare the coordinates without which codes are misread with their checksums.

    Parameters
    ----------
    group : zarr.Group
        A store.
    store : Dataset
        The same, as `ibtools.store.datasets.open_raw` opens it.
    """
    values = {name: store[name].values for name in BOUND_COORDINATES if name in store}
    changed = changed_coordinates(group, values)
    text = words.CHANGED.format(names=", ".join(changed)) if changed else ""
    status: Status = "violation" if changed else "ok"
    return Check(
        "coordinates", "recording", status, len(changed), len(values), "coordinates", words=text
    )
