"""A disk whose power can be cut: a file system in a file, of which what was not forced is lost."""

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
_WITHOUT_LOG = 2  # neither data nor the journal reach the disk any more
_TOOLS = ("mkfs.ext4", "mount", "umount")


class Disk:
    """A small ext4 file system.

    Parameters
    ----------
    image : path
        The file that it is in.
    folder : path
        Where it is mounted.
    """

    def __init__(self, image: Path, folder: Path) -> None:
        self._image = image
        self.folder = folder

    def cut(self) -> None:
        """Cut the power: from now on writing fails, and what was not forced is lost."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _WITHOUT_LOG))
        finally:
            os.close(descriptor)

    def restart(self) -> None:
        """Mount again what reached the disk. All files must be closed."""
        self.unmount()
        self.mount()

    def mount(self) -> None:
        """Mount it; a journal is replayed."""
        _run("mount", "-o", "loop", self._image, self.folder)

    def unmount(self) -> None:
        """Unmount it."""
        _run("umount", self.folder)


@contextmanager
def mounted_disk(folder: Path, *, size: int = 2**26) -> Iterator[Disk]:
    """Make a disk, and take it away at the end."""
    image, place = folder / "disk.img", folder / "disk"
    place.mkdir(exist_ok=True)
    with image.open("wb") as file:
        file.truncate(size)
    _run("mkfs.ext4", "-q", "-F", image)
    disk = Disk(image, place)
    disk.mount()
    try:
        yield disk
    finally:
        disk.unmount()
        image.unlink()


def why_not(folder: Path) -> str:
    """Say why there can be no such disk here; empty if there can."""
    if os.geteuid() != 0:
        return "only root mounts file systems"
    if not all(shutil.which(tool) for tool in _TOOLS):
        return f"needs {', '.join(_TOOLS)}"
    try:
        with mounted_disk(folder) as disk:
            disk.cut()
    except (OSError, subprocess.CalledProcessError) as err:
        return f"no file system can be mounted and shut down here: {err}"
    return ""


def _run(*words: str | Path) -> None:
    subprocess.run(words, check=True, capture_output=True)
