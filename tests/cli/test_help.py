import re
import subprocess
import sys

import pytest
from typer.main import get_command

from psa_tui.cli.app import app, main
from psa_tui.settings import SETTINGS
from psa_tui.settings.topics import TOPICS

PSA = (sys.executable, "-m", "psa_tui")


def commands(group, *path):
    """Every command and group, by its words."""
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *path, name)


@pytest.fixture
def shown(command, monkeypatch, capsys):
    """Run ``psa`` in this process: exit code, stdout and stderr."""

    def run(*words, columns=80):
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(sys, "argv", ["psa", *words])
        monkeypatch.setattr("psa_tui.cli.app.app", command)
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code or 0, *capsys.readouterr()

    return run


def test_no_description_is_cut_at_any_width(shown):
    for columns in (60, 80, 200):
        for words in ((), ("results",), ("aws",), ("study",)):
            code, text, _ = shown(*words, "--help", columns=columns)
            assert code == 0
            assert "..." not in text.replace("[ARGS]...", "")
            assert max(map(len, text.splitlines())) <= columns
        plain = " ".join(re.sub("[│╭╮╰╯─]", " ", shown("--help", columns=columns)[1]).split())
        assert "going on from the checkpoint if there is one." in plain
        assert "nothing outside it is ever touched." in plain


def test_every_help_text_fits_60_columns_and_has_all_options_in_whole_words(shown):
    for path, one in commands(get_command(app)):
        text = shown(*path, "--help", columns=60)[1]
        assert max(map(len, text.splitlines())) <= 60, path
        words = {word for line in text.splitlines() for word in line.strip("│ ").replace(",", " ").split()}
        options = {option for parameter in one.params for option in parameter.opts if option.startswith("-")}
        hidden = {
            option for parameter in one.params if getattr(parameter, "hidden", False) for option in parameter.opts
        }
        assert options - hidden <= words, path


def test_options_stand_in_panels_by_topic(shown):
    text = shown("train", "--help")[1]
    titles = re.findall("^╭─ (.*?) ─", text, re.MULTILINE)
    assert titles == [*TOPICS, "Options"]
    panel = text[text.index("─ Hyperparameters ") : text.index("─ Data and folders ")]
    assert all(f"│ --{name} " in panel for name in ("lr", "batch-size", "seed", "trials"))
    assert sorted(name for names in TOPICS.values() for name in names) == sorted(SETTINGS)


def test_where_something_is_written_is_one_option_everywhere():
    found = {
        path: parameter.opts
        for path, one in commands(get_command(app))
        for parameter in one.params
        if {"--out", "--output", "-o"} & set(parameter.opts)
    }
    assert len(found) == 13
    assert all(set(names) == {"--out", "-o"} for names in found.values())


def test_help_in_a_pipe_has_no_escape_codes_and_on_a_terminal_it_has_colours(psa, terminal):
    assert "\x1b" not in psa("--help").stdout
    tty = terminal((*PSA, "--help"), size=(60, 60))
    assert tty.wait_for_end() == 0
    assert b"\x1b[36m" in tty.raw
    assert re.search("^╭─ One run ─+╮ *$", tty.text, re.MULTILINE)


def test_help_keeps_to_ascii_where_there_is_nothing_else(psa, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = psa("clean", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert "+- Options -----" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("trian",), "no such command 'trian'; did you mean 'train'? (psa --help shows what there is)"),
        (("train", "--lrr", "3"), "no such option: --lrr; did you mean '--lr'? (psa train --help shows what there is)"),
        (
            ("resume", "wide"),
            "got unexpected extra argument(s) (wide); did you mean --name wide? "
            "(psa resume --help shows what there is)",
        ),
        (("config", "wide"), "got unexpected extra argument(s) (wide) (psa config --help shows what there is)"),
        (("results", "follow"), "missing argument 'RUN' (psa results follow --help shows what there is)"),
        (
            ("results", "table", "accurac"),
            "'accurac' is not one of 'accuracy', 'architectures'; did you mean 'accuracy'? "
            "(psa results table --help shows what there is)",
        ),
        (("train", "--trials", "0"), "invalid value for '--trials': "),
        (("results", "table"), "missing argument "),
        (("status", "--runs", "x"), "invalid value for '--runs': "),
        (("train", "--lr"), "option '--lr' requires an argument (psa COMMAND --help shows what there is)"),
        (("clean", "--yes=3"), "option '--yes' does not take a value "),
    ],
)
def test_a_usage_error_is_one_line_as_every_other_error(shown, words, said):
    code, out, err = shown(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("psa: error: ")
    assert said in err


def test_a_group_without_a_command_shows_its_help(shown):
    code, out, err = shown("results")
    assert (code, out) == (2, "")
    assert "Usage: psa results [OPTIONS] COMMAND" in err


@pytest.mark.parametrize(
    "words",
    [
        ("resume", "--model-dir", "nope"),
        ("probe", "nope.safetensors", "--kill", "1"),
        ("clean", "nope.txt", "--yes"),
        ("results", "show", "nope"),
        ("results", "follow", "latest"),
        ("results", "summary"),
        ("results", "summary", "--source", "nope.csv"),
        ("results", "summary", "--source", "nope.sqlite"),
        ("study", "status", "nope"),
        ("reproduce", "status"),
        ("study", "run", "nope"),
        ("study", "run", "nope.toml"),
    ],
)
def test_what_was_named_and_is_not_there_is_an_error_of_usage(shown, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    code, out, err = shown(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)


INTERRUPTED = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path, target=None):
        if name == "psa_tui.cli.app":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
from psa_tui.cli import main
main()
"""


def test_ctrl_c_while_the_program_loads_ends_it_without_a_word():
    ended = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (130, "")
