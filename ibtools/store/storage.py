"""Where stores are: in a folder of this machine, or wherever fsspec reaches."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ibtools.errors import InputError, StoreError, UnknownNameError

StorePath = str | os.PathLike[str]
"""A local path, or any URL that fsspec understands, such as ``s3://bucket/run.zarr``."""

_FOREIGN_ERRORS = {"botocore.exceptions": "BotoCoreError", "aiohttp": "ClientError"}
"""What file systems raise that is no OSError: module and class, looked up only where loaded."""

_RENEW = "renew the credentials, and run the same command again (record: with --resume)"
_MAY = (
    "check the credentials, which may have expired, and what they allow; then run the same command "
    "again (record: with --resume)"
)

_METADATA_ERRORS = (
    ValueError,  # damaged metadata
    TypeError,
    KeyError,
    AttributeError,
    NotImplementedError,
    RecursionError,
    OverflowError,
    ImportError,  # s3fs is not installed
)
"""What zarr, xarray and fsspec raise of metadata that are of other types than they expect."""

_HINTS = {
    "ExpiredToken": _RENEW,
    "ExpiredTokenException": _RENEW,
    "RequestExpired": _RENEW,
    "TokenRefreshRequired": _RENEW,
    "InvalidToken": _RENEW,
    "403": _MAY,  # what HEAD is answered has no code
    "AccessDenied": _MAY,
    "NoCredentialsError": "give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws/credentials",
    "EndpointConnectionError": "check the network, and AWS_ENDPOINT_URL if it is not Amazon's S3",
}
"""What to do, by the class of an error or the code that S3 gave it."""


class RemoteError(OSError):
    """An operation of remote storage can't be done, or failed for as long as it was tried."""


def place_of(path: StorePath) -> str:
    """Return where a path leads: `~` is the user's home, and a file URL is a path.

    Examples
    --------
    >>> place_of("file:///data/my%20run.zarr"), place_of("s3://bucket/~/run.zarr")
    ('/data/my run.zarr', 's3://bucket/~/run.zarr')
    """
    text = os.fspath(path)
    for scheme in ("file://localhost/", "file:///"):
        if text.startswith(scheme):
            return "/" + unquote(text.removeprefix(scheme))
    return text if "://" in text else os.path.expanduser(text)


def is_local(path: StorePath) -> bool:
    """Whether `path` is on this machine, rather than an fsspec URL."""
    return "://" not in place_of(path)


def local_folder(path: StorePath) -> Path:
    """Return the folder that files other than stores go to.

    Raises
    ------
    InputError
        If it is a URL.
    """
    if not is_local(path):
        raise InputError(
            f"only stores are written to {str(path).partition('://')[0]}://, but {path} is for "
            "other files; give a local folder, and copy it"
        )
    return Path(place_of(path))


def local_file(path: StorePath, what: str, suffixes: Sequence[str]) -> Path:
    """Check that a file can be written to a place on this machine, before anything is computed.

    Parameters
    ----------
    path : path
        The file to be written.
    what : str
        What it is, such as "a figure", for the error.
    suffixes : sequence of str
        Those that its name may end in, in small letters; it may have capital ones. The first is
        suggested.

    Raises
    ------
    UnknownNameError
        If the suffix is another one.
    InputError
        If it is a URL, or its folder is not there.
    """
    file = local_folder(path)
    if file.suffix.lower() not in suffixes:
        raise UnknownNameError(
            f"the name of {what} must end in one of {', '.join(suffixes)}, which sets its format; "
            f"got {file.name!r}; try {file.with_suffix(suffixes[0]).name!r}"
        )
    if not file.parent.is_dir():
        raise InputError(
            f"{file.name} must be written into a folder that exists, but {file.parent} does not; "
            "create it first"
        )
    return file


def absolute(path: StorePath) -> str:
    """Return a path that means the same in another folder."""
    return os.path.abspath(place_of(path)) if is_local(path) else os.fspath(path)


_S3_OPTIONS = {"max_concurrency": 1, "config_kwargs": {"retries": {"total_max_attempts": 1}}}


def storage_options(path: StorePath) -> dict[str, Any] | None:
    """Return what fsspec is told about a file system; None for a plain path.

    Listings are never cached, because other processes write to the same store. On S3, whole objects
    are read by one request: s3fs else asks for their size first, and lists when there are none; and
    botocore tries nothing again, since `ibtools.store.retrying` does, for a time that is bounded.
    The user's own configuration of fsspec comes before this.
    """
    if is_local(path):
        return None
    from fsspec.config import conf

    protocol = str(path).partition("://")[0]
    ours = {"use_listings_cache": False, **(_S3_OPTIONS if protocol == "s3" else {})}
    return {**ours, **conf.get(protocol, {})}


def list_names(path: StorePath) -> set[str]:
    """Return the names of what is directly below `path`; none if nothing is there.

    A file is below itself.

    Raises
    ------
    StoreError
        If the file system can't be reached.
    """
    if is_local(path):
        place = Path(place_of(path))
        if place.is_dir():
            return {entry.name for entry in place.iterdir()}
        return {place.name} if place.exists() else set()
    with reaching(path, "can't be reached"):
        from ibtools.store.remote import list_remote

        return list_remote(path)


def stored_bytes(path: StorePath) -> int:
    """Sum up the sizes of all files in a local folder that are there while it is looked at.

    Examples
    --------
    >>> stored_bytes("/there/is/nothing")
    0
    """
    total = 0
    for folder, _, names in os.walk(place_of(path)):
        for name in names:
            with suppress(FileNotFoundError):
                total += os.stat(os.path.join(folder, name)).st_size
    return total


def storage_errors() -> tuple[type[Exception], ...]:
    """Return the errors that reading and writing raise: OSError, and those of loaded libraries."""
    loaded = ((sys.modules.get(name), error) for name, error in _FOREIGN_ERRORS.items())
    return (OSError, *(getattr(module, error) for module, error in loaded if module))


def reason(err: Exception) -> str:
    """Return why reading or writing failed, and what to do about it where that is known."""
    said = (getattr(err, "strerror", None) or str(err)).rstrip(".")
    hint = _HINTS.get(_code(err)) or _HINTS.get(type(err).__name__)
    return f"{said}; {hint}" if hint else said


def _code(err: Exception) -> str:
    """Return what S3 called an error, or nothing."""
    response = getattr(err.__cause__, "response", None)
    return str(response["Error"].get("Code")) if isinstance(response, dict) else ""


@contextmanager
def reaching(path: StorePath, failure: str) -> Iterator[None]:
    """Turn whatever opening a file system or a store raises into one clear error.

    Parameters
    ----------
    path : path or URL
        The store.
    failure : str
        What failed, such as "the store can't be opened".

    Raises
    ------
    StoreError
        With the reason, and what to do about it where that is known.
    """
    try:
        yield
    except StoreError:
        raise
    except _METADATA_ERRORS as err:
        raise StoreError(f"{path}: {failure}: {err}") from err
    except storage_errors() as err:
        raise StoreError(f"{path}: {failure}: {reason(err)}") from err


@contextmanager
def decoding(what: str) -> Iterator[None]:
    """Turn whatever reading damaged chunks raises into one clear error.

    Parameters
    ----------
    what : str
        What is read.

    Raises
    ------
    StoreError
        With the reason.
    """
    try:
        yield
    except StoreError:
        raise
    except RemoteError as err:
        raise StoreError(f"{what}: can't be read: {err}") from err
    except (ValueError, RuntimeError) as err:  # a checksum that differs; what no codec made
        raise _damaged(what, err) from err
    except storage_errors() as err:
        raise _damaged(what, err) from err


def _damaged(what: str, err: Exception) -> StoreError:
    return StoreError(
        f"{what}: can't be read: {reason(err)}; the file is damaged or cut short: restore it from "
        "a copy of the store"
    )
