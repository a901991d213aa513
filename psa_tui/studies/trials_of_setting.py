"""Several trials of one setting, as a study: what ``psa train --trials`` trains."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from psa_tui.data.own import name_and_path
from psa_tui.settings import Settings
from psa_tui.storage.study_rows import COMPLETE, TrialRow
from psa_tui.storage.study_store import read_store
from psa_tui.studies.grids import file_stem
from psa_tui.studies.request import agreed, known_study, with_data
from psa_tui.studies.spec import StudySpec

_LONGEST_STEM = 40


def trials_study(settings: Settings, trials: int, say: Callable[[str], None]) -> StudySpec:
    """Return the study of ``trials`` trials of what ``settings`` say; the same settings are the same study again.

    Its seed is ``--seed``, or 0; its name is made from everything else.

    Raises:
        ConfigError: the settings contradict one another, or it has more trials already.
        DataError, RetryableError: the data set is damaged, or cannot be downloaded.
    """
    trial = settings.run_config().trial
    dataset, path = name_and_path(trial.dataset)
    asked = with_data(
        StudySpec(
            name="",
            networks=(trial.network,),
            variants=(trial.variant,),
            trials=trials,
            meta_loops=trial.meta_loops,
            seed=settings.get("seed") or 0,
            dataset=dataset,
            dataset_path=path,
            dataset_fingerprint="",
            hyperparameters=trial.hyperparameters,
        ),
        settings,
        say,
    )
    design = {key: value for key, value in asked.as_settings().items() if key not in ("name", "trials", "dataset_path")}
    digest = hashlib.sha256(json.dumps(design, sort_keys=True).encode()).hexdigest()[:10]
    asked = replace(asked, name=f"trials-{file_stem(trial.network)[:_LONGEST_STEM]}-{digest}")
    return agreed(known_study(settings.get("results_dir"), asked.name), asked)


@dataclass(frozen=True, slots=True)
class TrialsSummary:
    """What complete trials of one setting came to."""

    bounties: tuple[float, ...]
    """Best validation accuracies, ascending, of the trials that have one."""
    best: TrialRow


def trials_summary(results_dir: Path, spec: StudySpec) -> TrialsSummary | None:
    """Return what the complete trials of ``spec`` came to; None where none is complete."""
    with read_store(results_dir) as store:
        rows: Sequence[TrialRow] = [] if store is None else store.trials(spec.name)
    complete = [row for row in rows if row.state == COMPLETE and row.bounty is not None]
    if not complete:
        return None
    bounties = [row.bounty for row in complete if row.bounty is not None]
    return TrialsSummary(tuple(sorted(bounties)), max(complete, key=lambda row: row.bounty or 0.0))
