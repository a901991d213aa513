"""One trial of a study: where it stands in the database."""

from __future__ import annotations

from pathlib import Path

from psa_tui.errors import ConfigError
from psa_tui.formatting import percent
from psa_tui.method.variants import AblationMode
from psa_tui.storage.study_store import LOCAL, TrialRow, read_store
from psa_tui.studies.grids import Shape
from psa_tui.studies.spec import StudySpec, trial_seed


def find_trial(
    results_dir: Path, study: str, shape: Shape, mode: AblationMode, trial: int
) -> tuple[StudySpec, TrialRow | None]:
    """The study's spec, and the trial's row, None while it has not begun.

    Raises:
        ConfigError: there is no such study, or no such trial in it.
    """
    with read_store(results_dir) as store:
        row = None if store is None else store.study(study)
        if store is None or row is None or row.source != LOCAL:
            raise ConfigError(
                f"there is no study {study[:64]} in {results_dir}; psa reproduce run begins one, --study names another"
            )
        spec = row.spec()
        rows = store.trials(study)
    if shape not in spec.shapes or mode not in spec.modes or trial > spec.trials:
        raise ConfigError(
            f"study {study} has no trial {shape} {mode} {trial}: it has {len(spec.shapes)} shapes, "
            f"modes {', '.join(spec.modes)} and {spec.trials} trials of each"
        )
    seed = trial_seed(spec.seed, shape, trial)
    found = [row for row in rows if (row.architecture, row.mode, row.trial) == (str(shape), str(mode), trial)]
    assert all(row.seed == seed for row in found)
    return spec, found[0] if found else None


def format_trial(spec: StudySpec, row: TrialRow | None) -> str:
    """What is known of the trial, in one line."""
    if row is None:
        return "not begun in this study"
    best = "nothing promoted yet" if row.bounty is None else f"bounty {percent(row.bounty)} at meta-loop "
    if row.bounty is not None:
        best += str(row.bounty_meta_loop)
    test = "" if row.test_accuracy is None else f", test {percent(row.test_accuracy)}"
    reason = f" ({row.reason})" if row.reason else ""
    return f"in study {spec.name}: {row.state}{reason}, {row.meta_loop} of {spec.meta_loops} meta-loops, {best}{test}"
