"""The control of a report: what is put beside the recording and its results."""

import os
from dataclasses import dataclass

import xarray as xr

from ibtools.analysis.passes.results import open_results
from ibtools.analysis.repeats.controls import BESIDE, UNPAIRED, beside_control
from ibtools.shown import counted, visible
from ibtools.store.datasets import open_store
from ibtools.store.storage import StorePath


@dataclass(frozen=True)
class ReportControl:
    """A control of a report.

    Parameters
    ----------
    path : path or URL
        Of its store.
    store : Dataset
        What is recorded there.
    recording : Dataset
        What the report is of, with the control beside it.
    """

    path: StorePath
    store: xr.Dataset
    recording: xr.Dataset

    @classmethod
    def of(cls, path: StorePath, recording: xr.Dataset) -> "ReportControl":
        """Open a control.

        Raises
        ------
        StoreError
            If there is no store.
        InputError
            If it is of another recording.
        """
        store = open_store(path)
        return cls(path, store, beside_control(recording, store))

    @property
    def kind(self) -> str:
        """What control it is, such as "frozen control"."""
        return str(self.recording.attrs[BESIDE])

    def describe(self) -> str:
        """Say what it is, and of which repeats the figures are."""
        n, n_alone = self.recording.sizes["repeat"], int(self.recording.attrs[UNPAIRED])
        left_out = f", without {n_alone} that it does not have" if n_alone else ""
        return (
            f"Beside the recording is {visible(os.fspath(self.path))}, its {self.kind}: what "
            f"happens in both was not learned. Figures are of the "
            f"{counted(n, 'repeat')} that both have{left_out}; the control is pale in them."
        )

    def put_beside(self, results: xr.Dataset) -> xr.Dataset:
        """Put the control's results of the same estimator beside others.

        Raises
        ------
        StoreError
            If the control has none.
        """
        name = str(results.attrs["estimator"])
        return beside_control(results, open_results(self.path, estimator=name).load())
