"""The one walk over a store for any set of measures: planned in blocks, lazy or to results."""
