"""Layers of PyTorch models, on the grids of their own quantisers. Importing this loads PyTorch."""
