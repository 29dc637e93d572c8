import importlib
import sys
from typing import NamedTuple

import numpy as np

import ibtools.kernel
from ibtools.kernel import float_kernel, float_part_but_of, is_compiled, kernel


class _All(NamedTuple):
    numbers: np.ndarray


class _Some(_All):
    __slots__ = ()


@float_part_but_of(_Some)
def _add(things, more):
    things.numbers[:] += more


@float_kernel
def _lead(things, more):
    _add(things, more)


def test_is_compiled__of_some_named_tuple():
    lead = float_kernel(_lead.py_func)
    lead(_Some(np.ones(3)), 1.0)
    assert is_compiled(lead, first=_Some)
    assert not is_compiled(lead, first=dict)


def test_float_part_but_of__is_left_out_where_it_is_not_reached():
    for kind, expected in ((_All, 5), (_Some, 2)):
        numbers = np.full(3, 2, np.float32)
        _lead(kind(numbers), np.float32(3))
        np.testing.assert_array_equal(numbers, expected)
    assert _add(_Some(numbers), 4) is None  # in Python it stays what it is
    np.testing.assert_array_equal(numbers, 6)


def test_kernel__compiles_where_nothing_can_be_cached():
    """A function without a source file has no place for a cache, like a read-only installation."""
    namespace = {}
    exec("def double(x):\n    return 2 * x", namespace)
    double = kernel(namespace["double"])
    assert is_compiled(double)  # nothing is known
    assert double(21) == 42


def test_kernel__cached_code_is_of_all_sources_of_the_folder(tmp_path, monkeypatch):
    """A kernel contains those that it calls: it is compiled anew when their file changes."""
    monkeypatch.syspath_prepend(tmp_path)
    outer = "from inner_kernel import inner\n@kernel\ndef outer(x):\n    return inner(x)\n"
    (tmp_path / "outer_kernel.py").write_text(f"from ibtools.kernel import kernel\n{outer}")

    def import_outer(added):
        inner = (
            f"from ibtools.kernel import kernel\n@kernel\ndef inner(x):\n    return x + {added}\n"
        )
        (tmp_path / "inner_kernel.py").write_text(inner)
        for name in ("inner_kernel", "outer_kernel"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        ibtools.kernel._digest.cache_clear()
        return importlib.import_module("outer_kernel").outer

    first = import_outer(1)
    assert not is_compiled(first)
    assert first(1) == 2
    assert is_compiled(first)
    again = import_outer(1)
    assert is_compiled(again)
    assert again(1) == 2
    assert sum(again.stats.cache_hits.values()) == 1
    changed = import_outer(20)
    assert not is_compiled(changed)
    assert changed(1) == 21
