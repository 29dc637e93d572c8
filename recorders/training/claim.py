"""Claims on repeats: the last process that claimed one writes it, and no other.

A process that was given up may live on: a worker that a scheduler declared dead because its network
or its machine stood still, or a recording that was thought killed when it was resumed elsewhere. So
whoever records a repeat puts a mark of its own beside the checkpoints, and looks at it again before
it writes. Where it finds the mark of another, or none, it stops.

Between looking and writing there is a moment. So a mark counts for `CONFIRM_SECONDS`, and who takes
a repeat over waits twice as long before it reads or writes anything of it. What can still come late
is a single write that was under way when the repeat was taken over, and that took longer than that.
"""

import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import zarr
from zarr.abc.buffer import Buffer
from zarr.abc.store import Store
from zarr.buffer import default_buffer_prototype

from ibtools.errors import ClaimLostError
from ibtools.recorders.training.checkpoint import (
    GROUP,
    delete_checkpoints,
    open_checkpoints,
    prepare_checkpoints,
)
from ibtools.store.groups import writing
from ibtools.store.wrapping import LookingStore

CONFIRM_SECONDS = 1.0
"""How long a look at the mark is good for."""


@dataclass(frozen=True)
class Claim:
    """The right to write a repeat, until another takes it over.

    Parameters
    ----------
    name : str
        Of the group that holds the mark.
    owner : str
        What the mark says.
    """

    name: str
    owner: str

    @classmethod
    def take(cls, group: zarr.Group, repeat: int) -> Self:
        """Take a repeat over from whoever recorded it before."""
        prepare_checkpoints(group)
        claim = cls(f"claim-{repeat}", uuid.uuid4().hex)
        with writing(group):
            place = open_checkpoints(group)
            if place is None:
                raise ClaimLostError(
                    f"{group.store}: what is kept for resuming was deleted meanwhile"
                )
            taken = claim.name in place
            place.require_group(claim.name).attrs["owner"] = claim.owner
        if taken:
            time.sleep(2 * CONFIRM_SECONDS)
        return claim

    def of(self, group: zarr.Group) -> zarr.Group:
        """Return a store opened anew, so that it is written to only while the claim holds."""
        claimed = _ClaimedStore(group.store, f"{GROUP}/{self.name}/zarr.json", self.owner)
        consolidated = None if group.metadata.consolidated_metadata is not None else False
        return zarr.open_group(claimed, mode="r+", zarr_format=3, use_consolidated=consolidated)

    def confirm(self, group: zarr.Group) -> None:
        """Check that the claim holds still.

        Raises
        ------
        ClaimLostError
            If it does not.
        """
        place = open_checkpoints(group)
        owner = None if place is None or self.name not in place else place[self.name].attrs["owner"]
        if owner != self.owner:
            raise _taken_over(group.store)

    @classmethod
    def is_taken(cls, group: zarr.Group, repeat: int) -> bool:
        """Whether somebody records a repeat, or did until it was killed."""
        place = open_checkpoints(group)
        return place is not None and f"claim-{repeat}" in place

    def release(self, group: zarr.Group) -> None:
        """Give the repeat up: it is finished, or whoever goes on with it need not wait."""
        place = open_checkpoints(group)
        if place is None:
            return
        with writing(group):
            if self.name in place and place[self.name].attrs.get("owner") == self.owner:
                del place[self.name]
            if not any(place.keys()):
                delete_checkpoints(group)


def claim_repeat(group: zarr.Group, repeat: int) -> zarr.Group:
    """Take a repeat over from whoever recorded it before; returns the store, opened anew."""
    return Claim.take(group, repeat).of(group)


def _taken_over(store: Store) -> ClaimLostError:
    return ClaimLostError(
        f"{store}: another recording has taken over what this one was writing, so this one stops; "
        "what is on disk stays, and the other goes on"
    )


class _ClaimedStore(LookingStore):
    """A store that looks at the mark before it writes or deletes."""

    def __init__(self, store: Store, key: str, owner: str) -> None:
        super().__init__(store)
        self._key = key
        self._owner = owner
        self._confirmed = float("-inf")

    def _with_store(self, store: Store) -> "_ClaimedStore":
        return _ClaimedStore(store, self._key, self._owner)

    def __str__(self) -> str:
        return str(self._store)

    async def set(self, key: str, value: Buffer) -> None:
        await self._confirm()
        await super().set(key, value)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        await self._confirm()
        await super().set_if_not_exists(key, value)

    async def _set_many(self, values: Iterable[tuple[str, Buffer]]) -> None:
        await self._confirm()
        await super()._set_many(values)

    async def delete(self, key: str) -> None:
        await self._confirm()
        await super().delete(key)

    async def delete_dir(self, prefix: str) -> None:
        await self._confirm()
        await super().delete_dir(prefix)

    async def _confirm(self) -> None:
        """Make sure that the mark is still ours, unless that was seen just now."""
        asked = time.monotonic()
        if asked - self._confirmed < CONFIRM_SECONDS:
            return
        mark = await self._store.get(self._key, default_buffer_prototype())
        if mark is None or self._owner.encode() not in mark.to_bytes():
            raise _taken_over(self._store)
        self._confirmed = asked
