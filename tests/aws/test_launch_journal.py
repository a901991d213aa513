import subprocess
import sys

import pytest

from psa_tui.aws.launch_journal import LaunchJournal, LaunchState, launching, place_digest
from psa_tui.errors import PsaError

JOB = "psa-8x8-none-20260101-000000"


def test_an_intention_survives_until_it_is_settled(tmp_path):
    with launching(tmp_path) as journal:
        journal.intend(JOB, "here", "study")
    assert [launch.job for launch in LaunchJournal(tmp_path).intended("here")] == [JOB]
    assert LaunchJournal(tmp_path).intended("elsewhere") == []
    with launching(tmp_path) as journal:
        journal.settle(JOB, LaunchState.LAUNCHED)
    assert LaunchJournal(tmp_path).intended("here") == []


def test_a_second_launcher_is_kept_out_until_the_first_has_ended(tmp_path):
    hold = (
        "import sys\nfrom pathlib import Path\nfrom psa_tui.aws.launch_journal import launching\n"
        "with launching(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(PsaError, match="another psa aws launch"), launching(tmp_path):
            pass
        other.kill()
    with launching(tmp_path):
        pass


@pytest.mark.parametrize("content", ["", "{", '{"schema": 2, "launches": []}', '{"schema": 1, "launches": [{}]}', "[]"])
def test_an_unreadable_journal_is_never_taken_for_an_empty_one(tmp_path, content):
    (tmp_path / "launches.json").write_text(content)
    with pytest.raises(PsaError, match="launched twice"), launching(tmp_path):
        pass


def test_a_place_is_told_apart_by_region_bucket_and_prefix_and_not_named():
    places = {place_digest(*where) for where in (("a", "b", "c"), ("a", "b", "d"), ("a", "c", "c"), ("b", "b", "c"))}
    assert len(places) == 4
    assert "123456789012" not in place_digest("us-east-1", "sagemaker-us-east-1-123456789012", "")
