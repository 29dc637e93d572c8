from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import ibtools
from ibtools.analysis.kernels.digests import WORD_BYTES, RowDigests, part_symbols
from ibtools.analysis.passes.results import analyze_store, open_results
from ibtools.errors import InputError
from ibtools.partition import partition
from ibtools.store.snapshots import LayerSpec
from ibtools.store.symbols import exact_symbols
from ibtools.tasks.memory import LIBRARIES
from tests.analysis.strategies import symbol_arrays
from tests.analysis.wide_layers import LITTLE, N_SAMPLES

MODULO = 2**64


def slow_mix(word: int, shifts: tuple[int, int, int], factors: tuple[int, int]) -> int:
    for shift, factor in zip(shifts[:2], factors, strict=True):
        word = (word ^ (word >> shift)) * factor % MODULO
    return word ^ (word >> shifts[2])


LANES = (
    (0x243F6A8885A308D3, (30, 27, 31), (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)),
    (0xB7E151628AED2A6A, (33, 33, 33), (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53)),
)


def slow_digest(row: bytes) -> list[int]:
    """Digest one row with Python's integers, as the docstring of RowDigests says."""
    lanes = []
    for seed, shifts, factors in LANES:
        total = 0
        for j in range(-(-len(row) // 8)):
            word = int.from_bytes(row[8 * j : 8 * j + 8].ljust(8, b"\0"), "little")
            key = slow_mix((seed + j * 0x9E3779B97F4A7C15) % MODULO, shifts, factors)
            total += slow_mix(word ^ key, shifts, factors)
        lanes.append(total % MODULO)
    return lanes


@given(symbol_arrays())
def test_row_digests__equal_the_oracle(symbols):
    found = RowDigests.of(symbols, n_samples=len(symbols)).lanes
    assert found.tolist() == [slow_digest(row.tobytes()) for row in symbols]


@given(symbol_arrays())
def test_row_digests__labels_are_the_verified_partition(symbols):
    labels = RowDigests.of(symbols, n_samples=len(symbols)).labels()
    np.testing.assert_array_equal(labels, partition(symbols)[0])


@given(symbol_arrays(), st.data())
def test_row_digests__any_cut_and_any_order_of_merging_give_the_same(symbols, data):
    """`+` is associative and commutative, and `zero` is neutral."""
    n_samples, n_units = symbols.shape
    step = WORD_BYTES // symbols.itemsize
    rows = [0, *sorted(data.draw(st.sets(st.integers(0, n_samples), max_size=3))), n_samples]
    cuts = st.sets(st.integers(0, n_units // step), max_size=3)
    units = [0, *(step * cut for cut in sorted(data.draw(cuts))), n_units]
    parts = [RowDigests.zero(n_samples)] + [
        RowDigests.of(symbols[a:b, c:d], n_samples=n_samples, first_sample=a, first_unit=c)
        for a, b in pairwise(rows)
        for c, d in pairwise(units)
        if d > c
    ]
    whole = RowDigests.of(symbols, n_samples=n_samples).lanes
    while len(parts) > 1:
        one = parts.pop(data.draw(st.integers(0, len(parts) - 1)))
        other = data.draw(st.integers(0, len(parts) - 1))
        parts[other] = one + parts[other]
    np.testing.assert_array_equal(parts[0].lanes, whole)


def test_row_digests__depend_on_the_position_of_units():
    rows = np.zeros((3, 32), np.uint8)
    rows[0, 0] = rows[1, 8] = rows[2, 9] = 7
    assert RowDigests.of(rows, n_samples=3).labels().tolist() == [0, 1, 2]


def test_row_digests__neither_lane_collides_among_many_rows():
    """Rows that differ by little: all pairs of bytes in two words."""
    rows = np.zeros((2**16, 16), np.uint8)
    rows[:, 0], rows[:, 15] = np.divmod(np.arange(2**16), 256)
    lanes = RowDigests.of(rows, n_samples=len(rows)).lanes
    for lane in (0, 1):
        assert len(np.unique(lanes[:, lane])) == 2**16
        bits = np.unpackbits(np.ascontiguousarray(lanes[:, lane]).view(np.uint8)).mean()
        assert abs(bits - 0.5) < 0.005


def test_row_digests__refuse():
    with pytest.raises(ValueError, match="begin at a multiple of 8 bytes, found unit 3"):
        RowDigests.of(np.zeros((2, 8), np.uint8), n_samples=2, first_unit=3)
    with pytest.raises(ValueError, match="same samples to be added, found 2 and 3"):
        RowDigests.zero(2) + RowDigests.zero(3)


@given(symbol_arrays(), st.sampled_from(["tanh", "softmax"]))
def test_part_symbols__rows_are_equal_as_the_exact_ones_are(symbols, function):
    code = symbols.astype(np.uint8)
    layer = LayerSpec("x", code.shape[1], function, 8)
    found = part_symbols(code, layer, code[:, :1])
    np.testing.assert_array_equal(partition(found)[0], partition(exact_symbols(code, layer))[0])


def test_analyze_store__layers_larger_than_memory(wide_store: Path, tmp_path: Path):
    """Results from digests are those of the verified partition, and say what they are."""
    expected = ibtools.analyze(ibtools.open_store(wide_store)).compute()
    (plain,) = analyze_store(wide_store, estimator=["exact"], output=tmp_path / "o", quiet=True)
    assert plain.digested == ()
    report = analyze_store(wide_store, memory=LITTLE, quiet=True)
    assert report.digested == ("wide", "free", "output")
    assert "too little for a snapshot: wide, free, output" in str(report)
    found = open_results(wide_store)
    xr.testing.assert_equal(found.load(), expected)
    assert found.attrs["digested_layers"] == "wide, free, output"
    assert found.attrs["false_merge_probability"] == N_SAMPLES**2 / 2.0**129
    assert "digested_layers" not in open_results(tmp_path / "o").attrs


def test_analyze_store__every_estimator_of_whole_layers_works_in_parts(wide_store: Path):
    name = "exact-population-chao-shen"
    expected = ibtools.analyze(ibtools.open_store(wide_store), estimator=name).compute()
    assert analyze_store(wide_store, estimator=name, memory=LITTLE, quiet=True).digested
    xr.testing.assert_equal(open_results(wide_store, estimator=name).load(), expected)


def test_analyze_store__parts_of_samples_too(wide_store: Path, monkeypatch):
    """A snapshot is cut by samples where a chunk of units of all samples is too large."""
    expected = ibtools.analyze(ibtools.open_store(wide_store)).compute()
    seen = []
    original = RowDigests.of

    def note(symbols, **where):
        seen.append((symbols.shape, where["first_sample"], where["first_unit"]))
        return original(symbols, **where)

    monkeypatch.setattr(RowDigests, "of", note)
    monkeypatch.setattr("ibtools.analysis.passes.plan.BLOCK_BYTES", 1)
    analyze_store(wide_store, memory=LITTLE, scheduler="synchronous", quiet=True)
    assert {unit for _, _, unit in seen} == set(range(0, 1003, 64))
    xr.testing.assert_equal(open_results(wide_store).load(), expected)


def test_analyze_store__what_needs_whole_snapshots_is_refused(wide_store: Path, tmp_path: Path):
    for name in ("binned", "exact-per-unit", "requantised-population-chao-shen"):
        with pytest.raises(InputError, match=rf"too large: a snapshot.*{name}.*--memory"):
            analyze_store(wide_store, estimator=name, memory=LITTLE, quiet=True)
    with pytest.raises(InputError, match=r"'wide' of 60 samples and 1003 units.*a single chunk"):
        analyze_store(wide_store, memory=LIBRARIES + 1000, quiet=True)
