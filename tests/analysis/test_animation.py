import re
import shutil
from itertools import pairwise

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure
from PIL import Image

from ibtools.analysis.plots import animate_information_plane, animate_store, save_animation
from ibtools.cli.main import cli
from ibtools.errors import InputError, StoreError, UnknownNameError
from tests.analysis.results_example import create_recording, create_results

EPOCHS = np.arange(0, 60)


def create_film(**options):
    results = create_results(epochs=EPOCHS)
    recording = create_recording(last=int(EPOCHS[-1]))
    return animate_information_plane(results, recording, **{"n_frames": 6, "fps": 2} | options)


def frames_of(path):
    with Image.open(path) as image:
        frames = []
        for number in range(image.n_frames):
            image.seek(number)
            frames.append((np.asarray(image.convert("RGB")), image.info["duration"]))
        return frames, image.info["loop"]


def test_save_animation__gif_has_a_frame_per_epoch_and_repeats_for_ever(tmp_path):
    film = create_film()
    save_animation(film, tmp_path / "film.gif", fps=2, quiet=True)
    frames, loop = frames_of(tmp_path / "film.gif")
    assert loop == 0
    assert len(frames) == 6
    for (before, _), (after, _) in pairwise(frames):
        assert before.shape == after.shape
        assert (before != after).any()
    assert frames[0][1] == 500
    assert frames[-1][1] == 2500  # the last epoch stands


def test_save_animation__same_results_give_same_bytes(tmp_path):
    for name in ("a.gif", "b.gif"):
        save_animation(create_film(), tmp_path / name, fps=2, quiet=True)
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
def test_save_animation__mp4(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        save_animation(create_film(), tmp_path / name, fps=2, quiet=True)
    content = (tmp_path / "a.mp4").read_bytes()
    assert content[4:8] == b"ftyp"
    assert content == (tmp_path / "b.mp4").read_bytes()


def test_save_animation__mp4_without_ffmpeg_is_refused_before_drawing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"MP4 needs the program ffmpeg.*or write 'film.gif'"):
        animate_store("nowhere.zarr", output=tmp_path / "film.mp4")


def test_animate_information_plane__moves_points_trails_and_cursor(tmp_path):
    results = create_results(epochs=EPOCHS)
    figure = Figure(layout="constrained")
    axes = figure.subplots(2, 1)
    film = create_film(axes=axes, layers=["output", "hidden_3"])
    mean = results.mean("repeat").sel(layer="output")
    film._draw_frame(7)
    moving = [line for line in axes[0].lines if line.get_label() == "_moving"]
    trail = next(line for line in moving if len(line.get_xdata()) == 8)
    np.testing.assert_allclose(
        trail.get_xydata(), np.column_stack([mean["mi_xt"], mean["mi_ty"]])[:8]
    )
    (cursor,) = [line for line in axes[1].lines if line.get_label() == "_cursor"]
    assert list(cursor.get_xdata()) == [EPOCHS[7]] * 2
    assert axes[0].get_title(loc="right") == f"epoch {EPOCHS[7]}"
    assert len(axes[0].get_legend().get_texts()) == 2 + 2
    film.save(tmp_path / "film.gif", writer="pillow")


def test_animate_information_plane__errors():
    with pytest.raises(InputError, match=r"axes must be two, .* got 1"):
        create_film(axes=[Figure().subplots()])
    with pytest.raises(InputError, match="n_frames must be at least 2, got 1"):
        create_film(n_frames=1)
    with pytest.raises(InputError, match="fps must be 1 to 100"):
        create_film(fps=0)
    with pytest.raises(StoreError, match=r"ibtools\.open_store"):
        animate_information_plane(create_results(), create_results())


def test_animate_store__settings_are_checked_before_opening(tmp_path):
    with pytest.raises(UnknownNameError, match=r"end in one of \.gif, \.mp4.*try 'film.gif'"):
        animate_store("nowhere.zarr", output=tmp_path / "film.png")
    message = re.escape("has no option epoch; it takes: layers, limits, n_frames, width, fps")
    with pytest.raises(InputError, match=message):
        animate_store("nowhere.zarr", output=tmp_path / "film.gif", epoch=1)


def test_animate_store__only_what_moves(tmp_path):
    with pytest.raises(InputError, match="figure 'accuracy' does not move; draw it with"):
        animate_store("nowhere.zarr", "accuracy", output=tmp_path / "film.gif")


def test_plot_command__an_animation_is_of_one_store():
    result = CliRunner().invoke(cli, ["plot", "a.zarr", "b.zarr", "animation", "--output", "x.gif"])
    assert result.exit_code == 1
    assert "figure 'animation' is of one store" in result.stderr
