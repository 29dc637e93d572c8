"""What the variables of results are called, by what was measured."""

from collections.abc import Iterable
from dataclasses import replace

from ibtools.store.schema import Variable


def relabelled(
    variables: Iterable[Variable], representation: str, *, is_informative: bool = False
) -> tuple[Variable, ...]:
    """Label variables for what was measured in place of the layer T.

    Parameters
    ----------
    variables : iterable of Variable
        Labelled for T itself.
    representation : str
        What was measured, such as "binned T".
    is_informative : bool, optional
        Whether I(X;T) is called the information of what was measured, as of what has noise, or is
        the network's own; else it is called the entropy that it is.

    Returns
    -------
    tuple of Variable

    Examples
    --------
    >>> from ibtools.store.schema import RESULT_VARIABLES
    >>> [one.label for one in relabelled(RESULT_VARIABLES[:2], "binned T")]
    ['H(binned T)', 'I(binned T;Y)']
    >>> [one.label for one in relabelled(RESULT_VARIABLES[:2], "T + noise", is_informative=True)]
    ['I(X;T + noise)', 'I(T + noise;Y)']
    """
    return tuple(
        _relabelled(one, representation, is_informative=is_informative) for one in variables
    )


def _relabelled(variable: Variable, representation: str, *, is_informative: bool) -> Variable:
    if representation == "T" or "T" not in variable.label:
        return variable
    label = variable.label.replace("X;T", f"X;{representation}")
    if not is_informative:
        label = variable.label.replace("I(X;T", "H(T")
    label = label.replace("(T", f"({representation}")
    description = f"{variable.description}; of {representation}, not of the layer itself"
    if "X" in variable.label and not is_informative:
        description = f"entropy {label.removeprefix('mean ')}; not the information of T about X"
    return replace(variable, label=label, description=description)
