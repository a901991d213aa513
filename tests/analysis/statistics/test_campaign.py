import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.campaign

ROOT = Path(__file__).parents[3]


def test_tests_find_what_is_not_there_in_a_twentieth_and_intervals_miss_as_often():
    command = [sys.executable, "tools/statistics_campaign.py", "--data-sets", "2000"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr
    shares = {name.strip(): float(share) for name, share in re.findall(r"^(.{40}) +([\d.]+)%", done.stdout, re.M)}
    assert len(shares) == 19
    for name, share in shares.items():
        # Two thousand data sets tell a share to one point. A cell of ten trials has few possible p-values, as have the
        # few pairs that disagree; these tests find less.
        assert share <= 7, name
        if "one cell" not in name:
            assert share >= (2 if "McNemar" in name else 3), name
