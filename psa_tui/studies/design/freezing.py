"""From a study file to the designs that are frozen: with their data's fingerprint and the bar that counts as escape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from psa_tui.data import load_dataset, majority_class_accuracy
from psa_tui.method.progress import ESCAPE_ABOVE_MAJORITY
from psa_tui.settings import Settings
from psa_tui.studies.design.plan import Design
from psa_tui.studies.spec import StudySpec
from psa_tui.studies.study_parsing import StudyFile


def frozen_designs(
    file: StudyFile, settings: Settings, say: Callable[[str], None]
) -> Iterator[tuple[StudySpec, Design]]:
    """Yield each study of ``file``, which has a design, with that design as it is for the study's data.

    Raises:
        DataError, RetryableError: a data set is damaged, or cannot be downloaded.
    """
    assert file.design is not None
    for spec in file.studies:
        data = load_dataset(spec.dataset, settings.get("dataset_dir"), say)
        bar = file.design.escape_above
        if bar is None:
            known = data.spec.majority_class_accuracy
            bar = round(
                (majority_class_accuracy(data.validation) if known is None else known) + ESCAPE_ABOVE_MAJORITY, 6
            )
        yield (
            replace(spec, dataset=data.name, dataset_fingerprint=data.fingerprint),
            replace(file.design, escape_above=bar),
        )
