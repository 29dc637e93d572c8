"""The schemes of quantisation-aware training: which tensors are quantised, and on which range.

They are rules, which need no framework: `ibtools.recorders.engines.keras.schemes` tells tfmot of
them, `ibtools.recorders.engines.native.stages` the machine code.

Scheme `paper` does what the paper's networks do. It leaves biases, the kernels of Tanh layers and
the softmax continuous:

================= ========================================= =======================================
quantity          any other layer, logits                   Tanh layers
================= ========================================= =======================================
input             8 bits, range grows to that of the data   same
kernel            b bits, range of its current values       not quantised
bias              not quantised                             not quantised
output            b bits, moving average of batch ranges    b bits, range of the current tensor
softmax           not quantised
================= ========================================= =======================================

Scheme `full` leaves nothing continuous between two layers:

================= ==================================================================================
quantity          range
================= ==================================================================================
input             8 bits, range grows to that of the data
kernel, bias      b bits, range of its current values
output            b bits: [-1, 1] of Tanh, [0, 6] of ReLU6, [0, 1] of a sigmoid or a softmax inside
                  the network, else the moving average of batch ranges
softmax           b bits, [0, 1]
================= ==================================================================================

Kernels are those of dense and convolutional layers. In scheme `paper`, all weights of other layers,
as recurrent ones, embeddings and normalisation, stay continuous; scheme `full` refuses such layers.
An input of whole numbers that an embedding looks up is not quantised, as others would be found.

With ranges `calibrated`, moving averages start at the ranges that the outputs of the initial
network have on the training samples. With `fixed` they stay there, as those of the current tensor
do: what leaves them is clipped. Fixed ranges and those of weights are the same with any.

The loss is computed from the softmax before it is quantised, in both. A probability that rounds to
0 would have an infinite loss, and one that Keras clips has no gradient, so that a sample which the
network gets quite wrong could never be corrected. What is recorded, and what the accuracy is
computed from, is the quantised softmax.

Max pooling chooses among quantised values and needs no quantiser: its values are on the grid of the
layer before.
"""

from typing import Literal

from ibtools.settings import Ranges

Range = str | tuple[float, float]
"""Range of an output: "none", "current", "average", "kept", or the two ends of a fixed one.

What is kept is where it was calibrated: on the values of the initial network.
"""

Probed = Ranges | Literal["probe"]
"""Ranges, or those by which they are calibrated: every moving one is that of the current tensor."""

_INSTEAD: dict[Probed, dict[str, Range]] = {
    "paper": {},
    "calibrated": {},
    "fixed": {"average": "kept", "current": "kept"},
    "probe": {"average": "current"},
}
"""What takes the place of a range of the paper's."""

FIRST_RANGE = (-6.0, 6.0)
"""Where moving averages start, and what is kept until it is calibrated."""

_FIXED_RANGES = {"tanh": (-1.0, 1.0), "relu6": (0.0, 6.0), "sigmoid": (0.0, 1.0)}
UNIT_RANGE = (0.0, 1.0)


def output_range(function: str, scheme: str, ranges: Probed) -> Range:
    """Choose the range on which an output is quantised."""
    chosen: Range = "current" if function == "tanh" else "average"
    if scheme == "full":
        chosen = _FIXED_RANGES.get(function, UNIT_RANGE if "softmax" in function else "average")
    return _INSTEAD[ranges].get(chosen, chosen) if isinstance(chosen, str) else chosen


def quantised_weights(
    function: str, kernels: tuple[str, ...], *, has_bias: bool, scheme: str
) -> tuple[str, ...]:
    """Choose the weights that are quantised: none, the kernels, or the kernels and "bias"."""
    if scheme == "full":
        return (*kernels, "bias") if has_bias else kernels
    return () if function == "tanh" else kernels
