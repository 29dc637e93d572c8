"""A short version of every measurement, as one table."""

from benchmarks import (
    analysing,
    chance,
    checking,
    counting,
    distances,
    recording,
    remote,
    storage,
)
from benchmarks.table import print_table

if __name__ == "__main__":  # worker processes import this module
    print_table(
        [
            *counting.rows(seconds=0.5),
            *chance.rows(seconds=0.5),
            *analysing.rows(epochs=400),
            *checking.rows(epochs=400),
            *distances.rows(seconds=0.5),
            *recording.rows(),
            *remote.rows(epochs=400),
            *storage.rows(epochs=1000),
        ]
    )
