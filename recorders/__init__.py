"""Recorders, which write stores: data sets, networks, engines that train, and arrays of others.

Importing this package, or any module in it outside `ibtools.recorders.engines.keras`, does not load
TensorFlow: experiments can be listed, described and validated without it.
"""
