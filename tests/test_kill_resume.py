import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "tools" / "kill_resume.py"


def test_sixty_kills_at_random_moments_lose_nothing_and_change_no_bit():
    done = subprocess.run([sys.executable, SCRIPT, "--kills", "60"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "60 kills over 6 modes: 0 unreadable files" in done.stdout
