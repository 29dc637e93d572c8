"""Over repeats and epochs: intervals, dynamics, ranks, accuracy, and all of it in one table."""
