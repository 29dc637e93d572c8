"""The target `population`: counts of a sample, corrected for what was not drawn."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, cast

from ibtools.analysis.estimators.counting import CountingEstimator
from ibtools.analysis.estimators.derived import DerivedEstimator
from ibtools.analysis.measures.block import LayerBlock, Statistics
from ibtools.errors import InputError
from ibtools.store.schema import Variable

if TYPE_CHECKING:
    from ibtools.analysis.kernels.sampling import Correction

TARGET = "population"

N_VARIABLES = 5
"""Of those that counting gives: entropies, which are corrected, and the states that were seen."""

MARK = f"-{TARGET}"
"""What stands in a specification between the estimator and the correction."""


@dataclass(frozen=True)
class Population(DerivedEstimator):
    """Count the states of a layer, and estimate their entropy in the population of inputs.

    Parameters
    ----------
    base : CountingEstimator
        What is counted.
    correction : {"miller-madow", "grassberger", "chao-shen"}
        How the entropies are corrected; see `ibtools.analysis.kernels.sampling`.

    Raises
    ------
    UnknownNameError
        If there is no such correction.
    InputError
        If single units are asked for, or what is counted is no counting estimator.

    Notes
    -----
    The recorded inputs are taken as drawn independently from a population, with their labels. For a
    deterministic network, I(X;T) = H(T) holds there too, but of a distribution that was only
    sampled: H(T) is at most log2 N for the N inputs that were recorded, and may be far larger for
    all. Where nearly every input has a state of its own, no correction can know by how much. The
    results may break the bounds and data processing by their own error, and I(T;Y) may be negative.
    `n_states` and `n_singletons` count the states that were seen, and those seen once: the coverage
    of the population is about 1 - n_singletons / N.

    A network treats the inputs that it was trained on differently from others, so a sample that
    holds training inputs is not one of all inputs for it.

    Examples
    --------
    >>> from ibtools.analysis.estimators.exact import Exact
    >>> Population(Exact(), "chao-shen").specification
    'exact-population-chao-shen'
    """

    base: CountingEstimator
    correction: "Correction"

    def __post_init__(self) -> None:
        from ibtools.analysis.kernels.sampling import find_correction

        find_correction(self.correction)
        if not isinstance(self.base, CountingEstimator):
            raise InputError(
                f"the target population is for estimators that count states, found {self.base}; "
                "choose exact, binned or requantised"
            )
        if self.base.per_unit:
            raise InputError(
                f"the target population has whole layers only, found {self.base.specification}; "
                "leave out --per-unit"
            )

    @classmethod
    def of(cls, base: Any, correction: str | None) -> Self:
        """Correct an estimator; the correction must be named, because the choice matters."""
        from ibtools.analysis.kernels.sampling import CORRECTIONS

        if not correction:
            raise InputError(
                f"the target population needs a correction: {', '.join(CORRECTIONS)}; choose one "
                "(--correction), as in exact-population-chao-shen"
            )
        return cls(base, cast("Correction", correction))

    @property
    def specification(self) -> str:
        """The name with all options, the target and the correction."""
        return f"{self.base.specification}{MARK}-{self.correction}"

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables of the results, which say that they are estimates."""
        return tuple(self._estimated(variable) for variable in self.base.variables[:N_VARIABLES])

    def _estimated(self, variable: Variable) -> Variable:
        if "T" not in variable.label:
            return variable
        return replace(
            variable,
            label=f"{variable.label} of the population",
            description=f"{variable.description}; estimated for the population that the recorded "
            f"inputs are a sample of, corrected after {self.correction}",
        )

    @property
    def attributes(self) -> dict[str, Any]:
        """The options, as attributes of the results."""
        return {**self.base.attributes, "target": TARGET, "correction": self.correction}

    def compute(self, block: LayerBlock) -> Statistics:
        """Compute the variables of the results; see `CountingEstimator.compute`."""
        from ibtools.analysis.kernels.chance import count_singletons
        from ibtools.analysis.kernels.counts import label_spectra
        from ibtools.analysis.kernels.sampling import corrected_information_of_spectra
        from ibtools.partition import partition_block

        labels, n_states = partition_block(self.base.discretise(block))
        states, classes, cells = label_spectra(labels, block.y, block.n_classes)
        entropy_t, mi_ty = corrected_information_of_spectra(states, classes, cells, self.correction)
        return {
            "mi_xt": entropy_t.copy(),
            "mi_ty": mi_ty,
            "entropy_t": entropy_t,
            "n_states": n_states,
            "n_singletons": count_singletons(states),
        }
