"""Layers of a live model, made into codes and values."""
