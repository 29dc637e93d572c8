"""Random numbers as TensorFlow's stateless operations draw them on Linux, to the last bit.

Philox 4x32-10 [1]_ turns a counter of 128 bits into four words of 32, whatever was drawn before.
Uniform numbers are the same on every machine. Normal ones need a logarithm, a sine and a cosine,
which are those of the C library, here as in TensorFlow: `has_known_functions` tells whether it
computes what glibc does from version 2.28 on.

References
----------
.. [1] J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1,
       2, 3", SC 2011.
"""

import ctypes
import ctypes.util
import math
import sys
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]
Floats = NDArray[np.float32]

_ROUNDS = 10
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_STEPS = 0x9E3779B9, 0xBB67AE85
_SCRAMBLING_KEY = 0x3EC8F720, 0x02461E29
_WORD = 2**32

_MANTISSA, _EXPONENT_OF_ONE = np.uint32(0x7FFFFF), np.uint32(0x3F800000)
_SMALLEST = np.float32(1e-7)  # of what a logarithm is taken

_RESERVED = 256  # counters of four numbers that are drawn again while they are beyond the cut
_USED = 4  # of these: that of 16 numbers 13 are beyond +-2 happens once in 10**14 groups
_CUT = np.float32(2)

_CHECKSUM = 0x60107619


def uniform(seed: int, n: int) -> Floats:
    """Draw uniform numbers in [0, 1) with the seed (seed, 0), 0 to 2**32 - 1: (n,), float32."""
    return _to_unit(_draw(seed, np.arange(-(-n // 4)))).reshape(-1)[:n]


def normal(seed: int, n: int) -> Floats:
    """Draw numbers of the standard normal distribution: (n,), float32."""
    return _to_normal(_draw(seed, np.arange(-(-n // 4)))).reshape(-1)[:n]


def truncated_normal(seed: int, n: int) -> Floats:
    """Draw numbers of the standard normal distribution between -2 and 2: (n,), float32.

    Of each four, those that lie beyond are drawn again, from counters that are kept for the four.
    """
    groups = np.arange(-(-n // 4))[:, np.newaxis] * _RESERVED + np.arange(_USED)
    numbers = _to_normal(_draw(seed, groups)).reshape(len(groups), -1)
    first = np.argsort(np.abs(numbers) >= _CUT, axis=1, kind="stable")[:, :4]
    return np.take_along_axis(numbers, first, axis=1).reshape(-1)[:n]


@cache
def has_known_functions() -> bool:
    """Whether logarithm, sine and cosine are glibc's, for some thousand numbers in [0, 1)."""
    words = np.arange(0, 2**23, 2003, dtype=np.uint32)
    try:
        numbers = _to_normal(np.stack([words, words[::-1]], axis=-1))
    except (AttributeError, OSError):  # another C library
        return False
    return zlib.crc32(numbers.tobytes()) == _CHECKSUM


def _draw(seed: int, counters: NDArray[np.int64]) -> Words:
    """Draw the four words of each counter: (...) to (..., 4)."""
    mixed = _encrypt(np.array([seed, 0, 0, 0], np.uint32), _SCRAMBLING_KEY)
    blocks = np.empty((*counters.shape, 4), np.uint32)
    blocks[..., 0], blocks[..., 1] = counters % _WORD, counters // _WORD
    blocks[..., 2:] = mixed[2:]
    return _encrypt(blocks, (int(mixed[0]), int(mixed[1])))


def _encrypt(blocks: Words, key: tuple[int, int]) -> Words:
    """Encrypt blocks of four words, (..., 4), in ten rounds."""
    a, b, c, d = np.moveaxis(blocks, -1, 0)
    for round_ in range(_ROUNDS):
        k, m = (
            np.uint32((word + round_ * step) % _WORD)
            for word, step in zip(key, _STEPS, strict=True)
        )
        left, right = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a, b = _high(right) ^ b ^ k, right.astype(np.uint32)
        c, d = _high(left) ^ d ^ m, left.astype(np.uint32)
    return np.stack([a, b, c, d], axis=-1)


def _high(products: NDArray[np.uint64]) -> Words:
    return (products >> np.uint64(32)).astype(np.uint32)


def _to_unit(words: Words) -> Floats:
    """Make of 23 bits of a word a number in [0, 1)."""
    return ((words & _MANTISSA) | _EXPONENT_OF_ONE).view(np.float32) - np.float32(1)


def _to_normal(words: Words) -> Floats:
    """Make normal numbers of each two words (Box and Muller 1958)."""
    unit = _to_unit(words)
    radius = np.sqrt(np.float32(-2) * _function("logf")(np.maximum(unit[..., ::2], _SMALLEST)))
    angle = (2 * math.pi * unit[..., 1::2].astype(np.float64)).astype(np.float32)
    numbers = np.empty_like(unit)
    numbers[..., ::2] = _function("sinf")(angle) * radius
    numbers[..., 1::2] = _function("cosf")(angle) * radius
    return numbers


@cache
def _function(name: str) -> Callable[[Floats], Floats]:
    """Find a function of the C library, and let it take arrays."""
    function = _c_library()[name]
    function.argtypes, function.restype = [ctypes.c_float], ctypes.c_float
    elementwise = np.frompyfunc(function, 1, 1)
    return lambda values: elementwise(values).astype(np.float32)


def _c_library() -> ctypes.CDLL:
    is_linux = sys.platform == "linux"  # where find_library would ask a compiler
    return ctypes.CDLL("libm.so.6" if is_linux else ctypes.util.find_library("m") or "ucrtbase")
