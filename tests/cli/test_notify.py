"""``--notify`` in whole programs: what a server on this machine gets, and what nobody gets to see."""

import signal
import subprocess
import sys

from tests import program
from tests.notified import SECRET, notified

TINY = ("--dataset", "mnist5k", "--threads", "1", "--lr", "1e-2", "--plain", "--debug")
STUDY = ("--grid", "1*2", "--modes", "none", "--trials", "1", "--meta-loops", "1", "--study", "tiny", "--workers", "1")


def test_a_signal_is_told_and_the_address_is_shown_and_stored_nowhere(psa, tmp_path):
    with notified() as server:
        command = (sys.executable, "-m", "psa_tui", "train", "--arch", "[1*8]", *TINY, "--meta-loops", "100000")
        process = program.Popen(
            [*command, "--notify", server.url(), "--notify", f"bell,json://127.0.0.1:9/{SECRET}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for line in process.stdout:
            if line.split()[1].startswith("3/"):
                process.send_signal(signal.SIGTERM)
                break
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 143
    assert server.titles[-1] == "stopped"
    assert server.posted[-1][1]["message"].startswith("stopped by TERM at meta-loop ")
    assert errors.endswith("psa: warning: --notify json://...: a message could not be sent; nothing else is affected\n")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 2
    assert not any(SECRET.encode() in path.read_bytes() for path in files)
    assert SECRET not in output + errors


def test_the_end_of_a_study_is_told_to_whom_the_environment_names_and_to_nobody_a_folder_names(
    psa, tmp_path, monkeypatch
):
    command = ("reproduce", "run", *STUDY, "--dataset", "mnist5k", "--plain")
    with notified() as server:
        (tmp_path / "psa.toml").write_text(f'notify = "{server.url("folder")}"\n')
        refused = psa(*command)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr.startswith("psa: error: notify in psa.toml: expected bell or desktop (only --notify, ")
        assert not (tmp_path / "results").exists()
        monkeypatch.setenv("PSA_NOTIFY", server.url())
        assert psa(*command).returncode == 0
        ((path, message),) = server.posted
    assert (path, message["title"]) == (f"/{SECRET}", "psa: study tiny finished")
    assert message["message"].startswith("1 trial complete, 0 failed, 0:0")
