"""Principal directions of inputs: how far each sample is along those of the largest variance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from ibtools.analysis.kernels.blas import one_thread
from ibtools.errors import InputError

APART = 1e-6
"""Share of the first variance by which two must differ: of equal ones no direction is its own."""


@dataclass(frozen=True, eq=False)
class PrincipalDirections:
    """Samples along the principal directions of the inputs.

    Parameters
    ----------
    scores : ndarray, (sample, direction), float64
        How far each sample is from the mean, in the unit of the inputs. The sign of a direction is
        arbitrary.
    share : ndarray, (direction,), float64
        The part of the variance of all inputs that is along each direction.
    """

    scores: NDArray[np.float64]
    share: NDArray[np.float64]


@one_thread()
def principal_directions(x: NDArray[np.float64], n_directions: int) -> PrincipalDirections:
    """Find the directions of the largest variance, and the samples along them.

    Parameters
    ----------
    x : ndarray, (sample, value), float64
        Finite. Memory and time grow with the square and cube of the smaller of both numbers.
    n_directions : int
        How many; at most as many as there are values, or samples but one.

    Returns
    -------
    PrincipalDirections
        The largest first.

    Raises
    ------
    InputError
        If there are not so many directions, or some are not determined because the variances along
        them are equal.

    Notes
    -----
    They are the eigenvectors of the covariance matrix of the samples, n in the denominator.

    Examples
    --------
    >>> x = np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> found = principal_directions(x, 1)
    >>> abs(found.scores[:, 0]).round(6).tolist(), found.share.round(6).tolist()
    ([3.0, 3.0, 0.0, 0.0], [0.9])
    """
    centred = x - x.mean(axis=0)
    n_samples, n_values = centred.shape
    most = min(n_values, n_samples - 1)
    if not 1 <= n_directions <= most:
        raise InputError(
            f"n_directions must be 1 to {most}, as x has {n_values} values and {n_samples} "
            f"samples, found {n_directions}"
        )
    by_value = n_values <= n_samples
    matrix = (centred.T @ centred if by_value else centred @ centred.T) / n_samples
    last = len(matrix) - 1
    found, vectors = eigh(matrix, subset_by_index=(max(0, last - n_directions), last))
    variances, vectors = found[::-1], vectors[:, ::-1][:, :n_directions]
    _validate_apart(variances, n_directions)
    scores = centred @ vectors if by_value else vectors * np.sqrt(variances[:n_directions] * len(x))
    return PrincipalDirections(scores, variances[:n_directions] / np.trace(matrix))


def _validate_apart(variances: NDArray[np.float64], n_directions: int) -> None:
    """Check that each direction has a variance of its own; `variances` has the next one, too."""
    least = APART * variances[0]
    apart = -np.diff(np.append(variances, 0.0))[:n_directions] > least
    if variances[0] <= 0 or not apart.all():
        first = 0 if variances[0] <= 0 else int(np.argmin(apart))
        fewer = f"ask for {first}, or give" if first else "give"
        raise InputError(
            f"principal directions must differ in the variance along them, but that along "
            f"direction {first} of x is that along the next, or 0, so that neither is determined; "
            f"{fewer} other x, such as some of its values"
        )
