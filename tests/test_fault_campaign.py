import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.faults import compiler

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(compiler() is None, reason="needs a C compiler on Linux, to let system calls fail"),
]

SCRIPT = Path(__file__).parents[1] / "tools" / "fault_campaign.py"


def test_what_is_said_after_some_faults_is_so_and_what_follows_is_equal_to_a_twin():
    done = subprocess.run([sys.executable, SCRIPT, "--faults", "100"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^100 faults \(.*\): 0 wrong states$", done.stdout, re.MULTILINE), done.stdout
