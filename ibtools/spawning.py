"""Worker processes of this machine: each is a new Python, which runs the user's script first.

What a script does without asking whether it is the main program, every worker does again, until it
comes to where the script starts workers. Python ends it there.
"""

from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from multiprocessing.process import current_process

from ibtools.errors import IbtoolsError

_GUARD = (
    'put what the script does below `if __name__ == "__main__":`, in a file, since workers can\'t '
    "run what was read from standard input"
)


def validate_main() -> None:
    """Check that this process is no worker that, while it is started, does what the script does.

    Raises
    ------
    IbtoolsError
        If it is.
    """
    # multiprocessing itself asks so; there is no public way
    if getattr(current_process(), "_inheriting", False):
        raise IbtoolsError(
            f"a worker ran the whole script, and would write what another writes; {_GUARD}"
        )


def start_worker(pool: ProcessPoolExecutor, *, instead: str) -> None:
    """Start the first worker of a pool, which shows that workers can be started.

    Parameters
    ----------
    pool : ProcessPoolExecutor
        Of spawned processes.
    instead : str
        What needs no workers, for the error.

    Raises
    ------
    IbtoolsError
        If it ends before it does anything.
    """
    try:
        pool.submit(int).result()
    except BrokenExecutor as err:
        raise IbtoolsError(
            "worker processes can't be started: each runs the script that starts them, and ends "
            f"there; {_GUARD}. Or {instead}"
        ) from err


def end_broken(pool: ProcessPoolExecutor) -> None:
    """End what is left of a pool of which a process died.

    Python does so, but for a worker that was just being started when another died, for which it
    then waits for ever.
    """
    # there is a public way from Python 3.14 on: terminate_workers
    for process in list((getattr(pool, "_processes", None) or {}).values()):
        process.terminate()
    pool.shutdown(wait=True)
