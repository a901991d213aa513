"""Events in words: what the plain view prints and the other views quote. ASCII only, any encoding shows it."""

from __future__ import annotations

from psa_tui.formatting import percent, points
from psa_tui.method.events import MetaLoopFinished, NeuronAblated, Outcome, RunFinished, RunStarted, Verdict


def format_started(event: RunStarted) -> list[str]:
    """What runs, on what, from where to where."""
    done = event.progress.meta_loop
    where = f"going on after meta-loop {done}" if event.resumed else "from a random initialisation"
    return [
        f"run {event.run}: {event.architecture}, {event.parameters:,} parameters, mode {event.mode}",
        f"{where}, to meta-loop {event.last_meta_loop}; seed {event.seed}",
        f"data {event.dataset}: {event.train_count:,} train, {event.validation_count:,} validation, "
        f"{event.test_count:,} test; majority class {percent(event.majority_class_accuracy)}",
        f"lr {event.learning_rate:g}, batch {event.batch_size}, {event.device}, threads {event.threads}, "
        f"checkpoint {event.checkpoint}",
    ]


def format_loop(event: MetaLoopFinished, last_meta_loop: int) -> str:
    """One meta-loop in one line of at most 80 columns (for shapes below ten thousand neurons a layer)."""
    width = len(str(last_meta_loop))
    line = (
        f"loop {event.meta_loop:>{width}}/{last_meta_loop}  {percent(event.validation_accuracy):>8}  "
        f"{format_verdict(event):<18}  LKG {percent(event.progress.bounty):>8}"
    )
    if event.ablation is not None:
        line += f"  {format_neuron(event.ablation)}"
    return f"{line}  {event.seconds:.2f} s"


def format_verdict(event: MetaLoopFinished) -> str:
    """Promoted or rolled back, and by how many percentage points."""
    if not event.finite:
        return "not finite"
    verdict = "promoted" if event.verdict is Verdict.PROMOTED else "rolled back"
    return verdict if event.gain is None else f"{verdict} {points(event.gain)}"


def format_neuron(event: NeuronAblated) -> str:
    """Where the ablation hit; layers and neurons count from 0, as the tensors do."""
    if event.layer == event.layers - 1:
        return f"output neuron {event.neuron}"
    return f"layer {event.layer} neuron {event.neuron}"


def format_finished(event: RunFinished) -> list[str]:
    """How the run really ended, how to go on, and what it reached."""
    done, last = event.progress.meta_loop, event.last_meta_loop
    if event.outcome is Outcome.FINISHED:
        lines = [f"finished: {done} of {last} meta-loops, {event.seconds:.1f} s"]
    elif event.outcome is Outcome.STOPPED:
        lines = [f"stopped by {event.reason} at meta-loop {done} of {last}; go on with: {event.resume_command}"]
    else:
        lines = [f"failed at meta-loop {done} of {last}; once mended, go on with: {event.resume_command}"]
    result = "no LKG yet: no candidate was promoted"
    if event.progress.lkg_correct is not None:
        result = f"bounty {percent(event.progress.bounty)} at meta-loop {event.progress.lkg_meta_loop}"
    if event.test_accuracy is not None:
        result += f", test accuracy of the LKG {percent(event.test_accuracy)}"
    if event.progress.non_finite:
        result += f"; candidates that were not finite: {event.progress.non_finite}"
    return [*lines, result]
