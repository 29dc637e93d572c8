"""The audit: everything that must hold of a store and its results, checked in one pass."""

from __future__ import annotations

import os

import xarray as xr
import zarr

from ibtools.analysis.check import words
from ibtools.analysis.check.contract import DECISIVE, check_contract
from ibtools.analysis.check.files import check_coordinates, check_files
from ibtools.analysis.check.grid import check_grid
from ibtools.analysis.check.kept import check_kept
from ibtools.analysis.check.measure import measure_recording
from ibtools.analysis.check.processing import check_states
from ibtools.analysis.check.recording import check_recording
from ibtools.analysis.check.report import Check, CheckReport, Worst, not_checked
from ibtools.store.counts import counts_of
from ibtools.store.datasets import raw_dataset
from ibtools.store.header import is_chain
from ibtools.store.opened import open_group
from ibtools.store.schema import RECORDED, UNIT_GRIDS
from ibtools.store.storage import StorePath
from ibtools.tasks.memory import DEFAULT_MEMORY

__all__ = ["Check", "CheckReport", "Worst", "check"]


def check(
    path: StorePath,
    *,
    chain: bool | None = None,
    memory: str | int = DEFAULT_MEMORY,
    scheduler: str | None = None,
    quiet: bool = False,
) -> CheckReport:
    """Audit a store: recording, grid, data processing, bounds, and the results that it has.

    Parameters
    ----------
    path : path or URL
        An ibtools store.
    chain : bool, optional
        Whether each layer is computed from the one before it alone. Known for networks that
        ibtools builds by name; for others not, and then what breaks data processing is a note.
    memory, scheduler : optional
        As for `ibtools.analyze_store`.
    quiet : bool, optional
        Show no progress.

    Returns
    -------
    CheckReport
        One line per check. `ok` is whether there is no violation.

    Raises
    ------
    StoreError
        If there is no store at `path`, or it breaks the contract.

    Notes
    -----
    The recording is read once, block by block. Data processing is checked on the states themselves:
    where layer l+1 is computed from layer l, each state of l has exactly one state of l+1, in
    integers and without a tolerance. For results, which are floats, I(X;T) and I(T;Y) must not rise
    from a layer to the next by more than twice
    `ibtools.analysis.kernels.information.rounding_bound`.

    References
    ----------
    Cover & Thomas, Elements of Information Theory, 2nd edition, section 2.8 (data processing).
    Geiger, On Information Plane Analyses of Neural Network Classifiers - A Review, 2021,
    arXiv 2003.09671 (what breaks it).

    Examples
    --------
    >>> import numpy as np, tempfile, ibtools
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = f"{folder.name}/run.zarr"
    >>> code = np.arange(8, dtype="uint8").reshape(1, 1, 8, 1)
    >>> ibtools.record_arrays(path, {"first": code, "second": code // 2}, label=np.arange(8) % 2)
    >>> ibtools.check(path, chain=True, quiet=True).ok
    True
    >>> folder.cleanup()
    """
    group = open_group(path, values=False)
    files = check_files(group, os.fspath(path), quiet=quiet)
    if files.status == "violation":
        unread = not_checked("all else", words.UNREAD)
        return CheckReport(os.fspath(path), (files, unread))
    store = _open_without_cube(group, path)
    counts = counts_of(store.attrs)
    if chain is None:
        chain = is_chain(store.attrs)
    intact = (files, check_coordinates(group, store))
    contract = tuple(check_contract(store))
    if any(one.status == "violation" and one.name in DECISIVE for one in contract):
        unmeasured = not_checked("recorded values", words.UNMEASURED)
        return CheckReport(os.fspath(path), (*intact, *contract, unmeasured), counts)
    measures = measure_recording(path, group, memory=memory, scheduler=scheduler, quiet=quiet)
    checks = [
        *intact,
        *contract,
        *check_recording(store, measures),
        *check_grid(store, measures),
        check_states(store, measures, chain=chain),
        *check_kept(path, store, measures, chain=chain),
    ]
    return CheckReport(os.fspath(path), tuple(checks), counts)


def _open_without_cube(group: zarr.Group, path: StorePath) -> xr.Dataset:
    """Open a store with everything in memory but what was recorded of the samples."""
    store = raw_dataset(group, path)
    small = [str(name) for name in store.data_vars if name not in (*RECORDED, *UNIT_GRIDS)]
    return store.assign({name: store[name].load() for name in small})
