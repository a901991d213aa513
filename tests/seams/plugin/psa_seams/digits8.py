"""A data set: 8 x 8 images of three channels, a noisy pattern for each of ten classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from psa_tui.data import Dataset, DatasetSpec, Split, digest, fingerprint

_RULE = "600 train + 200 validation + 200 test, as drawn"


def _load(dataset_dir: Path, say: object) -> Dataset:
    draws = np.random.default_rng(8)
    patterns = draws.integers(0, 256, (DIGITS8.classes, DIGITS8.inputs))
    # The channels lie in different ranges, so that what is normalised with one number is learned badly.
    level = np.repeat([0.2, 0.5, 0.8], 64)

    def split(count: int) -> Split:
        labels = draws.integers(0, DIGITS8.classes, count)
        pixels = 255 * level + 0.1 * (patterns[labels] - 127) + draws.normal(0, 12, (count, DIGITS8.inputs))
        return Split(pixels.clip(0, 255).astype(np.uint8), labels)

    splits = [split(count) for count in (DIGITS8.train_count, DIGITS8.validation_count, DIGITS8.test_count)]
    return Dataset(
        spec=DIGITS8,
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        origin="a formula",
        split_rule=_RULE,
        fingerprint=fingerprint([digest(one) for one in splits], _RULE),
        verified=True,
    )


DIGITS8 = DatasetSpec(
    name="digits8",
    input_shape=(3, 8, 8),
    classes=10,
    mean=(0.2, 0.5, 0.8),
    std=(0.05, 0.05, 0.05),
    train_count=600,
    validation_count=200,
    test_count=200,
    load=_load,
)
