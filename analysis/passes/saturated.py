"""Results that say nothing: every layer is saturated at every epoch. And what to do then."""

import numpy as np
import xarray as xr

from ibtools.analysis.kernels.chance import SATURATED

WORDS = (
    "every layer is saturated at every epoch: nearly each input has a state of its own, as in a "
    "network of floats, so that I(T;Y) is near its ceiling for any labels and says nothing of "
    "learning"
)

ADVICE = (
    "look at coarser codes (--estimator resolution) or at values with noise (--estimator kde), or "
    "quantise the network itself, to few bits (ibtools record --bits 4; in PyTorch: "
    "docs/torch.md); see docs/resolution.md"
)


def is_saturated(results: xr.Dataset) -> bool:
    """Tell whether every layer is saturated in every snapshot that results are of.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer)
        Of one estimator, lazy or not: `saturation`, NaN where there is no value. Of results without
        it, nothing is known.

    Examples
    --------
    >>> is_saturated(xr.Dataset({"saturation": ("layer", [1.0, 0.995, np.nan])}))
    True
    """
    if "saturation" not in results:
        return False
    found = results["saturation"].values
    there = found[np.isfinite(found)]
    return there.size > 0 and bool((there >= SATURATED).all())
