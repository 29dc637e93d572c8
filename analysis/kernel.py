"""How the loops that numpy cannot express are compiled."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def kernel(function: Function) -> Function:
    """Compile a loop over arrays to machine code that runs without the GIL.

    Parameters
    ----------
    function : callable
        Plain Python over arrays and numbers. It may call other kernels of *its own module* only:
        the cache of compiled code notices a change of the file that a kernel is in, not of the
        files it calls into.

    Returns
    -------
    callable
        The same function, compiled when it is first called. The machine code is cached beside the
        source, or in the user's cache directory where that is read-only, or not at all where
        neither can be written.
    """
    try:
        compiled = numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba: "no locator available", nowhere to keep the cache
        compiled = numba.njit(nogil=True)(function)
    return cast(Function, compiled)
