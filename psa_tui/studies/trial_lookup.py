"""One trial of a study, as the database has it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from psa_tui.errors import ConfigError
from psa_tui.formatting import count, did_you_mean, percent
from psa_tui.method.variants import Variant
from psa_tui.networks import Network
from psa_tui.storage.study_rows import LOCAL, TrialRow
from psa_tui.storage.study_store import read_store, study_names
from psa_tui.studies.spec import StudySpec


class FoundTrial(NamedTuple):
    """A trial of a study, and its row; None while it has not begun."""

    spec: StudySpec
    network: Network
    row: TrialRow | None


def find_trial(results_dir: Path, study: str, shape: str, variant: Variant, trial: int) -> FoundTrial:
    """Look a trial up; ``shape`` is its network in the notation of the study's family.

    Raises:
        ConfigError: there is no such study, or no such trial in it.
    """
    with read_store(results_dir) as store:
        found = None if store is None else store.study(study)
        if store is None or found is None or found.source != LOCAL:
            hint = did_you_mean(study, study_names(results_dir))
            raise ConfigError(
                f"there is no study {study[:64]} in {results_dir}; psa study list shows those there are{hint}"
            )
        spec = StudySpec.from_settings(found.settings, to_show=True)
        rows = store.trials(study)
    network = spec.parse(shape)
    if network not in spec.networks or variant not in spec.variants or trial > spec.trials:
        raise ConfigError(
            f"study {study} has no trial {network.short_name} {variant} {trial}: it has "
            f"{count(len(spec.networks), 'shape')}, {'mode' if len(spec.variants) == 1 else 'modes'} "
            f"{', '.join(map(str, spec.variants))} and {count(spec.trials, 'trial')} of each"
        )
    name = (network.short_name, variant.name, trial)
    row = next((row for row in rows if (row.architecture, row.mode, row.trial) == name), None)
    assert row is None or row.seed == spec.seeds(network, variant, trial).draws
    return FoundTrial(spec, network, row)


def format_trial(spec: StudySpec, row: TrialRow | None) -> str:
    """Return what is known of the trial, in one line."""
    if row is None:
        return "not begun in this study"
    best = "nothing promoted yet" if row.bounty is None else f"bounty {percent(row.bounty)} at meta-loop "
    if row.bounty is not None:
        best += str(row.bounty_meta_loop)
    test = "" if row.test_accuracy is None else f", test {percent(row.test_accuracy)}"
    reason = f" ({row.reason})" if row.reason else ""
    return f"in study {spec.name}: {row.state}{reason}, {row.meta_loop} of {spec.meta_loops} meta-loops, {best}{test}"
