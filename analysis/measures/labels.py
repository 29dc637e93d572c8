"""What the variables of results are called, by what was measured."""

from collections.abc import Iterable
from dataclasses import replace

from ibtools.store.schema import Variable


def relabelled(
    variables: Iterable[Variable], representation: str, *, noisy: bool = False
) -> tuple[Variable, ...]:
    """Label variables for what was measured in place of the layer T.

    Parameters
    ----------
    variables : iterable of Variable
        Labelled for T itself.
    representation : str
        What was measured, such as "binned T".
    noisy : bool, optional
        Whether it is no function of the layer. If it is one, what would be I(X;T) is called the
        entropy that it is; of a noisy one it is the information of that.

    Returns
    -------
    tuple of Variable

    Examples
    --------
    >>> from ibtools.store.schema import RESULT_VARIABLES
    >>> [one.label for one in relabelled(RESULT_VARIABLES[:2], "binned T")]
    ['H(binned T)', 'I(binned T;Y)']
    >>> [one.label for one in relabelled(RESULT_VARIABLES[:2], "T + noise", noisy=True)]
    ['I(X;T + noise)', 'I(T + noise;Y)']
    """
    return tuple(_relabelled(one, representation, noisy=noisy) for one in variables)


def _relabelled(variable: Variable, representation: str, *, noisy: bool) -> Variable:
    if representation == "T" or not variable.label:
        return variable
    label = variable.label.replace("X;T", f"X;{representation}")
    if not noisy:
        label = variable.label.replace("I(X;T", "H(T")
    label = label.replace("(T", f"({representation}")
    description = f"{variable.description}; of {representation}, not of the layer itself"
    if "X" in variable.label and not noisy:
        description = f"entropy {label.removeprefix('mean ')}; not the information of T about X"
    return replace(variable, label=label, description=description)
