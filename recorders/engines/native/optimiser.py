"""Adam, as Keras takes its steps."""

import numpy as np

from ibtools.kernel import float_part
from ibtools.recorders.engines.native.arrays import Floats, State

_FLOAT = np.float32
_ZERO, _ONE = _FLOAT(0), _FLOAT(1)
_TINY = np.finfo(np.float32).tiny
_BETA_1, _BETA_2, _EPSILON = _FLOAT(0.9), _FLOAT(0.999), _FLOAT(1e-7)


@float_part
def adam(state: State, gradient: Floats, rate: np.float32) -> None:
    """Take a step of Adam (Kingma and Ba 2015), as Keras does.

    Moments too small for a normal number become 0, as in TensorFlow; processors slow down on them.
    """
    state.n_steps[0] += 1
    n = _FLOAT(state.n_steps[0])
    alpha = rate * np.sqrt(_ONE - _BETA_2**n) / (_ONE - _BETA_1**n)
    parameters, momentum, velocity = state.parameters, state.momentum, state.velocity
    for i in range(gradient.size):
        g = gradient[i]
        m = momentum[i] + (g - momentum[i]) * (_ONE - _BETA_1)
        v = velocity[i] + (g * g - velocity[i]) * (_ONE - _BETA_2)
        momentum[i] = m if abs(m) >= _TINY else _ZERO
        velocity[i] = v if v >= _TINY else _ZERO
        parameters[i] -= momentum[i] * alpha / (np.sqrt(velocity[i]) + _EPSILON)
