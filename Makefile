# make demo   record a small SYN run, analyse it exactly, draw its information plane
# make test   lint, types, documentation, tests
# make docs   build the documentation into site/
# All create .venv and install into it first; for demo that is ibtools alone, without TensorFlow.
# make test-oldest   all tests without frameworks, with the oldest versions that pyproject.toml allows
# make test-newest PYTHON=python3.13   the same with the newest versions

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BASE := $(VENV)/installed-base
INSTALLED := $(VENV)/installed
# How many processes run tests; each may need 3 GB.
TEST_PROCESSES ?= 2

# Of test-oldest and test-newest: what pytest is given.
TESTS ?= tests

.PHONY: demo test test-oldest test-newest lint bench docs clean

demo: $(BASE)
	$(BIN)/ibtools record SYN-Tanh --bits 8 --repeats 2 --epochs 1000 --schedule log:60 --output demo/syn.zarr --overwrite
	$(BIN)/ibtools analyze demo/syn.zarr --estimator exact
	$(BIN)/ibtools plot demo/syn.zarr information-plane --output demo/information-plane.png
	$(BIN)/ibtools plot demo/syn.zarr information-epochs --output demo/information-epochs.png
	$(BIN)/ibtools info demo/syn.zarr

test: lint docs
	$(BIN)/pytest -n $(TEST_PROCESSES) --dist loadfile

test-oldest:
	$(PYTHON) -m venv $(VENV)-oldest
	$(VENV)-oldest/bin/pip install --quiet uv
	$(VENV)-oldest/bin/uv pip install --quiet --python $(VENV)-oldest --resolution lowest-direct --editable '.[test]'
	$(VENV)-oldest/bin/pytest -n $(TEST_PROCESSES) --dist loadfile $(TESTS)

test-newest:
	$(PYTHON) -m venv $(VENV)-newest
	$(VENV)-newest/bin/pip install --quiet uv
	$(VENV)-newest/bin/uv pip install --quiet --python $(VENV)-newest --upgrade --editable '.[test]'
	$(VENV)-newest/bin/pytest -n $(TEST_PROCESSES) --dist loadfile $(TESTS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

docs: $(INSTALLED)
	$(BIN)/sphinx-build -W --keep-going -q docs site

clean:
	rm -rf $(VENV) $(VENV)-oldest $(VENV)-newest demo site build dist *.egg-info

$(BASE): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable .
	touch $(BASE)

$(INSTALLED): $(BASE)
	$(BIN)/pip install --quiet --editable '.[record,dev]'
	touch $(INSTALLED)
