"""Animations as GIF or MP4 files, by suffix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.animation import AbstractMovieWriter, FFMpegWriter, FuncAnimation, PillowWriter

from ibtools.analysis.figures import get_figure
from ibtools.analysis.plots.animation import FRAMES_PER_SECOND
from ibtools.analysis.plots.controlled import validate_control
from ibtools.analysis.plots.sheets import figure_format, sheets_applied
from ibtools.analysis.plots.sources import open_sources
from ibtools.errors import InputError
from ibtools.progress import progress_bar
from ibtools.store.storage import StorePath, local_file

DPI = 120

SUFFIXES = (".gif", ".mp4")


def save_animation(
    animation: FuncAnimation,
    path: str | Path,
    *,
    fps: int = FRAMES_PER_SECOND,
    quiet: bool = False,
) -> None:
    """Write an animation as GIF or MP4, by suffix; the same animation gives the same bytes.

    Parameters
    ----------
    animation : FuncAnimation
        From `animate_information_plane`.
    path : str or Path
        Ends in .gif or .mp4. A file that is there is replaced. A GIF repeats for ever.
    fps : int, optional
        Frames per second.
    quiet : bool, optional
        Show no progress.

    Raises
    ------
    UnknownNameError
        If the suffix is another one.
    InputError
        If it is a URL, its folder is not there, or the suffix is .mp4 and there is no ffmpeg.
    OSError
        If the file cannot be written.
    """
    path = validate_animation(path)
    total = len(list(animation.new_saved_frame_seq()))
    with sheets_applied(), progress_bar(total, str(path), unit="frame", quiet=quiet) as progress:
        animation.save(
            path,
            writer=_create_writer(path, fps),
            dpi=DPI,
            progress_callback=lambda _frame, _total: progress.update(),
        )


def validate_animation(path: str | Path) -> Path:
    """Check that an animation can be saved under a name, before anything is computed for it."""
    path = local_file(path, "an animation", SUFFIXES)
    if path.suffix.lower() == ".mp4" and not FFMpegWriter.isAvailable():
        raise InputError(
            "MP4 needs the program ffmpeg, which is not found; install it, or write "
            f"{path.with_suffix('.gif').name!r}, which needs nothing"
        )
    return path


def animate_store(
    path: StorePath,
    figure: str = "animation",
    *,
    output: str | Path,
    estimator: str | None = None,
    fps: int = FRAMES_PER_SECOND,
    quiet: bool = False,
    width: float | None = None,
    control: StorePath | None = None,
    subtract: bool = False,
    **options: Any,
) -> FuncAnimation:
    """Animate a store, as the information plane over epochs, and write it to a file.

    Parameters
    ----------
    path : path or URL
        A store that was analysed.
    figure : str, optional
        A name in `ibtools.analysis.figures.FIGURES`, of one that moves.
    output : str or Path
        The file to write, as GIF or MP4 by its suffix. A file that is there is replaced.
    estimator : str, optional
        Which results to draw, "exact" by default.
    fps : int, optional
        Frames per second.
    quiet : bool, optional
        Show no progress.
    width : float, optional
        The width in inches, of 120 pixels each; fonts keep their size.
    control, subtract : optional
        As of `ibtools.plot_store`.
    **options
        Of the figure, such as those of `animate_information_plane`.

    Returns
    -------
    FuncAnimation

    Raises
    ------
    UnknownNameError, StoreError, InputError, OSError
        As of `animate_information_plane` and `save_animation`.
    """
    validate_animation(output)
    validate_control(figure, control, subtract=subtract)
    kind = get_figure(figure)
    if not kind.film:
        raise InputError(f"figure {figure!r} does not move; draw it with ibtools.plot_store")
    own = [name for name in kind.options if name != "fps"]
    if unknown := [name for name in options if name not in own]:
        raise InputError(
            f"an animation has no option {', '.join(unknown)}; it takes: "
            f"{', '.join([*own, 'width', 'fps'])}"
        )
    datasets = open_sources(path, figure, estimator, control=control, subtract=subtract)
    with figure_format(width=width):
        film: FuncAnimation = kind.draw(*datasets, fps=fps, **options)
        save_animation(film, output, fps=fps, quiet=quiet)
    return film


def _create_writer(path: Path, fps: int) -> AbstractMovieWriter:
    if path.suffix.lower() == ".gif":
        return PillowWriter(fps=fps)
    # without this ffmpeg writes its version
    exact = ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-pix_fmt", "yuv420p"]
    return FFMpegWriter(fps=fps, codec="libx264", extra_args=exact)
