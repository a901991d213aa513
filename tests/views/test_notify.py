import io
import logging
import sys
import time
from contextlib import suppress
from dataclasses import replace

import pytest

from psa_tui.errors import ConfigError
from psa_tui.method.events import Outcome, RunFinished
from psa_tui.settings import load_settings
from psa_tui.settings.targets import parse_targets
from psa_tui.studies.events import StudyFinished, StudyOutcome
from psa_tui.views import messenger, notify
from psa_tui.views.notify import NotifyView
from psa_tui.views.output import notifications
from tests.notified import SECRET, notified
from tests.views.study.conftest import study_started

pytestmark = pytest.mark.slow


@pytest.fixture
def server():
    with notified() as found:
        yield found


def view_of(*targets):
    return NotifyView(parse_targets(",".join(targets)), "--notify")


def show(view, *events):
    for event in events:
        view.handle(event)
    view.close()


def run_finished(events, outcome=Outcome.FINISHED, reason=""):
    return RunFinished(
        run=events[0].run,
        outcome=outcome,
        reason=reason,
        last_meta_loop=events[0].last_meta_loop,
        progress=events[-1].progress,
        test_accuracy=0.31,
        seconds=9.0,
    )


def test_an_escape_is_told_once_and_the_end_with_what_it_reached(server, build):
    # The majority class is 11.36 %: 26.35 % is not 15 points above it, 26.4 % is.
    events = build.story("[2*8]", [100, 263, 200, 264, 500, 600])
    show(view_of(server.url()), *events, run_finished(events))
    (path, escape), (_, end) = server.posted
    assert path == f"/{SECRET}"
    assert escape["title"] == "psa: run 20260101-000000-abcd escaped"
    assert escape["message"] == (
        "LKG 26.40 % at meta-loop 4, majority class 11.36 %\n[2*8], mode full, data fashion-mnist"
    )
    assert (end["title"], end["type"]) == ("psa: run 20260101-000000-abcd finished", "info")
    assert end["message"] == (
        "finished: 6 of 6 meta-loops, 9.0 s\nbounty 60.00 % at meta-loop 6, test accuracy of the LKG 31.00 %"
    )


def test_a_run_that_had_escaped_before_does_not_escape_again_nor_one_without_a_majority_class(server, build):
    events = build.story("[2*8]", [500, 600])
    later = build.story("[2*8]", [700, 800], resumed=True, progress=events[-1].progress, name="wide")
    unknown = build.story("[2*8]", [500, 600], majority_class_accuracy=None)
    show(view_of(server.url()), *later, run_finished(later), *unknown, run_finished(unknown))
    assert server.titles == ["finished", "finished"]
    assert server.posted[0][1]["title"] == "psa: run wide finished"


def test_a_failure_and_a_signal_are_told_with_their_reasons(server, build):
    events = build.story("[2*8]", [100])
    failed = run_finished(events, Outcome.FAILED, "the disk \x1b[2J is full")
    show(view_of(server.url()), *events, failed, *events, run_finished(events, Outcome.STOPPED, "TERM"))
    (_, failed), (_, stopped) = server.posted
    assert (failed["title"].split()[-1], failed["type"]) == ("failed", "failure")
    assert failed["message"].startswith("the disk \N{REPLACEMENT CHARACTER}[2J is full\nfailed at meta-loop 1 of 1; ")
    assert stopped["message"].startswith("stopped by TERM at meta-loop 1 of 1; go on with: psa resume\n")


def test_the_end_of_a_study_is_told(server):
    end = StudyFinished(
        outcome=StudyOutcome.FINISHED, reason="", complete=60, failed=0, seconds=75, go_on="psa reproduce run"
    )
    worse = replace(end, outcome=StudyOutcome.INCOMPLETE, reason="2 trials failed", complete=58, failed=2)
    show(view_of(server.url()), study_started(), end, study_started(), worse)
    (_, good), (_, bad) = server.posted
    assert (good["title"], good["type"]) == ("psa: study reproduction finished", "info")
    assert good["message"] == "60 trials complete, 0 failed, 1:15"
    assert (bad["title"], bad["type"]) == ("psa: study reproduction incomplete", "failure")
    assert bad["message"] == ("58 trials complete, 2 failed, 1:15\n2 trials failed\ngo on with: psa reproduce run")


def test_a_study_without_a_last_event_is_told_with_the_error_that_ended_it(server):
    settings = load_settings({"notify": [server.url()]})
    with suppress(OSError), notifications(settings) as (view,):
        view.handle(study_started())
        raise OSError("the disk is full")
    ((_, message),) = server.posted
    assert (message["title"], message["message"]) == ("psa: study reproduction ended early", "the disk is full")


def test_a_server_that_does_not_answer_holds_up_no_event_and_the_end_for_moments_only(
    server, build, monkeypatch, capsys
):
    monkeypatch.setattr(notify, "_PATIENCE_S", 0.5)
    # Apprise itself would wait for it for a minute.
    view, events = view_of(server.url(f"hang/{SECRET}?rto=60"), server.url()), build.story("[2*8]", [500])
    started = time.monotonic()
    for event in (*events, run_finished(events)):
        view.handle(event)
    assert time.monotonic() - started < 0.2
    view.close()
    assert time.monotonic() - started < 3
    assert capsys.readouterr().err == (
        "psa: warning: --notify json://...: a message got no answer in time; nothing else is affected\n"
    )
    # The other target has both messages meanwhile.
    assert [path for path, _ in server.posted].count(f"/{SECRET}") == 2


def test_what_cannot_be_sent_is_one_line_in_the_log_or_at_the_end(server, build, capsys, caplog):
    line = "--notify {}://...: a message could not be sent; nothing else is affected"
    events = build.story("[2*8]", [500])
    with caplog.at_level(logging.DEBUG):
        view = view_of(server.url(f"no/{SECRET}"), f"xml://127.0.0.1:9/{SECRET}")
        for event in events:
            view.handle(event)
        deadline = time.monotonic() + 10
        while len(caplog.messages) < 2 and time.monotonic() < deadline:
            view.handle(events[0])
            time.sleep(0.01)
        assert sorted(caplog.messages) == [line.format("json"), line.format("xml")]
        show(view, run_finished(events))
    shown = capsys.readouterr()
    assert sorted(shown.err.splitlines()) == [f"psa: warning: {line.format(kind)}" for kind in ("json", "xml")]
    assert SECRET not in caplog.text + shown.out


@pytest.mark.parametrize("text", [f"nosuch://{SECRET}", f"slack://{SECRET}"])
def test_an_address_that_apprise_does_not_know_is_refused_without_being_told(text, caplog, capfd):
    with caplog.at_level(logging.DEBUG), pytest.raises(ConfigError, match=r"--notify \w+://\.\.\.: no add") as found:
        view_of("bell", text)
    assert SECRET not in str(found.value) + caplog.text + "".join(capfd.readouterr())


def test_apprise_is_looked_for_only_where_it_is_needed_and_a_missing_one_has_a_remedy(monkeypatch):
    monkeypatch.setattr(messenger, "find_spec", lambda name: None)
    view_of("bell").close()
    for text in ("desktop", f"json://{SECRET}"):
        with pytest.raises(ConfigError, match=r"apprise is missing; pip install 'psa-tui\[notify\]'$") as found:
            view_of(text)
        assert SECRET not in str(found.value)


def test_a_process_that_is_gone_is_told_at_the_end_and_stops_nothing(server, build, capsys):
    view, events = view_of(server.url()), build.story("[2*8]", [500])
    view._messenger._process.kill()
    show(view, *events, run_finished(events))
    assert capsys.readouterr().err == (
        "psa: warning: --notify json://...: a message got no answer in time; nothing else is affected\n"
    )


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Gone(Terminal):
    def write(self, text):
        raise OSError(5, "the terminal is gone")


@pytest.mark.parametrize(
    ("error", "output", "rung"),
    [(Terminal(), Terminal(), (2, 0)), (io.StringIO(), Terminal(), (0, 2)), (Gone(), io.StringIO(), (0, 0))],
    ids=["a terminal", "an error log", "a terminal that is gone"],
)
def test_the_bell_is_that_of_a_terminal_and_of_nothing_else(build, monkeypatch, error, output, rung):
    monkeypatch.setattr(sys, "stderr", error)
    monkeypatch.setattr(sys, "stdout", output)
    events = build.story("[2*8]", [500])
    show(view_of("bell"), *events, run_finished(events))
    assert (error.getvalue().count("\a"), output.getvalue().count("\a")) == rung
