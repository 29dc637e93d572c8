"""Engine `dense`: machine code of our own for networks of dense layers."""
