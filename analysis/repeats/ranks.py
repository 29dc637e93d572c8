"""Which repeats are typical and which are not: their order by distance to the mean trajectory."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.analysis.passes.stacking import select_estimator
from ibtools.analysis.repeats.shown import DIMS, VARIABLES, has_not_failed, validate_results
from ibtools.errors import StoreError

FEWEST_FOR_MIDDLE = 3


def squared_distances(trajectories: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the squared distance of every trajectory to their mean.

    Parameters
    ----------
    trajectories : ndarray, (repeat, ...), float64
        No NaN. Consumes all axes but the first.

    Returns
    -------
    ndarray, (repeat,), float64
        In the square of the unit.

    Examples
    --------
    >>> squared_distances(np.array([[0.0, 0.0], [0.0, 3.0], [3.0, 0.0]]))
    array([2., 5., 5.])
    """
    deviation = trajectories - trajectories.mean(axis=0)
    distances: NDArray[np.float64] = (deviation**2).reshape(len(deviation), -1).sum(axis=1)
    return distances


def rank_repeats(results: xr.Dataset) -> xr.DataArray:
    """Order repeats by the squared distance of their whole trajectory to the mean trajectory.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer)
        From `ibtools.analyze` or `ibtools.open_results`, lazy or not; `mi_xt` and `mi_ty` in bits.
        Consumes `epoch` and `layer`.

    Returns
    -------
    DataArray, (rank,), int64
        The numbers of the repeats, the nearest to the mean first; of repeats at the same distance,
        the lower number. The coordinate `distance` (rank), float64, is in square bits. Failed
        repeats have no rank, nor have repeats that lack an epoch that another one has.

    Raises
    ------
    StoreError
        If something that is needed is missing from the results, or no repeat has a rank.

    Notes
    -----
    With T(l, e) the layer l after epoch e, the distance of repeat r is the sum over e and l of
    (I_r(X;T) - mean I(X;T))^2 + (I_r(T;Y) - mean I(T;Y))^2. Means are over the repeats that have a
    rank.

    References
    ----------
    Lorenzen, Igel and Nielsen, Information Bottleneck: Exact Analysis of (Quantized) Neural
    Networks, ICLR 2022.
    """
    numbers, distances = _rank(select_estimator(results))
    if not numbers.size:
        raise StoreError(
            "repeats are ranked by whole trajectories, but there is no complete snapshot in any "
            "that has all recorded epochs; finish the recording and the analysis"
        )
    return xr.DataArray(
        numbers,
        dims="rank",
        coords={"rank": np.arange(numbers.size), "distance": ("rank", distances)},
        name="repeat",
        attrs={"long_name": "repeat", "units": "1"},
    )


def middle_repeat(results: xr.Dataset) -> xr.Dataset | None:
    """Select the repeat of median rank.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer)
        As of `rank_repeats`.

    Returns
    -------
    Dataset, (epoch, layer), or None
        Of an even number of repeats, the better of the two middle ones. None where fewer than
        `FEWEST_FOR_MIDDLE` repeats have all epochs, which have no middle to speak of.

    Raises
    ------
    StoreError
        If something that is needed is missing from the results.
    """
    results = select_estimator(results)
    numbers, _ = _rank(results)
    if numbers.size < FEWEST_FOR_MIDDLE:
        return None
    number = numbers[notable_ranks(numbers.size)["middle"]]
    return results.isel(repeat=int(np.flatnonzero(results["repeat"].values == number)[0]))


def notable_ranks(n_ranked: int) -> dict[str, int]:
    """Name the ranks that are shown of so many repeats: best, middle, second-worst and worst.

    Parameters
    ----------
    n_ranked : int
        How many repeats have a rank, at least one.

    Returns
    -------
    dict of str to int
        From the best to the worst, without any rank twice. Of an even number of repeats, the
        middle is the better of the two middle ones. Of two, neither is better: each is as far from
        their mean as the other.

    Examples
    --------
    >>> notable_ranks(50)
    {'best': 0, 'middle': 24, 'second-worst': 48, 'worst': 49}
    >>> notable_ranks(3)
    {'best': 0, 'middle': 1, 'worst': 2}
    >>> notable_ranks(2), notable_ranks(1)
    ({'one': 0, 'other': 1}, {'only': 0})
    """
    if n_ranked <= 2:
        return {"one": 0, "other": 1} if n_ranked == 2 else {"only": 0}
    named = {
        "second-worst": n_ranked - 2,
        "middle": (n_ranked - 1) // 2,
        "best": 0,
        "worst": n_ranked - 1,
    }
    names = {rank: name for name, rank in named.items()}  # of equal ranks the last name stays
    return {names[rank]: rank for rank in sorted(names)}


def _rank(results: xr.Dataset) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the numbers of the repeats that have all epochs, in order, and their distances."""
    validate_results(results)
    counted = results[list(VARIABLES)].isel(repeat=has_not_failed(results)).compute()
    stacked = counted.to_array("coordinate").transpose(*DIMS, "coordinate")
    there = stacked.notnull().any(["layer", "coordinate"]).values
    recorded = there[:, there.any(axis=0)]
    complete = recorded.all(axis=1) & recorded.any(axis=1)
    if not complete.any():
        return np.empty(0, np.int64), np.empty(0)
    values = stacked.values[complete][:, there.any(axis=0)]
    distance = squared_distances(values)
    order = np.argsort(distance, kind="stable")
    return stacked["repeat"].values[complete][order].astype(np.int64), distance[order]
