"""Quantisation-aware training of dense networks, in machine code: the steps of Adam, the loss.

A network of dense layers is a few thousand numbers, for which a graph of operations is mostly the
starting of operations. Here an epoch is one function. It does what the tfmot network does, from the
same numbers, and is tested against it; sums round in another order.

All of it is in one module, because the cache of compiled code does not notice that another file
has changed (`ibtools.kernel.kernel`).

A layer's values lie (unit, sample), so that loops run over samples, which are many, and not over
units, which are few. Inputs of many features are the exception: they stay (sample, feature).
Kernels lie (unit, input).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ibtools.kernel import float_kernel
from ibtools.recorders.engines.native.dense_arrays import (
    CONTINUOUS,
    CURRENT,
    FIXED,
    RELU,
    RELU6,
    TANH,
    WIDE,
    DenseLayers,
    Floats,
    Samples,
    State,
)

_BLOCK = 256  # samples that are evaluated at once: their values stay in the processor's cache

_FLOAT = np.float32
_ZERO, _HALF, _ONE, _SIX = _FLOAT(0), _FLOAT(0.5), _FLOAT(1), _FLOAT(6)
_TINY = np.finfo(np.float32).tiny
_SMALLEST_END = _FLOAT(1e-30)  # as in ibtools.recorders.engines.keras.quantizers
_SIGN, _LARGEST_INTEGER = np.int32(31), np.int32(2**31 - 1)
_FORGOTTEN = _FLOAT(0.001)  # part of a moving average that a batch replaces
_BETA_1, _BETA_2, _EPSILON = _FLOAT(0.9), _FLOAT(0.999), _FLOAT(1e-7)

# tanh(x) = x P(x^2) / Q(x^2) within 4e-7, |x| <= 9: beyond, float32 has no number between it and 1.
# A least-squares fit of x / tanh(x), reweighted until the largest relative error was smallest.
_LARGEST = _FLOAT(9)
_P0, _P1, _P2, _P3, _P4 = np.array(
    [1.0, 1.33810192e-1, 3.49558028e-3, 2.06089535e-5, 1.33544855e-8], np.float32
)
_Q0, _Q1, _Q2, _Q3, _Q4 = np.array(
    [1.0, 4.6714336e-1, 2.5876952e-2, 3.2856219e-4, 7.7764855e-7], np.float32
)


@float_kernel
def _is_wide(layers: DenseLayers) -> bool:
    """Whether inputs lie (sample, feature)."""
    return bool(layers.widths[0] > WIDE)


@float_kernel
def _activate(row: Floats, function: int) -> None:
    if function == TANH:
        for i in range(row.size):
            x = min(max(row[i], -_LARGEST), _LARGEST)
            s = x * x
            p = _P0 + s * (_P1 + s * (_P2 + s * (_P3 + s * _P4)))
            q = _Q0 + s * (_Q1 + s * (_Q2 + s * (_Q3 + s * _Q4)))
            row[i] = min(max(x * p / q, -_ONE), _ONE)
    elif function == RELU:
        for i in range(row.size):
            row[i] = max(row[i], _ZERO)
    elif function == RELU6:
        for i in range(row.size):
            row[i] = min(max(row[i], _ZERO), _SIX)


@float_kernel
def _differentiate(gradient: Floats, row: Floats, function: int) -> None:
    """Lead the gradient of a row of activated values back to what was activated."""
    if function == TANH:
        for i in range(row.size):
            gradient[i] *= _ONE - row[i] * row[i]
    elif function == RELU:
        for i in range(row.size):
            gradient[i] = gradient[i] if row[i] > _ZERO else _ZERO
    elif function == RELU6:
        for i in range(row.size):
            gradient[i] = gradient[i] if _ZERO < row[i] < _SIX else _ZERO


@float_kernel
def _find_range(rows: Floats) -> tuple[np.float32, np.float32]:
    """Return the range of rows of values and 0.

    Values are compared as integers in the same order, which is done side by side.
    """
    low = high = np.int32(0)
    for j in range(len(rows)):
        bits = rows[j].view(np.int32)
        for i in range(bits.size):
            ordered = bits[i] ^ ((bits[i] >> _SIGN) & _LARGEST_INTEGER)
            low, high = min(low, ordered), max(high, ordered)
    ends = np.array([low, high], np.int32)
    ends ^= (ends >> _SIGN) & _LARGEST_INTEGER
    return ends.view(np.float32)[0], ends.view(np.float32)[1]


@float_kernel
def _grid(
    low: np.float32, high: np.float32, largest: np.float32
) -> tuple[np.float32, np.float32, np.float32]:
    """Return the step of a range, and its ends moved so that 0 is one of its values."""
    scale = (max(high, _SMALLEST_END) - low) / largest
    zero_point = min(max(np.floor(_HALF - low / scale), _ZERO), largest)
    return scale, -zero_point * scale, (largest - zero_point) * scale


@float_kernel
def _quantise(
    values: Floats, scale: np.float32, low: np.float32, high: np.float32, out: Floats
) -> None:
    """Round values to a grid; its value 0 is exactly 0, on which units that are off depend."""
    inverse = _ONE / scale
    zero_point = np.rint(-low * inverse)
    for i in range(values.size):
        steps = (min(max(values[i], low), high) - low) * inverse
        out[i] = (np.floor(steps + _HALF) - zero_point) * scale


@float_kernel
def _cut(gradient: Floats, values: Floats, low: np.float32, high: np.float32) -> None:
    """Take the gradient of what a range clips."""
    for i in range(values.size):
        gradient[i] = gradient[i] if low <= values[i] <= high else _ZERO


@float_kernel
def _add_rows(row: Floats, weights: Floats, rows: Floats) -> None:
    """Add a weighted sum of rows to a row."""
    n_rows, k = weights.size, 0
    while k + 4 <= n_rows:
        u, v, w, x = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
        a, b, c, d = rows[k], rows[k + 1], rows[k + 2], rows[k + 3]
        for i in range(row.size):
            row[i] += u * a[i] + v * b[i] + w * c[i] + x * d[i]
        k += 4
    while k < n_rows:
        u, a = weights[k], rows[k]
        for i in range(row.size):
            row[i] += u * a[i]
        k += 1


@float_kernel
def _multiply_rows(products: Floats, row: Floats, rows: Floats) -> None:
    """Take the dot product of a row with each of some rows."""
    n_rows, k = products.size, 0
    while k + 4 <= n_rows:
        a, b, c, d = rows[k], rows[k + 1], rows[k + 2], rows[k + 3]
        s, t, u, v = _ZERO, _ZERO, _ZERO, _ZERO
        for i in range(row.size):
            value = row[i]
            s += value * a[i]
            t += value * b[i]
            u += value * c[i]
            v += value * d[i]
        products[k], products[k + 1], products[k + 2], products[k + 3] = s, t, u, v
        k += 4
    while k < n_rows:
        a, s = rows[k], _ZERO
        for i in range(row.size):
            s += row[i] * a[i]
        products[k] = s
        k += 1


@float_kernel
def _multiply_wide(out: Floats, kernel: Floats, inputs: Floats) -> None:
    """Multiply the kernel (unit, feature) with inputs (sample, feature), four rows of each at once.

    At the end of either, the last row stands in for those that are missing.
    """
    last_unit, last_sample = out.shape[0] - 1, out.shape[1] - 1
    for i in range(0, last_sample + 1, 4):
        i1, i2, i3 = min(i + 1, last_sample), min(i + 2, last_sample), min(i + 3, last_sample)
        w, x, y, z = inputs[i], inputs[i1], inputs[i2], inputs[i3]
        for j in range(0, last_unit + 1, 4):
            j1, j2, j3 = min(j + 1, last_unit), min(j + 2, last_unit), min(j + 3, last_unit)
            a, b, c, d = kernel[j], kernel[j1], kernel[j2], kernel[j3]
            aw, ax, ay, az = _ZERO, _ZERO, _ZERO, _ZERO
            bw, bx, by, bz = _ZERO, _ZERO, _ZERO, _ZERO
            cw, cx, cy, cz = _ZERO, _ZERO, _ZERO, _ZERO
            dw, dx, dy, dz = _ZERO, _ZERO, _ZERO, _ZERO
            for k in range(w.size):
                p, q, r, s = w[k], x[k], y[k], z[k]
                aw, ax, ay, az = aw + a[k] * p, ax + a[k] * q, ay + a[k] * r, az + a[k] * s
                bw, bx, by, bz = bw + b[k] * p, bx + b[k] * q, by + b[k] * r, bz + b[k] * s
                cw, cx, cy, cz = cw + c[k] * p, cx + c[k] * q, cy + c[k] * r, cz + c[k] * s
                dw, dx, dy, dz = dw + d[k] * p, dx + d[k] * q, dy + d[k] * r, dz + d[k] * s
            out[j, i], out[j, i1], out[j, i2], out[j, i3] = aw, ax, ay, az
            out[j1, i], out[j1, i1], out[j1, i2], out[j1, i3] = bw, bx, by, bz
            out[j2, i], out[j2, i1], out[j2, i2], out[j2, i3] = cw, cx, cy, cz
            out[j3, i], out[j3, i1], out[j3, i2], out[j3, i3] = dw, dx, dy, dz


@float_kernel
def _add_wide(products: Floats, gradient: Floats, inputs: Floats) -> None:
    """Add the product of a gradient (unit, sample) with inputs (sample, feature): 2 by 4 rows."""
    n_units, n_samples = gradient.shape
    for i in range(0, n_samples, 4):
        last = n_samples - 1
        a, b = inputs[i], inputs[min(i + 1, last)]
        c, d = inputs[min(i + 2, last)], inputs[min(i + 3, last)]
        for j in range(0, n_units, 2):
            s0, s1, s2, s3 = _four(gradient[j], i)
            t0, t1, t2, t3 = _four(gradient[min(j + 1, n_units - 1)], i)
            if j + 1 == n_units:
                t0, t1, t2, t3 = _ZERO, _ZERO, _ZERO, _ZERO
            x, y = products[j], products[min(j + 1, n_units - 1)]
            for k in range(a.size):
                p, q, r, s = a[k], b[k], c[k], d[k]
                x[k] += s0 * p + s1 * q + s2 * r + s3 * s
                y[k] += t0 * p + t1 * q + t2 * r + t3 * s


@float_kernel
def _four(row: Floats, first: int) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Take four values of a row, zeros behind its end."""
    n = row.size
    b = row[first + 1] if first + 1 < n else _ZERO
    c = row[first + 2] if first + 2 < n else _ZERO
    d = row[first + 3] if first + 3 < n else _ZERO
    return row[first], b, c, d


@float_kernel
def _take(samples: Samples, rows: NDArray[np.int64], wide: bool, inputs: Floats) -> None:
    """Decode the inputs of some samples, and leave their axes as they are."""
    codes, scale, zero = samples.codes, samples.scale, samples.zero_point
    if wide:
        for i in range(rows.size):
            code, row = codes[rows[i]], inputs[i]
            for k in range(code.size):
                row[k] = (_FLOAT(code[k]) - zero) * scale
    else:
        for k in range(len(codes)):
            code, row = codes[k], inputs[k]
            for i in range(rows.size):
                row[i] = (_FLOAT(code[rows[i]]) - zero) * scale


@float_kernel
def _quantise_weights(
    layers: DenseLayers, state: State, is_training: bool, used: Floats, ends: Floats
) -> None:
    """Quantise kernels and biases on their ranges, which training sets to their current values'."""
    first = 0
    for layer in range(layers.functions.size):
        n_kernel = layers.widths[layer] * layers.widths[layer + 1]
        for which, size in enumerate((n_kernel, layers.widths[layer + 1])):
            weights, out = state.parameters[first : first + size], used[first : first + size]
            if layers.quantised[layer, which]:
                if is_training:
                    low, high = _find_range(weights.reshape(1, size))
                    state.ranges[layer, which, 0], state.ranges[layer, which, 1] = low, high
                low, high = state.ranges[layer, which]
                scale, low, high = _grid(low, high, layers.largest_code)
                _quantise(weights, scale, low, high, out)
                ends[layer, which, 0], ends[layer, which, 1] = low, high
            else:
                out[:] = weights
            first += size


@float_kernel
def _apply(layers: DenseLayers, layer: int, weights: Floats, inputs: Floats, out: Floats) -> None:
    """Compute a layer's activated values (unit, sample), before they are quantised."""
    n_in, n_units = layers.widths[layer], layers.widths[layer + 1]
    kernel = weights[: n_in * n_units].reshape(n_units, n_in)
    wide = layer == 0 and _is_wide(layers)
    if wide:
        _multiply_wide(out, kernel, inputs)
    for j in range(n_units):
        bias = weights[n_in * n_units + j]
        row = out[j]
        if wide:
            row += bias
        else:
            row[:] = bias
            _add_rows(row, kernel[j], inputs)
        _activate(row, layers.functions[layer])


@float_kernel
def _choose_range(
    layers: DenseLayers, layer: int, values: Floats, state: State
) -> tuple[np.float32, np.float32]:
    """Return the range on which a training step quantises an output, and keep an average's."""
    ends, rule = state.ranges[layer, 2], layers.outputs[layer]
    if rule == FIXED:
        return ends[0], ends[1]
    low, high = _find_range(values)
    if rule == CURRENT:
        return low, high
    ends[1] = max(ends[1], _SMALLEST_END)
    ends[0] -= (ends[0] - low) * _FORGOTTEN
    ends[1] -= (ends[1] - high) * _FORGOTTEN
    return ends[0], ends[1]


@float_kernel
def _softmax_gradient(logits: Floats, labels: NDArray[np.int64], gradient: Floats) -> None:
    """Compute the gradient of the mean cross-entropy with regard to the logits."""
    n_classes, n_samples = logits.shape
    share = _ONE / _FLOAT(n_samples)
    for i in range(n_samples):
        largest, total = logits[0, i], _ZERO
        for j in range(1, n_classes):
            largest = max(largest, logits[j, i])
        for j in range(n_classes):
            gradient[j, i] = np.exp(logits[j, i] - largest)
            total += gradient[j, i]
        for j in range(n_classes):
            gradient[j, i] *= share / total
        gradient[labels[i], i] -= share


@float_kernel
def _adam(state: State, gradient: Floats, rate: np.float32) -> None:
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


class _Workspace(NamedTuple):
    """Arrays for a batch of one size; those of layers are as wide as the widest."""

    inputs: Floats  # (feature, sample), or (sample, feature) if wide
    labels: NDArray[np.int64]
    activated: Floats  # (layer, unit, sample)
    quantised: Floats  # (layer, unit, sample)
    gradient: Floats  # (unit, sample), of the layer at hand
    before: Floats  # (unit, sample), of the layer before it
    weights: Floats  # (parameter,), quantised
    weights_gradient: Floats  # (parameter,)
    ends: Floats  # (layer, 3, 2), of the ranges as `_grid` moves them


@float_kernel
def _allocate(layers: DenseLayers, n_parameters: int, n_samples: int) -> _Workspace:
    n_layers, n_in = layers.functions.size, layers.widths[0]
    n_units = layers.widths[1:].max()
    shape = (n_samples, n_in) if _is_wide(layers) else (n_in, n_samples)
    return _Workspace(
        np.empty(shape, np.float32),
        np.empty(n_samples, np.int64),
        np.empty((n_layers, n_units, n_samples), np.float32),
        np.empty((n_layers, n_units, n_samples), np.float32),
        np.empty((n_units, n_samples), np.float32),
        np.empty((n_units, n_samples), np.float32),
        np.empty(n_parameters, np.float32),
        np.empty(n_parameters, np.float32),
        np.empty((n_layers, 3, 2), np.float32),
    )


@float_kernel
def _forward(layers: DenseLayers, state: State, work: _Workspace) -> None:
    """Compute all layers of a batch as a training step does, which sets the ranges."""
    _quantise_weights(layers, state, True, work.weights, work.ends)
    inputs, first = work.inputs, 0
    for layer in range(layers.functions.size):
        n_in, n_units = layers.widths[layer], layers.widths[layer + 1]
        activated, quantised = work.activated[layer, :n_units], work.quantised[layer, :n_units]
        _apply(layers, layer, work.weights[first:], inputs, activated)
        if layers.outputs[layer] == CONTINUOUS:
            quantised[:] = activated
        else:
            low, high = _choose_range(layers, layer, activated, state)
            scale, low, high = _grid(low, high, layers.largest_code)
            work.ends[layer, 2, 0], work.ends[layer, 2, 1] = low, high
            for j in range(n_units):
                _quantise(activated[j], scale, low, high, quantised[j])
        inputs = work.quantised[layer]
        first += (n_in + 1) * n_units


@float_kernel
def _backward(layers: DenseLayers, state: State, work: _Workspace) -> None:
    """Compute the gradient of all parameters; straight through each quantiser inside its range."""
    n_layers, end = layers.functions.size, state.parameters.size
    gradient, before = work.gradient, work.before
    _softmax_gradient(
        work.quantised[n_layers - 1, : layers.widths[n_layers]], work.labels, gradient
    )
    for layer in range(n_layers - 1, -1, -1):
        n_in, n_units = layers.widths[layer], layers.widths[layer + 1]
        first = end - (n_in + 1) * n_units
        of_kernel = work.weights_gradient[first : end - n_units].reshape(n_units, n_in)
        of_bias = work.weights_gradient[end - n_units : end]
        for j in range(n_units):
            if layers.outputs[layer] != CONTINUOUS:
                low, high = work.ends[layer, 2]
                _cut(gradient[j], work.activated[layer, j], low, high)
            _differentiate(gradient[j], work.activated[layer, j], layers.functions[layer])
            of_bias[j] = gradient[j].sum()
        if layer > 0:
            kernel = work.weights[first : end - n_units].reshape(n_units, n_in)
            for j in range(n_units):
                _multiply_rows(of_kernel[j], gradient[j], work.quantised[layer - 1])
            for k in range(n_in):
                before[k] = _ZERO
                _add_rows(before[k], kernel[:, k], gradient)
            gradient, before = before, gradient
        elif _is_wide(layers):
            of_kernel[:] = _ZERO
            _add_wide(of_kernel, gradient[:n_units], work.inputs)
        else:
            for j in range(n_units):
                _multiply_rows(of_kernel[j], gradient[j], work.inputs)
        for which, start, stop in ((0, first, end - n_units), (1, end - n_units, end)):
            if layers.quantised[layer, which]:
                low, high = work.ends[layer, which]
                _cut(work.weights_gradient[start:stop], state.parameters[start:stop], low, high)
        end = first


@float_kernel
def _train_batch(
    layers: DenseLayers,
    samples: Samples,
    rows: NDArray[np.int64],
    label: NDArray[np.int64],
    rate: np.float32,
    state: State,
    work: _Workspace,
) -> None:
    _take(samples, rows, _is_wide(layers), work.inputs)
    for i in range(rows.size):
        work.labels[i] = label[rows[i]]
    _forward(layers, state, work)
    if layers.frozen:
        state.n_steps[0] += 1
        return
    _backward(layers, state, work)
    _adam(state, work.weights_gradient, rate)


class _Evaluation(NamedTuple):
    """Arrays for the evaluation of all samples."""

    work: _Workspace  # for a block
    rows: NDArray[np.int64]  # (sample of a block,)
    values: Floats  # (block, unit, sample), of the layer at hand
    before: Floats  # (block, unit, sample), of the layer before it


@float_kernel
def _allocate_evaluation(layers: DenseLayers, n_parameters: int, n_samples: int) -> _Evaluation:
    shape = (-(-n_samples // _BLOCK), layers.widths[1:].max(), _BLOCK)
    return _Evaluation(
        _allocate(layers, n_parameters, _BLOCK),
        np.empty(_BLOCK, np.int64),
        np.empty(shape, np.float32),
        np.empty(shape, np.float32),
    )


@float_kernel
def _evaluate(
    layers: DenseLayers,
    samples: Samples,
    label: NDArray[np.int64],
    state: State,
    place: _Evaluation,
    found: NDArray[np.float64],
) -> None:
    """Compute loss and accuracy of training, then of test samples.

    Each layer is computed for all samples before the next, because the range of a `CURRENT` one
    is that of all.
    """
    work, values, before, first = place.work, place.values, place.before, 0
    _quantise_weights(layers, state, False, work.weights, work.ends)
    for layer in range(layers.functions.size):
        n_in, n_units = layers.widths[layer], layers.widths[layer + 1]
        weights = work.weights[first:]
        low, high = state.ranges[layer, 2, 0], state.ranges[layer, 2, 1]
        if layers.outputs[layer] == CURRENT:
            low, high = _ZERO, _ZERO
        for block in range(len(values)):
            inputs, out = before[block], values[block, :n_units]
            if layer == 0:
                for i in range(_BLOCK):  # the last block repeats the last sample
                    place.rows[i] = min(block * _BLOCK + i, label.size - 1)
                _take(samples, place.rows, _is_wide(layers), work.inputs)
                inputs = work.inputs
            _apply(layers, layer, weights, inputs, out)
            if layers.outputs[layer] == CURRENT:
                ends = _find_range(out)
                low, high = min(low, ends[0]), max(high, ends[1])
        if layers.outputs[layer] != CONTINUOUS:
            scale, low, high = _grid(low, high, layers.largest_code)
            for block in range(len(values)):
                for j in range(n_units):
                    _quantise(values[block, j], scale, low, high, values[block, j])
        values, before = before, values
        first += (n_in + 1) * n_units
    _sum_up(layers, samples.is_test, label, before, found)


@float_kernel
def _sum_up(
    layers: DenseLayers,
    is_test: NDArray[np.bool_],
    label: NDArray[np.int64],
    logits: Floats,
    found: NDArray[np.float64],
) -> None:
    """Average loss and hits of training, then of test samples, over logits (block, class, sample).

    The first of several classes with the largest value is the predicted one.
    """
    n_classes = layers.widths[layers.functions.size]
    probability = np.empty(n_classes, np.float32)
    count = np.zeros(2, np.int64)
    found[:] = 0.0
    for i in range(label.size):
        block, at = i // _BLOCK, i % _BLOCK
        largest, total = logits[block, 0, at], _ZERO
        for j in range(1, n_classes):
            largest = max(largest, logits[block, j, at])
        for j in range(n_classes):
            probability[j] = np.exp(logits[block, j, at] - largest)
            total += probability[j]
        of_label = probability[label[i]] / total
        predicted = 0
        for j in range(n_classes):
            value = logits[block, j, at]
            if layers.quantised_softmax:
                value = np.floor(probability[j] / total * layers.largest_code + _HALF)
            probability[j] = value
            predicted = j if value > probability[predicted] else predicted
        part = 1 if is_test[i] else 0
        count[part] += 1
        found[2 * part] -= np.log(max(of_label, _TINY))
        found[2 * part + 1] += predicted == label[i]
    for which in range(4):
        found[which] /= count[which // 2]


@float_kernel
def train(
    layers: DenseLayers,
    samples: Samples,
    orders: NDArray[np.int64],
    labels: NDArray[np.int64],
    batch_size: int,
    rate: float,
    n_evaluated: int,
    state: State,
) -> NDArray[np.float64]:
    """Train some epochs.

    Parameters
    ----------
    layers : DenseLayers
        The network.
    samples : Samples
        All samples.
    orders : ndarray, (epoch, training sample), int64
        Positions of the training samples in the order in which each epoch visits them.
    labels : ndarray, (epoch, sample), int64
        Classes that each epoch trains on.
    batch_size : int
        Samples per step; a last batch that is smaller is kept.
    rate : float
        Learning rate of Adam.
    n_evaluated : int
        After how many of the epochs, from the first on, all samples are evaluated.
    state : State
        The network before; after the call, as it is then.

    Returns
    -------
    ndarray, (evaluated epoch, 4), float64
        Training loss in nats and accuracy, then those of the test samples.
    """
    n_train, found = orders.shape[1], np.empty((n_evaluated, 4), np.float64)
    whole, rest = n_train // batch_size, n_train % batch_size
    work = _allocate(layers, state.parameters.size, min(batch_size, n_train))
    last = _allocate(layers, state.parameters.size, rest)
    place = _allocate_evaluation(layers, state.parameters.size, len(samples.is_test))
    for epoch in range(orders.shape[0]):
        order, label = orders[epoch], labels[epoch]
        for batch in range(whole):
            rows = order[batch * batch_size : (batch + 1) * batch_size]
            _train_batch(layers, samples, rows, label, _FLOAT(rate), state, work)
        if rest:
            rows = order[whole * batch_size :]
            _train_batch(layers, samples, rows, label, _FLOAT(rate), state, last)
        if epoch < n_evaluated:
            _evaluate(layers, samples, label, state, place, found[epoch])
    return found
