"""What Hypothesis draws for the tests of the analysis."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp


@st.composite
def symbol_arrays(draw):
    """Draw (sample, unit) symbols of any width, with many, few or no equal rows."""
    dtype = draw(st.sampled_from([np.uint8, np.uint16, np.uint32]))
    shape = draw(st.integers(1, 60)), draw(st.integers(1, 40))
    high = draw(st.sampled_from([0, 1, 2, np.iinfo(dtype).max]))
    symbols = draw(hnp.arrays(dtype, shape, elements=st.integers(0, high)))
    return symbols[draw(st.lists(st.integers(0, len(symbols) - 1), min_size=1, max_size=80))]


@st.composite
def labelled_samples(draw, max_samples=200):
    """Draw labels and classes of the same samples."""
    n = draw(st.integers(1, max_samples))
    n_states, n_classes = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    labels = draw(hnp.arrays(np.uint32, n, elements=st.integers(0, n_states - 1)))
    y = draw(hnp.arrays(np.int64, n, elements=st.integers(0, n_classes - 1)))
    return labels, y, n_states, n_classes
