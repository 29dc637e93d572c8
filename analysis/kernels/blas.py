"""One thread of BLAS: tasks are threads already, and its own would fight with them for cores."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock

from threadpoolctl import ThreadpoolController, threadpool_limits

_ENTERING = Lock()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let BLAS use one thread for what is in it, or for a function that it decorates.

    On a machine that is busy, threads that wait for each other make matrices of a few hundred rows
    a hundred times slower. The limit is that of the process: tasks that run meanwhile have it too.

    Examples
    --------
    >>> import numpy as np
    >>> with one_thread():
    ...     np.linalg.eigvalsh(np.eye(2)).tolist()
    [1.0, 1.0]
    """
    with ExitStack() as stack:
        with _ENTERING:
            if not _has_one():  # else another task asked for it, and gives back what was before
                stack.enter_context(threadpool_limits(limits=1, user_api="blas"))
        yield


def _has_one() -> bool:
    """Whether BLAS has one thread already."""
    found = ThreadpoolController().select(user_api="blas").info()
    return all(one["num_threads"] == 1 for one in found)
