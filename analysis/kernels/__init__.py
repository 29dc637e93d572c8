"""Arrays in, arrays out: partitions, counts, bits, and what else is computed of one snapshot."""
