"""What writes stores: data sets, networks, seeds, and the engines that train and record.

Importing this package, or any module in it outside `ibtools.recorders.keras`, does not load
TensorFlow: experiments can be listed, described and validated without it.
"""
