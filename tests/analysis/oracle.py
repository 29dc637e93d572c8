"""Slow, readable twins of the kernels: dictionaries, decimals, and the textbook method."""

from collections import Counter
from decimal import Decimal, localcontext
from itertools import permutations, product
from math import comb

import numpy as np


def slow_partition(symbols):
    """Label rows in order of first appearance with a dictionary of their bytes."""
    seen = {}
    labels = [seen.setdefault(row.tobytes(), len(seen)) for row in symbols]
    return np.array(labels, dtype=np.uint32), len(seen)


def _sum_g(counts):
    return sum((Decimal(c) * Decimal(c).ln() for c in counts), Decimal(0))


def slow_information(labels, y):
    """H(T) and I(T;Y) in bits, to 40 digits."""
    with localcontext() as context:
        context.prec = 40
        pairs = list(zip(np.asarray(labels).tolist(), np.asarray(y).tolist(), strict=True))
        n = len(pairs)
        sum_t = _sum_g(Counter(t for t, _ in pairs).values())
        sum_y = _sum_g(Counter(c for _, c in pairs).values())
        sum_ty = _sum_g(Counter(pairs).values())
        bits = Decimal(n) * Decimal(2).ln()
        return (_sum_g([n]) - sum_t) / bits, (_sum_g([n]) - sum_t - sum_y + sum_ty) / bits


def textbook_information(symbols, y):
    """H(T) and I(T;Y) in bits: `numpy.unique` for the layer and once per class."""

    def entropy(rows):
        _, counts = np.unique(rows, axis=0, return_counts=True)
        p = counts / counts.sum()
        return -(p * np.log2(p)).sum()

    given_y = sum((y == c).mean() * entropy(symbols[y == c]) for c in np.unique(y))
    return entropy(symbols), entropy(symbols) - given_y


def permuted_information(labels, y):
    """I(T;Y) in bits under every permutation of the labels, one value each."""
    information = {
        permuted: float(slow_information(labels, permuted)[1])
        for permuted in set(permutations(np.asarray(y).tolist()))
    }
    return [information[permuted] for permuted in permutations(np.asarray(y).tolist())]


def slow_chance_level(states, classes):
    """E[I(T;Y)] in bits over all permutations of the labels, to 40 digits, from the margins."""
    n = sum(states)
    with localcontext() as context:
        context.prec = 40
        total = Decimal(0)
        for a, b in product(states, classes):
            for k in range(max(1, a + b - n), min(a, b) + 1):
                weight = Decimal(comb(b, k) * comb(n - b, a - k)) / Decimal(comb(n, a))
                total += weight * k / n * (Decimal(n * k) / Decimal(a * b)).ln()
        return float(total / Decimal(2).ln())
