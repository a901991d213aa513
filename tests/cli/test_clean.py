import json
import os
import subprocess
import sys
from contextlib import contextmanager

import pexpect
import pytest

from tests import program

CHECKPOINT = "mnist_lkg.safetensors"
HOLD = """
import sys
from pathlib import Path
from psa_tui.storage.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    for name, size in (
        (CHECKPOINT, 3000),
        ("mnist_lkg.previous.safetensors", 500),
        ("notes.txt", 20),
        (".gitignore", 2),
    ):
        (folder / name).write_bytes(b"x" * size)
    return folder


@pytest.fixture
def clean(psa):
    def run(*arguments, command="clean", **options):
        result = psa(command, *arguments, stdin=subprocess.DEVNULL, **options)
        return result.returncode, result.stdout, result.stderr

    return run


def listing(folder):
    return sorted(os.listdir(folder))


@contextmanager
def trainer(path):
    """Another process that holds the lock of ``path``; its process id."""
    with program.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process.pid
        process.stdin.close()


MOVED = "moved to models/.trash; psa clean --undo brings them back"
EVERYTHING = """\
   3.0 kB  models/mnist_lkg.safetensors
    500 B  models/mnist_lkg.previous.safetensors
     20 B  models/notes.txt
"""


def test_without_arguments_the_checkpoint_and_its_previous_generation_go_without_a_question(clean, models):
    removed = "".join(EVERYTHING.splitlines(keepends=True)[:2])
    assert clean() == (0, f"{removed}2 files (3.5 kB) {MOVED}\n", "")
    assert listing(models) == [".gitignore", ".trash", "notes.txt"]
    assert clean() == (0, "", "psa: nothing to remove in models\n")


def test_a_missing_models_folder_is_nothing_to_remove_and_is_not_made(clean, tmp_path):
    assert clean() == clean("--all") == (0, "", "psa: nothing to remove in models\n")
    assert listing(tmp_path) == []


@pytest.mark.parametrize("arguments", [["clean", "--all"], ["clean-all"]])
def test_a_dry_run_prints_the_list_that_the_real_run_removes(clean, models, arguments):
    command, *rest = arguments
    before = listing(models)
    assert clean(*rest, "--dry-run", command=command) == (
        0,
        f"{EVERYTHING}3 files (3.5 kB) would be moved to models/.trash\n",
        "",
    )
    assert listing(models) == before
    assert clean(*rest, "--yes", command=command) == (0, f"{EVERYTHING}3 files (3.5 kB) {MOVED}\n", "")
    assert listing(models) == [".gitignore", ".trash"]


def test_more_than_the_default_needs_yes_without_a_terminal(clean, models):
    before = listing(models)
    remedy = "there is no terminal to ask on; add --yes to do it, or --dry-run to see them\n"
    moved, deleted = "would be moved to models/.trash", "would be deleted for good"
    assert clean("--all") == (2, "", f"psa: error: 3 files (3.5 kB) {moved}, and {remedy}")
    assert clean("notes.txt") == (2, "", f"psa: error: 1 file (20 B) {moved}, and {remedy}")
    assert clean("--purge") == (2, "", f"psa: error: 2 files (3.5 kB) {deleted}, and {remedy}")
    assert listing(models) == before


def test_named_files_go_with_or_without_the_folder_before_them(clean, models):
    (models / "b").write_text("")
    assert clean("models/notes.txt", "b", "--yes") == (
        0,
        f"     20 B  models/notes.txt\n      0 B  models/b\n2 files (20 B) {MOVED}\n",
        "",
    )
    assert listing(models) == [".gitignore", ".trash", "mnist_lkg.previous.safetensors", CHECKPOINT]


def test_a_name_outside_is_refused_before_anything_is_removed(clean, models, tmp_path):
    (tmp_path / "outside.txt").write_text("")
    before = listing(models)
    for name in ("../outside.txt", str(tmp_path / "outside.txt"), ""):
        code, out, err = clean("notes.txt", name, "--yes")
        assert (code, out) == (2, "")
        assert err == (
            f"psa: error: {name!r} does not name a file in models, so nothing was removed; "
            "expected NAME or models/NAME (--model-dir chooses another folder)\n"
        )
    assert listing(models) == before
    assert (tmp_path / "outside.txt").exists()


def test_a_named_file_that_is_missing_is_an_error_and_nothing_is_removed(clean, models):
    assert clean("notes.txt", "gone.txt", "--yes") == (
        2,
        "",
        "psa: error: models/gone.txt: there is no such file, so nothing was removed; check the name\n",
    )
    assert (models / "notes.txt").exists()


def test_all_and_names_together_are_refused(clean, models):
    code, _, err = clean("--all", "notes.txt", "--yes")
    assert (code, err) == (2, "psa: error: --all and file names exclude each other; say one of them\n")
    assert (models / "notes.txt").exists()


def test_the_folder_comes_from_the_flag_the_environment_or_the_settings_file(clean, tmp_path):
    for name in ("flag", "environment", "dotenv", "toml"):
        (tmp_path / name).mkdir()
        (tmp_path / name / CHECKPOINT).write_text("")
    environment = os.environ | {"PSA_MODEL_DIR": "environment"}
    (tmp_path / "psa.toml").write_text('model_dir = "toml"')
    assert clean()[1].startswith(f"      0 B  toml/{CHECKPOINT}\n")
    (tmp_path / ".env").write_text("PSA_MODEL_DIR=dotenv\n")
    assert clean()[1].startswith(f"      0 B  dotenv/{CHECKPOINT}\n")
    assert clean(env=environment)[1].startswith(f"      0 B  environment/{CHECKPOINT}\n")
    assert clean("--model-dir", "flag", env=environment)[1].startswith(f"      0 B  flag/{CHECKPOINT}\n")


def test_a_models_folder_that_is_a_link_is_refused(clean, models, tmp_path):
    (tmp_path / "link").symlink_to("models")
    assert clean("--all", "--yes", "--model-dir", "link/") == (
        2,
        "",
        f"psa: error: link is a symbolic link, expected a folder; name the real one: --model-dir {models}\n",
    )
    assert len(listing(models)) == 4


def test_links_and_folders_are_shown_as_what_they_are(clean, models, tmp_path):
    (models / "link").symlink_to(tmp_path)
    (models / "sub").mkdir()
    code, out, err = clean("--all", "--dry-run")
    assert (code, err) == (0, "psa: kept: folder models/sub\n")
    assert out == (
        "   3.0 kB  models/mnist_lkg.safetensors\n"
        "    500 B  models/mnist_lkg.previous.safetensors\n"
        "      0 B  models/link  (link)\n"
        "     20 B  models/notes.txt\n"
        "4 files (3.5 kB) would be moved to models/.trash\n"
    )


def test_odd_file_names_are_printed_harmlessly_and_removed(clean, tmp_path):
    (tmp_path / "models").mkdir()
    for name in ("a\nb", "c\x1b[31md", "[red]e[bold]", os.fsdecode(b"f\xff")):
        (tmp_path / "models" / name).write_text("")
    (tmp_path / "models" / CHECKPOINT).write_text("")
    assert clean("--all", "--yes") == (
        0,
        "      0 B  models/mnist_lkg.safetensors\n"
        "      0 B  models/[red]e[bold]\n"
        "      0 B  models/a�b\n"
        "      0 B  models/c�[31md\n"
        "      0 B  models/f�\n"
        f"5 files (0 B) {MOVED}\n",
        "",
    )
    assert listing(tmp_path / "models") == [".trash"]


@pytest.mark.parametrize("arguments", [[], ["--all", "--yes"], ["notes.txt", CHECKPOINT, "--dry-run"]])
def test_a_running_trainers_files_are_refused_and_nothing_is_removed(clean, models, arguments):
    with trainer(models / CHECKPOINT) as process:
        before = listing(models)
        assert clean(*arguments) == (
            1,
            "",
            f"psa: error: models/{CHECKPOINT} is being trained by process {process}, so nothing was removed; "
            "wait for it or stop it\n",
        )
        assert listing(models) == before


def test_a_trainer_that_has_no_checkpoint_yet_is_in_the_way_too(clean, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "notes.txt").write_text("")
    with trainer(tmp_path / "models" / CHECKPOINT) as process:
        for arguments in ([], ["--all", "--yes"]):
            code, _, err = clean(*arguments)
            assert (code, f"process {process}" in err) == (1, True)
        assert listing(tmp_path / "models") == [f".{CHECKPOINT}.lock", "notes.txt"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "code", "left"),
    [("y", 0, [".gitignore", ".trash"]), ("n", 1, None), ("", 1, None), ("yesterday", 1, None)],
)
def test_in_a_terminal_everything_goes_only_after_a_yes(models, tmp_path, monkeypatch, answer, code, left):
    monkeypatch.delenv("PSA_MODEL_DIR", raising=False)
    before = listing(models)
    child = pexpect.spawn(
        sys.executable, ["-m", "psa_tui", "clean", "--all"], cwd=tmp_path, encoding="utf-8", timeout=20
    )
    child.expect_exact("     20 B  models/notes.txt\r\nMove 3 files (3.5 kB) to models/.trash? [y/N] ")
    assert listing(models) == before
    child.sendline(answer)
    child.expect_exact(f"3 files (3.5 kB) {MOVED}" if code == 0 else "psa: nothing was removed")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == code
    assert listing(models) == (before if left is None else left)


@pytest.mark.slow
def test_the_default_asks_nothing_in_a_terminal(models, tmp_path, monkeypatch):
    monkeypatch.delenv("PSA_MODEL_DIR", raising=False)
    child = pexpect.spawn(sys.executable, ["-m", "psa_tui", "clean"], cwd=tmp_path, encoding="utf-8", timeout=20)
    child.expect(pexpect.EOF)
    child.close()
    assert (child.exitstatus, "[y/N]" in child.before) == (0, False)
    assert listing(models) == [".gitignore", ".trash", "notes.txt"]


@pytest.mark.parametrize("mark", ["nothing", "home", "around", "repository"])
def test_a_folder_that_is_no_models_folder_is_never_emptied(clean, models, tmp_path, monkeypatch, mark):
    if mark == "nothing":
        (models / CHECKPOINT).rename(models / "thesis.tex")
        (models / "mnist_lkg.previous.safetensors").unlink()
    elif mark == "home":
        monkeypatch.setenv("HOME", str(models))
    elif mark == "around":
        (models / "work").mkdir()
        monkeypatch.chdir(models / "work")
    else:
        (models / ".git").mkdir()
    before = listing(models)
    for words in (("--all",), ("--all", "--yes"), ("--all", "--dry-run")):
        code, out, err = clean(*words, "--model-dir", models)
        assert (code, out) == (2, "")
        assert "so it is not emptied" in err
    assert listing(models) == before


def test_a_setting_of_the_folder_cannot_lead_it_to_another(clean, models, tmp_path, monkeypatch):
    (models / CHECKPOINT).write_bytes(b"x")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (elsewhere / "psa.toml").write_text(f'model_dir = "{models}"')
    code, _, err = clean("--all", "--yes")
    assert (code, "model_dir in psa.toml: expected a path inside this folder" in err) == (2, True)
    assert CHECKPOINT in listing(models)


def test_what_went_last_comes_back_and_is_named_in_the_status_until_then(clean, psa, models):
    before = {path.name: path.read_bytes() for path in models.iterdir()}
    files = "".join(EVERYTHING.splitlines(keepends=True)[1::-1])
    clean()
    status = psa("status")
    assert status.stderr.splitlines()[1] == (
        "psa: in the trash: 2 files (3.5 kB); psa clean --undo brings the last back, psa clean --purge deletes"
    )
    assert json.loads(psa("status", "--json").stdout)["trash"] == {"files": 2, "bytes": 3500}
    assert clean("--undo", "--dry-run") == (0, f"{files}2 files (3.5 kB) would be brought back\n", "")
    assert clean("--undo") == (0, f"{files}2 files (3.5 kB) brought back\n", "")
    assert {path.name: path.read_bytes() for path in models.iterdir()} == before
    assert clean("--undo") == (1, "", "psa: error: nothing is in the trash of models\n")
    for words in (("--all",), ("notes.txt",), ("--purge",)):
        assert clean("--undo", *words)[0] == 2


@pytest.mark.parametrize("arguments", [["clean", "--all"], ["clean-all"]])
def test_a_purge_says_which_and_deletes_them_and_the_trash(clean, models, arguments):
    command, *rest = arguments
    clean()
    (models / CHECKPOINT).write_bytes(b"x")
    (batch,) = listing(models / ".trash")
    code, out, _ = clean(*rest, "--purge", "--dry-run", command=command)
    where = f"models/.trash/{batch}"
    expected = [
        f"      1 B  models/{CHECKPOINT}",
        "     20 B  models/notes.txt",
        f"    500 B  {where}/mnist_lkg.previous.safetensors",
        f"   3.0 kB  {where}/{CHECKPOINT}",
    ]
    assert (code, out.splitlines()) == (0, [*expected, "4 files (3.5 kB) would be deleted for good"])
    assert listing(models / ".trash") == [batch]
    code, out, _ = clean(*rest, "--purge", "--yes", command=command)
    assert (code, out.splitlines()) == (0, [*expected, "4 files (3.5 kB) deleted for good"])
    assert listing(models) == [".gitignore"]


def test_a_run_with_a_name_is_cleaned_by_it_and_with_everything(clean, models):
    (models / "wide").mkdir()
    (models / "wide" / CHECKPOINT).write_bytes(b"x" * 10)
    line = f"     10 B  models/wide/{CHECKPOINT}\n"
    assert clean("--all", "--dry-run")[1].splitlines(keepends=True)[3] == line
    rest = "1 run with a name: wide; psa clean --name wide takes one away, psa clean --all every one"
    assert clean()[0] == 0
    assert clean() == (0, "", f"psa: nothing to remove in models itself; {rest}\n")
    assert clean("--name", "wide") == (0, f"{line}1 file (10 B) {MOVED}\n", "")
    assert clean("--name", "wide") == (0, "", "psa: nothing to remove in models/wide\n")
    assert clean("--name", "wide", "--undo")[0] == 0
    assert (models / "wide" / CHECKPOINT).exists()
    assert clean("--name", "wied") == (0, "", "psa: nothing to remove in models/wied; did you mean 'wide'?\n")
    assert clean("--name", "../wide")[0] == 2
