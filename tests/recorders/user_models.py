"""Functions of a user's that return models, good and bad; TensorFlow is imported when called."""

NOT_A_FUNCTION = 3


def small():
    """Two Dense layers; the softmax is that of the last."""
    from tf_keras import Input, Sequential, layers

    return Sequential(
        [Input((12,)), layers.Dense(4, "tanh", name="first"), layers.Dense(2, "softmax", name="y")]
    )


def unnamed():
    """Layers that Keras gives names, others every time."""
    from tf_keras import Input, Sequential, layers

    return Sequential([Input((12,)), layers.Dense(3, "relu"), layers.Dense(2, "softmax")])


def with_dropout():
    from tf_keras import Input, Sequential, layers

    inputs, dense = Input((12,)), layers.Dense(6, "tanh", name="dense")
    return Sequential([inputs, dense, layers.Dropout(0.5), layers.Dense(2, "softmax", name="y")])


def with_constraint():
    """Weights that Keras shortens after each step."""
    from tf_keras import Input, Sequential, constraints, layers

    short = constraints.MaxNorm(0.1)
    dense = layers.Dense(6, "tanh", kernel_constraint=short)
    return Sequential([Input((12,)), dense, layers.Dense(2, "softmax", kernel_constraint=short)])


def mixed():
    """Convolution, normalisation and activation apart, both poolings, dropout, a softmax layer."""
    from tf_keras import Input, Model, layers

    x = inputs = Input((8, 8, 1), name="image")
    x = layers.Conv2D(3, 3, use_bias=False, name="conv")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.MaxPooling2D(name="max")(x)
    x = layers.AveragePooling2D(name="average")(x)
    x = layers.Flatten(name="flat")(x)
    x = layers.Dense(5, "sigmoid", name="dense")(x)
    x = layers.Dropout(0.1, name="drop")(x)
    x = layers.Dense(10, name="scores")(x)
    return Model(inputs, layers.Softmax(name="output")(x))


def convolved():
    """Nothing but convolutions, a pool and dense layers: Tanh, linear, ReLU; a softmax apart."""
    from tf_keras import Input, Sequential, layers

    return Sequential(
        [
            Input((9, 8, 2)),
            layers.Conv2D(3, 3, activation="tanh"),
            layers.MaxPooling2D(),
            layers.Conv2D(2, 2),
            layers.Flatten(),
            layers.Dense(4, "relu"),
            layers.Dense(2),
            layers.Softmax(),
        ]
    )


def branched():
    """A layer that two others use."""
    from tf_keras import Input, Model, layers

    inputs = Input((12,))
    first = layers.Dense(4, "relu", name="first")(inputs)
    second = layers.Dense(3, "tanh", name="second")(first)
    joined = layers.Concatenate(name="joined")([first, second])
    return Model(inputs, layers.Dense(2, "softmax", name="last")(joined))


def keras_3():
    from keras import Input, Model, layers

    inputs = Input((12,))
    return Model(inputs, layers.Dense(2, "softmax")(inputs))


def nothing():
    return None


def unbuilt():
    from tf_keras import Sequential, layers

    return Sequential([layers.Dense(2, "softmax")])


def subclassed():
    from tf_keras import Model

    class Own(Model):
        pass

    return Own()


def two_outputs():
    from tf_keras import Input, Model, layers

    inputs = Input((12,))
    return Model(inputs, [layers.Dense(2, "softmax")(inputs), layers.Dense(2)(inputs)])


def nested():
    from tf_keras import Input, Sequential, layers

    inner = Sequential([Input((12,)), layers.Dense(3, "relu")], name="inner")
    return Sequential([Input((12,)), inner, layers.Dense(2, "softmax")])


def shared():
    from tf_keras import Input, Model, layers

    inputs = Input((12,))
    layer = layers.Dense(12, "relu", name="twice")
    return Model(inputs, layers.Dense(2, "softmax")(layer(layer(inputs))))


def three_classes():
    from tf_keras import Input, Sequential, layers

    return Sequential([Input((12,)), layers.Dense(3, "softmax")])


def no_softmax():
    from tf_keras import Input, Sequential, layers

    return Sequential([Input((12,)), layers.Dense(2, "sigmoid", name="last")])
