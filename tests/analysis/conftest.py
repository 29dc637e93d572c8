"""What the tests of the analysis share."""

from hypothesis import settings

# The first example that calls a kernel waits for its compilation.
settings.register_profile("kernels", deadline=None)
settings.load_profile("kernels")
