import io
import json
from dataclasses import replace

from psa_tui.method.event_codec import decode_event
from psa_tui.studies.events import StudyFinished, StudyNote, StudyOutcome
from psa_tui.views.jsonl import JsonView
from psa_tui.views.study.plain import StudyPlainView
from psa_tui.views.study.text import format_started
from tests.views.study.conftest import study_started

END = StudyFinished(
    outcome=StudyOutcome.STOPPED, reason="Ctrl-C", complete=120, failed=6, seconds=3700, go_on="psa reproduce run"
)


def lines_of(events, **options):
    stream, now = io.StringIO(), [0.0]
    view = StudyPlainView(stream, clock=lambda: now[0], **options)
    for now[0], event in events:
        view.handle(event)
    return stream.getvalue().splitlines()


def test_lines_tell_the_story_in_order_with_progress_once_a_minute(study):
    more = [(at, study.progressed("2*2", "worker 1", 40, loop_s=1.0)) for at in (3700.0, 3710.0)]
    lines = lines_of([*study.story(), *more, (3720.0, END)])
    assert lines[:3] == [
        "going on with study reproduction: 5,880 trials of 100 meta-loops",
        "98 shapes x 6 modes (none decay dropout full hidden output) x 10 trials",
        "data mnist, seed 0, 2 workers",
    ]
    assert lines[3] == "a notice"
    assert "4*185 trials 1-10 failed, marked failed: it was killed by SIGKILL; the system does that" in "\n".join(lines)
    assert lines.index("worker 2 lost: it was killed by SIGSEGV") < lines.index("a note")
    early, late = [line for line in lines if " % of the work" in line]
    assert "left" not in early
    assert late.endswith(" left")
    assert "times the plan" in late
    assert lines[-4:] == [
        "stopped: 120 of 5,880 trials complete, 6 failed, 1:01:40 (Ctrl-C)",
        "failed: 4*185 trials 1-10: it was killed by SIGKILL; the system does that when memory runs out",
        "go on with: psa reproduce run",
        "best mean so far: 98.00 % at 1*2048",
    ]
    assert all(line.isascii() for line in lines)


def test_one_of_a_thing_is_one_and_the_family_of_other_networks_is_named():
    one = study_started("8*8", modes=("output",), trials=1, meta_loops=1, workers=1, network="resmlp")
    lines = format_started(replace(one, resumed=False))
    assert lines == [
        "beginning study reproduction: 1 trial of 1 meta-loop",
        "resmlp 1 shape x 1 mode (output) x 1 trial",
        "data mnist, seed 0, 1 worker",
    ]


def test_quiet_leaves_the_result_alone(study):
    assert lines_of([*study.story(), (3700.0, END)], quiet=True)[0].startswith("stopped: 120 of 5,880")


def test_more_events_than_are_remembered_are_all_printed(study):
    notes = [(float(n), StudyNote(text=f"note {n}")) for n in range(120)]
    lines = lines_of([(0.0, study.started()), *notes])
    assert lines[3:] == [f"note {n}" for n in range(120)]


def test_json_lines_can_be_read_back_as_events(study):
    stream = io.StringIO()
    view = JsonView(stream)
    events = [event for _, event in study.story()] + [END]
    for event in events:
        view.handle(event)
    assert [decode_event(json.loads(line)) for line in stream.getvalue().splitlines()] == events
