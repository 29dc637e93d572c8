"""The bounds of what is opened: far beyond what is recorded, and far below what costs a machine."""

METADATA_BYTES = 2**23
"""Of one file of metadata. Those of a store with a hundred results are below a tenth of it."""

METADATA_DEPTH = 32
"""Objects and lists within each other in metadata."""

NODES = 2**14
"""Arrays and groups of a store, and entries of any folder that holds them."""

AXIS = 2**22
"""Entries of repeat, epoch, trained_epoch, layer and sample: their coordinates are read whole."""

UNITS = 2**26
"""Units of the widest layer."""

ROWS = 2**26
"""Repeats x epochs x layers: one number of each is in memory at once."""

CHUNK_BYTES = 2**29
"""Of a chunk, decoded: it is in memory as a whole."""

CHUNKS = 2**20
"""Chunks of a shard, and of one snapshot."""

UNSTORED_CHUNKS = 2**16
"""Chunks of coordinates and rows that may be missing, beyond some for each that is there."""

ITEM_BYTES = 2**12
"""Of a single value, such as a text of fixed length."""

TEXT_BYTES = 2**26
"""Of the texts of a chunk, together, beyond a few for each."""
