"""Everything that reads stores: partitions, estimators, dask, plots. No TensorFlow."""
