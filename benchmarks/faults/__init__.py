"""What was tried against stores: faults of many kinds, each at random, and what became of them."""
