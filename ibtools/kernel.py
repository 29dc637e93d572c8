"""How the loops that numpy cannot express are compiled."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba  # noqa: TID251  (the one place)

Function = TypeVar("Function", bound=Callable[..., object])

_FREELY_ROUNDED = {"reassoc", "contract", "arcp", "nsz", "nnan"}


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
    return _compile(function)


def float_kernel(function: Function) -> Function:
    """Compile as `kernel` does, with sums taken side by side and products fused into them.

    A sum over an axis is then several times faster. It rounds in an order that the compiler
    chooses for a processor: the same machine code gives the same bits. A division by 0 gives
    infinity, as in NumPy; comparisons with a NaN are not defined.
    """
    return _compile(function, fastmath=_FREELY_ROUNDED, error_model="numpy")


def _compile(function: Function, **options: Any) -> Function:
    try:
        compiled = numba.njit(nogil=True, cache=True, **options)(function)
    except RuntimeError:  # numba: "no locator available", nowhere to keep the cache
        compiled = numba.njit(nogil=True, **options)(function)
    return cast(Function, compiled)
