"""A local store whose writes are on the disk when they return: a power cut does not take them back.

A file system may keep what was written in memory for half a minute, and may write a file's name
before its content. So each file is forced to the disk under another name, renamed, and then its
folder is forced to the disk. Whoever writes data first and a mark after it finds the data wherever
it finds the mark.
"""

import asyncio
import errno
import os
import sys
import uuid
from pathlib import Path

from zarr.abc.buffer import Buffer
from zarr.storage import LocalStore

PARTIAL = ".partial"
"""What the name of a file that is being written ends in."""

_UNSUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EROFS, errno.EACCES}
"""What a file system answers that can't force a folder, or has no need to."""


class DurableStore(LocalStore):
    """A folder of this machine; what was set or deleted is on the disk."""

    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        super().__init__(root, read_only=read_only)
        self._forced: set[Path] = set()

    async def set(self, key: str, value: Buffer) -> None:
        """Replace a file."""
        await self._ready()
        await asyncio.to_thread(self._replace, self.root / key, value)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Write a file unless there is one."""
        await self._ready()
        await asyncio.to_thread(self._create, self.root / key, value)

    def set_sync(self, key: str, value: Buffer) -> None:
        """Replace a file."""
        self._ensure_open_sync()
        self._check_writable()
        self._replace(self.root / key, value)

    async def delete(self, key: str) -> None:
        """Delete a file or a folder."""
        self._forced.clear()
        await super().delete(key)
        await asyncio.to_thread(_force_folder, (self.root / key).parent)

    def delete_sync(self, key: str) -> None:
        """Delete a file or a folder."""
        self._forced.clear()
        super().delete_sync(key)
        _force_folder((self.root / key).parent)

    async def delete_dir(self, prefix: str) -> None:
        """Delete a folder, or whatever is there."""
        self._forced.clear()
        path = self.root / prefix
        if path.is_symlink() or path.is_file():
            path.unlink()
        else:
            await super().delete_dir(prefix)
        await asyncio.to_thread(_force_folder, (self.root / prefix).parent)

    async def _ready(self) -> None:
        if not self._is_open:
            await self._open()
        self._check_writable()

    def _replace(self, path: Path, value: Buffer) -> None:
        written = self._write_beside(path, value)
        try:
            os.replace(written, path)
        except OSError:
            written.unlink(missing_ok=True)
            raise
        _force_folder(path.parent)

    def _create(self, path: Path, value: Buffer) -> None:
        if path.exists():
            return
        written = self._write_beside(path, value)
        try:
            os.link(written, path)
        except FileExistsError:
            return
        finally:
            written.unlink(missing_ok=True)
        _force_folder(path.parent)

    def _write_beside(self, path: Path, value: Buffer) -> Path:
        """Write a file under another name in the same folder, and force it to the disk."""
        self._make_folder(path.parent)
        written = path.with_name(f"{path.name}.{uuid.uuid4().hex}{PARTIAL}")
        try:
            with written.open("xb") as file:
                file.write(value.as_buffer_like())
                file.flush()
                _force(file.fileno())
        except BaseException:
            written.unlink(missing_ok=True)
            raise
        return written

    def _make_folder(self, folder: Path) -> None:
        """Create a folder, and force its name and those of the folders around it to the disk.

        Once in a process also of folders that are there: who made them may have been killed before.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for inner in (folder, *folder.parents):
            if inner in self._forced:
                return
            _force_folder(inner.parent)
            self._forced.add(inner)
            if inner == self.root:
                return


def delete_partial(folder: Path) -> None:
    """Delete what is left in a folder of files that were being written when a process ended."""
    for file in folder.rglob(f"*{PARTIAL}"):
        file.unlink(missing_ok=True)


def _force(descriptor: int) -> None:
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync leaves it in the drive's cache there
    else:
        os.fsync(descriptor)


def _force_folder(folder: Path) -> None:
    """Force names in a folder to the disk, where folders can be opened and forced."""
    if sys.platform == "win32" or not folder.is_dir():
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _force(descriptor)
    except OSError as err:
        if err.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)
