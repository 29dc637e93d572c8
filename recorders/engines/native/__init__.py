"""Engine `native`: machine code of our own for convolutions, max pools and dense layers."""
