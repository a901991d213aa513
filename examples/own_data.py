"""A data set of your own: stripes at four angles, in two colours.

    python examples/own_data.py --arch "[2*16]" --mode full --meta-loops 20

trains on it and takes every option of ``psa train``. To have it in every command, studies too, install it as a
package (``pip install`` this file beside a pyproject.toml) with the entry point

    [project.entry-points."psa_tui.datasets"]
    stripes = "own_data:STRIPES"

and say ``psa train --dataset stripes``. What the load function returns is checked against the spec.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from psa_tui.data import DATASETS, Dataset, DatasetSpec, Split, digest, fingerprint
from psa_tui.data.spec import Say

RULE = "drawn one after another with seed 0"


def load_stripes(dataset_dir: Path, say: Say | None) -> Dataset:
    """Draw the images; a data set of files would be read from ``dataset_dir`` and verified here."""
    draws = np.random.default_rng(0)
    train, validation, test = (
        draw_split(draws, count) for count in (STRIPES.train_count, STRIPES.validation_count, STRIPES.test_count)
    )
    return Dataset(
        spec=STRIPES,
        train=train,
        validation=validation,
        test=test,
        origin="a formula",
        split_rule=RULE,
        fingerprint=fingerprint([digest(train), digest(validation), digest(test)], RULE),
        verified=True,
    )


def draw_split(draws: np.random.Generator, count: int) -> Split:
    """Return ``count`` images: pixels uint8 [count, channels * rows * columns] and labels int64 [count]."""
    channels, rows, columns = STRIPES.input_shape
    labels = draws.integers(0, STRIPES.classes, count)
    angle = (labels * np.pi / STRIPES.classes)[:, None, None, None]
    y, x = np.mgrid[:rows, :columns]
    phase = draws.uniform(0, 2 * np.pi, (count, channels, 1, 1))
    waves = np.sin(x * np.cos(angle) + y * np.sin(angle) + phase)
    noisy = 127 + 80 * waves + draws.normal(0, 30, waves.shape)
    return Split(noisy.clip(0, 255).astype(np.uint8).reshape(count, -1), labels)


STRIPES = DatasetSpec(
    name="stripes",
    input_shape=(2, 12, 12),
    classes=4,
    mean=(0.5, 0.5),
    std=(0.25, 0.25),
    train_count=4000,
    validation_count=1000,
    test_count=1000,
    load=load_stripes,
)

if __name__ == "__main__":
    from psa_tui.cli import main

    DATASETS.register("stripes", STRIPES)
    sys.argv[1:] = ["train", "--dataset", "stripes", *sys.argv[1:]]
    main()
