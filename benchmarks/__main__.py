"""A short version of every measurement, as one table."""

from benchmarks import analysing, counting, distances
from benchmarks.table import print_table

print_table(
    [*counting.rows(seconds=0.5), *analysing.rows(epochs=400), *distances.rows(seconds=0.5)]
)
