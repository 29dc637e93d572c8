"""The engines that train with TensorFlow, tf_keras and tfmot. Importing them loads TensorFlow."""

import ibtools.recorders.capture.keras  # noqa: F401  # loads TensorFlow quietly
