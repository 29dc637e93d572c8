"""A process that was forked has none of the threads that its parent had started.

zarr starts its own anew there. Dask does not: it would hand tasks to threads that are gone, and
wait for them.
"""

import os
import sys
import threading


def survive_forks() -> None:
    """Have every process that is forked from now on open pools of its own."""
    if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
        os.register_at_fork(after_in_child=_forget_pools)


def _forget_pools() -> None:
    threaded = sys.modules.get("dask.threaded")
    if threaded is not None:
        threaded.default_pool = None  # type: ignore[attr-defined]
        threaded.pools.clear()
        threaded.pools_lock = threading.Lock()  # type: ignore[attr-defined]
