"""A store whose texts are markup, formulas and commands to someone: all of them are names here."""

from pathlib import Path

import numpy as np
import zarr

import ibtools
from ibtools.store.groups import consolidate

LONG = "a_very_long_name_of_a_layer_" * 6
NAMES = (
    r"_$x$ \frac{a_b^c} 5% #&~ --'' \$ $",
    '</script><script>alert("1")</script><!-- <b>&lt;</b> %{x}',
    '=1+1,"quoted"',
    "'apostrophe",
    "\x1b]0;title\x07\x1b[31mred\r\n\tend",
    "\u202eright שלום \u200b 层 🙂 e\u0301",
    " 1 ",
    "1",
    "NA",
    "../../output",
    f"{LONG}one{LONG}",
    f"{LONG}two{LONG}",
)
EXPERIMENT = "</title><script>alert(2)</script>$\\x_1^2$ & 50 % \x1b[31m\n" + LONG
FUNCTION = "$\\relu_1$<b>\x1b[31m"


def record_hostile(folder: Path) -> Path:
    """Record and analyse it, in a folder whose name a shell would take apart."""
    store = folder / "my $tore's; <b>.zarr"
    rng = np.random.default_rng(0)
    codes = {name: rng.integers(0, 3, (2, 3, 32, 2), "uint8") for name in NAMES}
    ibtools.record_arrays(
        store,
        codes,
        label=np.arange(32) % 2,
        split=np.where(np.arange(32) < 24, "train", "test"),
        epochs=[0, 1, 5],
        activation_functions={NAMES[0]: FUNCTION},
    )
    group = zarr.open_group(store, mode="r+")
    for name in ("train_accuracy", "test_accuracy"):
        group[name][...] = rng.random((2, 3)).astype("float32")
    group.attrs["experiment"] = EXPERIMENT
    consolidate(store)
    ibtools.analyze_store(store, estimator=["exact", "knn-3", "resolution"], quiet=True)
    return store
