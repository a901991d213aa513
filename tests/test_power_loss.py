import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.faults import compiler

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(compiler() is None, reason="needs a C compiler on Linux, to record the calls of a process"),
]

ROOT = Path(__file__).parents[1]
WITHOUT = """
import json, sys
from pathlib import Path
from tools import faults
from tools.power_loss import record, replay

faults.preloaded()
root = Path(sys.argv[1])
(root / "run").mkdir()
calls = record(root / "run")
def lost(name, path):
    return replay(root, [call for call in calls if not (call.name == name and call.path.startswith(path))])[2]
found = {"all": replay(root, calls)}
for what, name, path in (
    ("file", "fsync", "models/."),
    ("folder", "fsync", "models"),
    ("log", "fdatasync", "results/history.sqlite-wal"),
):
    found[what] = lost(name, path)
print(json.dumps(found))
"""


def test_no_loss_of_power_loses_a_checkpoint_or_a_committed_row_and_each_flush_is_needed(tmp_path):
    (tmp_path / "without.py").write_text(WITHOUT)
    done = subprocess.run(
        [sys.executable, tmp_path / "without.py", tmp_path],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    count, states, lost = found.pop("all")
    assert lost == 0, done.stdout
    assert count > 5_000
    assert states > 100
    assert all(found.values()), found
