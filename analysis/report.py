"""What an analysis tells when it is done."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AnalysisReport:
    """What an analysis did.

    Parameters
    ----------
    estimator : str
        Specification of the estimator, which is also the name of its results.
    computed : int
        Snapshots (repeat and epoch) that were analysed now.
    skipped : int
        Snapshots whose results were there already.
    incomplete : int
        Scheduled snapshots that are not recorded yet; analyse again after recording.
    n_clipped, n_values : int, optional
        Of an estimator with given bounds: how many values lay outside, of how many, in all results
        that are there now.
    digested : tuple of str, optional
        Layers too large for memory, whose partition is not verified: see
        `ibtools.analysis.digests.RowDigests`.
    added : tuple of str, optional
        Variables that the earlier results lacked, for which all were computed anew.
    """

    estimator: str
    computed: int
    skipped: int
    incomplete: int
    n_clipped: int | None = None
    n_values: int | None = None
    digested: tuple[str, ...] = ()
    added: tuple[str, ...] = ()

    def __str__(self) -> str:
        added = ""
        if self.added:
            added = (
                "; all anew, because the results were those of an earlier version of ibtools, "
                f"without {', '.join(self.added)}"
            )
        incomplete = f", {self.incomplete} not recorded yet" if self.incomplete else ""
        clipped = digested = ""
        if self.n_clipped and self.n_values:
            share = 100 * self.n_clipped / self.n_values
            clipped = (
                f"; {self.n_clipped} of {self.n_values} values ({share:.2g} %) lie outside of the "
                "bounds and are in the end bins"
            )
        if self.digested:
            digested = (
                f"; from digests of rows, because --memory is too little for a snapshot: "
                f"{', '.join(self.digested)}"
            )
        return (
            f"information/{self.estimator}: {self.computed} snapshots analysed, "
            f"{self.skipped} skipped (analysed before){incomplete}{clipped}{digested}{added}"
        )
