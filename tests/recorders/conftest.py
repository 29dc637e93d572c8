import pytest

from tests.recorders.trainings import CASES, fit_reports_of, record, training_of


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return request.param


@pytest.fixture(scope="module")
def training(case):
    return training_of(case)


@pytest.fixture(scope="module")
def reports(engine, training):
    return record(engine, training)


@pytest.fixture(scope="module")
def fit_reports(case):
    return fit_reports_of(case)
