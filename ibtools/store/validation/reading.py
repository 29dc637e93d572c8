"""Arrays that xarray reads lazily: a damaged chunk is one clear error whenever it is read."""

from collections.abc import Mapping
from typing import Any, Self

import xarray as xr
import zarr
from numpy.typing import NDArray
from xarray.backends import ZarrStore
from xarray.backends.zarr import ZarrArrayWrapper
from xarray.core.indexing import LazilyIndexedArray

from ibtools.store.storage import decoding
from ibtools.store.validation.declared import arrays_of


class CheckedStore(ZarrStore):
    """A group of Zarr as xarray reads it, whose variables say where they are when damaged."""

    where: str
    known: Mapping[str, NDArray[Any]]

    @classmethod
    def of(
        cls, group: zarr.Group, where: str, known: Mapping[str, NDArray[Any]] | None = None
    ) -> Self:
        """Take a group, what it is called in an error, and what was read of it already."""
        store = cls(group, "r", use_zarr_fill_value_as_mask=False)
        store.where, store.known = where, known or {}
        return store

    def _fetch_members(self) -> dict[str, Any]:
        """Return the arrays, which are known since the group was opened."""
        return arrays_of(self.zarr_group)

    def open_store_variable(self, name: str) -> xr.Variable:
        """Return a variable, lazily read."""
        found: xr.Variable = super().open_store_variable(name)  # type: ignore[no-untyped-call]
        array = _CheckedArray(self.members[name], f"{self.where}: {name}")
        data = self.known.get(name, LazilyIndexedArray(array))
        return xr.Variable(found.dims, data, found.attrs, found.encoding)


class _CheckedArray(ZarrArrayWrapper):
    """An array that says where it is when it can't be read."""

    __slots__ = ("where",)

    _array: "zarr.Array[Any]"

    def __init__(self, array: Any, where: str) -> None:
        super().__init__(array)  # type: ignore[no-untyped-call]
        self.where = where

    def __getitem__(self, key: Any) -> Any:
        with decoding(self.where):
            return super().__getitem__(key)  # type: ignore[no-untyped-call]
