"""A short version of every measurement, as one table."""

from benchmarks import analysing, checking, counting
from benchmarks.table import print_table

print_table([*counting.rows(seconds=0.5), *analysing.rows(epochs=400), *checking.rows(epochs=400)])
