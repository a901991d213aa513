"""Text that others wrote never drives a terminal, whatever view shows it.

Seeded draws of control sequences, ends of lines and markup go where files and databases hold text, and from there
through every view; the bytes that come out are compared. ``HOSTILE_STRINGS`` says how many (docs/security.md: 5,000).
"""

import asyncio
import io
import json
import os
import random
import re
import sys
import unicodedata
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from psa_tui.cli.app import app
from psa_tui.errors import PsaError
from psa_tui.method.event_codec import decode_event
from psa_tui.outside import outside_json, outside_text
from psa_tui.storage.meta_loops import MetaLoopRow
from psa_tui.storage.run_store import open_runs
from psa_tui.storage.study_rows import FAILED, TrialLoop, TrialRow
from psa_tui.storage.study_store import open_store
from psa_tui.views.display import DisplayOptions
from psa_tui.views.plain import PlainView
from psa_tui.views.state import RunState
from psa_tui.views.svg import SvgView
from tests.terminal import LEAVE
from tests.views.conftest import RECORDING, run_started, stage

pytestmark = pytest.mark.slow

IS_WHOLE = "HOSTILE_STRINGS" in os.environ
COUNT = int(os.environ.get("HOSTILE_STRINGS", "150"))
PIECES = (
    *("\x1b]0;title\x07", "\x1b]52;c;Y2xpcA==\x07", "\x1b[2J", "\x1b[31m", "\x1bPq\x1b\\", "\x9b2J", "\x9d0;t\x9c"),
    *("\r", "\n", "\r\n", "\x0b", "\x0c", "\x85", "\u2028", "\u2029", "\t", "\b", "\0", "\x7f", "\x1b"),
    *("\u202e", "\u2066", "\u200f", "\ufeff", "\U000e0041", "\ue000", "[bold red]", "[/]", "[link=x]", "{x}", "%s"),
    *("$x^2$", "<b>", "&amp;", "|", "`", "a", "psa", "e\u0301", "\u4e2d", "\U0001f600", " "),
)
DRIVES = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae\x8f]|\xe2\x81[\xa6-\xa9]")
"""What may not leave: C0 but for the end of a line, DEL, C1, separators of lines, marks of direction."""
OWN_SEQUENCE = re.compile(rb"\x1b\[[0-9;]*m")
"""Colours: all that a screen's picture has of its own."""


def hostile_strings(count):
    draws = random.Random(14)
    return ["".join(draws.choices(PIECES, k=draws.randint(1, 4))) for _ in range(count)]


STRINGS = hostile_strings(COUNT)
DATE = "2026-01-01T00:00:00+00:00"
LOUD = next(number for number, text in enumerate(STRINGS) if "\x1b]0;title" in text and number % 9)
"""The run that would name the window."""


def some(count):
    """About so many of the strings; all where somebody said how many."""
    return STRINGS if IS_WHOLE else STRINGS[:: COUNT // count]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A results folder with a hostile text in every text of the runs, sessions, loops, studies and trials."""
    from psa_tui.method.hyperparameters import Hyperparameters

    folder = tmp_path_factory.mktemp("hostile")
    with open_runs(folder) as store:
        connection = store._database.connection
        connection.execute("BEGIN")
        for number, text in enumerate(STRINGS):
            values = {
                **{
                    "run": f"{number:05} {text if number % 9 == 0 else ''}",
                    "created_at": "2026-01-01T00:00:00+00:00",
                    "state": "stopped",
                },
                **{"updated_at": f"{DATE[:19]}.{number:06}+00:00", "meta_loop": 1, "last_meta_loop": 2},
                **{"parameters": 7, "seed": 1, "bounty_meta_loop": 1, "lkg_meta_loop": 1, "bounty": 0.5},
                **Hyperparameters().as_json(),
            }
            names = ("reason", "checkpoint", "network", "architecture", "mode", "dataset", "dataset_requested")
            values |= dict.fromkeys((*names, "dataset_fingerprint"), text)
            insert(connection, "runs", values)
            session = {"run": values["run"], "session": 1, "started_at": values["created_at"], "after_meta_loop": 0}
            session |= {"ended_at": values["created_at"], "outcome": text, "threads": 1, **Hyperparameters().as_json()}
            session |= dict.fromkeys(("device", "backend", "machine"), text)
            insert(connection, "sessions", session | {"versions": json.dumps({text: text})})
            loop = {"run": values["run"], "meta_loop": 1, "mode": text, "reason": text, "verdict": "promoted"}
            loop |= {"validation_correct": 1, "validation_count": 2, "finite": 1, "train_loss": 0.5, "seconds": 1.0}
            insert(connection, "meta_loops", loop | {"ablations": json.dumps([[0, 1, 2, 3, text]])})
        connection.execute("COMMIT")
    with open_store(folder) as store:
        store.enter("hostile", "local", {"shapes": STRINGS[:9], "modes": STRINGS[:5], "dataset": STRINGS[0]}, trials=1)
        known = {"trial": 1, "parameters": 5, "bounty": 0.5}
        trials = [
            TrialRow(architecture=text, mode=STRINGS[number % 8], origin=text, **known)
            for number, text in enumerate(dict.fromkeys(STRINGS[:60]))
        ]
        failed = TrialRow(
            architecture=STRINGS[1], mode=STRINGS[2], trial=2, parameters=5, reason=STRINGS[3], state=FAILED
        )
        loop = {"meta_loop": 1, "ablations": (), "train_loss": 0.5, "validation_correct": 1, "validation_count": 2}
        loop |= {"finite": True, "verdict": "promoted", "seconds": 1.0}
        loops = [
            TrialLoop(one.architecture, 1, MetaLoopRow(**loop, mode=one.mode, reason=one.architecture))
            for one in trials
        ]
        store.put("hostile", [*trials, failed], loops)
    return folder


def insert(connection, table, values):
    marks = ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", list(values.values()))


def shown(*arguments):
    """What a command writes, both streams, as bytes."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        assert isinstance(done.exception, PsaError), repr(done.exception)
        return outside_text(str(done.exception)).encode(errors="replace")
    return done.output_bytes if hasattr(done, "output_bytes") else done.stdout_bytes + (done.stderr_bytes or b"")


def test_text_from_outside_is_one_line_that_drives_nothing():
    for text in STRINGS:
        clean = outside_text(text)
        assert not DRIVES.search(clean.encode())
        assert len(clean) == len(text)
        assert all(unicodedata.category(a)[0] in "CZ" for a, b in zip(text, clean, strict=True) if a != b)
        assert outside_json(json.dumps({text: [text]})) == {clean: [clean]}


def test_the_lists_of_runs_have_a_line_a_run(results, tmp_path):
    for command in (("results", "runs", "--limit", COUNT), ("status", "--runs", COUNT, "--model-dir", tmp_path)):
        found = shown(*command, "--results-dir", results)
        assert not DRIVES.search(found), DRIVES.findall(found)
        numbers = re.findall(rb"^(\d{5})", found, re.MULTILINE)
        assert len(numbers) == COUNT
        json_text = shown(*command, "--results-dir", results, "--json")
        assert not DRIVES.search(json_text)
        json.loads(json_text[json_text.index(b"{") :])


@pytest.mark.parametrize("command", ["show", "follow", "diff", "ablations"])
def test_no_view_of_one_run_lets_a_control_character_out(results, command):
    for number in range(0, COUNT, 1 if IS_WHOLE else 7):
        names = [f"{number:05} "] + ([f"{(number + 1) % COUNT:05} "] if command == "diff" else [])
        found = shown("results", command, *names, "--results-dir", results)
        assert not DRIVES.search(found), (names, DRIVES.findall(found))
        assert b"internal error" not in found


def test_no_figure_of_a_run_lets_a_control_character_out(results, tmp_path):
    pytest.importorskip("matplotlib")
    number = STRINGS.index(next(text for text in STRINGS if "\x1b" in text))
    for more in (("--terminal",), ("--out", tmp_path, "--format", "svg")):
        found = shown("results", "plot", "--run", f"{number:05} ", *more, "--results-dir", results)
        assert b"internal error" not in found
        assert not DRIVES.search(found), DRIVES.findall(found)
    assert not [path for path in tmp_path.iterdir() if DRIVES.search(path.read_bytes().replace(b"\t", b""))]


@pytest.mark.parametrize(
    "command",
    [
        ("table", "accuracy"),
        ("table", "architectures"),
        ("table", "accuracy", "--format", "latex"),
        ("table", "accuracy", "--format", "csv"),
        ("compare", "--to", "published"),
        ("regimes",),
        ("trials",),
        ("summary",),
        ("curves",),
        ("plot",),
    ],
    ids=" ".join,
)
def test_no_view_of_a_study_lets_a_control_character_out(results, command):
    found = shown("results", *command, "--results-dir", results)
    assert found
    assert not DRIVES.search(found), DRIVES.findall(found)


@pytest.mark.parametrize(
    ("command", "name"),
    [(("report", "--out"), "page.html"), (("export", "-o"), "loops.csv"), (("export", "-o"), "loops.json")],
    ids=str,
)
def test_no_file_made_of_a_study_holds_a_control_character(results, tmp_path, command, name):
    said = shown("results", *command, tmp_path / name, "--results-dir", results)
    assert not DRIVES.search(said)
    content = (tmp_path / name).read_bytes()
    assert not DRIVES.search(content.replace(b"\t", b"")), DRIVES.findall(content)


def test_a_table_from_outside_brings_no_control_character(tmp_path):
    path = tmp_path / "trials.csv"
    for text in some(30):
        cells = ['"' + cell.replace('"', '""') + '"' for cell in (text, text, text, "0.5")]
        path.write_text(
            f"architecture,mode,trial,best_validation_accuracy,study,dataset,network\n8*8,none,1,0.5,{','.join(cells[:3])}\n"
            f"{','.join(cells)},{','.join(cells[:3])}\n",
            encoding="utf-8",
        )
        found = shown("results", "table", "accuracy", "--source", path)
        assert found
        assert not DRIVES.search(found), (text, DRIVES.findall(found))


def hostile_events(text):
    """A recorded run whose every text is ``text``, as JSON-ready events."""
    for line in RECORDING.read_text(encoding="utf-8").splitlines():
        yield _with_text(json.loads(line), text)


def _with_text(value, text):
    if isinstance(value, dict):
        fixed = ("event", "verdict", "outcome", "effect")
        return {name: one if name in fixed else _with_text(one, text) for name, one in value.items()}
    if isinstance(value, list):
        return [_with_text(one, text) for one in value]
    return text if isinstance(value, str) else value


@pytest.mark.parametrize("size", [(120, 38), (80, 24)], ids=str)
def test_no_screen_of_a_run_lets_a_control_character_out(size):
    async def use():
        async with stage(RunState(), size) as shown:
            for text in some(20):
                state = RunState()
                state.messages.appendleft(outside_text(text))
                for values in hostile_events(text):
                    # As the drawing process reads it from its pipe.
                    state.fold(decode_event(outside_json(json.dumps(values))), 0.0)
                    if values["event"] in ("run_started", "run_finished"):
                        await shown.show(state)
                        lines = shown.lines("truecolor")
                        assert len(lines) == size[1]
                        rest = OWN_SEQUENCE.sub(b"", "\n".join(lines).encode())
                        assert not DRIVES.search(rest), (text, DRIVES.findall(rest))

    asyncio.run(use())


def test_the_picture_of_the_last_frame_is_well_formed_whatever_its_texts_are(tmp_path):
    path = tmp_path / "frame.svg"
    for text in some(10):
        view = SvgView(path, DisplayOptions())
        for values in hostile_events(text):
            view.handle(decode_event(values))
        ElementTree.parse(path)


def test_lines_and_curves_of_a_hostile_run_hold_no_control_character(tmp_path):
    from psa_tui.views.tensorboard import TensorBoardView

    for text in some(5):
        stream = io.StringIO()
        views = [PlainView(stream), TensorBoardView(tmp_path)]
        for values in hostile_events(text):
            event = decode_event(values | ({"run": "a-run"} if "run" in values else {}))
            for view in views:
                view.handle(event)
    written = b"".join(text.encode() for text in texts_of(tmp_path / "a-run")) + stream.getvalue().encode()
    assert written
    assert not DRIVES.search(written)


def texts_of(folder):
    from tensorboard.backend.event_processing.event_accumulator import TENSORS, EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={TENSORS: 0}).Reload()
    for tag in found.Tags()[TENSORS]:
        for one in found.Tensors(tag):
            yield from (text.decode() for text in one.tensor_proto.string_val)


@pytest.mark.parametrize("name", ["../elsewhere", "/tmp/elsewhere", "a/b", ".", "a\x1b]0;t\x07", ""])
def test_a_run_whose_name_leads_out_of_the_folder_gets_no_curves(tmp_path, build, name):
    from psa_tui.views.tensorboard import TensorBoardView

    view = TensorBoardView(tmp_path / "curves")
    with pytest.raises(PsaError, match="no name for a folder"):
        view.handle(run_started(run=name))
    assert list(tmp_path.rglob("*")) == [tmp_path / "curves"]


def test_the_real_dashboard_of_a_hostile_run_writes_no_sequence_of_its_texts(results, terminal):
    command = [sys.executable, "-m", "psa_tui", "results", "follow", f"{LOUD:05} ", "--results-dir", results]
    program = terminal([str(word) for word in command])
    program.wait_for_text("read-only")
    program.press("q")
    program.wait_for_bytes(LEAVE)
    assert "]0;title" in program.text or "]52;c" in program.text
    own = re.compile(rb"\x1b\](2;psa [^\x00-\x1f\x7f]*|9;4;[0-9;]*|22;[a-z]+)\x07")
    assert own.search(program.raw)
    assert not re.search(rb"\x1b[]P]|\x9b|\xc2[\x80-\x9f]", own.sub(b"", program.raw))
