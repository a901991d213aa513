"""A run may go on for a million meta-loops: what reads them stays small. ``MANY_LOOPS=1000000`` tries it."""

import os
import subprocess
import sys

import pytest

from psa_tui.storage.run_store import SplitCounts, open_runs

LOOPS = int(os.environ.get("MANY_LOOPS", "200000"))
MOST_BYTES = 100e6 + 100 * LOOPS
# Not getrusage: its peak is that of the process that started this one, if that was larger.
PEAK = r"print(re.search('VmHWM:\\s*([0-9]+) kB', open('/proc/self/status').read())[1], file=sys.stderr)"
READ = f"""
import json, pathlib, re, sys
from psa_tui.method.event_codec import decode_event, encode_event
from psa_tui.runs.stored_loops import earlier_events
from psa_tui.storage.run_store import read_runs
from psa_tui.views.state import RunState, curve_of
assert "torch" not in sys.modules
sent, state = bytearray(), RunState()
with read_runs(pathlib.Path("results")) as store:
    for event in earlier_events(store, sys.argv[1]):
        sent += json.dumps(encode_event(curve_of(event))).encode() + b"\\n"
for line in bytes(sent).splitlines():
    state.fold(decode_event(json.loads(line)), 0.0)
assert len(state.accuracies) == {LOOPS} and state.hits.every.ablated == {LOOPS}
{PEAK}
"""
COMMAND = f"""
import re, sys
from psa_tui.cli.app import app
try:
    app()
except SystemExit as end:
    assert not end.code, end.code
{PEAK}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder whose history has a run of so many loops."""
    return tmp_path_factory.mktemp("many")


@pytest.fixture
def run(folder, checkpoint):
    """Its name."""
    record = checkpoint.record
    if not (folder / "results").exists():
        with open_runs(folder / "results") as store:
            store.begin_session(
                record, folder / "lkg", SplitCounts(train=1, validation=500, test=1, majority_class_accuracy=0.1)
            )
            store._database.connection.execute(
                f"""
                INSERT INTO meta_loops (run, meta_loop, mode, ablations, train_loss, validation_correct,
                    validation_count, finite, verdict, reason, seconds)
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {LOOPS})
                SELECT ?, i, 'hidden', '[[0,' || (i % 4) || ',784,4]]', 0.5, i * 7919 % 500, 500, 1,
                    iif(i % 1000 = 1, 'promoted', 'rolled_back'), 'not better', 0.5 FROM n
                """,
                [record.run],
            )
    return record.run


def measured(folder, script, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, 1024 * int(done.stderr.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.campaign
def test_what_a_resume_tells_of_earlier_loops_is_read_in_pieces(folder, run):
    _, peak_bytes = measured(folder, READ, run)
    assert peak_bytes < MOST_BYTES


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["runs"], ["runs", "--json"]], ids=" ".join)
def test_the_list_of_runs_holds_only_what_it_draws(folder, run, arguments):
    shown, peak_bytes = measured(folder, COMMAND, "results", *arguments)
    assert run in shown
    assert peak_bytes < MOST_BYTES
