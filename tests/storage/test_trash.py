import errno
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psa_tui.errors import CheckpointError, ConfigError, PsaError
from psa_tui.runs.checkpoint_files import DEFAULT_NAME, find_checkpoint
from psa_tui.runs.clean_parts import check_parts, clean_parts
from psa_tui.runs.status import count_trash, list_checkpoints
from psa_tui.storage.cleaning import opened
from psa_tui.storage.locks import locked
from psa_tui.storage.trash import TRASH, bring_back, delete, in_trash, last_in_trash, move_to_trash

PREVIOUS = "mnist_lkg.previous.safetensors"


@pytest.fixture
def models(tmp_path):
    """A models folder with a bare run and two with names, one of which has a file of somebody else's."""
    folder = tmp_path / "models"
    fill(folder, DEFAULT_NAME, PREVIOUS, f".{DEFAULT_NAME}.lock", "notes.txt", ".gitignore")
    fill(folder / "wide", DEFAULT_NAME, PREVIOUS)
    fill(folder / "deep", DEFAULT_NAME, "thesis.tex")
    fill(folder / "letters", "letter")
    return folder


def fill(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text(f"{folder.name}/{name}")


def contents(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def clean(folder, run=None, *files, everything=False, purge=False):
    with ExitStack() as stack:
        models = stack.enter_context(opened(folder))
        parts = clean_parts(models, run, list(files), everything=everything, stack=stack)
        check_parts(parts, everything=everything)
        report = (delete if purge else move_to_trash)(models, parts)
    assert report.failures == []
    return [str((place / entry.name).relative_to(folder)) for place, entry in report.done]


def undo(folder):
    with opened(folder) as models, last_in_trash(models, folder) as parts:
        return bring_back(parts)


def test_what_was_cleaned_comes_back_as_it_was_and_no_trash_is_left(models):
    before = contents(models)
    gone = clean(models)
    assert gone == [DEFAULT_NAME, PREVIOUS, f".{DEFAULT_NAME}.lock"]
    assert not any((models / name).exists() for name in gone)
    (moved,) = (models / TRASH).iterdir()
    assert sorted(os.listdir(moved)) == [PREVIOUS, DEFAULT_NAME]
    report = undo(models)
    assert ([entry.name for _, entry in report.done], report.failures) == ([PREVIOUS, DEFAULT_NAME], [])
    del before[f".{DEFAULT_NAME}.lock"]
    assert contents(models) == before
    assert not (models / TRASH).exists()


def test_everything_is_every_file_and_the_checkpoints_of_runs_with_names_whose_empty_folders_go(models):
    before = contents(models)
    clean(models, everything=True)
    assert sorted(os.listdir(models)) == [".gitignore", TRASH, "deep", "letters"]
    assert os.listdir(models / "deep") == ["thesis.tex"]
    undo(models)
    assert contents(models) == {name: text for name, text in before.items() if not name.endswith(".lock")}


def test_one_run_goes_alone_and_each_undo_brings_back_what_went_last(models):
    before = contents(models)
    assert clean(models, "wide") == [f"wide/{DEFAULT_NAME}", f"wide/{PREVIOUS}"]
    assert not (models / "wide").exists()
    assert clean(models, "deep", "thesis.tex") == ["deep/thesis.tex"]
    undo(models)
    assert (models / "deep" / "thesis.tex").exists()
    assert not (models / "wide").exists()
    undo(models)
    assert contents(models) == before
    with pytest.raises(PsaError, match="nothing is in the trash of "):
        undo(models)


def test_nothing_comes_back_over_what_is_there_by_now_or_beside_a_trainer(models):
    clean(models, everything=True)
    fill(models / "wide", PREVIOUS)
    (models / "wide" / PREVIOUS).write_text("newer")
    before = contents(models)
    with pytest.raises(PsaError, match=f"wide/{PREVIOUS} is there, so nothing was brought back; move it away first"):
        undo(models)
    assert contents(models) == before
    (models / "wide" / PREVIOUS).unlink()
    with locked(models / DEFAULT_NAME), pytest.raises(CheckpointError, match="so nothing was brought back"):
        undo(models)
    assert undo(models).failures == []


def test_a_purge_deletes_what_it_names_and_all_that_is_in_the_trash(models):
    clean(models, "wide")
    clean(models)
    (batch, *_) = sorted(os.listdir(models / TRASH))
    assert clean(models, None, "notes.txt", purge=True)[:2] == ["notes.txt", f"{TRASH}/{batch}/wide/{PREVIOUS}"]
    assert contents(models).keys() == {".gitignore", f"deep/{DEFAULT_NAME}", "deep/thesis.tex", "letters/letter"}
    assert not (models / TRASH).exists()


def test_what_is_in_the_trash_is_no_checkpoint_and_no_run(models):
    for _ in range(2):
        clean(models, everything=True)
        fill(models, DEFAULT_NAME)
    (models / DEFAULT_NAME).unlink()
    assert list_checkpoints(models) == []
    assert find_checkpoint(models) == models / DEFAULT_NAME
    with opened(models) as folder:
        assert count_trash(models) == (len(in_trash(folder)), sum(entry.size_bytes for _, entry in in_trash(folder)))
    assert count_trash(models)[0] == 7


def test_a_trash_that_is_a_link_takes_nothing_and_leads_nowhere(models, tmp_path):
    outside = tmp_path / "outside"
    fill(outside / ".", "diary")
    (models / TRASH).symlink_to(outside)
    before = contents(models)
    with pytest.raises(PsaError, match=r"\.trash: cannot be used .* so nothing was removed; --purge deletes"):
        clean(models)
    with pytest.raises(PsaError, match=r"\.trash: cannot be read"):
        undo(models)
    assert contents(models) == before
    with opened(models) as folder, ExitStack() as stack:
        parts = clean_parts(folder, None, [], everything=False, stack=stack)
        assert [
            message.startswith(f"{models}/{TRASH}: cannot be deleted") for message in delete(folder, parts).failures
        ]
    assert contents(outside) == {"diary": "outside/diary"}


def test_links_in_the_trash_are_moved_and_deleted_as_links(models, tmp_path):
    fill(tmp_path / "outside", "diary")
    (models / "link").symlink_to(tmp_path / "outside")
    (models / "wide" / "to_file").symlink_to(tmp_path / "outside" / "diary")
    clean(models, everything=True)
    undo(models)
    assert (models / "link").is_symlink()
    clean(models, "wide", everything=True)
    clean(models, everything=True, purge=True)
    assert contents(tmp_path / "outside") == {"diary": "outside/diary"}


def test_a_named_run_whose_folder_is_a_link_is_not_cleaned(models, tmp_path):
    fill(tmp_path / "outside", DEFAULT_NAME)
    (models / "away").symlink_to(tmp_path / "outside")
    with pytest.raises(ConfigError, match="away is a symbolic link"):
        clean(models, "away")
    clean(models, everything=True)
    assert (tmp_path / "outside" / DEFAULT_NAME).exists()
    undo(models)
    assert (models / "away").is_symlink()


def test_on_a_full_disk_nothing_goes_unless_it_is_deleted(models, monkeypatch):
    def no_space(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = contents(models)
    monkeypatch.setattr(os, "mkdir", no_space)
    with pytest.raises(PsaError, match=r"\.trash: cannot be used \(No space left on device\).*--purge deletes"):
        clean(models)
    assert contents(models) == before
    assert DEFAULT_NAME in clean(models, purge=True)


def test_an_empty_folder_that_a_kill_left_in_the_trash_is_passed_over(models):
    clean(models, "wide")
    (models / TRASH / "99990101-000000-000000").mkdir()
    assert [entry.name for _, entry in undo(models).done] == [PREVIOUS, DEFAULT_NAME]
    assert not (models / TRASH).exists()


def test_a_folder_of_nothing_but_runs_with_names_may_be_emptied_and_one_of_other_files_not(tmp_path):
    fill(tmp_path / "models")
    fill(tmp_path / "models" / "wide", DEFAULT_NAME)
    assert clean(tmp_path / "models", everything=True) == [f"wide/{DEFAULT_NAME}"]
    fill(tmp_path / "thesis", "thesis.tex")
    fill(tmp_path / "thesis" / "figures", "one.svg")
    with pytest.raises(ConfigError, match="holds no checkpoint, so it is not emptied"):
        clean(tmp_path / "thesis", everything=True)


file_names = st.sampled_from([DEFAULT_NAME, PREVIOUS, "a.safetensors", "notes.txt", "a\nb", f".{DEFAULT_NAME}.tmp"])
folders = st.dictionaries(st.sampled_from(["wide", "deep", "run.1"]), st.sets(file_names), max_size=3)


@settings(max_examples=30)
@given(bare=st.sets(file_names), runs=folders, cleans=st.integers(1, 3))
def test_as_many_undos_as_cleans_restore_every_file(bare, runs, cleans):
    with tempfile.TemporaryDirectory() as name:
        models = Path(name).resolve() / "models"
        fill(models, *bare, DEFAULT_NAME)
        for run, files in runs.items():
            fill(models / run, *files)
        before = contents(models)
        wanted = [run for run in [*runs, None][:cleans] if contents(models / (run or ""))]
        gone = [run for run in wanted if clean(models, run, everything=DEFAULT_NAME in runs.get(run, ()))]
        for _ in gone:
            assert undo(models).failures == []
        assert contents(models) == before
        assert not (models / TRASH).exists()
