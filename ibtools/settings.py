"""The settings of ibtools' own trainings, each declared once.

Of a declaration are made: the option of `ibtools record`, the checks, the entry in a store's
attribute `configuration`, what a report calls it, and its line in docs/experiments.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from numbers import Integral, Real
from typing import Any, Literal, get_args, get_type_hints

from ibtools.errors import InputError, unknown_name
from ibtools.store.schema import Keep
from ibtools.store.snapshots import FLOAT_BITS

ACTIVATIONS = ("tanh", "relu", "relu6")
"""Activation functions that hidden layers may have."""

QUANTISED_BITS = (2, 3, 4, 5, 6, 7, 8, 16)
"""Bit widths that a network can be trained with, besides 32 for one that is not quantised."""

Scheme = Literal["paper", "full"]
"""What is quantised: see `ibtools.recorders.engines.schemes`."""

Ranges = Literal["paper", "calibrated", "fixed"]
"""Where the ranges of quantised outputs start, and whether they move: see `schemes`, too."""

Control = Literal["none", "frozen"]
"""Whether a training is a control, in which nothing is learned."""

Snapshots = Literal["native", "keras"]
"""What computes the values that engine `native` records."""

Labels = Literal["true", "random"]
"""What a training learns: the labels of its samples, or these shuffled among them."""

INITIALIZERS = (
    "paper",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "lecun_normal",
    "lecun_uniform",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "truncated_normal",
    "variance_scaling",
)
"""Initialisers of kernels: that of the network itself, and Keras' random ones by name."""

_PAPER = "the paper's"


@dataclass(frozen=True)
class About:
    """What is declared of a setting beside its name, its type and its default.

    Parameters
    ----------
    help : str
        What it is: one sentence, without its default.
    label : str, optional
        What a report calls it; one without is not listed there.
    unit : str, optional
        Of its value.
    choices : tuple of str, optional
        The values that there are, or the beginnings that a shell completes.
    kind : str, optional
        What its value is called where it is none of `choices`. Without it any text is taken.
    must : str, optional
        What `accepts` asks for: the words behind "must".
    accepts : callable, optional
        Tells whether a value is in its range.
    otherwise : str, optional
        What holds where it is not given and has no default of its own.
    option : str, optional
        Name of what the user gives, where that has another name.
    option_default : str, optional
        The default of what the user gives, where the setting is made of it.
    said : mapping of str to str, optional
        Values that change what a network is, and what it is called then, in titles and lists. A
        setting that has some is in the configuration of a store only where it has such a value, so
        that the configurations of all other stores are what they were before there was this one.
    left_out : tuple, optional
        The values with which it is not in the configuration of a store, for the same reason.
    """

    help: str
    label: str = ""
    unit: str = ""
    choices: tuple[str, ...] = ()
    kind: str = ""
    must: str = ""
    accepts: Callable[[Any], bool] = lambda _: True
    otherwise: str = ""
    option: str = ""
    option_default: str | None = None
    said: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[Any, ...] = ()

    def is_kept(self, value: Any) -> bool:
        """Whether the configuration of a store has the setting with this value."""
        return value in self.said if self.said else value not in self.left_out


def _says(sentence: str, label: str = "", **more: Any) -> dict[str, About]:
    return {"about": About(sentence, label, **more)}


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """What decides how one network is trained, whichever it is.

    Raises
    ------
    UnknownNameError
        If a name is none that there is.
    InputError
        If a value is of another type or out of its range.
    """

    activation: str = field(
        metadata=_says(
            "tanh, relu or relu6, of the hidden layers.",
            "activation function",
            choices=ACTIVATIONS,
            kind="activation",
            otherwise=_PAPER,
        )
    )
    bits: int = field(
        metadata=_says(
            "2 to 8 or 16, or 32 for a float network.",
            "bits",
            unit="bit",
            must=f"be 2 to 8 or 16, or {FLOAT_BITS} for a network that is not quantised",
            accepts=(*QUANTISED_BITS, FLOAT_BITS).__contains__,
            otherwise=f"{_PAPER}: 8",
        )
    )
    scheme: Scheme = field(
        default="paper",
        metadata=_says(
            "What is quantised: paper, full.",
            "quantisation scheme",
            choices=get_args(Scheme),
            kind="quantisation scheme",
        ),
    )
    ranges: Ranges = field(
        default="paper",
        metadata=_says(
            "Of quantised outputs: the paper's; calibrated starts moving ones where the initial "
            "network is on the training samples; fixed keeps all of them there.",
            "ranges of quantisers",
            choices=get_args(Ranges),
            kind="ranges",
            said={"calibrated": "calibrated ranges", "fixed": "fixed ranges"},
        ),
    )
    initializer: str = field(
        default="paper",
        metadata=_says(
            "Or a Keras initialiser.", "initialiser", choices=INITIALIZERS, kind="initializer"
        ),
    )
    epochs: int = field(
        metadata=_says(
            "Epochs of training.",
            unit="epoch",
            must="not be negative",
            accepts=lambda n: n >= 0,
            otherwise=_PAPER,
        )
    )
    prefit: int = field(
        default=0,
        metadata=_says(
            "Epochs on random labels first.",
            "epochs on random labels",
            unit="epoch",
            must="not be negative",
            accepts=lambda n: n >= 0,
        ),
    )
    labels: Labels = field(
        default="true",
        metadata=_says(
            "random trains on labels that are shuffled among the training samples.",
            "labels of the training samples",
            choices=get_args(Labels),
            kind="labels",
            said={"random": "random labels"},
        ),
    )
    control: Control = field(
        default="none",
        metadata=_says(
            "frozen goes through all steps without changing a weight; only ranges move.",
            "control",
            choices=get_args(Control),
            kind="control",
            said={"frozen": "frozen control"},
        ),
    )
    learning_rate: float = field(
        default=1e-4,
        metadata=_says(
            "Of Adam.", "learning rate (Adam)", must="be positive", accepts=lambda n: n > 0
        ),
    )
    batch_size: int = field(
        default=256,
        metadata=_says(
            "Samples per step.",
            "batch size",
            unit="sample",
            must="be at least 1",
            accepts=lambda n: n >= 1,
        ),
    )

    def __post_init__(self) -> None:
        for one in fields(self):
            if "about" in one.metadata:
                validate_setting(one.name, getattr(self, one.name))
        if self.ranges != "paper" and self.bits == FLOAT_BITS:
            raise InputError(
                f"ranges are those of quantisers, which a network of {FLOAT_BITS} bits has none "
                f"of, but ranges is {self.ranges!r}; leave it out, or choose fewer bits"
            )
        if self.labels == "random" and self.prefit:
            raise InputError(
                "labels can be random throughout, or in a prefit and then true, but labels is "
                f"'random' and prefit is {self.prefit}; leave one of them out"
            )

    @property
    def has_random_labels(self) -> bool:
        """Whether any epoch trains on random labels."""
        return self.prefit > 0 or self.labels == "random"


@dataclass(frozen=True, kw_only=True)
class Settings(TrainingSettings):
    """Everything that decides what a recording holds; a store keeps it as JSON.

    Raises
    ------
    UnknownNameError
        If a name is none that there is.
    InputError
        If a value is of another type or out of its range.
    """

    experiment: str = field(metadata=_says("One of the paper's, or custom."))
    network: str = field(
        metadata=_says("Table name, dense:784-64-10, or package.module:function.", "network")
    )
    data_set: str = field(
        metadata=_says(
            "MNIST, digits, ..., an .npz file with x and y, or a folder of images.",
            "data set",
            otherwise=_PAPER,
            option="data",
        )
    )
    repeats: int = field(
        metadata=_says(
            "Networks to train.",
            unit="repeat",
            must="be 1 or more",
            accepts=lambda n: n >= 1,
            otherwise=_PAPER,
        )
    )
    first_repeat: int = field(
        default=0,
        metadata=_says("Number of the first.", must="not be negative", accepts=lambda n: n >= 0),
    )
    recorded_epochs: tuple[int, ...] = field(
        metadata=_says(
            "Epochs to record: every:N, log:N (fewer where they fall together), a list such as "
            "0,1,10, or paper; 0 is untrained.",
            unit="epoch",
            choices=("every:", "log:", "paper"),
            option="schedule",
            option_default="every:5",
        )
    )
    keep: Keep = field(
        default="codes",
        metadata=_says("codes, or only the partition.", choices=get_args(Keep), kind="keep"),
    )
    samples: int | None = field(
        default=None,
        metadata=_says(
            "Record a fixed subset of so many samples; ranges of Tanh layers are of these.",
            unit="sample",
            must="be 1 to those of the data",
            otherwise="all",
        ),
    )
    seed: int = field(
        default=0,
        metadata=_says(
            "Base of all random streams.", "base seed", must="be at least 0 and below 2**128"
        ),
    )
    patience: int = field(
        default=1000,
        metadata=_says(
            "From this epoch on a training must be better than guessing, or it is begun anew.",
            "epochs before a training may count as failed",
            unit="epoch",
        ),
    )
    required_gain: float = field(
        default=0.07,
        metadata=_says(
            "How much better: part of the way from the majority class to 1.",
            "required gain on the majority class",
            must="be 0 to 1",
            accepts=lambda n: 0 <= n <= 1,
        ),
    )
    max_attempts: int = field(
        default=5,
        metadata=_says(
            "Trainings per repeat.",
            "attempts at the most",
            must="be 1 or more",
            accepts=lambda n: n >= 1,
        ),
    )
    engine: str | None = field(
        default=None,
        metadata=_says(
            "What trains: native (fastest; convolutions, max pools, dense layers only), compiled, "
            "or fit (slowest).",
            "engine",
            otherwise="chosen",
        ),
    )
    snapshots: str | None = field(
        default=None,
        metadata=_says(
            "What computes the values that engine native records: native, without TensorFlow; or "
            "keras, the tf_keras model, which was all that there was before.",
            "snapshots computed by",
            choices=get_args(Snapshots),
            kind="snapshots",
            otherwise="chosen",
            left_out=(None, "keras"),
        ),
    )

    def of_training(self) -> dict[str, Any]:
        """Return what decides how one network is trained, by name."""
        return {one.name: getattr(self, one.name) for one in fields(TrainingSettings)}

    def configuration(self) -> dict[str, Any]:
        """Return what a store keeps, by name, as far as `About.is_kept`."""
        values = {name: getattr(self, name) for name in SETTINGS}
        return {k: value for k, value in values.items() if SETTINGS[k].about.is_kept(value)}


@dataclass(frozen=True)
class Setting:
    """A setting, as it was declared.

    Parameters
    ----------
    name : str
        As a store keeps it.
    value_type : type
        Of its value: int, float, str or tuple.
    default : object
        Its value where none is given; None where that is chosen.
    is_optional : bool
        Whether its value may be None.
    about : About
        All else.
    """

    name: str
    value_type: type
    default: Any
    is_optional: bool
    about: About

    @property
    def option(self) -> str:
        """Name of what the user gives."""
        return self.about.option or self.name

    @property
    def option_default(self) -> Any:
        """Default of what the user gives."""
        return self.about.option_default or self.default

    @property
    def option_type(self) -> type:
        """Type of what the user gives: text, of what other things are made."""
        return self.value_type if self.value_type in (int, float) else str


def _read_declarations() -> dict[str, Setting]:
    hints = get_type_hints(Settings)
    found = {}
    for one in fields(Settings):
        types = get_args(hints[one.name])
        is_optional = type(None) in types
        kind = types[0] if is_optional else hints[one.name]
        if kind not in (int, float, str):
            kind = tuple if kind == tuple[int, ...] else str
        default = None if one.default is MISSING else one.default
        found[one.name] = Setting(one.name, kind, default, is_optional, one.metadata["about"])
    return found


SETTINGS = _read_declarations()
"""All settings by name."""


def describe_training(configuration: Mapping[str, Any]) -> str:
    """Say in what a training is no usual one: frozen, on random labels, with other ranges.

    Parameters
    ----------
    configuration : mapping
        Of a store, as from `ibtools.store.configuration.configuration_of`.

    Returns
    -------
    str
        Empty for a usual one.

    Examples
    --------
    >>> describe_training({"control": "frozen", "ranges": "fixed", "bits": 8})
    'fixed ranges, frozen control'
    """
    said = [one.about.said.get(str(configuration.get(name))) for name, one in SETTINGS.items()]
    return ", ".join(filter(None, said))


def validate_setting(name: str, value: object) -> None:
    """Check the value of a setting.

    Parameters
    ----------
    name : str
        Of the setting.
    value : object
        What it shall be.

    Raises
    ------
    UnknownNameError
        If it must be one of several names, and is another.
    InputError
        If it is of another type or out of its range.

    Examples
    --------
    >>> validate_setting("repeats", 0)
    Traceback (most recent call last):
    ...
    ibtools.errors.InputError: repeats must be 1 or more, but is 0
    """
    setting = SETTINGS[name]
    if value is None and setting.is_optional:
        return
    about = setting.about
    expected, words = _TYPES[setting.value_type]
    if not isinstance(value, expected) or isinstance(value, bool):
        raise InputError(f"{name} must be {words}, but is {value!r}")
    if about.kind and value not in about.choices:
        raise unknown_name(about.kind, str(value), about.choices)
    if not about.accepts(value):
        raise InputError(f"{name} must {about.must}, but is {value!r}")


_TYPES: dict[type, tuple[type, str]] = {
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    str: (str, "text"),
    tuple: (tuple, "a tuple of epochs"),
}


def markdown_table() -> str:
    """Return the settings as the table of docs/experiments.md."""
    head = ("option", "in the store", "default", "unit", "must", "what it is")
    rows = [head, ("---",) * len(head), *map(_cells, SETTINGS.values())]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _cells(setting: Setting) -> tuple[str, ...]:
    about, default = setting.about, setting.option_default
    option = f"--{setting.option.replace('_', '-')}"
    return (
        "`EXPERIMENT`" if setting.name == "experiment" else f"`{option}`",
        f"`{setting.name}`",
        about.otherwise if default is None else f"`{default}`",
        about.unit,
        f"be {', '.join(about.choices)}" if about.kind else about.must,
        about.help,
    )
