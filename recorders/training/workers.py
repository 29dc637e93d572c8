"""Repeats side by side: each in a worker, of this machine or of a cluster, writes its own part."""

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from ibtools.errors import RecordingError, StoreError
from ibtools.progress import Progress, write_line
from ibtools.recorders.engines import load_engine, shared_engine
from ibtools.recorders.training.claim import claim_repeat
from ibtools.recorders.training.recording import Recording
from ibtools.recorders.training.repeat import RepeatRecorder
from ibtools.store.opened import open_group
from ibtools.store.storage import StorePath, absolute
from ibtools.tasks import workers as tasks
from ibtools.tasks.linked import LinkedCluster, LinkedProcesses, LinkedWorkers
from ibtools.tasks.links import Link

if TYPE_CHECKING:
    from distributed import Client


def record_repeats(
    recording: Recording,
    output: StorePath,
    repeats: Sequence[int],
    *,
    engine: str,
    jobs: int | None,
    progress: Progress,
    client: "Client | None" = None,
) -> None:
    """Record some repeats of a store: each the same in whichever process and order."""
    if client is None and (jobs in (None, 1) or len(repeats) < 2):
        loaded, group = load_engine(engine), open_group(output, "r+")
        for repeat in repeats:
            claimed = claim_repeat(group, repeat)
            RepeatRecorder(recording, claimed, repeat, progress).run(loaded)
        return
    shown = _Shown(recording, progress)
    workers: LinkedWorkers
    if client is None:
        workers = LinkedProcesses(shared=recording, limit=min(jobs or 1, len(repeats)))
        workers.on_loss = shown.lose_with_process
    else:
        workers = LinkedCluster(client=client, shared=recording, limit=jobs or 2**31)
        workers.on_loss = shown.lose_with_worker
        output = absolute(output)
    workers.on_steps = shown.show
    todo = [tasks.Job(repeat, _record_repeat, (output, repeat, engine)) for repeat in repeats]
    with closing(workers.run(todo)) as done:
        for repeat, _ in done:
            shown.finish(repeat)


def _record_repeat(
    recording: Recording, output: StorePath, repeat: int, engine: str, link: Link
) -> None:
    """Record one repeat in this worker."""
    loaded = shared_engine(engine)
    try:
        group = open_group(output, "r+")
    except StoreError as err:
        if not link.where:
            raise
        raise StoreError(
            f"{err} (on the worker {link.where}: a store must be where every worker can reach it, "
            "on a shared file system or s3://)"
        ) from err
    RepeatRecorder(recording, claim_repeat(group, repeat), repeat, link).run(loaded)


class _Shown:
    """The progress of all repeats: every epoch once, however often it is trained."""

    def __init__(self, recording: Recording, progress: Progress) -> None:
        self._epochs = recording.settings.epochs + recording.settings.prefit
        self._progress = progress
        self._shown: Counter[int] = Counter()

    def show(self, repeat: int, epochs: int) -> None:
        """Show some more epochs of a repeat."""
        self._shown[repeat] += epochs
        self._progress.update(epochs)

    def finish(self, repeat: int) -> None:
        """Show a repeat as done, whether or not all that it told has come."""
        self.show(repeat, self._epochs - self._shown[repeat])

    def lose_with_process(self, lost: Sequence[tasks.Handed[int]]) -> None:
        """Say which repeats are begun again; all that run end with any process."""
        repeats = sorted(handed.job.owner for handed in lost)
        self._take_back(repeats)
        most = max(handed.losses for handed in lost)
        names = f"repeat{'s' * (len(lost) > 1)} {', '.join(map(str, repeats))}"
        if most > tasks.MAX_LOSSES:
            raise RecordingError(
                f"a worker process died {most} times while it recorded {names}; the system kills "
                "processes when memory runs out. What is complete is on disk: go on with --resume, "
                "and with fewer --jobs (resume=True, jobs=1)"
            )
        write_line(
            f"a worker process died while {names} ran; recording goes on from the last checkpoint"
        )

    def lose_with_worker(self, lost: Sequence[tasks.Handed[int]]) -> None:
        """Take note of what a cluster does again."""
        self._take_back([handed.job.owner for handed in lost])
        for handed in lost:
            if handed.losses > tasks.MAX_LOSSES:
                raise RecordingError(
                    f"repeat {handed.job.owner} was lost with its worker {handed.losses} times, "
                    f"last with {handed.place}; see that worker's log (memory?), then go on with "
                    "--resume (resume=True)"
                )

    def _take_back(self, repeats: Sequence[int]) -> None:
        for repeat in repeats:
            self.show(repeat, -self._shown[repeat])
