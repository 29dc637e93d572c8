"""Checks of results as they are kept beside a store: whose they are, and whether all is there."""

from collections.abc import Iterator

import xarray as xr

from ibtools.analysis.check import words
from ibtools.analysis.check.processing import check_results
from ibtools.analysis.check.report import Check, judge, not_checked
from ibtools.analysis.passes import saturated
from ibtools.analysis.passes.result_checksums import CHECKSUM
from ibtools.analysis.passes.result_groups import GROUP
from ibtools.analysis.passes.results import open_right_results, outdated_results, result_names
from ibtools.analysis.passes.saturated import is_saturated
from ibtools.shown import analyze_command
from ibtools.store.datasets import open_raw
from ibtools.store.schema import CUBE
from ibtools.store.storage import StorePath


def check_kept(
    path: StorePath, store: xr.Dataset, measures: xr.Dataset, *, chain: bool
) -> Iterator[Check]:
    """Check the results of all estimators that a store has.

    Parameters
    ----------
    path : path or URL
        The store.
    store : Dataset
        As `ibtools.store.datasets.open_raw` opens it.
    measures : Dataset, (repeat, epoch, layer)
        From `ibtools.analysis.check.measure.measure_recording`.
    chain : bool
        Whether each layer is computed from the one before alone.

    Yields
    ------
    Check
    """
    names = result_names(path)
    if not names:
        text = words.NO_RESULTS.format(command=analyze_command(path))
        yield Check("results", "information", "note", words=text)
    outdated = outdated_results(path)
    for name in names:
        subject = f"{GROUP}/{name}"
        if name in outdated:
            command = analyze_command(path, name)
            text = words.OUTDATED.format(why=outdated[name], command=command)
            yield Check("up to date", subject, "violation", words=text)
            continue
        found, marks = open_right_results(path, name)
        if is_saturated(found):
            text = words.SATURATED.format(what=saturated.WORDS, advice=saturated.ADVICE)
            yield Check("saturation", subject, "note", words=text)
        layers = _positions(found, store)
        recorded, measured = store.isel(layer=layers), measures.isel(layer=layers)
        placed = _placed(found.assign(marks), recorded)
        if CHECKSUM.name in open_raw(path, group=subject):
            command = analyze_command(path, name)
            yield _check_checksums(placed, subject, command)
        else:
            yield not_checked("checksums", words.NO_CHECKSUMS, subject=subject)
        yield _check_marked(placed, subject)
        results = placed.drop_vars(["analysed", "damaged"])
        yield from check_results(results, recorded, measured, chain=chain)


def _positions(results: xr.Dataset, store: xr.Dataset) -> list[int]:
    """Return which layers of a store results are of, which may be some only."""
    names = [str(name) for name in store["layer"].values]
    return [names.index(str(name)) for name in results["layer"].values]


def _placed(results: xr.Dataset, store: xr.Dataset) -> xr.Dataset:
    """Give results the places of a store that may have grown, or been numbered anew."""
    places = {dim: slice(store.sizes[dim]) for dim in CUBE[:2]}
    bare = results.drop_vars(results.coords).isel(places)
    more = {dim: (0, store.sizes[dim] - bare.sizes[dim]) for dim in places}
    numbers = [name for name in bare if bare[name].dtype.kind == "f"]
    padded = bare[numbers].pad(more)
    for name in ("analysed", "damaged"):
        padded[name] = bare[name].pad(more, constant_values=False)
    return padded.assign_coords({dim: store[dim].values for dim in CUBE[:3]})


def _check_checksums(kept: xr.Dataset, subject: str, command: str) -> Check:
    """Check that the numbers of what is marked as analysed are those that were written."""
    return judge(
        "checksums",
        kept["damaged"],
        checked=kept["analysed"],
        cases="snapshots",
        subject=subject,
        meaning=words.DAMAGED_RESULTS.format(command=command),
    )


def _check_marked(kept: xr.Dataset, subject: str) -> Check:
    """Check that what is marked as analysed is there: I(X;T) and I(T;Y) of all layers."""
    names = [name for name in ("mi_xt", "mi_ty") if name in kept]
    missing = kept[names].to_array("quantity").isnull()
    missing = missing.any([dim for dim in missing.dims if dim not in CUBE[:2]])
    return judge(
        "marks",
        missing.load(),
        checked=kept["analysed"] & ~kept["damaged"],
        cases="snapshots",
        subject=subject,
        meaning=words.MARKED,
    )
