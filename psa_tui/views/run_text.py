"""Runs of the history in words: what ``psa results show`` and ``diff`` print, 80 columns where the names allow it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from textwrap import wrap
from typing import Any

from psa_tui.data import is_own
from psa_tui.errors import CheckpointError
from psa_tui.formatting import count, loop_time, network_words, percent, points, time_taken
from psa_tui.method.variants import describe_variant
from psa_tui.runs.history import RunDetails, differing
from psa_tui.storage.checkpoint import read_checkpoint
from psa_tui.storage.run_store import RunRow
from psa_tui.views.sparkline import sparkline
from psa_tui.views.text import format_changes, format_units_of_lkg

PAGE = 80
"""Columns of a page where nothing says otherwise."""
_LABEL = 14
_NAMES = 18
"""Columns of what is compared, beside two cells."""


def format_run(run: RunDetails, *, ascii_only: bool, width: int = PAGE) -> list[str]:
    """The run as lines of ``width`` columns: what it is, what came of it, and its sessions."""
    curve = sparkline(run.validation_accuracies, width - _LABEL - 6, ascii_only=ascii_only)
    lines = [line for name, value in run_facts(run) for line in _fact(name, value, width)]
    if curve:
        lines += _fact("accuracy", curve, width)
        low, high = min(run.validation_accuracies), max(run.validation_accuracies)
        lines += _fact("", f"from {percent(low)} to {percent(high)}, every loop's candidate", width)
    return [*lines, "", *format_sessions(run, width)]


def run_facts(run: RunDetails) -> list[tuple[str, str]]:
    """What the run is and what came of it, each by its name."""
    row = run.row
    stands_in = row.dataset_requested != row.dataset and not is_own(row.dataset_requested)
    asked = f" (asked for: {row.dataset_requested})" if stands_in else ""
    modes = ", ".join(mode if first == 1 else f"{mode} from loop {first}" for first, mode in run.modes)
    reason = f" by {row.reason}" if row.state == "stopped" and row.reason else f": {row.reason}" if row.reason else ""
    return [
        ("run", f"{row.run}, {row.state}{reason}"),
        *_labels(row),
        ("architecture", f"{network_words(row.network, row.architecture)}, {row.parameters:,} parameters"),
        ("mode", modes),
        ("data", f"{row.dataset}{asked}, fingerprint {row.dataset_fingerprint[:16]}"),
        ("settings", _settings(run)),
        *(("changed" if not number else "", text) for number, text in enumerate(format_changes(run.setting_changes))),
        ("meta-loops", f"{row.meta_loop} of {row.last_meta_loop}{_lacking(run)}"),
        ("bounty", "none yet" if row.bounty is None else f"{percent(row.bounty)} at meta-loop {row.bounty_meta_loop}"),
        *([("LKG", f"{percent(row.lkg_accuracy)} since meta-loop {row.lkg_meta_loop}")] if _has_fallen(row) else []),
        ("test accuracy", f"{percent(row.test_accuracy)}{' (of the LKG)' if row.test_accuracy is not None else ''}"),
        ("verdicts", _verdicts(run)),
        ("ablations", _ablations(run)),
        *([("hidden units", units)] if (units := format_units_of_lkg(row, run.hidden_units)) else []),
        ("time", _time(run)),
        ("checkpoint", checkpoint_state(row)),
    ]


def results_of(run: RunDetails) -> dict[str, Any]:
    """What came of the run, by name: counts, fractions and seconds."""
    row = run.row
    return {
        "state": row.state,
        "meta_loop": row.meta_loop,
        "bounty": row.bounty,
        "bounty_meta_loop": row.bounty_meta_loop,
        "lkg_accuracy": row.lkg_accuracy,
        "lkg_meta_loop": row.lkg_meta_loop,
        "test_accuracy": row.test_accuracy,
        "promotions": run.promotions,
        "rollbacks": run.rollbacks,
        "non_finite": run.non_finite,
        "survived_ablations": run.survived_ablations,
        "ablated_dead_units": run.ablated_dead_units,
        "lkg_dead": row.lkg_dead,
        "lkg_inactive": row.lkg_inactive,
        "seconds": run.seconds,
        "median_loop_s": run.median_loop_s,
    }


def format_difference(one: RunDetails, two: RunDetails, *, ascii_only: bool, width: int = PAGE) -> list[str]:
    """Two runs side by side in ``width`` columns: the settings that differ, those that do not, and the results."""
    cell = (width - _NAMES) // 2 - 1
    beside = partial(_side_by_side, cell)
    settings = differing(one.settings(), two.settings())
    same = [name for name in one.settings() if name not in settings]
    names = [run.row.name or run.row.run for run in (one, two)]
    lines = beside("", *(names if names[0] != names[1] else (one.row.run, two.row.run)))
    lines.append("settings that differ" if settings else "no setting differs")
    for name, (ours, theirs) in settings.items():
        lines += beside(f"  {name}", plain_value(ours), plain_value(theirs))
    lines += wrap(f"the same: {', '.join(same)}", width, subsequent_indent="  ")
    lines.append("results")
    for name, ours, theirs in compared_results(one, two):
        lines += beside(f"  {name}", ours, theirs)
    curves = [sparkline(run.validation_accuracies, cell, ascii_only=ascii_only) or "-" for run in (one, two)]
    return [*lines, *beside("  accuracy", *curves)]


def checkpoint_state(row: RunRow) -> str:
    """Where the checkpoint was when the run was last worked on, and what is there now."""
    path = Path(row.checkpoint)
    if not path.exists():
        return f"{path} (gone)"
    try:
        record = read_checkpoint(path).record
    except CheckpointError:
        return f"{path} (unreadable)"
    if record.run != row.run:
        return f"{path} (now of run {record.run})"
    return f"{path} (at meta-loop {record.progress.meta_loop})"


def compared_results(one: RunDetails, two: RunDetails) -> Iterator[tuple[str, str, str]]:
    """Go through the results of two runs: the name of each, and both values in words."""
    a, b = one.row, two.row
    yield "state", a.state, b.state
    yield "meta-loops", f"{a.meta_loop} of {a.last_meta_loop}", f"{b.meta_loop} of {b.last_meta_loop}"
    yield "bounty", percent(a.bounty), f"{percent(b.bounty)}{_gain(a.bounty, b.bounty)}"
    yield "  at meta-loop", str(a.bounty_meta_loop or "-"), str(b.bounty_meta_loop or "-")
    yield (
        "test accuracy",
        percent(a.test_accuracy),
        f"{percent(b.test_accuracy)}{_gain(a.test_accuracy, b.test_accuracy)}",
    )
    yield "promoted", str(one.promotions), str(two.promotions)
    yield "rolled back", str(one.rollbacks), str(two.rollbacks)
    yield "not finite", str(one.non_finite), str(two.non_finite)
    yield "survived", f"{one.survived_ablations} ablations", f"{two.survived_ablations} ablations"
    yield "dead units", _count(a.lkg_dead), _count(b.lkg_dead)
    yield "never active", _count(a.lkg_inactive), _count(b.lkg_inactive)
    yield "time", time_taken(one.seconds), time_taken(two.seconds)
    yield "median loop", _seconds(one.median_loop_s), _seconds(two.median_loop_s)


def _count(value: int | None) -> str:
    return "-" if value is None else str(value)


def _gain(before: float | None, after: float | None) -> str:
    return "" if before is None or after is None else f" ({points(after - before)} points)"


def _seconds(value: float | None) -> str:
    return "-" if value is None else loop_time(value)


def plain_value(value: object) -> str:
    """Return a setting as text."""
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _side_by_side(cell: int, name: str, ours: str, theirs: str) -> list[str]:
    """A label and two cells of so many columns; what is too long goes on below."""
    left, right = (wrap(text, cell) or [""] for text in (ours, theirs))
    rows = max(len(left), len(right))
    left, right = left + [""] * (rows - len(left)), right + [""] * (rows - len(right))
    labels = [name] + [""] * (rows - 1)
    return [f"{label:<{_NAMES}} {a:<{cell}} {b}".rstrip() for label, a, b in zip(labels, left, right, strict=True)]


def _fact(name: str, value: str, width: int) -> list[str]:
    """A label and its value, which goes on below where it is too long; one long word (a path) stays whole."""
    parts = wrap(value, width - _LABEL, break_long_words=False, break_on_hyphens=False) or [""]
    return [f"{label:<{_LABEL}}{part}" for label, part in zip([name] + [""] * len(parts), parts, strict=False)]


def _labels(row: RunRow) -> Iterator[tuple[str, str]]:
    for label, text in (("name", row.name), ("tags", " ".join(row.tags)), ("note", row.note)):
        if text:
            yield label, text


def _has_fallen(row: RunRow) -> bool:
    """Whether the LKG is not the best there was: a rule accepted a worse candidate."""
    return row.lkg_accuracy is not None and row.lkg_accuracy != row.bounty


def _settings(run: RunDetails) -> str:
    """What the run began with; weight decay and dropout where a mode used them."""
    variants, begun = [describe_variant(mode) for _, mode in run.modes], run.first_settings()
    text = f"lr {begun['lr']}, batch {begun['batch_size']}, seed {run.row.seed}"
    first = run.row.initialisation_seed
    text += "" if first is None else f", of the first weights {first}"
    text += f", weight decay {begun['weight_decay']}" if any(one.weight_decay for one in variants) else ""
    return text + (f", dropout {begun['dropout']}" if any(one.dropout for one in variants) else "")


def _lacking(run: RunDetails) -> str:
    lacking = run.row.meta_loop - len(run.loops)
    return f" (the history lacks {lacking} of them)" if lacking > 0 else ""


def _verdicts(run: RunDetails) -> str:
    sick = f", {run.non_finite} of them not finite" if run.non_finite else ""
    return f"{run.promotions} promoted, {run.rollbacks} rolled back{sick}"


def _ablations(run: RunDetails) -> str:
    if not run.ablations:
        return "none"
    layers = (f"{run.names.layer(layer)} {n}" for layer, n in run.ablations.items())
    units = sum(run.ablations.values())
    several = "" if units == run.ablated_loops else f" in {run.ablated_loops} loops"
    dead = f", {run.ablated_dead_units} of dead units" if run.ablated_dead_units else ""
    return f"{units}{several}, {run.survived_ablations} survived{dead}; {', '.join(layers)}"


def _time(run: RunDetails) -> str:
    if run.median_loop_s is None:
        return "no loop yet"
    loops = count(len(run.loops), "loop")
    return f"{time_taken(run.seconds)} in {loops}, {loop_time(run.median_loop_s)} a loop in the middle"


def format_sessions(run: RunDetails, width: int = PAGE) -> list[str]:
    """Each session in a few lines; machine and versions only where they are not those of the session before."""
    lines: list[str] = []
    known = ""
    ends = [session["after_meta_loop"] for session in run.sessions[1:]] + [run.row.last_meta_loop]
    for session, end in zip(run.sessions, ends, strict=False):
        its_loops = [loop for loop in run.loops if session["after_meta_loop"] < loop.meta_loop <= end]
        took = f", {time_taken(sum(loop.seconds or 0.0 for loop in its_loops))}" if its_loops else ""
        outcome = session["outcome"] or (
            "running" if session is run.sessions[-1] and run.row.state == "running" else "interrupted"
        )
        when = _instant(session["started_at"]).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        threads = "1 thread" if session["threads"] == 1 else f"{session['threads']} threads"
        done = f"{when}, after loop {session['after_meta_loop']}: {outcome}{took}; {session['device']}, {threads}"
        lines += _fact(f"session {session['session']}", done, width)
        versions = " ".join(f"{name} {version}" for name, version in session["versions"].items())
        environment = f"backend {session['backend']}; {session['machine']}; {versions}"
        if environment != known:
            lines += _fact("", environment, width)
            known = environment
    return lines


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
