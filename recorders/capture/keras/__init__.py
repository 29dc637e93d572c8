"""Layers of tf_keras models. Importing this loads TensorFlow, quietly.

tfmot works on Keras 2 only, and finds it by itself: its compatibility module sets
TF_USE_LEGACY_KERAS, and takes tf_keras whatever `tf.keras` is by then. Here tf_keras is imported by
its own name, so that nothing depends on that variable.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

# Read once, when TensorFlow is loaded. 3 silences what it prints about missing GPUs; what goes
# wrong in a computation is raised as an exception anyway.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextmanager
def _native_messages_hidden() -> Iterator[None]:
    """Hide what libraries print while they are loaded, which no log level reaches."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


with _native_messages_hidden():
    import tensorflow  # noqa: F401  # loaded here once, before any other module
