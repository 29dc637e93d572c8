"""Where work runs, for recording and analysis: threads, worker processes, clusters of dask."""
