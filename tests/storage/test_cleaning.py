import errno
import os
import socket
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_tui.errors import CheckpointError, ConfigError, PsaError
from psa_tui.runs.checkpoint_files import DEFAULT_NAME
from psa_tui.storage import cleaning
from psa_tui.storage.clean_plan import Kind, name_inside, plan_all, plan_default, plan_named
from psa_tui.storage.cleaning import opened
from psa_tui.storage.locks import locked

CHECKPOINT = "mnist_lkg.safetensors"
FAMILY = [
    CHECKPOINT,
    "mnist_lkg.previous.safetensors",
    f".{CHECKPOINT}.tmp",
    ".mnist_lkg.previous.safetensors.tmp",
    f".{CHECKPOINT}.lock",
]


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


def fill(folder, *names):
    for name in names:
        (folder / name).write_bytes(b"x" * 10)


def listing(folder):
    return sorted(os.listdir(folder))


def names(plan):
    return [entry.name for entry in plan.entries]


def test_the_default_plan_is_the_checkpoint_and_what_belongs_to_it_the_lock_last(models):
    fill(models, *reversed(FAMILY), "other.safetensors", ".gitignore", ".other.safetensors.tmp")
    with opened(models) as folder:
        plan = plan_default(folder.found, DEFAULT_NAME)
        assert names(plan) == FAMILY
        outcome = folder.remove(plan)
    assert [entry.name for entry in outcome.removed] == FAMILY
    assert outcome.failures == ()
    assert listing(models) == [".gitignore", ".other.safetensors.tmp", "other.safetensors"]


def test_everything_spares_dot_files_that_belong_to_no_removed_checkpoint(models):
    fill(models, *FAMILY, "b.safetensors", ".b.safetensors.lock", "notes.txt")
    fill(models, ".gitignore", ".hidden", ".gone.safetensors.lock", ".notes.txt.tmp")
    with opened(models) as folder:
        folder.remove(plan_all(folder.found, DEFAULT_NAME))
    assert listing(models) == [".gitignore", ".gone.safetensors.lock", ".hidden", ".notes.txt.tmp"]


def test_naming_a_checkpoint_takes_what_belongs_to_it_and_naming_a_file_takes_that_file(models):
    fill(
        models,
        *FAMILY,
        "a.safetensors",
        "a.previous.safetensors",
        ".a.safetensors.lock",
        "notes.txt",
        "other.txt",
    )
    with opened(models) as folder:
        folder.remove(plan_named(folder.found, models, ["a.safetensors", "notes.txt", "notes.txt"]))
    assert listing(models) == sorted([*FAMILY, "other.txt"])


def test_a_removal_leaves_no_lock_file_that_was_not_there(models):
    fill(models, CHECKPOINT, "a.previous.safetensors")
    with opened(models) as folder:
        folder.remove(plan_all(folder.found, DEFAULT_NAME))
    assert listing(models) == []


def test_removing_only_the_previous_generation_keeps_the_checkpoint_and_its_lock_file(models):
    fill(models, *FAMILY)
    with opened(models) as folder:
        folder.remove(plan_named(folder.found, models, ["mnist_lkg.previous.safetensors"]))
    assert listing(models) == sorted([CHECKPOINT, f".{CHECKPOINT}.tmp", f".{CHECKPOINT}.lock"])


def test_a_link_is_removed_and_its_target_stays(models, tmp_path):
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_text("precious")
    (models / CHECKPOINT).symlink_to(target)
    (models / "link_to_folder").symlink_to(tmp_path / "elsewhere")
    (models / "dangling").symlink_to(tmp_path / "nowhere")
    with opened(models) as folder:
        plan = plan_all(folder.found, DEFAULT_NAME)
        assert {(entry.kind, entry.size_bytes) for entry in plan.entries} == {(Kind.LINK, 0)}
        folder.remove(plan)
    assert listing(models) == []
    assert target.read_text() == (tmp_path / "elsewhere" / "file").read_text() == "precious"


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_a_lock_file_that_is_no_file_is_removed_and_nothing_is_written_through_it(models, tmp_path, kind):
    target = tmp_path / "target"
    target.write_text("precious")
    fill(models, CHECKPOINT)
    lock = models / f".{CHECKPOINT}.lock"
    if kind == "link":
        lock.symlink_to(target)
    else:
        os.mkfifo(lock)
    with opened(models) as folder:
        plan = plan_default(folder.found, DEFAULT_NAME)
        folder.check(plan, is_everything=False)
        assert folder.remove(plan).failures == ()
    assert listing(models) == []
    assert target.read_text() == "precious"


def test_special_files_go_with_everything_and_folders_are_kept_whole(models, tmp_path):
    os.mkfifo(models / "fifo")
    # A socket's path is short: it is bound from a folder whose path is.
    with tempfile.TemporaryDirectory(dir="/tmp") as short, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{short}/socket")
        os.rename(f"{short}/socket", models / "socket")
    (models / "sub.safetensors").mkdir()
    fill(models / "sub.safetensors", "inner")
    with opened(models) as folder:
        plan = plan_all(folder.found, DEFAULT_NAME)
        assert {entry.name: entry.kind for entry in plan.entries} == {
            "fifo": Kind.SPECIAL,
            "socket": Kind.SPECIAL,
        }
        assert plan.kept == ("sub.safetensors",)
        folder.remove(plan)
    assert listing(models) == ["sub.safetensors"]
    assert listing(models / "sub.safetensors") == ["inner"]


def test_a_name_too_long_to_have_a_lock_file_can_be_removed(models):
    name = "n" * 240 + ".safetensors"
    fill(models, name)
    with opened(models) as folder:
        assert folder.remove(plan_all(folder.found, DEFAULT_NAME)).failures == ()
    assert listing(models) == []


def test_a_missing_named_file_or_a_named_folder_is_refused(models):
    (models / "sub").mkdir()
    fill(models, "a")
    with opened(models) as folder:
        with pytest.raises(PsaError, match="models/b: there is no such file, so nothing was removed"):
            plan_named(folder.found, models, ["a", "b"])
        with pytest.raises(PsaError, match="models/sub is a folder, expected a file"):
            plan_named(folder.found, models, ["a", "sub"])


def test_a_models_folder_that_is_a_link_is_refused_with_the_real_one_named(models, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(models)
    message = f"{link} is a symbolic link, expected a folder; name the real one: --model-dir {models}"
    with pytest.raises(ConfigError) as raised, opened(Path(f"{link}/")):
        pass
    assert str(raised.value) == message


def test_a_models_folder_that_is_a_file_is_refused_and_a_missing_one_is_empty(tmp_path):
    fill(tmp_path, "file")
    with pytest.raises(ConfigError, match="file is no folder"), opened(tmp_path / "file"):
        pass
    with opened(tmp_path / "missing") as folder:
        assert folder is None


def test_a_folder_swapped_for_a_link_after_it_was_opened_leads_nowhere(models, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    fill(outside, "notes.txt")
    fill(models, "notes.txt", CHECKPOINT)
    with opened(models) as folder:
        plan = plan_all(folder.found, DEFAULT_NAME)
        models.rename(tmp_path / "moved")
        models.symlink_to(outside)
        outcome = folder.remove(plan)
    assert listing(outside) == ["notes.txt"]
    assert listing(tmp_path / "moved") == [CHECKPOINT]
    assert outcome.failures == (f"{models} was moved or replaced meanwhile; run psa clean again",)


def test_a_trainer_that_starts_after_the_check_keeps_its_files_and_the_rest_goes(models):
    fill(models, CHECKPOINT, "notes.txt")
    with opened(models) as folder:
        plan = plan_all(folder.found, DEFAULT_NAME)
        folder.check(plan, is_everything=False)
        with locked(models / CHECKPOINT):
            outcome = folder.remove(plan)
    assert [entry.name for entry in outcome.removed] == ["notes.txt"]
    assert [f"is being trained by process {os.getpid()}" in message for message in outcome.failures] == [True]
    assert (models / CHECKPOINT).exists()


@pytest.mark.parametrize(
    "named", [CHECKPOINT, "mnist_lkg.previous.safetensors", f".{CHECKPOINT}.lock", f".{CHECKPOINT}.tmp"]
)
def test_every_file_of_a_trainer_at_work_is_refused(models, named):
    fill(models, *FAMILY)
    with locked(models / CHECKPOINT), opened(models) as folder:
        plan = plan_named(folder.found, models, [named])
        with pytest.raises(CheckpointError, match=f"is being trained by process {os.getpid()}, so nothing"):
            folder.check(plan, is_everything=False)


def test_a_file_that_vanished_meanwhile_is_no_failure_and_not_reported_as_removed(models):
    fill(models, "a", "b")
    with opened(models) as folder:
        plan = plan_all(folder.found, DEFAULT_NAME)
        (models / "a").unlink()
        outcome = folder.remove(plan)
    assert [entry.name for entry in outcome.removed] == ["b"]
    assert outcome.failures == ()


def test_a_file_that_became_a_folder_meanwhile_is_a_failure_that_names_it(models):
    fill(models, "a", "b")
    with opened(models) as folder:
        plan = plan_all(folder.found, DEFAULT_NAME)
        (models / "a").unlink()
        (models / "a").mkdir()
        outcome = folder.remove(plan)
    assert [entry.name for entry in outcome.removed] == ["b"]
    assert [message.startswith(f"{models}/a: cannot be removed (") for message in outcome.failures] == [True]


@pytest.mark.parametrize(
    "text", ["a.safetensors", "models/a.safetensors", "./models//a.safetensors", "ABSOLUTE/a.safetensors"]
)
def test_a_name_may_have_the_folder_before_it(models, monkeypatch, text):
    monkeypatch.chdir(models.parent)
    assert name_inside(Path("models"), text.replace("ABSOLUTE", str(models))) == "a.safetensors"


OUTSIDE = [
    "", ".", "..", "/", "models/", "models/.", "models/..", "../a", "models/../a", "models/../models/a",
    "models/sub/a", "sub/a", "./a", "a/", "models/a/", "/a", "/etc/passwd", "//models/a", "~/a", "a\0b",
    "\0", "MODELS/a",
]  # fmt: skip


@pytest.mark.parametrize("text", OUTSIDE)
def test_a_name_that_would_lie_elsewhere_is_refused(models, monkeypatch, text):
    monkeypatch.chdir(models.parent)
    with pytest.raises(ConfigError, match="does not name a file in models, so nothing was removed"):
        name_inside(Path("models"), text)


def test_an_absolute_name_is_not_taken_for_one_in_the_working_folder(models, monkeypatch):
    monkeypatch.chdir(models)
    assert name_inside(Path(), "./a") == "a"
    with pytest.raises(ConfigError):
        name_inside(Path(), "/a")


def snapshot(root):
    return {
        path: (path.lstat().st_mode, path.lstat().st_ino, os.readlink(path) if path.is_symlink() else None)
        for path in sorted(root.rglob("*"))
        if root / "models" not in path.parents
    }


words = ["..", ".", "/", "models", "outside", "file", "link", CHECKPOINT, "sub", "\0", "\n", "ROOT", " "]
pieces = st.sampled_from(words)
arguments = st.text() | st.lists(pieces, max_size=8).map("".join) | st.lists(pieces, max_size=6).map("/".join)


@given(texts=st.lists(arguments, max_size=4), everything=st.booleans())
def test_no_argument_changes_anything_outside_the_models_folder(texts, everything):
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        models = root / "models"
        for folder in (models, models / "sub", root / "outside"):
            folder.mkdir()
            fill(folder, "file", CHECKPOINT)
        (models / "link").symlink_to(root / "outside" / "file")
        (models / "outside").symlink_to(root / "outside")
        fill(root, "file", CHECKPOINT)
        before, inside = snapshot(root), snapshot(models / "sub")
        try:
            wanted = [name_inside(models, text.replace("ROOT", str(root))) for text in texts]
            with opened(models) as folder:
                plan = plan_all(folder.found, DEFAULT_NAME) if everything else plan_named(folder.found, models, wanted)
                outcome = folder.remove(plan)
            assert outcome == cleaning.Outcome(plan.entries, ())
        except PsaError:
            assert "file" in listing(models)
        assert snapshot(root) == before
        assert snapshot(models / "sub") == inside


def test_on_a_full_disk_files_go_although_no_lock_file_can_be_made(models, monkeypatch):
    def no_space(file, *, wait):
        raise OSError(errno.ENOSPC, "No space left on device", str(file))

    fill(models, CHECKPOINT)
    monkeypatch.setattr("psa_tui.storage.locks.take_lock", no_space)
    with opened(models) as folder:
        plan = plan_named(folder.found, models, [CHECKPOINT])
        assert folder.remove(plan) == cleaning.Outcome(plan.entries, ())
    assert CHECKPOINT not in listing(models)
