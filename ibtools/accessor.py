"""The accessor `.ib` of Datasets: the functions of ibtools that take one, as its methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

import ibtools
from ibtools.errors import StoreError
from ibtools.extras import require
from ibtools.store.decode import decoded, select_layer
from ibtools.store.overview import Overview, describe
from ibtools.store.overview_format import format_html, format_text
from ibtools.store.schema import RECORDED

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # noqa: TID251  # its name only

    from ibtools.analysis.details.kinds import DetailLike  # noqa: TID251
    from ibtools.analysis.estimators import EstimatorLike  # noqa: TID251
    from ibtools.analysis.plots.sheets import Format  # noqa: TID251
    from ibtools.analysis.repeats.uncertainty import IntervalMethod  # noqa: TID251
    from ibtools.analysis.watch.widget import WatchWidget  # noqa: TID251


@xr.register_dataset_accessor("ib")  # type: ignore[no-untyped-call]
class IbAccessor:
    """What ibtools does with a Dataset of a store or of results, as ``dataset.ib``.

    Every method but `layer` (`ibtools.store.decode.select_layer`) is the function of that name in
    `ibtools`, with the Dataset as its first argument: it has the same options, returns the same,
    and raises the same errors; `watch` shows in the notebook what that shows in the browser. All
    but `plot`, `dynamics`, `repeat_intervals` and `watch` are lazy.
    Displayed, it describes the Dataset; of results, it shows the numbers of every layer. It
    computes nothing for that, and of what is not in memory it reads no more than 32 MiB of results.

    Parameters
    ----------
    dataset : Dataset
        From `ibtools.open_store`, `ibtools.open_results` or `ibtools.analyze`, or a store opened
        with plain `xarray.open_zarr`.

    Examples
    --------
    Values of a layer, and its information, at the end of every training::

        ds = ibtools.open_store("syn.zarr")
        ds.ib.layer("output").activation.isel(epoch=-1)
        ds.isel(epoch=[-1]).ib.analyze().compute().mi_xt
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    @property
    def activation(self) -> xr.DataArray:
        """The decoded values, float32, NaN where a layer has no such unit; lazy.

        Raises
        ------
        StoreError
            If the Dataset is not that of a store, the store keeps the partition only, or units were
            dropped before decoding.
        """
        if not any(name in self._dataset for name in RECORDED):
            raise StoreError(
                "activations are in the Dataset of a store, but none of "
                f"{', '.join(RECORDED)} is in this one; open it with ibtools.open_store(path)"
            )
        found = decoded(self._dataset)
        if "activation" not in found:
            raise StoreError(
                "the store keeps only the partition of whole layers, not the values of units; "
                "record again with --keep codes"
            )
        return found["activation"]

    def layer(self, name: str) -> xr.Dataset:
        """Select one layer, decoded and without padding: `ibtools.store.decode.select_layer`."""
        return select_layer(self._dataset, name)

    def analyze(
        self, *, estimator: EstimatorLike | Sequence[EstimatorLike] = "exact"
    ) -> xr.Dataset:
        """Compute the information of every layer: `ibtools.analyze`."""
        return ibtools.analyze(self._dataset, estimator=estimator)

    def details(
        self,
        what: DetailLike | Sequence[DetailLike],
        *,
        estimator: EstimatorLike = "exact",
    ) -> xr.Dataset | dict[str, xr.Dataset]:
        """Compute more from the states of the layers: `ibtools.details`."""
        return ibtools.details(self._dataset, what, estimator=estimator)

    def permutation_test(
        self,
        *,
        n_permutations: int = 1000,
        seed: int = 0,
        estimator: EstimatorLike = "exact",
    ) -> xr.Dataset:
        """Compare I(T;Y) with that of permuted labels: `ibtools.permutation_test`."""
        return ibtools.permutation_test(
            self._dataset, n_permutations=n_permutations, seed=seed, estimator=estimator
        )

    def plot(
        self,
        figure: str,
        *,
        output: str | Path | None = None,
        format: Format | None = None,
        width: float | None = None,
        height: float | None = None,
        title: str | None = None,
        control: xr.Dataset | Mapping[str, xr.Dataset] | None = None,
        subtract: bool = False,
        **options: Any,
    ) -> Figure:
        """Draw a figure by its name: `ibtools.plot`."""
        return ibtools.plot(
            self._dataset,
            figure,
            output=output,
            format=format,
            width=width,
            height=height,
            title=title,
            control=control,
            subtract=subtract,
            **options,
        )

    def dynamics(self, *, window: int = 5) -> xr.Dataset:
        """Measure peak, compression, turn and fitting of results: `ibtools.dynamics`."""
        return ibtools.dynamics(self._dataset, window=window)

    def repeat_intervals(
        self,
        *,
        method: IntervalMethod = "t",
        level: float = 0.95,
        n_resamples: int = 9999,
        seed: int = 0,
    ) -> xr.Dataset:
        """Compute means over repeats and intervals: `ibtools.repeat_intervals`."""
        return ibtools.repeat_intervals(
            self._dataset, method=method, level=level, n_resamples=n_resamples, seed=seed
        )

    def watch(self, *, estimator: EstimatorLike = "exact") -> WatchWidget:
        """Show plane and curves of the store in the notebook, while it is recorded.

        Only what is new is analysed, in the background, and nothing is written to the store. The
        page of `ibtools.watch` shows the same.

        Parameters
        ----------
        estimator : str or Estimator, optional
            One whose results have a plane.

        Returns
        -------
        WatchWidget
            To be displayed; its method `stop` ends it.

        Raises
        ------
        InputError
            If Plotly or anywidget is not installed, or the estimator has no plane.
        StoreError
            If the Dataset does not say where its store is.
        """
        source = self._dataset.encoding.get("source")
        if source is None:
            raise StoreError(
                "what is watched is the store, and this Dataset does not say where that is; open "
                "it with ibtools.open_store(path)"
            )
        require("a widget", ("plotly", "anywidget"), "notebook")
        from ibtools.analysis.watch.widget import WatchWidget  # noqa: TID251

        return WatchWidget(source, estimator)

    def __repr__(self) -> str:
        return format_text(_overview(self._dataset))

    def _repr_html_(self) -> str:
        return format_html(_overview(self._dataset))


def _overview(dataset: xr.Dataset) -> Overview:
    """Describe the Dataset of a store or of results."""
    is_store = any(name in dataset for name in RECORDED)
    if is_store or not ("estimator" in dataset.coords or "estimator" in dataset.attrs):
        return describe(dataset)
    from ibtools.analysis.passes.result_overview import describe_results  # noqa: TID251

    return describe_results(dataset)
