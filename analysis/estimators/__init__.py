"""Estimators: from a block of snapshots of one layer to numbers.

Adding one is a frozen dataclass with the attributes of `Estimator`, in a file of its own, and a
line in `ibtools.analysis.measures.registry`, or an entry point of another package; if it counts
states, it derives from `CountingEstimator` and says only what a symbol is.
"""

from collections.abc import Sequence
from typing import Any, Protocol, cast

from ibtools.analysis.estimators.binned import Binned, Bounds, Strategy, parse_bounds
from ibtools.analysis.estimators.chosen_layers import OfLayers, divide_layers, parse_layers
from ibtools.analysis.estimators.counting import PER_UNIT_SUFFIX, CountingEstimator
from ibtools.analysis.estimators.exact import Exact
from ibtools.analysis.estimators.kde import Kde
from ibtools.analysis.estimators.knn import Knn
from ibtools.analysis.estimators.population import MARK, TARGET, Population
from ibtools.analysis.estimators.renyi import Renyi
from ibtools.analysis.estimators.requantised import Requantised
from ibtools.analysis.estimators.sliced import Sliced
from ibtools.analysis.measures.block import LayerBlock, Statistics
from ibtools.analysis.measures.derived_variables import DERIVED
from ibtools.analysis.measures.protocol import BlockShape, Measure, Needs, Option
from ibtools.analysis.measures.registry import ESTIMATORS
from ibtools.errors import IbtoolsError, InputError, unknown_name
from ibtools.store.schema import RESULT_VARIABLES, Variable

__all__ = [
    "ESTIMATORS",
    "Binned",
    "BlockShape",
    "Bounds",
    "CountingEstimator",
    "Estimator",
    "EstimatorLike",
    "Exact",
    "Kde",
    "Knn",
    "LayerBlock",
    "Needs",
    "OfLayers",
    "Option",
    "Population",
    "Renyi",
    "Requantised",
    "Sliced",
    "Statistics",
    "Strategy",
    "Variable",
    "command_options",
    "create_estimators",
    "get_estimator",
    "get_estimators",
    "known_estimator",
    "load_estimator",
    "parse_bounds",
    "parse_estimator",
    "variables_of",
]


class Estimator(Measure, Protocol):
    """What the analysis asks of an estimator: a measure of one layer at a time.

    Attributes
    ----------
    name : str
        Its name in `ESTIMATORS` and on the command line.
    specification : str
        From it, `parse_estimator` builds the same estimator.
    representation : str
        What is measured, as a figure writes it: "T" where it is the layer itself, else such as
        "binned T", and then I(X;T) is called the entropy of that.
    meaning : str
        What its numbers are, and what they are not, in sentences.
    revision : int
        Counts what was computed under this specification, from 1. It grows when the same recording
        gives other numbers than before; results of another revision are out of date.
    revision_note : str
        What was different before the last revision, as a clause; empty for the first.
    needs_global_range : bool
        Whether the result of a snapshot depends on the ranges of all others.
    min_class_size : int
        How many samples every class must have.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def meaning(self) -> str: ...  # noqa: D102
    @property
    def representation(self) -> str: ...  # noqa: D102
    @property
    def revision(self) -> int: ...  # noqa: D102
    @property
    def revision_note(self) -> str: ...  # noqa: D102
    @property
    def needs_global_range(self) -> bool: ...  # noqa: D102
    @property
    def min_class_size(self) -> int: ...  # noqa: D102

    def compute(self, block: LayerBlock) -> Statistics:
        """Compute the variables of the results for a block of snapshots of one layer."""
        ...


class EstimatorClass(Protocol):
    """What `ESTIMATORS` holds: classes that build an estimator from options.

    Attributes
    ----------
    options_of_command : tuple of Option
        What ``ibtools analyze`` takes for it.
    """

    options_of_command: tuple[Option, ...]

    def __call__(self, *, per_unit: bool = False, **options: Any) -> Estimator:
        """Build the estimator from what `options_of_command` call its parameters."""
        ...

    def from_options(self, options: str, *, per_unit: bool = False) -> Estimator:
        """Build the estimator from its specification without name and ``-per-unit``."""
        ...


EstimatorLike = str | Estimator
"""An estimator, its name, or its specification."""


def load_estimator(name: str) -> EstimatorClass:
    """Import the class of an estimator.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    InputError
        If it is another package's, and can't be imported.
    """
    return cast(EstimatorClass, ESTIMATORS.load(name))


def parse_estimator(specification: str) -> Estimator:
    """Build an estimator from its name or specification.

    Parameters
    ----------
    specification : str
        A name in `ESTIMATORS`, all options that follow, and ``-per-unit``; or, for a target
        population, ``-population-`` and the name of a correction. Options that are left out at the
        end have their defaults. Then, for some of the layers, ``-layers-`` and their names, or
        ``-without-`` and those of the others: see `OfLayers`.

    Returns
    -------
    Estimator
        With that specification.

    Raises
    ------
    UnknownNameError
        If there is none of that name, or an option is none.
    InputError
        If an option is out of range, or contradicts another.

    Examples
    --------
    >>> parse_estimator("binned-uniform-100-global").specification
    'binned-uniform-100-global'
    >>> parse_estimator("binned").specification
    'binned-uniform-30-layer'
    >>> parse_estimator("binned-population-chao-shen").specification
    'binned-uniform-30-layer-population-chao-shen'
    """
    if (of_layers := parse_layers(specification, parse_estimator)) is not None:
        return of_layers
    base, mark, correction = specification.partition(MARK)
    if mark:
        return Population.of(parse_estimator(base), correction.removeprefix("-"))
    words = specification.removesuffix(PER_UNIT_SUFFIX)
    name, _, options = words.partition("-")
    return load_estimator(name).from_options(options, per_unit=words != specification)


def known_estimator(specification: str) -> Estimator | None:
    """Return the estimator of results, or None if this version of ibtools does not have it."""
    try:
        return parse_estimator(specification)
    except IbtoolsError:
        return None


def variables_of(specification: str) -> dict[str, Variable]:
    """Return the variables of results by name: those of the estimator, and what all results have.

    Parameters
    ----------
    specification : str
        Of results. Of an estimator that this version of ibtools does not have, only what
        estimators share is known.
    """
    known = known_estimator(specification)
    own = {one.name: one for one in known.variables} if known else {}
    return {one.name: one for one in (*RESULT_VARIABLES, *DERIVED)} | own


def get_estimator(estimator: EstimatorLike) -> Estimator:
    """Return the estimator that a name or specification stands for, or an estimator as it is.

    Examples
    --------
    >>> get_estimator("exact").specification
    'exact'
    """
    return parse_estimator(estimator) if isinstance(estimator, str) else estimator


def get_estimators(estimator: EstimatorLike | Sequence[EstimatorLike]) -> tuple[Estimator, ...]:
    """Return one or several estimators, each specification once, in the order given.

    Raises
    ------
    UnknownNameError
        If a name is not in `ESTIMATORS`.
    InputError
        If there is none, or an option is out of range.
    """
    chosen = [get_estimator(one) for one in listed(estimator)]
    if not chosen:
        raise InputError("at least one estimator is needed, found none")
    return tuple({one.specification: one for one in chosen}.values())


def listed(estimator: EstimatorLike | Sequence[EstimatorLike]) -> Sequence[EstimatorLike]:
    """Return one estimator, or several, as several."""
    if isinstance(estimator, str) or not isinstance(estimator, Sequence):
        return (estimator,)
    return estimator


def create_estimators(
    specifications: Sequence[str],
    *,
    per_unit: bool = False,
    target: str | None = None,
    correction: str | None = None,
    **options: Any,
) -> tuple[Estimator, ...]:
    """Build estimators from names or specifications, and options for what these leave open.

    Parameters
    ----------
    specifications : sequence of str
        As for `parse_estimator`.
    per_unit : bool, optional
        Also compute means over single units, in all of them.
    target : {"recorded", "population"}, optional
        Whether the information is about the recorded inputs, the default, or estimated for the
        population that they are a sample of.
    correction : {"miller-madow", "grassberger", "chao-shen"}, optional
        How it is estimated for a population.
    **options : optional
        Of estimators that are given as their bare names, such as `n_bins` of ``binned``; those that
        are None are not given. See `EstimatorClass.options_of_command`.

    Returns
    -------
    tuple of Estimator
        In the order given.

    Raises
    ------
    UnknownNameError
        If there is none of a name.
    InputError
        If the estimator of an option is not among the bare names, if there is a correction
        without the target population or the other way around, or if an option is out of range.

    Examples
    --------
    >>> [e.specification for e in create_estimators(["exact", "binned"], n_bins=100)]
    ['exact', 'binned-uniform-100-layer']
    """
    given = _options_by_name({name: one for name, one in options.items() if one is not None})
    divided = [divide_layers(one) for one in specifications]
    for name, own in given.items():
        if all(name != words for words, _ in divided):
            raise InputError(
                f"{', '.join(own)} is an option of the estimator {name}, found "
                f"{', '.join(specifications)}; add {name}"
            )

    def build(words: str, layers: str) -> Estimator:
        if words in given:
            found: Estimator = load_estimator(words)(per_unit=per_unit, **given[words])
        else:
            suffix = PER_UNIT_SUFFIX * per_unit
            found = parse_estimator(words.removesuffix(suffix) + suffix)
        aimed = _aim(found, target, correction)
        return parse_estimator(aimed.specification + layers) if layers else aimed

    return get_estimators([build(*one) for one in divided])


def command_options() -> list[Option]:
    """Return what ``ibtools analyze`` takes for the estimators that there are."""
    classes = [load_estimator(name) for name in ESTIMATORS.names()]
    return [one for of in classes for one in of.options_of_command]


def _options_by_name(given: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the options of each estimator, by its name."""
    found: dict[str, dict[str, Any]] = {}
    for name in ESTIMATORS.names() if given else ():
        parameters = [one.parameter for one in load_estimator(name).options_of_command]
        if own := {one: given[one] for one in parameters if one in given}:
            found[name] = own
    return found


def _aim(estimator: Estimator, target: str | None, correction: str | None) -> Estimator:
    """Make an estimator of the recorded inputs into one of the target."""
    if target not in (None, "recorded", TARGET):
        raise unknown_name("target", target, ("recorded", TARGET))
    if target == TARGET:
        return Population.of(estimator, correction)
    if correction:
        raise InputError(
            f"the correction {correction} is for the target population; add --target population"
        )
    return estimator
