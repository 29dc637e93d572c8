"""A short version of every measurement, as one table."""

from benchmarks import analysing, chance, counting
from benchmarks.table import print_table

print_table([*counting.rows(seconds=0.5), *chance.rows(seconds=0.5), *analysing.rows(epochs=400)])
