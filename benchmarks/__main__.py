"""A short version of every measurement, as one table."""

from benchmarks import (
    analysing,
    big_layer,
    chance,
    checking,
    counting,
    distances,
    durability,
    invariants,
    memory,
    recorder,
    recording,
    remote,
    storage,
    tasks,
)
from benchmarks.table import print_table

if __name__ == "__main__":  # worker processes import this module
    print_table(
        [
            *counting.rows(seconds=0.5),
            *counting.scaling_rows(seconds=1.0),
            *chance.rows(seconds=0.5),
            *analysing.rows(epochs=400),
            *analysing.resolution_rows(epochs=400),
            *memory.rows((1, 3)),
            *big_layer.rows(n_samples=5000, n_units=20_000, memory="320MiB"),
            *tasks.rows(n_tasks=500),
            *checking.rows(epochs=400),
            *distances.rows(seconds=0.5),
            *invariants.wide_rows(seconds=0.5),
            *invariants.store_rows(epochs=100),
            *recording.rows(),
            *recorder.rows(),
            *durability.rows(epochs=400),
            *remote.rows(epochs=400),
            *storage.rows(epochs=1000),
        ]
    )
