"""Estimators: from a block of snapshots of one layer to numbers.

Adding one is a frozen dataclass with the attributes of `Estimator` and an entry in `ESTIMATORS`; if
it counts states, it derives from `CountingEstimator` and says only what a symbol is.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ibtools.analysis.estimators.binned import Binned, Bounds, Strategy, parse_bounds
from ibtools.analysis.estimators.block import LayerBlock, Statistics
from ibtools.analysis.estimators.counting import PER_UNIT_SUFFIX, CountingEstimator
from ibtools.analysis.estimators.exact import Exact
from ibtools.analysis.estimators.kde import Kde
from ibtools.analysis.estimators.knn import Knn
from ibtools.analysis.estimators.population import MARK, TARGET, Population
from ibtools.analysis.estimators.requantised import Requantised
from ibtools.errors import IbtoolsError, InputError, unknown_name

__all__ = [
    "ESTIMATORS",
    "Binned",
    "Bounds",
    "CountingEstimator",
    "Estimator",
    "EstimatorLike",
    "Exact",
    "Kde",
    "Knn",
    "LayerBlock",
    "Population",
    "Requantised",
    "Statistics",
    "Strategy",
    "create_estimators",
    "get_estimator",
    "get_estimators",
    "known_estimator",
    "parse_bounds",
    "parse_estimator",
]


class Estimator(Protocol):
    """What the analysis asks of an estimator.

    Attributes
    ----------
    name : str
        Its name in `ESTIMATORS` and on the command line.
    specification : str
        The name with all options, from which `parse_estimator` builds the same estimator: what the
        results are called. Letters, digits, hyphens, dots and underscores only.
    representation : str
        What is measured, as a figure writes it: "T" where it is the layer itself, else such as
        "binned T", and then I(X;T) is called the entropy of that.
    noisy : bool
        Whether it is no function of the layer, so that I(X;T) of it is no entropy.
    variables : tuple of str
        The variables of the results that `statistics` computes, all declared in
        `ibtools.schema.RESULT_VARIABLES`.
    attributes : dict
        The options, as attributes of the results.
    revision : int
        Counts what was computed under this specification, from 1. It grows when the same recording
        gives other numbers than before; results of another revision are out of date.
    revision_note : str
        What was different before the last revision, as a clause; empty for the first.
    needs_values : bool
        Whether a store that keeps the partition is not enough.
    needs_global_range : bool
        Whether the result of a snapshot depends on the ranges of all others.
    min_class_size : int
        How many samples every class must have.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def specification(self) -> str: ...  # noqa: D102
    @property
    def representation(self) -> str: ...  # noqa: D102
    @property
    def noisy(self) -> bool: ...  # noqa: D102
    @property
    def variables(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def attributes(self) -> dict[str, Any]: ...  # noqa: D102
    @property
    def revision(self) -> int: ...  # noqa: D102
    @property
    def revision_note(self) -> str: ...  # noqa: D102
    @property
    def needs_values(self) -> bool: ...  # noqa: D102
    @property
    def needs_global_range(self) -> bool: ...  # noqa: D102
    @property
    def min_class_size(self) -> int: ...  # noqa: D102

    def statistics(self, block: LayerBlock) -> Statistics:
        """Compute the variables of the results for a block of snapshots of one layer."""
        ...


class EstimatorClass(Protocol):
    """What `ESTIMATORS` holds: classes that build an estimator from options."""

    def from_options(self, options: str, *, per_unit: bool = False) -> Estimator:
        """Build the estimator from its specification without name and ``-per-unit``."""
        ...


EstimatorLike = str | Estimator
"""An estimator, its name, or its specification."""

ESTIMATORS: Mapping[str, EstimatorClass] = {
    "exact": Exact,
    "binned": Binned,
    "requantised": Requantised,
    "kde": Kde,
    "knn": Knn,
}
"""Every estimator by its name."""


def parse_estimator(specification: str) -> Estimator:
    """Build an estimator from its name or specification.

    Parameters
    ----------
    specification : str
        A name in `ESTIMATORS`, all options that follow, and ``-per-unit``; or, for a target
        population, ``-population-`` and the name of a correction. Options that are left out at the
        end have their defaults.

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
    base, mark, correction = specification.partition(MARK)
    if mark:
        return Population.of(parse_estimator(base), correction.removeprefix("-"))
    words = specification.removesuffix(PER_UNIT_SUFFIX)
    name, _, options = words.partition("-")
    if name not in ESTIMATORS:
        raise unknown_name("estimator", specification if not options else name, ESTIMATORS)
    return ESTIMATORS[name].from_options(options, per_unit=words != specification)


def known_estimator(specification: str) -> Estimator | None:
    """Return the estimator of results, or None if this version of ibtools does not have it."""
    try:
        return parse_estimator(specification)
    except IbtoolsError:
        return None


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
    strategy: Strategy | None = None,
    n_bins: int | None = None,
    bin_width: float | None = None,
    bounds: Bounds | None = None,
    per_unit: bool = False,
    target: str | None = None,
    correction: str | None = None,
) -> tuple[Estimator, ...]:
    """Build estimators from names or specifications, and options for what these leave open.

    Parameters
    ----------
    specifications : sequence of str
        As for `parse_estimator`.
    strategy, n_bins, bin_width, bounds : optional
        Of the estimator that is given as the bare name ``binned``.
    per_unit : bool, optional
        Also compute means over single units, in all of them.
    target : {"recorded", "population"}, optional
        Whether the information is about the recorded inputs, the default, or estimated for the
        population that they are a sample of.
    correction : {"miller-madow", "grassberger", "chao-shen"}, optional
        How it is estimated for a population.

    Returns
    -------
    tuple of Estimator
        In the order given.

    Raises
    ------
    UnknownNameError
        If there is none of a name.
    InputError
        If options of bins are given and no estimator is ``binned``, if there is a correction
        without the target population or the other way around, or if an option is out of range.

    Examples
    --------
    >>> [e.specification for e in create_estimators(["exact", "binned"], n_bins=100)]
    ['exact', 'binned-uniform-100-layer']
    """
    options: dict[str, Any] = {
        "strategy": strategy,
        "n_bins": n_bins,
        "bin_width": bin_width,
        "bounds": bounds,
    }
    given = {name: option for name, option in options.items() if option is not None}
    if given and "binned" not in specifications:
        raise InputError(
            f"{', '.join(given)} is an option of the estimator binned, found "
            f"{', '.join(specifications)}; add binned"
        )
    suffix = PER_UNIT_SUFFIX * per_unit
    chosen = get_estimators(
        [
            Binned(per_unit, **given)
            if specification == "binned" and given
            else specification.removesuffix(suffix) + suffix
            for specification in specifications
        ]
    )
    return _aim(chosen, target, correction)


def _aim(
    estimators: tuple[Estimator, ...], target: str | None, correction: str | None
) -> tuple[Estimator, ...]:
    """Make estimators of the recorded inputs into ones of the target."""
    if target not in (None, "recorded", TARGET):
        raise unknown_name("target", target, ("recorded", TARGET))
    if target == TARGET:
        return tuple(Population.of(one, correction) for one in estimators)
    if correction:
        raise InputError(
            f"the correction {correction} is for the target population; add --target population"
        )
    return estimators
