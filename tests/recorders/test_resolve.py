import os
import pickle
import subprocess
import sys

import pytest

from ibtools.errors import InputError, UnknownNameError
from ibtools.recorders.networks import Dense
from ibtools.recorders.resolve import resolve_network
from ibtools.recorders.user_code import import_function
from ibtools.store.snapshots import LayerSpec

MODELS = "tests.recorders.user_models"


def resolve(text, input_shape=(12,), n_classes=2):
    return resolve_network(text, input_shape=input_shape, n_classes=n_classes)


def test_resolve_network__table():
    assert resolve("syn").layers[0] == Dense(10)


@pytest.mark.parametrize("shape", [(784,), (28, 28), (28, 28, 1)])
def test_resolve_network__dense_takes_any_shape(shape):
    network = resolve("mnist-bottleneck-2", shape, 10)
    assert network.input_shape == shape
    assert network.name == "mnist-bottleneck-2"


def test_resolve_network__dense_text():
    network = resolve("dense:64-32-16-10", (8, 8, 1), 10)
    assert network.name == "dense:64-32-16-10"
    assert network.input_shape == (8, 8, 1)
    assert network.layers == (Dense(32), Dense(16), Dense(10))


@pytest.mark.parametrize(
    "text", ["dense:", "dense:12", "dense:12-", "dense:12-0-2", "dense:12-a-2", "dense:12,5,2"]
)
def test_resolve_network__dense_text_is_checked(text):
    with pytest.raises(
        InputError, match=r"must be written as in dense:784-64-32-10, .* but is 'de"
    ):
        resolve(text)


@pytest.mark.parametrize(
    ("text", "shape", "n_classes", "message"),
    [
        ("dense:13-5-2", (12,), 2, r"takes samples of shape \(13,\), but .* are \(12,\)"),
        ("dense:12-5-3", (12,), 2, "tells 3 classes apart, but the data have 2"),
        ("syn", (28, 28, 1), 10, r"takes samples of shape \(12,\), .* as dense:784-16-10"),
        ("mnist-conv", (32, 32, 3), 10, r"shape \(28, 28, 1\), but .* \(32, 32, 3\)"),
        ("mnist-conv", (784,), 10, r"shape \(28, 28, 1\), but .* \(784,\)"),
    ],
)
def test_resolve_network__must_fit_the_data(text, shape, n_classes, message):
    with pytest.raises(InputError, match=message):
        resolve(text, shape, n_classes)


def test_resolve_network__suggests():
    with pytest.raises(UnknownNameError, match="did you mean 'mnist-hourglass'"):
        resolve("mnist-hourglas", (28, 28, 1), 10)


def test_resolve_network__user_model():
    network = resolve(f"{MODELS}:small")
    assert network.layer_specs("relu", 4) == (
        LayerSpec("first", 4, "tanh", 4),
        LayerSpec("y", 2, "softmax", 4),
    )
    assert pickle.loads(pickle.dumps(network)) == network


@pytest.mark.parametrize(
    ("model", "is_chain"), [("small", True), ("mixed", True), ("branched", False)]
)
def test_resolve_network__user_model_is_a_chain_or_not(model: str, is_chain: bool):
    shape = (8, 8, 1) if model == "mixed" else (12,)
    assert resolve(f"{MODELS}:{model}", shape, 10 if model == "mixed" else 2).is_chain == is_chain


def test_resolve_network__user_model_says_what_is_recorded():
    network = resolve(f"{MODELS}:mixed", (8, 8, 1), 10)
    assert network.layer_specs("tanh", 8, "full") == (
        LayerSpec("relu", 6 * 6 * 3, "relu", 8),
        LayerSpec("max", 3 * 3 * 3, "pool", 8),
        LayerSpec("average", 3, "pool", 8),
        LayerSpec("dense", 5, "sigmoid", 8),
        LayerSpec("output", 10, "softmax_quantised", 8),
    )


def test_resolve_network__user_model_says_what_is_left_out():
    assert dict(resolve(f"{MODELS}:mixed", (8, 8, 1), 10).left_out) == {
        "conv": "has no activation function",
        "norm": "normalises, without an activation function",
        "flat": "only hands values on",
        "drop": "acts in training only",
        "scores": "has no activation function",
    }


@pytest.mark.parametrize(
    ("name", "shape", "flattens"), [("mnist-conv", (28, 28, 1), True), ("syn", (12,), False)]
)
def test_resolve_network__a_network_of_the_table_flattens_or_not(name, shape, flattens):
    network = resolve(name, shape, 10 if flattens else 2)
    assert dict(network.left_out) == ({"flatten": "only hands values on"} if flattens else {})


def test_resolve_network__user_model_keeps_its_initialisers():
    network = resolve(f"{MODELS}:small")
    network.validate_initializer("paper")
    with pytest.raises(InputError, match=r"are chosen in the function itself.*but is 'he_normal'"):
        network.validate_initializer("he_normal")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no_such_module:f", "can't be imported, because there is no module no_such_module"),
        ("os:no_function", "os must define a function no_function, .* but has none"),
        (f"{MODELS}:NOT_A_FUNCTION", "must define a function NOT_A_FUNCTION, .* but it is 3"),
        ("dence:784-10", "is named as in the table, as dense:784-64-32-10, or as package"),
        ("module:", "or as package.module:function, but is 'module:'"),
        (
            f"{MODELS}:nothing",
            r"must return a tf_keras.Model, but returns a builtins.NoneType; does it end",
        ),
        (
            f"{MODELS}:keras_3",
            r"a keras\..*, a Keras 3 model; .* ibtools.KerasCallback, .* write `import tf_keras`",
        ),
        (f"{MODELS}:unbuilt", r"its Sequential does not; start it with tf_keras.Input\(shape\)"),
        (f"{MODELS}:subclassed", "Functional or Sequential model that knows its input shape"),
        (f"{MODELS}:two_outputs", "one input and one output, but its model has 1 and 2"),
        (f"{MODELS}:nested", "must return a model of plain layers, but 'inner' is a model"),
        (f"{MODELS}:shared", "uses every layer once, but 'twice' is used 2 times"),
        (f"{MODELS}:three_classes", r"to \(None, 2\), as the data .* to \(None, 3\)"),
        (f"{MODELS}:mixed", r"from the shape \(None, 12\) .* from \(None, 8, 8, 1\)"),
        (f"{MODELS}:no_softmax", "is a softmax over the classes, but 'last' is sigmoid"),
    ],
)
def test_resolve_network__refuses_what_it_cannot_record(text, message):
    with pytest.raises(InputError, match=message):
        resolve(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "my.keras",
            r"'my.keras' is a file of one; .*load_model\('my.keras', compile=False\), .*one",
        ),
        ("models/my.h5", r"load_model\('my.h5', compile=False\)"),
        ("mynet.py:build", r"name the module, not its file: mynet:build$"),
        ("nets/mynet.py:build", "not its file: mynet:build, in the folder nets$"),
        ("mynet.py", "not its file: mynet:function$"),
    ],
)
def test_resolve_network__a_file_is_no_network(text, message):
    with pytest.raises(InputError, match=message):
        resolve(text)


def test_resolve_network__a_saved_model_is_no_network(tmp_path):
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(InputError, match=r"is a file of one; write a function that returns"):
        resolve(str(tmp_path))


@pytest.mark.parametrize("text", ["1 / 0", "(", "import no_such_module"])
def test_import_function__a_module_that_fails(text, tmp_path, monkeypatch):
    name = f"failing_{len(text)}"
    (tmp_path / f"{name}.py").write_text(f"import os\n{text}\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=rf"^{name}:build: {name} can't be imported[^\n]*$"):
        import_function(f"{name}:build")


def test_resolve_network__finds_modules_in_the_current_folder(tmp_path):
    (tmp_path / "own_nets.py").write_text("def build():\n    return 'no model'\n")
    code = (
        "from ibtools.recorders.user_code import import_function as f\nprint(f('own_nets:build')())"
    )
    command = [sys.executable, "-P", "-c", code]
    path = os.pathsep.join(filter(None, sys.path))
    found = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert found.stdout == "no model\n", found.stderr
