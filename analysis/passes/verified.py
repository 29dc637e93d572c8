"""Results as they are opened: lazy, and compared with their checksums when they are read."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import dask.array as da
import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from ibtools.analysis.passes.kept_results import describe_snapshots
from ibtools.analysis.passes.result_checksums import CHECKSUM, Binding, checked_names
from ibtools.errors import StoreError
from ibtools.store.datasets import in_order
from ibtools.store.groups import get_array
from ibtools.store.storage import decoding

_LOOKS = 3
_PAUSE = 0.05
"""How often, and how many seconds apart, numbers that do not match are read: another process may
just be writing them anew."""


def mask_results(
    opened: xr.Dataset,
    group: zarr.Group,
    analysed: xr.DataArray,
    fills: Mapping[str, Any],
    *,
    where: str,
    command: str,
    damaged: xr.DataArray | None = None,
) -> xr.Dataset:
    """Leave of results what is analysed, and compare it with its checksums when it is read.

    Parameters
    ----------
    opened : Dataset
        Results as plain xarray opens them.
    group : zarr.Group
        The same results.
    analysed : DataArray, (repeat, epoch), bool
        What counts; lazy.
    fills : mapping
        Of each variable, what stands for missing.
    where : str
        The file and whose results they are, for the error.
    command : str
        What computes them anew, for the error.
    damaged : DataArray, (repeat, epoch), bool, optional
        What is known not to match: it is missing then, and no error.

    Returns
    -------
    Dataset
        The variables of `fills` that there are; lazy. Results of a version of ibtools that kept no
        checksums are taken as they are.
    """
    checks = _Checks.of(group, where, command, tolerant=damaged is not None)
    counts = analysed if damaged is None else analysed & ~damaged
    masked: dict[str, xr.DataArray] = {}
    for name, fill in fills.items():
        if name not in opened:
            continue
        found = opened[name]
        if name in checks.names:
            found = found.copy(data=checks.verified(name, counts.data))
        masked[name] = found.where(counts, fill).assign_attrs(opened[name].attrs)
    internal = [name for name in ("analysed", CHECKSUM.name) if name in opened]
    kept = opened.drop_vars(internal).assign(masked)
    return in_order(kept, (*kept.coords, *fills))


@dataclass(frozen=True, eq=False)
class _Stored:
    """An array on disk of which a damaged chunk is one clear error, or counts as not written."""

    array: "zarr.Array[Any]"
    where: str
    tolerant: bool

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.array.dtype)

    @property
    def ndim(self) -> int:
        return self.array.ndim

    def __getitem__(self, key: Any) -> NDArray[Any]:
        try:
            with decoding(self.where):
                return np.asarray(self.array[key])
        except StoreError:
            if not self.tolerant:
                raise
        shape = [len(range(*one.indices(n))) for one, n in zip(key, self.shape, strict=True)]
        return np.full(shape, self.array.fill_value, self.dtype)


@dataclass(frozen=True, eq=False)
class _Numbers:
    """The numbers of a variable in some repeats and epochs, and what they are compared with."""

    variable: str
    values: NDArray[Any]
    sums: NDArray[np.uint32]
    counts: NDArray[np.bool_]
    rows: NDArray[np.intp]
    epochs: NDArray[np.intp]

    def wrong(self, binding: Binding) -> NDArray[np.bool_]:
        """Return what counts and does not match its checksum, (repeat, epoch)."""
        wrong = np.zeros(self.counts.shape, np.bool_)
        for i, row in enumerate(self.rows):
            chosen = np.flatnonzero(self.counts[i])
            values = self.values[i][chosen]
            of = binding.checksums(int(row), self.epochs[chosen], self.variable, values)
            wrong[i, chosen] = of != self.sums[i, chosen]
        return wrong


@dataclass(frozen=True, eq=False)
class _Checks:
    """The checksums of opened results, and what they are bound to."""

    group: zarr.Group
    names: tuple[str, ...]
    binding: Binding
    where: str
    command: str
    tolerant: bool

    @classmethod
    def of(cls, group: zarr.Group, where: str, command: str, *, tolerant: bool) -> Self:
        return cls(group, checked_names(group), Binding.of(group), where, command, tolerant)

    def verified(self, name: str, counts: da.Array) -> da.Array:
        """Return a variable, lazy, that is compared with its checksums repeat by repeat."""
        values, sums = self._lazy(name), self._lazy(CHECKSUM.name)[..., self.names.index(name)]
        rows, epochs = (
            da.arange(n, chunks=values.chunks[axis]) for axis, n in enumerate(counts.shape)
        )
        whole = values.rechunk(dict.fromkeys(range(2, values.ndim), -1))
        grid = (whole.chunks[0], whole.chunks[1])
        axes = tuple(range(values.ndim))
        found: da.Array = da.blockwise(
            self._verify, axes,
            whole, axes,
            sums.rechunk(grid), axes[:2],
            counts.rechunk(grid), axes[:2],
            rows, axes[:1],
            epochs, axes[1:2],
            name=f"verified-{name}-{da.core.tokenize(whole.name)}",
            dtype=values.dtype,
            concatenate=True,
            variable=name,
        )  # fmt: skip
        return found.rechunk(values.chunks)

    def _lazy(self, name: str) -> da.Array:
        stored = self._stored(name)
        return da.from_array(
            stored, chunks=stored.array.chunks, name=False, asarray=False, fancy=False
        )

    def _stored(self, name: str) -> _Stored:
        return _Stored(get_array(self.group, name), f"{self.where}: {name}", self.tolerant)

    def _verify(
        self,
        values: NDArray[Any],
        sums: NDArray[np.uint32],
        counts: NDArray[np.bool_],
        rows: NDArray[np.intp],
        epochs: NDArray[np.intp],
        *,
        variable: str,
    ) -> NDArray[Any]:
        """Compare a block with its checksums; read again what does not match."""
        numbers = _Numbers(variable, values, sums, counts, rows, epochs)
        for _ in range(_LOOKS):
            wrong = numbers.wrong(self.binding)
            if not wrong.any():
                return numbers.values
            time.sleep(_PAUSE)
            numbers = self._read_again(numbers)
        raise self._damaged(wrong, numbers)

    def _read_again(self, numbers: _Numbers) -> _Numbers:
        """Read marks first: whatever is written meanwhile, what they promise is there by then."""
        marks, sums, values = (
            self._read(name, numbers) for name in ("analysed", CHECKSUM.name, numbers.variable)
        )
        return replace(
            numbers,
            counts=numbers.counts & marks,
            sums=sums[..., self.names.index(numbers.variable)],
            values=values,
        )

    def _read(self, name: str, numbers: _Numbers) -> NDArray[Any]:
        rows, epochs = numbers.rows, numbers.epochs
        stored = self._stored(name)
        return stored[int(rows[0]) : int(rows[-1]) + 1, int(epochs[0]) : int(epochs[-1]) + 1]

    def _damaged(self, wrong: NDArray[np.bool_], numbers: _Numbers) -> StoreError:
        which = np.zeros((len(self.binding.repeat), len(self.binding.epoch)), np.bool_)
        which[np.ix_(numbers.rows, numbers.epochs)] = wrong
        array = get_array(self.group, numbers.variable)
        row, epoch = (int(position[0]) for position in np.nonzero(which))
        chunk = (row // array.chunks[0], epoch // array.chunks[1], *(0,) * (array.ndim - 2))
        file = array.metadata.encode_chunk_key(chunk)
        return StoreError(
            f"{self.where}: {numbers.variable} must be what was written, but does not match its "
            f"checksum ({describe_snapshots(which, self.binding)}; {array.path}/{file}): it is "
            f"lost, damaged or torn; compute it anew with: {self.command}"
        )
