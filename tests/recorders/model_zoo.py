"""Forty small models of 12 inputs and 2 classes: what users build, each as a function.

TensorFlow is imported when one is called.
"""


def _mlp(*hidden, output=None):
    """Dense(4, tanh) or other layers in a row, and a softmax."""
    from tf_keras import Input, Sequential, layers

    return Sequential([Input((12,)), *hidden, output or layers.Dense(2, "softmax", name="y")])


def _graph(function):
    """The model that a function makes of its input, up to a softmax."""
    from tf_keras import Input, Model, layers

    inputs = Input((12,), name="x")
    return Model(inputs, layers.Dense(2, "softmax", name="y")(function(inputs)))


def _dense(units=4, activation="tanh", name="h", **options):
    from tf_keras import layers

    return layers.Dense(units, activation, name=name, **options)


def _rows():
    from tf_keras import layers

    return layers.Reshape((4, 3), name="rows")


def one_hidden():
    return _mlp(_dense())


def frozen():
    return _mlp(_dense(activation="relu", trainable=False), _dense(3, "relu", "g"))


def frozen_afterwards():
    model = _mlp(_dense(activation="relu"), _dense(3, "relu", "g"))
    model.get_layer("h").trainable = False
    return model


def frozen_normalisation():
    from tf_keras import layers

    return _mlp(_dense(), layers.BatchNormalization(name="norm", trainable=False), _dense(name="g"))


def weight_regularizer():
    return _mlp(_dense(activation="relu", kernel_regularizer="l2", bias_regularizer="l1"))


def activity_regularizer():
    return _mlp(_dense(activation="relu", activity_regularizer="l2"))


def activity_layer():
    from tf_keras import layers

    return _mlp(_dense(), layers.ActivityRegularization(l2=0.1, name="activity"))


def constraint():
    return _mlp(_dense(activation="relu", kernel_constraint="non_neg"))


def own_regularizer():
    def rough(weights):
        import tensorflow as tf

        return 0.1 * tf.reduce_sum(tf.abs(weights))

    return _mlp(_dense(kernel_regularizer=rough))


def added_loss():
    import tensorflow as tf

    model = _mlp(_dense())
    model.add_loss(tf.reduce_mean(model.get_layer("h").output))
    return model


def added_metric():
    import tensorflow as tf

    model = _mlp(_dense())
    model.add_metric(tf.reduce_mean(model.get_layer("h").output), name="mean")
    return model


def compiled():
    model = _mlp(_dense())
    model.compile("sgd", "mse")
    return model


def own_train_step():
    from tf_keras import Input, Model, layers

    class Own(Model):
        def train_step(self, data):
            return {"loss": 0.0}

    inputs = Input((12,))
    return Own(inputs, layers.Dense(2, "softmax")(inputs))


def float16():
    return _mlp(_dense(dtype="mixed_float16"))


def float64():
    return _mlp(_dense(dtype="float64"))


def tokens():
    from tf_keras import Input, Sequential, layers

    return Sequential(
        [
            Input((12,), dtype="int32"),
            layers.Embedding(8, 2, name="look"),
            layers.Flatten(name="flat"),
            _dense(),
            layers.Dense(2, "softmax", name="y"),
        ]
    )


def float_tokens():
    from tf_keras import layers

    return _mlp(layers.Embedding(8, 2, name="look"), layers.GlobalAveragePooling1D(name="mean"))


def masked_tokens():
    from tf_keras import layers

    return _mlp(layers.Embedding(8, 2, mask_zero=True, name="look"), layers.LSTM(3, name="lstm"))


def masked():
    from tf_keras import layers

    return _mlp(_rows(), layers.Masking(name="mask"), layers.LSTM(3, name="lstm"))


def lstm():
    from tf_keras import layers

    return _mlp(_rows(), layers.LSTM(3, name="lstm"))


def gru():
    from tf_keras import layers

    return _mlp(_rows(), layers.GRU(3, return_sequences=True, name="gru"), layers.Flatten())


def stateful():
    from tf_keras import Input, Sequential, layers

    return Sequential(
        [
            Input((12,), batch_size=8),
            _rows(),
            layers.SimpleRNN(3, stateful=True, name="rnn"),
            layers.Dense(2, "softmax", name="y"),
        ]
    )


def bidirectional():
    from tf_keras import layers

    return _mlp(_rows(), layers.Bidirectional(layers.GRU(3), name="both"))


def cell():
    from tf_keras import layers

    return _mlp(_rows(), layers.RNN(layers.GRUCell(3), name="rnn"))


def states():
    from tf_keras import layers

    return _graph(lambda x: layers.LSTM(3, return_state=True, name="lstm")(_rows()(x))[0])


def distributed():
    from tf_keras import layers

    return _mlp(
        _rows(), layers.TimeDistributed(_dense(2, "relu"), name="each"), layers.Flatten(name="flat")
    )


def distributed_linear():
    from tf_keras import layers

    return _mlp(
        _rows(), layers.TimeDistributed(layers.Dense(2), name="each"), layers.Flatten(name="flat")
    )


def attention():
    from tf_keras import layers

    def block(x):
        rows = _rows()(x)
        return layers.Flatten()(layers.MultiHeadAttention(2, 3, name="attention")(rows, rows))

    return _graph(block)


def operation():
    import tensorflow as tf

    return _graph(lambda x: tf.nn.relu(_dense(activation=None)(x)))


def residual():
    def block(x):
        first = _dense()(x)
        return first + _dense(name="g")(first)

    return _graph(block)


def keras_operation():
    from tf_keras import activations

    return _graph(lambda x: activations.tanh(_dense(activation=None)(x)))


def operation_softmax():
    import tensorflow as tf
    from tf_keras import Input, Model, layers

    inputs = Input((12,))
    return Model(inputs, tf.nn.softmax(layers.Dense(2, name="scores")(inputs)))


def function_softmax():
    import tensorflow as tf

    return _mlp(_dense(activation=tf.nn.relu), output=_dense(2, tf.nn.softmax, "y"))


def keras_function_softmax():
    from tf_keras import activations

    return _mlp(_dense(), output=_dense(2, activations.softmax, "y"))


def softmax(x):
    """No softmax but by name."""
    import tensorflow as tf

    return tf.nn.softmax(2 * x)


def false_softmax():
    return _mlp(_dense(), output=_dense(2, softmax, "y"))


def lambda_softmax():
    import tensorflow as tf

    return _mlp(_dense(), output=_dense(2, lambda x: tf.nn.softmax(x), "y"))


def softmax_of_samples():
    from tf_keras import layers

    return _mlp(_dense(2), output=layers.Softmax(axis=0, name="y"))


def relu(x):
    """No rectifier but by name."""
    import tensorflow as tf

    return tf.sin(x)


def false_relu():
    return _mlp(_dense(activation=relu))


def linear(x):
    """Not linear."""
    import tensorflow as tf

    return tf.sin(x)


def false_linear():
    return _mlp(_dense(activation=linear))


def lambda_function():
    import tensorflow as tf

    return _mlp(_dense(activation=lambda x: tf.sin(x)))


def partial_function():
    from functools import partial

    import tensorflow as tf

    return _mlp(_dense(activation=partial(tf.nn.leaky_relu, alpha=0.1)))


def layer_as_function():
    from tf_keras import layers

    return _mlp(_dense(activation=layers.LeakyReLU(0.1)))


def tf_functions():
    import tensorflow as tf

    functions = (tf.tanh, tf.nn.gelu, tf.nn.leaky_relu, tf.nn.silu, tf.nn.elu, tf.sigmoid)
    return _mlp(*(_dense(3, f, f"h{i}") for i, f in enumerate(functions)))


def lambda_layer():
    import tensorflow as tf
    from tf_keras import layers

    return _mlp(_dense(), layers.Lambda(lambda x: tf.sin(x), name="sine"))


def _own_layer():
    from tf_keras import layers

    class Sine(layers.Layer):
        def call(self, x):
            import tensorflow as tf

            return tf.sin(x)

    return Sine


def own_layer():
    return _mlp(_dense(), _own_layer()(name="sine"))


def own_block():
    from tf_keras import layers

    class Block(layers.Layer):
        def __init__(self, units, **options):
            super().__init__(**options)
            self.first, self.second = layers.Dense(units, "relu"), layers.Dense(units, "tanh")

        def call(self, x):
            return self.second(self.first(x))

    return _mlp(Block(3, name="block"))


def own_dense():
    from tf_keras import layers

    class Own(layers.Dense):
        def call(self, x):
            return 2 * super().call(x)

    return _mlp(Own(3, "relu", name="own"))


def nested():
    from tf_keras import Input, Sequential

    return _mlp(Sequential([Input((12,)), _dense(3, "relu", "inside")], name="inner"))


def distributed_model():
    from tf_keras import Input, Sequential, layers

    inner = Sequential([Input((3,)), _dense(3, "relu", "inside")], name="inner")
    return _mlp(_rows(), layers.TimeDistributed(inner, name="each"), layers.Flatten())


def other_relus():
    from tf_keras import layers

    return _mlp(
        _dense(activation=None),
        layers.ReLU(6, 0.1, name="leaking"),
        layers.ReLU(threshold=0.5, name="late"),
        layers.LeakyReLU(0.2, name="leaky"),
        layers.PReLU(name="learnt"),
    )


def convolutions():
    from tf_keras import layers

    return _mlp(
        layers.Reshape((4, 3, 1), name="image"),
        layers.SeparableConv2D(2, 2, activation="relu", name="separable"),
        layers.DepthwiseConv2D(2, activation="relu", name="depth"),
        layers.Conv2DTranspose(2, 2, activation="relu", name="transposed"),
        layers.ZeroPadding2D(name="pad"),
        layers.Flatten(name="flat"),
    )


def named_alike():
    """Names that tfmot gives to layers itself."""
    return _mlp(_dense(activation="relu", name="h"), _dense(activation="relu", name="quant_h"))


def slashed():
    return _mlp(_dense(activation="relu", name="block/h"))


def random_layers():
    from tf_keras import layers

    return _mlp(
        layers.GaussianNoise(0.1, name="noise"),
        _dense(),
        layers.LayerNormalization(name="norm"),
        layers.SpatialDropout1D(0.1) if False else layers.AlphaDropout(0.1, name="drop"),
    )


def always_dropping():
    from tf_keras import layers

    return _graph(lambda x: layers.Dropout(0.5)(_dense()(x), training=True))


def normalising_batches():
    from tf_keras import layers

    return _graph(
        lambda x: layers.ReLU(name="late")(
            layers.BatchNormalization()(_dense(activation=None)(x), training=True)
        )
    )


def one_layer():
    return _mlp()


def no_weights():
    from tf_keras import Input, Sequential, layers

    return Sequential(
        [Input((12,)), layers.Reshape((6, 2)), layers.GlobalMaxPooling1D(), layers.Softmax()]
    )


def pooled_scores():
    from tf_keras import layers

    return _mlp(
        _rows(),
        layers.Conv1D(2, 2, name="conv"),
        layers.GlobalAveragePooling1D(name="mean"),
        output=layers.Softmax(name="y"),
    )


def activated_scores():
    from tf_keras import layers

    return _mlp(_dense(2, "relu"), output=layers.Activation("softmax", name="y"))


def normalised_scores():
    from tf_keras import layers

    return _mlp(
        _dense(2, None), layers.BatchNormalization(name="norm"), output=layers.Softmax(name="y")
    )


_KEPT = []


def same_again():
    if not _KEPT:
        _KEPT.append(_mlp(_dense()))
    return _KEPT[0]


_SHARED = []


def shared_layer():
    if not _SHARED:
        _SHARED.append(_dense(name="kept"))
    return _mlp(_SHARED[0])


def fixed_seed():
    from tf_keras import utils

    utils.set_random_seed(1)
    return _mlp(_dense())


def trained():
    """One whose weights come from somewhere."""
    import numpy as np

    model, rng = _mlp(_dense()), np.random.default_rng(0)
    model.set_weights([rng.normal(size=weight.shape) for weight in model.get_weights()])
    return model


def partly_trained():
    import numpy as np

    model = _mlp(_dense())
    model.layers[0].set_weights([np.random.default_rng(0).normal(size=(12, 4)), np.zeros(4)])
    return model


_CALLS = []


def another_each_time():
    _CALLS.append(0)
    return _mlp(_dense(3 + len(_CALLS)))


def sigmoid_of_one():
    return _mlp(_dense(), output=_dense(1, "sigmoid", "y"))


def regression():
    return _mlp(_dense(), output=_dense(1, None, "y"))


def scores():
    return _mlp(_dense(), output=_dense(2, None, "y"))


def raises():
    return {}["no such key"]


def wrong_shapes():
    from tf_keras import layers

    return _mlp(_dense(), layers.Conv2D(3, 3))


def of_keras_3_layers():
    from keras import layers

    return _mlp(layers.Dense(3))


def dividing():
    """NaN from the beginning."""
    import tensorflow as tf

    return _graph(lambda x: tf.math.log(-1 - tf.abs(x)))


def unseeded():
    """Weights of no seed at all."""
    import numpy as np

    model, rng = _mlp(_dense()), np.random.default_rng()
    model.set_weights([rng.normal(size=weight.shape) for weight in model.get_weights()])
    return model


def of_batches():
    """A layer that fails when it computes, not when it is built."""
    from tf_keras import layers

    class Failing(layers.Layer):
        def call(self, x):
            if x.shape[0] is not None:
                raise ValueError("no batch")
            return x

    return _mlp(Failing(name="failing"))
