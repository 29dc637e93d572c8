"""What can be computed of the snapshots of a store: one protocol, and the registries of names."""
