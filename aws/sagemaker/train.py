"""What a SageMaker training job runs: all trials of one shape and mode, as one population of the engine.

SageMaker's folders are used as they are (``/opt/ml``, or ``$PSA_ML_ROOT`` to imitate them elsewhere)::

    input/config/hyperparameters.json   study, shape, mode, trials, meta_loops, seed, dataset, ...
    input/data/dataset/                 optional: the data set, in torchvision's layout ($SM_CHANNEL_DATASET)
    checkpoints/                        the state after a meta-loop; a job that starts again goes on from it
    model/                              results.txt and comprehensive_results.json, once all trials are complete
    output/failure                      why it failed, for SageMaker to show

On TERM (a spot instance is taken away, the job is stopped, its time is over) SageMaker waits 120 seconds. A
meta-loop that is younger than a minute is given up, an older one is finished if it can be; so what is lost is
at most a minute of work.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from psa_tui.aws.archive import JSON, TEXT
from psa_tui.aws.redaction import safe
from psa_tui.aws.study import read_job
from psa_tui.errors import ConfigError, DataError, PsaError
from psa_tui.storage.atomic_write import atomic_write
from psa_tui.storage.study_rows import TrialRow
from psa_tui.studies.parts import Part
from psa_tui.studies.spec import StudySpec
from psa_tui.studies.training import PartRun, load_study_data

SOURCES = Path(__file__).resolve().parents[2]
"""Where the archive was unpacked."""
STATE_EVERY_S = 20.0
"""How often the state is saved, in whole meta-loops: an instance that vanishes without notice loses so much."""
YOUNG_LOOP_S = 55.0
"""A meta-loop under way for less than this is given up on TERM."""
GRACE_S = 90.0
"""How long an older one may take to its end: SageMaker kills after 120 s, and the state must be written and sent."""


class TermSignal:
    """Remembers when TERM came."""

    def __init__(self) -> None:
        """Take the signal over."""
        self.asked_at: float | None = None
        signal.signal(signal.SIGTERM, self._remember)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if self.asked_at is None:
            self.asked_at = time.monotonic()

    def gives_up(self, loop_started_at: float) -> bool:
        """Whether a meta-loop under way since ``loop_started_at`` must be given up now."""
        if self.asked_at is None:
            return False
        return self.asked_at - loop_started_at < YOUNG_LOOP_S or time.monotonic() - self.asked_at > GRACE_S


def read_parameters(path: Path, dataset_dir: Path) -> tuple[StudySpec, Part]:
    """Return the job's part of the study, from its hyperparameters.

    Raises:
        ConfigError: they cannot be read, or make no sense.
        DataError, RetryableError: the data set cannot be had.
    """
    try:
        return read_job(json.loads(path.read_text(encoding="utf-8")), dataset_dir, SOURCES)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: {type(error).__name__}: {error}") from None


def train(spec: StudySpec, part: Part, dataset_dir: Path, state_path: Path, job: str, term: TermSignal) -> PartRun:
    """Train the part until it is complete or ``term`` says so; the state is saved either way."""
    import torch

    data = load_study_data(spec, dataset_dir, "cuda" if torch.cuda.is_available() else "cpu")
    saved = state_path.read_bytes() if state_path.exists() else None
    run = PartRun(spec, part, data, saved, origin=job)
    print(
        f"{part}, {spec.variants[0]}: {run.meta_loop} of {spec.meta_loops} meta-loops done, on {data.device}",
        flush=True,
    )
    loop_started_at = time.monotonic()
    unsaved = False
    steps = run.run(job, STATE_EVERY_S)
    for step in steps:
        if step.loops:
            loop_started_at, unsaved = time.monotonic(), step.state is None
            print(f"meta-loop {step.meta_loop} of {spec.meta_loops}, {step.loop_s:.1f} s", flush=True)
        if step.state is not None:
            atomic_write(state_path, step.state)
        if term.gives_up(loop_started_at):
            steps.close()
            break
    if unsaved:
        atomic_write(state_path, run.state())
    return run


def write_results(trials: list[TrialRow], folder: Path) -> None:
    """Leave both result files: accuracies in percent in the one, as fractions in the other.

    Raises:
        DataError: a trial has no accuracy, because none of its meta-loops had finite weights.
    """
    if without := [trial.trial for trial in trials if trial.bounty is None]:
        raise DataError(f"no meta-loop of trial {without[0]} ended with finite weights; lower the learning rate")
    folder.mkdir(parents=True, exist_ok=True)
    entries = [
        {
            "trial": trial.trial,
            "seed": trial.seed,
            "best_validation_accuracy": trial.bounty,
            "best_validation_epoch": trial.bounty_meta_loop,
            "final_test_accuracy": trial.test_accuracy,
            "bounty": trial.bounty,
        }
        for trial in trials
    ]
    atomic_write(folder / JSON, json.dumps(entries, indent=1).encode())
    atomic_write(folder / TEXT, "".join(f"{100 * (trial.bounty or 0):.2f}\n" for trial in trials).encode())


def main(environment: Mapping[str, str]) -> int:
    """Run the job; the exit code is 0 only when both result files are there."""
    root = Path(environment.get("PSA_ML_ROOT", "/opt/ml"))
    dataset_dir = Path(environment.get("SM_CHANNEL_DATASET") or root / "input" / "data" / "dataset")
    model_dir = Path(environment.get("SM_MODEL_DIR") or root / "model")
    job = environment.get("TRAINING_JOB_NAME", "sagemaker")
    term = TermSignal()
    try:
        spec, part = read_parameters(root / "input" / "config" / "hyperparameters.json", dataset_dir)
        state_path = root / "checkpoints" / part.file_name
        state_path.parent.mkdir(parents=True, exist_ok=True)
        run = train(spec, part, dataset_dir, state_path, job, term)
        if not run.finished:
            print(f"stopped after meta-loop {run.meta_loop} of {spec.meta_loops}; the state is saved", flush=True)
            return 128 + signal.SIGTERM
        write_results(run.trial_rows(), model_dir)
    except PsaError as error:
        (root / "output").mkdir(parents=True, exist_ok=True)
        (root / "output" / "failure").write_text(safe(error, 1000), encoding="utf-8")
        print(f"error: {safe(error, 1000)}", file=sys.stderr)
        return error.exit_code
    print(f"complete: {len(part.trials)} trials", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
