import json
from dataclasses import fields
from pathlib import Path

import click
import numpy as np
import pytest

import ibtools
from ibtools.cli.record import record as command
from ibtools.errors import InputError, UnknownNameError
from ibtools.recorders.engines.protocol import Training
from ibtools.recorders.record import plan
from ibtools.settings import SETTINGS, TrainingSettings, validate_setting

VALID = {
    "activation": "relu6",
    "bits": 4,
    "scheme": "full",
    "ranges": "calibrated",
    "initializer": "he_normal",
    "epochs": 3,
    "prefit": 2,
    "control": "frozen",
    "learning_rate": 0.01,
    "batch_size": 64,
    "network": "dense:12-3-2",
    "repeats": 2,
    "first_repeat": 5,
    "keep": "partition",
    "samples": 100,
    "seed": 7,
    "patience": 2,
    "required_gain": 0.5,
    "max_attempts": 2,
    "engine": "native",
    "snapshots": "native",
}
"""Another value than the default of everything that a recording is given."""

INSTEAD = {"labels": "random"}
"""What does not go with the others, but in place of a prefit."""

MADE = {"experiment": "SYN-Tanh", "data_set": "SYN", "recorded_epochs": (-2, 0, 3)}
"""What it is not given, but made of other things."""


def test_settings__all_are_options_of_record():
    options = {one.name: one for one in command.params if isinstance(one, click.Option)}
    for name, setting in SETTINGS.items():
        if name == "experiment":
            continue
        option = options[setting.option]
        assert option.help.startswith(setting.about.help)
        assert option.default == setting.option_default


def test_settings__each_reaches_the_plan_and_the_json_of_a_store():
    assert {*VALID, *INSTEAD, *MADE} == set(SETTINGS)
    recording = plan("SYN-Tanh", **VALID)
    found = json.loads(recording.store_spec().configuration_json())
    assert found == VALID | MADE | {"recorded_epochs": list(MADE["recorded_epochs"])}


def test_settings__what_was_none_at_first_is_in_the_json_where_it_is_not_the_default():
    """So the configuration of a store that uses none of them is what it always was."""
    of_default, of_others = (
        json.loads(plan("SYN-Tanh", **given).store_spec().configuration_json())
        for given in ({}, INSTEAD)
    )
    assert not {"ranges", "control", "labels"} & set(of_default)
    assert of_others == of_default | INSTEAD


@pytest.mark.parametrize("given", [VALID, INSTEAD])
def test_settings__each_of_a_training_reaches_it(given):
    names = [one.name for one in fields(TrainingSettings) if one.name in given]
    training = plan("SYN-Tanh", **given).training(5, 0)
    assert isinstance(training, Training)
    assert {name: getattr(training, name) for name in names} == {
        name: given[name] for name in names
    }


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("epochs", "5", "epochs must be a whole number, but is '5'"),
        ("epochs", 5.0, "epochs must be a whole number, but is 5.0"),
        ("bits", True, "bits must be a whole number, but is True"),
        ("learning_rate", "1e-3", "learning_rate must be a number, but is '1e-3'"),
        ("learning_rate", float("nan"), "learning_rate must be positive, but is nan"),
        ("required_gain", 1.5, "required_gain must be 0 to 1, but is 1.5"),
        ("first_repeat", -1, "first_repeat must not be negative, but is -1"),
        ("network", 3, "network must be text, but is 3"),
        ("max_attempts", 0, "max_attempts must be 1 or more, but is 0"),
    ],
)
def test_validate_setting__refuses(name: str, value: object, message: str, tmp_path: Path):
    with pytest.raises(InputError, match=message):
        validate_setting(name, value)
    with pytest.raises(InputError, match=message):
        ibtools.record("SYN-Tanh", tmp_path / "s.zarr", **{name: value})
    assert not (tmp_path / "s.zarr").exists()


def test_validate_setting__a_name_that_there_is_not():
    with pytest.raises(UnknownNameError, match="unknown keep 'partitions'; did you mean"):
        validate_setting("keep", "partitions")


@pytest.mark.parametrize("name", ["samples", "engine", "snapshots"])
def test_validate_setting__what_may_be_none(name: str):
    validate_setting(name, None)


def test_record__a_setting_that_there_is_not(tmp_path: Path):
    with pytest.raises(TypeError, match="unknown setting 'epoch'; did you mean 'epochs'"):
        ibtools.record("SYN-Tanh", tmp_path / "s.zarr", epoch=5)


def test_plan__numbers_of_numpy_are_numbers_in_the_json():
    spec = plan("SYN-Tanh", epochs=np.int64(3), seed=np.int32(1)).store_spec()
    assert json.loads(spec.configuration_json())["seed"] == 1
