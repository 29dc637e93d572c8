"""Layers of live models of Keras 3, on any backend, and of tf_keras. Imports neither."""
