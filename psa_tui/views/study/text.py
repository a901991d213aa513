"""A study's events in words: what the plain view prints and the dashboard leaves behind. ASCII only."""

from __future__ import annotations

from statistics import fmean, quantiles

from psa_tui.formatting import count, duration, network_words, percent
from psa_tui.studies.events import StudyFinished, StudyOutcome, StudyStarted
from psa_tui.studies.progress import CellProgress, StudyProgress
from psa_tui.studies.spec import StudySpec
from psa_tui.studies.trials_of_setting import TrialsSummary
from psa_tui.views.study.state import StudyState, format_trials

QUICK = "quick, not a reproduction"
_NAMED = 5
_AS_PLANNED = (0.95, 1.05)


def format_started(event: StudyStarted) -> list[str]:
    """Return what is trained, on what."""
    trials = len(event.shapes) * len(event.modes) * event.trials
    quick = f" ({QUICK})" if event.quick else ""
    begun = "going on with" if event.resumed else "beginning"
    shapes = network_words(event.network, count(len(event.shapes), "shape"))
    modes = f"{count(len(event.modes), 'mode')} ({' '.join(event.modes)})"
    return [
        f"{begun} study {event.study}{quick}: {count(trials, 'trial')} of {count(event.meta_loops, 'meta-loop')}",
        f"{shapes} x {modes} x {count(event.trials, 'trial')}",
        f"data {event.dataset}, seed {event.seed}, {count(event.workers, 'worker')}",
    ]


def format_progress(state: StudyState, now: float) -> str:
    """Return where the study is, in a line."""
    complete, failed, total = state.trial_counts
    left = state.seconds_left(now)
    line = f"{complete:,}/{total:,} trials" + (f", {failed:,} failed" if failed else "")
    line += f"  {100 * state.share_done:.1f} % of the work"
    if state.rates is not None:
        line += f"  {format_rates(*state.rates)}"
    return line if left is None else f"{line}  {duration(left)} left"


def format_rates(rate: float, planned: float | None) -> str:
    """Return how many trials' meta-loops a second are done, beside what this machine was measured to do beforehand."""
    pace = f"{_number(rate, 3)} meta-loops/s"
    if planned is None:
        return pace
    times = rate / planned
    return (
        f"{pace}, as planned"
        if _AS_PLANNED[0] < times < _AS_PLANNED[1]
        else f"{pace}, {_number(times, 2)} times the plan"
    )


def _number(value: float, digits: int) -> str:
    """So many digits that count, and never a power of ten: 0.123, 12.3, 1,230."""
    return f"{float(f'{value:.{digits}g}'):,.12g}"


def format_finished(event: StudyFinished, state: StudyState) -> list[str]:
    """Return how the session ended, what failed and why, how to go on, and what there is."""
    _, _, total = state.trial_counts
    counts = f"{event.complete:,} of {total:,} trials complete" + (f", {event.failed:,} failed" if event.failed else "")
    lines = [f"{event.outcome}: {counts}, {duration(event.seconds)}" + (f" ({event.reason})" if event.reason else "")]
    lines += [_failure(one.shape, one.trials, one.cause) for one in state.given_up[:_NAMED]]
    if (more := len(state.given_up) - _NAMED) > 0 and state.started is not None:
        lines.append(f"failed: {count(more, 'more time')}; psa study status {state.started.study} lists them all")
    if event.outcome is not StudyOutcome.FINISHED:
        lines.append(f"go on with: {event.go_on}")
    means = {shape: group.best_mean for shape, group in state.groups.items() if group.best_mean is not None}
    if means:
        best = max(means, key=lambda shape: means[shape])
        lines.append(f"best mean so far: {percent(means[best])} at {best}")
    if state.started is not None and state.started.quick:
        lines.append(QUICK)
    return lines


def _failure(shape: str, trials: tuple[int, ...], cause: str) -> str:
    return f"failed: {shape} {format_trials(trials)}: {cause}"


def format_trials_summary(spec: StudySpec, summary: TrialsSummary) -> list[str]:
    """Return what the trials of one setting came to, and the commands that look closer."""
    (network,), (variant,) = spec.networks, spec.variants
    low, middle, high = (
        quantiles(summary.bounties, n=20, method="inclusive")[1::8]
        if len(summary.bounties) > 1
        else (summary.bounties * 3)
    )
    best = summary.best
    return [
        f"{network.short_name} {variant}, n = {len(summary.bounties)}: mean bounty {percent(fmean(summary.bounties))}, "
        f"median {percent(middle)}, percentiles 10 and 90: {percent(low)}, {percent(high)}",
        f"best: trial {best.trial} with {percent(best.bounty)} at meta-loop {best.bounty_meta_loop}, "
        f"test {percent(best.test_accuracy)}",
        f"kept as study {spec.name}; psa results curves --study {spec.name} draws it",
    ]


def format_status(progress: StudyProgress, process: str | None) -> list[str]:
    """Return where a study is: what it is, who works on it, what is done, what failed and why."""
    spec = progress.spec
    counts = f"{progress.complete:,} of {progress.trials:,} trials complete"
    counts += f", {progress.failed:,} failed" if progress.failed else ""
    done = sum(cell.meta_loops for cell in progress.cells)
    every = progress.trials * spec.meta_loops
    lines = [
        f"study {spec.name}" + (f" ({QUICK})" if spec.quick else "") + f": {_state(progress, process)}",
        f"{network_words(spec.family, count(len(spec.networks), 'shape'))} x "
        f"{count(len(spec.variants), 'mode')} x {count(spec.trials, 'trial')} x "
        f"{count(spec.meta_loops, 'meta-loop')}, {spec.dataset}, seed {spec.seed}",
        f"{counts}; {done:,} of {every:,} meta-loops",
    ]
    if progress.seconds_left is not None and progress.complete + progress.failed < progress.trials:
        workers = progress.sessions[-1].workers if progress.sessions else 1
        lines.append(f"time left on {count(workers, 'worker')}: {duration(progress.seconds_left)}")
    elif progress.untimed is not None:
        lines.append(f"time left: not known before a shape about as large as {progress.untimed} was timed")
    return [*lines, *(_failure(one.shape, one.trials, one.cause) for one in progress.failures)]


def _state(progress: StudyProgress, process: str | None) -> str:
    if process is not None:
        return f"running, process {process}"
    if progress.complete == progress.trials:
        return "finished"
    last = progress.sessions[-1] if progress.sessions else None
    if last is None or last.outcome is None:
        return "interrupted"
    return last.outcome + (f" ({last.reason})" if last.reason else "")


def format_cell(cell: CellProgress, meta_loops: int) -> str:
    """Return the mean of the complete trials; how many these are, or how far they have come, while some are not."""
    mean = "" if cell.mean is None else f"{100 * cell.mean:.2f}"
    if cell.complete == cell.trials:
        return mean or "no LKG"
    if cell.failed:
        return f"{mean} {cell.failed} failed".strip()
    if cell.complete:
        return f"{mean} {cell.complete}/{cell.trials}".strip()
    return f"{100 * cell.meta_loops // (cell.trials * meta_loops)} %" if cell.meta_loops else "-"


def format_unbegun(progress: StudyProgress) -> list[str]:
    """Return the shapes nobody has begun, in a line or two."""
    begun = {cell.shape for cell in progress.cells if cell.meta_loops or cell.failed}
    shapes = [network.short_name for network in progress.spec.networks if network.short_name not in begun]
    if not shapes:
        return []
    names = ", ".join(shapes[:_NAMED]) + (", ..." if len(shapes) > _NAMED else "")
    return ["", f"not begun: {len(shapes)} of {len(progress.spec.networks)} shapes ({names})"]
