import pytest

from tests.recorders.trainings import create_training, record

CASES = {
    "relu-4": ("relu", 4, {}),
    "prefit-full": ("tanh", 4, {"scheme": "full", "prefit": 2}),
}


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES)
def training(request):
    activation, bits, settings = request.param
    return create_training(activation, bits, **settings)


@pytest.fixture(scope="module")
def reports(engine, training):
    return record(engine, training)


@pytest.fixture(scope="module")
def fit_reports(training):
    from ibtools.recorders.engines.keras.fit import (
        FitEngine,  # TensorFlow is not for every test here
    )

    return record(FitEngine(), training)
