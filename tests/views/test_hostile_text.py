"""Text that others wrote never drives a terminal, whatever view shows it.

Seeded draws of control sequences, ends of lines and markup go where files and databases hold text, and from there
through every view; the bytes that come out are compared (``tests/hostile.py``; docs/security.md: 5,000 of them).
"""

import io
import itertools
import json
import re
import sys
import unicodedata
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from psa_tui.cli.app import app
from psa_tui.errors import ConfigError, PsaError
from psa_tui.method.event_codec import decode_event
from psa_tui.outside import is_plain_name, outside_json, outside_text
from psa_tui.settings.targets import parse_targets
from psa_tui.storage.labels import check_labels
from psa_tui.storage.meta_loops import MetaLoopRow
from psa_tui.storage.run_store import open_runs
from psa_tui.storage.study_rows import FAILED, TrialLoop, TrialRow
from psa_tui.storage.study_store import open_store
from psa_tui.views.display import DisplayOptions
from psa_tui.views.jsonl import JsonView
from psa_tui.views.notify import NotifyView
from psa_tui.views.plain import PlainView
from psa_tui.views.svg import SvgView
from tests.hostile import COUNT, DRIVES, STRINGS, batches, sample
from tests.terminal import LEAVE
from tests.views.conftest import hostile_events, run_started

pytestmark = pytest.mark.slow

DATE = "2026-01-01T00:00:00+00:00"
OF_A_RUN = 15
"""How many of the strings a run has, from its own on."""
LOUD = next(number for number, text in enumerate(STRINGS) if "\x1b]0;title" in text and number % 9)
"""The run that would name the window."""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A results folder with hostile texts in the runs, sessions, loops, studies and trials: every run has some."""
    from psa_tui.method.hyperparameters import Hyperparameters

    folder = tmp_path_factory.mktemp("hostile")
    with open_runs(folder) as store:
        connection = store._database.connection
        connection.execute("BEGIN")
        for number, text in enumerate(STRINGS):
            texts = itertools.cycle((STRINGS[number:] + STRINGS)[:OF_A_RUN])
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
            values |= {name: next(texts) for name in (*names, "dataset_fingerprint", "note")}
            values |= {"tags": json.dumps([next(texts), next(texts)])}
            values |= {"name": f"{number:05} called {text}"}
            insert(connection, "runs", values)
            session = {"run": values["run"], "session": 1, "started_at": values["created_at"], "after_meta_loop": 0}
            session |= {
                "ended_at": values["created_at"],
                "outcome": next(texts),
                "threads": 1,
                **Hyperparameters().as_json(),
            }
            session |= {name: next(texts) for name in ("device", "backend", "machine")}
            insert(connection, "sessions", session | {"versions": json.dumps({text: text})})
            loop = {"run": values["run"], "meta_loop": 1, "mode": text, "reason": next(texts), "verdict": "promoted"}
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
        numbers = re.findall(rb"^(\d{5}) called", found, re.MULTILINE)
        assert len(numbers) == COUNT
        json_text = shown(*command, "--results-dir", results, "--json")
        assert not DRIVES.search(json_text)
        json.loads(json_text[json_text.index(b"{") :])


@pytest.mark.parametrize("command", ["show", "follow", "diff", "ablations"])
def test_no_view_of_one_run_lets_a_control_character_out(results, command):
    for number in range(0, COUNT, OF_A_RUN):
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
        ("compare", "--pool", "--format", "markdown"),
        ("importance",),
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
    for text in sample(30):
        cells = ['"' + cell.replace('"', '""') + '"' for cell in (text, text, text, "0.5")]
        path.write_text(
            f"architecture,mode,trial,best_validation_accuracy,study,dataset,network\n8*8,none,1,0.5,{','.join(cells[:3])}\n"
            f"{','.join(cells)},{','.join(cells[:3])}\n",
            encoding="utf-8",
        )
        found = shown("results", "table", "accuracy", "--source", path)
        assert found
        assert not DRIVES.search(found), (text, DRIVES.findall(found))


def test_the_picture_of_the_last_frame_is_well_formed_whatever_its_texts_are(tmp_path):
    path = tmp_path / "frame.svg"
    for texts in batches(20, 50):
        view = SvgView(path, DisplayOptions())
        for values in hostile_events(texts):
            view.handle(decode_event(values))
        ElementTree.parse(path)


def test_lines_and_curves_of_a_hostile_run_hold_no_control_character(tmp_path):
    from psa_tui.views.tensorboard import TensorBoardView

    for number, texts in enumerate(batches(25, 125)):
        lines, objects = io.StringIO(), io.StringIO()
        views = [PlainView(lines), JsonView(objects), TensorBoardView(tmp_path)]
        for values in hostile_events(texts):
            event = decode_event(values | ({"run": f"run-{number}"} if "run" in values else {}))
            for view in views:
                view.handle(event)
        for view in views:
            view.close()
        curves = "".join(texts_of(tmp_path / f"run-{number}"))
        assert curves
        written = "".join((lines.getvalue(), objects.getvalue(), curves)).encode()
        assert not DRIVES.search(written), (texts, DRIVES.findall(written))


def texts_of(folder):
    from tensorboard.backend.event_processing.event_accumulator import TENSORS, EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={TENSORS: 0}).Reload()
    for tag in found.Tags()[TENSORS]:
        for one in found.Tensors(tag):
            yield from (text.decode() for text in one.tensor_proto.string_val)


def test_messages_to_people_hold_no_control_character():
    sent = []

    class Told:
        def send(self, title, body, *, failed):
            sent.append(f"{title}\n{body}".encode())

        def faults(self):
            return ()

    for texts in batches(40, 50):
        view = NotifyView(parse_targets("bell"), "--notify")
        view._messenger = Told()
        for values in hostile_events(texts):
            view.handle(decode_event(values))
    assert len(sent) >= 1
    assert not DRIVES.search(b"".join(sent))


def test_labels_are_words_of_a_line_and_a_run_is_found_by_the_name_that_is_shown(results):
    for text in STRINGS:
        try:
            check_labels((text,), text)
        except ConfigError as refused:
            assert not DRIVES.search(str(refused).encode())
    for text in sample(5):
        number = STRINGS.index(text)
        for words in (("--tag", text), ("--note", text)):
            found = shown("results", "label", f"{number:05} ", *words, "--results-dir", results)
            assert re.search(b"tags|--tag|--note", found)
            assert not DRIVES.search(found), (text, words, found)
        if not is_plain_name(text):
            refused = shown("train", "--name", text)
            assert b"expected" in refused
            assert not DRIVES.search(refused), (text, refused)


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
