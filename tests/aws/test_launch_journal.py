import json
import subprocess
import sys

import pytest

from psa_tui.aws.launch_journal import LaunchJournal, LaunchState, digest, launching
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


CELLS = (("8*8", "none"), ("9*9", "none"))


def test_an_order_is_open_until_it_is_closed_and_each_launch_of_a_cell_is_written_with_what_is_left(tmp_path):
    with launching(tmp_path) as journal:
        journal.order("command", "here", CELLS)
        for place, other in (("here", "other"), ("elsewhere", "command")):
            assert journal.open_order(other, place) is None
        journal.intend(JOB, "here", "study")
        journal.settle(JOB, LaunchState.REFUSED)
        assert LaunchJournal(tmp_path).open_order("command", "here").left == CELLS
        journal.intend(JOB, "here", "study")
    order = LaunchJournal(tmp_path).open_order("command", "here", {JOB})
    assert (order.left, order.launched) == (CELLS[1:], {CELLS[0]: JOB}), "AWS has the job that was intended"
    assert LaunchJournal(tmp_path).open_order("command", "here").left == CELLS, "looking changes nothing"
    with launching(tmp_path) as journal:
        journal.settle(JOB, LaunchState.LAUNCHED)
        assert LaunchJournal(tmp_path).open_order("command", "here") == order
        journal.order("command", "here", [CELLS[1], ("1*1", "none")])
        longer = LaunchJournal(tmp_path).open_order("command", "here")
        assert (longer.at, longer.jobs, longer.left) == (order.at, order.jobs, (CELLS[1], ("1*1", "none")))
        journal.close(longer)
    assert LaunchJournal(tmp_path).open_order("command", "here") is None


def test_a_launch_counts_for_every_open_order_of_its_place_that_waits_for_the_cell(tmp_path):
    with launching(tmp_path) as journal:
        for command, place in (("one", "here"), ("two", "here"), ("one", "elsewhere")):
            journal.order(command, place, CELLS)
        journal.intend(JOB, "here", "study")
        journal.settle(JOB, LaunchState.LAUNCHED)
    found = LaunchJournal(tmp_path)
    left = [found.open_order(*order).left for order in (("one", "here"), ("two", "here"), ("one", "elsewhere"))]
    assert left == [CELLS[1:], CELLS[1:], CELLS]


def test_a_journal_of_an_earlier_version_is_read_and_keeps_its_intentions(tmp_path):
    launch = {"job": JOB, "place": "here", "study": "s", "state": "intended", "at": "2026-01-01T00:00:00+00:00"}
    (tmp_path / "launches.json").write_text(json.dumps({"schema": 1, "launches": [launch]}))
    with launching(tmp_path) as journal:
        assert journal.open_order("command", "here") is None
        journal.order("command", "here", CELLS)
    assert [launch.job for launch in LaunchJournal(tmp_path).intended("here")] == [JOB]


ORDER = {"command": "c", "place": "p", "at": "2026-01-01T00:00:00+00:00", "left": [], "jobs": [], "closed": False}
FAULTY_ORDERS = [{"left": [["8*8"]]}, {"left": 1}, {"jobs": ["\x1b[2J"]}, {"jobs": [1]}, {"at": "\x1b"}, {"more": 1}]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        "9" * 5000,
        '{"schema": 1, "launches": [{}]}',
        '{"schema": 1, "launches": 3}',
        '{"schema": 1, "launches": [{"job": 1, "place": "", "study": "", "state": "intended", "at": ""}]}',
        '{"schema": 2, "launches": []}',
        '{"schema": 3, "launches": [], "orders": []}',
        *(json.dumps({"schema": 2, "launches": [], "orders": [ORDER | fault]}) for fault in FAULTY_ORDERS),
    ],
)
def test_an_unreadable_journal_is_never_taken_for_an_empty_one(tmp_path, content):
    (tmp_path / "launches.json").write_text(content)
    with pytest.raises(PsaError, match="launched twice"), launching(tmp_path):
        pass


def test_a_place_is_told_apart_by_region_bucket_and_prefix_and_not_named():
    places = {digest(*where) for where in (("a", "b", "c"), ("a", "b", "d"), ("a", "c", "c"), ("b", "b", "c"))}
    assert len(places) == 4
    assert "123456789012" not in digest("us-east-1", "sagemaker-us-east-1-123456789012", "")
