"""Remote storage that fails for a while: the same again, with growing pauses, but not for ever.

What is tried again is what passes: a server that is overloaded or has an error of its own, a
connection that is reset, an answer that does not come or is cut short. What does not pass is
raised at once: what is not there, and what is not allowed.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from ibtools.store.storage import RemoteError, reason, storage_errors

RETRY_SECONDS = 120.0
"""How long after the first failure an operation is begun again."""

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 10.0

_PASSING_STATUS = {408, 425, 429, 500, 502, 503, 504}
_PASSING = {
    "HTTPClientError",  # of botocore: connections and timeouts
    "EndpointConnectionError",
    "ResponseParserError",  # of botocore: an answer that was cut short
    "IncompleteRead",
    "ClientConnectionError",  # of aiohttp
    "ClientPayloadError",
}
_LASTING = {"SSLError", "ClientSSLError", "NoCredentialsError"}
_UNREACHED = {"EndpointConnectionError", "ConnectTimeoutError", "ClientConnectorError"}
_T = TypeVar("_T")

_answered: set[str] = set()
"""The servers and buckets that this process has had an answer from."""


def is_passing(err: BaseException) -> bool:
    """Whether what failed may work a little later."""
    names = {kind.__name__ for one in _causes(err) for kind in type(one).__mro__}
    if names & _LASTING:
        return False
    if names & _PASSING or isinstance(err, TimeoutError | ConnectionError):
        return True
    return any(_status(one) in _PASSING_STATUS for one in _causes(err))


def _causes(err: BaseException | None) -> Iterator[BaseException]:
    while err is not None:
        yield err
        err = err.__cause__


def _status(err: BaseException) -> int | None:
    """Return the status of HTTP that an error tells of, as botocore and aiohttp keep it."""
    response = getattr(err, "response", None)
    if isinstance(response, dict):
        found = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        found = getattr(err, "status", None)
    return found if isinstance(found, int) else None


class _Patience:
    """How long one operation is still tried, and how long to pause before it is."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._server = "/".join(url.split("/", 3)[:3])
        self._pause = FIRST_PAUSE
        self._failed: float | None = None

    def succeeded(self) -> None:
        _answered.add(self._server)

    def pause_after(self, err: Exception) -> float:
        """Return how long to pause; raises what is not to be tried again."""
        if isinstance(err, FileNotFoundError):
            raise err
        now = time.monotonic()
        self._failed = now if self._failed is None else self._failed
        if not self._is_worth_trying(err):
            raise RemoteError(f"{reason(err)} ({self._url})") from err
        pause = self._pause * random.uniform(0.5, 1.0)
        if now + pause - self._failed > RETRY_SECONDS:
            raise RemoteError(
                f"{reason(err)}; tried again for {now - self._failed:.0f} s ({self._url})"
            ) from err
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        return pause

    def _is_worth_trying(self, err: Exception) -> bool:
        """Whether it may pass; a server that was never heard of is rather a wrong address."""
        unreached = any(type(one).__name__ in _UNREACHED for one in _causes(err))
        return is_passing(err) and (not unreached or self._server in _answered)


async def persist(url: str, operation: Callable[[], Awaitable[_T]]) -> _T:
    """Do an operation of remote storage, again while it fails with what passes.

    Parameters
    ----------
    url : str
        What it is about, for the error.
    operation : callable
        Has the same outcome when it is done again after it was done in part.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    RemoteError
        If it can't be done, or still failed after `RETRY_SECONDS`.
    """
    patience = _Patience(url)
    while True:
        try:
            done = await operation()
        except storage_errors() as err:
            await asyncio.sleep(patience.pause_after(err))
        else:
            patience.succeeded()
            return done


def persist_here(url: str, operation: Callable[[], _T]) -> _T:
    """Do as `persist` does, and block."""
    patience = _Patience(url)
    while True:
        try:
            done = operation()
        except storage_errors() as err:
            time.sleep(patience.pause_after(err))
        else:
            patience.succeeded()
            return done
