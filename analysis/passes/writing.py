"""The loop that computes what is to do, and writes it window by window."""

from ibtools.analysis.passes.result_groups import is_done, note_digested, write_window
from ibtools.analysis.passes.rounds import Rounds
from ibtools.analysis.passes.store_pass import Pass
from ibtools.progress import progress_bar


def write_pending(walk: Pass, rounds: Rounds, title: str, *, quiet: bool) -> None:
    """Compute what results lack, and write it.

    Parameters
    ----------
    walk : Pass
        Over the store, for the measures of the results.
    rounds : Rounds
        What they lack.
    title : str
        Of the bar of progress.
    quiet : bool
        Show none.
    """
    kept, digested = rounds.kept, walk.plan.layers_in_parts
    with progress_bar(rounds.total, title, unit="snapshot", done=rounds.done, quiet=quiet) as bar:
        for pending in rounds.pending():
            for window in walk.windows(pending, lambda window: is_done(window, kept)):
                for index in window.measures:
                    note_digested(kept[index], digested)
                write_window(kept, window)
                bar.update(len(window.epochs) * len(window.measures))
