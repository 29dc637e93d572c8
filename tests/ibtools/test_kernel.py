from ibtools.kernel import kernel


def test_kernel__compiles_where_nothing_can_be_cached():
    """A function without a source file has no place for a cache, like a read-only installation."""
    namespace = {}
    exec("def double(x):\n    return 2 * x", namespace)
    assert kernel(namespace["double"])(21) == 42
