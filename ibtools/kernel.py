"""How the loops that numpy cannot express are compiled."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba  # noqa: TID251  (the one place)
import numba.extending  # noqa: TID251

Function = TypeVar("Function", bound=Callable[..., object])

_FREELY_ROUNDED = {"reassoc", "contract", "arcp", "nsz", "nnan"}


def kernel(function: Function) -> Function:
    """Compile a loop over arrays to machine code that runs without the GIL.

    Parameters
    ----------
    function : callable
        Plain Python over arrays and numbers. It may call other kernels of *its own folder* only:
        the cache of compiled code notices when a file of the folder changes, and no others.

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


def float_part(function: Function) -> Function:
    """Let float kernels call a function, which is compiled with them.

    In Python it stays what it is. What only kernels call is not compiled by itself, with all that
    Python would need to call it, which takes longer and gives the same machine code.
    """
    return float_part_but_of()(function)


def float_part_but_of(*unreached: type) -> Callable[[Function], Function]:
    """Do what `float_part` does, but where the first argument is one of some named tuples.

    The function is not reached there, and left out of the machine code.
    """

    def decorate(function: Function) -> Function:
        def choose(first: Any, *others: Any) -> Callable[..., object]:
            return _nothing if getattr(first, "instance_class", None) in unreached else function

        options: Any = {
            "fastmath": _FREELY_ROUNDED,
            "error_model": "numpy",
            "no_cfunc_wrapper": True,
        }
        numba.extending.overload(function, jit_options=options, strict=False)(choose)
        return function

    return decorate


def _nothing(*arguments: Any) -> None:
    """Stand for what is left out."""


def is_compiled(function: Callable[..., object], *, first: type | None = None) -> bool:
    """Whether a kernel need not be compiled first: its machine code is here or in the cache.

    Of any arguments, or of those whose first is the named tuple that is given.
    """
    compiled = cast(Any, function)
    try:
        cached = compiled._cache._cache_file._load_index()
        known = [*compiled.overloads, *(signature for signature, *_ in cached)]
    except (AttributeError, OSError):  # no cache, or another numba: nothing is known
        return True
    return any(
        first is None or getattr(types[0], "instance_class", None) is first for types in known
    )


def _compile(function: Function, **options: Any) -> Function:
    try:
        compiled = numba.njit(nogil=True, cache=True, **options)(function)
        _watch_folder(compiled)
    except (AttributeError, OSError, RuntimeError):  # nowhere to keep the cache, or another numba
        compiled = numba.njit(nogil=True, **options)(function)
    return cast(Function, compiled)


def _watch_folder(compiled: Any) -> None:
    """Let cached code be of the sources of a whole folder; numba has it be of a single file.

    Compiled code contains that of the kernels it calls, in whichever file they are.
    """
    file = compiled._cache._cache_file
    folder = Path(compiled.py_func.__code__.co_filename).parent
    file._source_stamp = (file._source_stamp, _digest(folder))


@cache
def _digest(folder: Path) -> str:
    """Digest all sources of a folder."""
    sources = [path.read_bytes() for path in sorted(folder.glob("*.py"))]
    return hashlib.sha256(b"\0".join(sources)).hexdigest()
