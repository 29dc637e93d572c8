"""The measurements that the documentation quotes; `python -m benchmarks` runs all, shortened."""
