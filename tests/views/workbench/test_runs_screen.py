from dataclasses import replace

import pytest
from textual.events import MouseScrollUp

from psa_tui.storage.labels import Labels
from psa_tui.views.workbench import app as application
from tests.views.workbench.conftest import RUNS, add_run

pytestmark = pytest.mark.slow

NEWEST = "20260101-000004-dddd"
SIZES = ((60, 15), (80, 24), (140, 45), (200, 60))


def column(eyes, heading):
    """The cells of the first five rows under a heading."""
    head = next(line for line in eyes.lines if "name" in line and "state" in line)
    row, start, end = eyes.lines.index(head), head.index(heading), head.index(heading) + len(heading)
    lines = eyes.lines[row + 1 : row + 6]
    if "%" in heading:
        return [line[: end + 2].split()[-1] for line in lines]
    return [line[start:].split("  ")[0].strip() for line in lines]


def test_home_and_end_go_to_the_first_and_the_last_row(folder, sit):
    async def acts(eyes):
        await eyes.see("4 runs", "1 study", NEWEST)
        table = eyes.app.screen.table
        await eyes.press("end")
        assert table.cursor_row == len(table.shown) - 1 > 0
        await eyes.press("home")
        assert table.cursor_row == 0

    sit(acts)


def test_runs_and_studies_stand_in_one_table_the_newest_first(folder, sit):
    async def acts(eyes):
        await eyes.see("4 runs", "1 study", "plane", NEWEST)
        assert column(eyes, "name") == ["plane", *sorted(RUNS, reverse=True)]
        assert column(eyes, "state")[:2] == ["✗ failed", "✓ finished"]
        assert column(eyes, "mode") == ["2 modes", "full", "output", "output", "none"]
        assert column(eyes, "best %") == ["91.20", "90.00", "52.00", "45.00", "70.00"]
        await eyes.see("$ psa study status plane")
        await eyes.press("down")
        await eyes.see(f"$ psa results show {NEWEST}")

    sit(acts)


def test_a_filter_is_applied_while_one_types_and_taken_away_by_escape(folder, sit):
    async def acts(eyes):
        await eyes.see(NEWEST)
        await eyes.press("slash")
        await eyes.write("mode:output lr:0.01")
        await eyes.see("2 of 5 fit", "cccc", "bbbb")
        assert "dddd" not in eyes.text
        await eyes.press("down", "down", "enter")
        await eyes.see("20260101-000002-bbbb", "2 promoted")
        await eyes.press("w")
        await eyes.see("what helps, what harms", "$ psa results ablations 20260101-000002-bbbb")
        await eyes.press("escape")
        await eyes.press("escape", "escape")
        await eyes.see("plane", NEWEST)
        assert "fit" not in eyes.lines[0]

    sit(acts)


def test_a_click_on_a_heading_sorts_and_another_turns_it_round(folder, sit):
    async def acts(eyes):
        await eyes.see(NEWEST)
        await eyes.click("best %")
        await eyes.see("best % ▼")
        assert column(eyes, "best %") == ["91.20", "90.00", "70.00", "52.00", "45.00"]
        await eyes.click("best %")
        await eyes.see("best % ▲")
        assert column(eyes, "best %") == ["45.00", "52.00", "70.00", "90.00", "91.20"]

    sit(acts)


def test_the_cursor_stays_on_its_run_when_another_run_begins(folder, sit, build):
    async def acts(eyes):
        await eyes.see(NEWEST)
        await eyes.press("down", "down")
        await eyes.see("$ psa results show 20260101-000003-cccc")
        add_run(build, folder, "20260101-000005-eeee", *RUNS[NEWEST])
        await eyes.see("5 runs", "20260101-000005-eeee")
        await eyes.see("$ psa results show 20260101-000003-cccc")

    sit(acts)


@pytest.mark.parametrize("size", SIZES)
def test_at_every_size_names_are_whole_and_the_ways_to_help_and_out_are_shown(folder, sit, size):
    async def acts(eyes):
        await eyes.see("plane", *RUNS, "? help", "q quit", "$ psa study status plane")
        assert all(len(line) <= size[0] for line in eyes.lines)
        if size[0] >= 100:
            await eyes.press("down")
            await eyes.see("test accuracy 90.00 %", "rolled back", "$ psa results follow", "LKG", "│")

    sit(acts, size)


def test_two_marked_runs_are_compared_and_several_laid_over_one_another_by_setting(folder, sit):
    async def acts(eyes):
        await eyes.see(NEWEST)
        await eyes.press("d")
        await eyes.see("mark two runs")
        await eyes.press("down", "down", "space", "space")
        await eyes.see("2 marked", "◆", "$ psa results diff 20260101-000003-cccc 20260101-000002-bbbb")
        await eyes.press("d")
        await eyes.see("settings that differ", "seed", "bounty", "(-7.00 points)")
        await eyes.press("escape", "space", "o")
        await eyes.see("3 runs", "2 settings", "2 runs", "48.50 %", "[2*8] output, lr 0.01")
        await eyes.press("g")
        await eyes.see("3 settings", "20260101-000001-aaaa")
        await eyes.press("escape", "home", "space", "o")
        await eyes.see("3 runs  2 settings  1 study left out")
        await eyes.press("escape", "p")
        await eyes.see("parallel coordinates  3 runs  1 left out")

    sit(acts)


def test_help_and_the_list_of_commands_name_every_action_with_its_command_line(folder, sit):
    async def acts(eyes):
        await eyes.see(NEWEST)
        await eyes.press("down")
        await eyes.click("? help")
        await eyes.see("Overlay the marked runs", "Delete: move the run's checkpoint, or the study")
        await eyes.press("escape", "ctrl+p")
        await eyes.write("resume")
        await eyes.see("Resume: go on with the run", f"$ psa resume --model-dir models/{NEWEST}")

    sit(acts, (140, 45))


def test_a_command_is_run_in_the_terminal_of_the_workbench(folder, sit, monkeypatch):
    ran = []
    monkeypatch.setattr(application.Workbench, "leave_for", lambda self, words, wait=True: ran.append((words, wait)))
    monkeypatch.setattr(application.Workbench, "_holds_checkpoint", lambda *_: True)

    async def acts(eyes):
        await eyes.see(NEWEST)
        await eyes.press("r", "down", "f", "r")
        await eyes.see("has all its 4 meta-loops")
        await eyes.press("enter")

    sit(acts)
    home = ["--model-dir", f"models/{NEWEST}"]
    assert ran == [
        (["study", "run", "plane"], True),
        (["results", "follow", NEWEST], False),
        (["resume", *home, "--meta-loops", "4"], True),
    ]


def test_a_run_whose_checkpoint_is_no_good_is_neither_resumed_nor_deleted(folder, sit, monkeypatch, checkpoint):
    from psa_tui.storage.checkpoint import write_checkpoint

    monkeypatch.setattr(application.Workbench, "leave_for", lambda *_: pytest.fail("it was"))
    monkeypatch.setattr(application.Workbench, "run_beside", lambda *_: pytest.fail("it was"))
    place = f"models/{NEWEST}/mnist_lkg.safetensors"

    async def acts(eyes):
        async def tries(*said):
            for action in "rx":
                eyes.app.clear_notifications()
                await eyes.press(action)
                await eyes.see(*said)

        await eyes.see(NEWEST)
        await eyes.press("down")
        await tries("is gone", place, "u brings back")
        (folder / place).parent.mkdir(parents=True)
        (folder / place).write_text("what a user has")
        await tries(place, "damaged or not", "it away")
        write_checkpoint(folder / place, checkpoint)
        await tries("another", place)

    sit(acts)


def test_a_run_that_has_a_name_tags_and_a_note_is_shown_and_found_by_them(folder, sit, build):
    labels = Labels(name="thin", tags=("keep", "[red]"), note="why [b]not[/b]")
    add_run(build, folder, "20260101-000009-9999", *RUNS[NEWEST], labels=labels)

    async def acts(eyes):
        await eyes.see("5 runs", "thin", "keep [red]", "why [b]not[/b]", "tags", "note")
        await eyes.press("slash")
        await eyes.write("tag:keep")
        await eyes.see("1 of 6 fit", "$ psa results show thin", "$ psa resume --name thin")
        await eyes.see("$ psa clean --name thin")
        await eyes.press("enter", "e")
        await eyes.see("Label thin", "nothing changes")
        await eyes.press("shift+tab", "end", "2")
        await eyes.see("$ psa results label --name thin2 thin")
        await eyes.press("backspace", "tab", "end", *["backspace"] * 5)
        await eyes.write("new")
        await eyes.see("$ psa results label --tag new --untag '[red]' thin")
        await eyes.press("enter")
        await eyes.see("keep new", "tags keep new; note why [b]not[/b]")

    sit(acts, (200, 40))


def test_a_deleted_checkpoint_is_brought_back_by_undo(folder, sit, checkpoint):
    from psa_tui.storage.checkpoint import write_checkpoint

    file = folder / "models" / NEWEST / "mnist_lkg.safetensors"
    file.parent.mkdir(parents=True)
    write_checkpoint(file, replace(checkpoint, record=replace(checkpoint.record, run=NEWEST)))

    async def acts(eyes):
        await eyes.see(NEWEST)
        await eyes.press("down", "x")
        await eyes.see("1 file", "moved")
        assert not file.exists()
        await eyes.press("u")
        await eyes.see("1 file", "brought", "back")
        assert file.exists()

    sit(acts)


def test_a_deleted_study_leaves_the_table_and_is_brought_back_by_undo(folder, sit):
    async def acts(eyes):
        await eyes.see("1 study", "plane", "$ psa study delete plane")
        await eyes.press("x")
        await eyes.see("moved to results/.trash", "0 studies")
        assert eyes.app.undo_words() == ["study", "delete", "--undo"]
        await eyes.press("u")
        await eyes.see("brought back", "1 study")
        assert eyes.app.undo_words() == ["clean", "--undo"]

    sit(acts, (140, 30))


def test_what_could_not_be_deleted_is_not_what_undo_brings_back(folder, sit, checkpoint):
    from psa_tui.storage.checkpoint import write_checkpoint
    from psa_tui.storage.locks import locked

    file = folder / "models" / NEWEST / "mnist_lkg.safetensors"
    file.parent.mkdir(parents=True)
    write_checkpoint(file, replace(checkpoint, record=replace(checkpoint.record, run=NEWEST)))

    async def acts(eyes):
        await eyes.see(NEWEST)
        with locked(file):
            await eyes.press("down", "x")
            await eyes.see("being trained", "nothing was")
        assert file.exists()
        assert eyes.app.deletions == []
        await eyes.press("x")
        await eyes.see("trash")
        assert len(eyes.app.deletions) == 1

    sit(acts)


def test_an_empty_folder_says_how_to_begin_and_makes_nothing(tmp_path, sit, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def acts(eyes):
        await eyes.see("no run and no study here yet: n begins one")

    sit(acts)
    assert list(tmp_path.iterdir()) == []


def test_a_history_that_cannot_be_read_is_said_in_the_heading(tmp_path, sit, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "history.sqlite").write_text("no database at all, but long enough to look like a file")

    async def acts(eyes):
        await eyes.see("results/history.sqlite", "not a database", "move it away", "n new")

    sit(acts, (60, 15))


def test_the_list_of_commands_runs_what_belongs_to_the_application_or_a_table_too(folder, sit):
    async def acts(eyes):
        await eyes.see(NEWEST)
        before = eyes.app.theme
        await eyes.press("ctrl+p")
        await eyes.write("light or")
        await eyes.see("Light or dark")
        await eyes.press("enter")
        await eyes.see("4 runs")
        await eyes.pilot.pause()
        assert eyes.app.theme != before
        await eyes.press("down", "ctrl+p")
        await eyes.write("open")
        await eyes.see("Open")
        await eyes.press("enter")
        await eyes.see("rolled back", "facts/loops")

    sit(acts)


def test_a_click_on_the_curve_reads_out_its_loop_and_the_wheel_zooms(folder, sit, build):
    add_run(build, folder, "20260103-000001-aaaa", "[2*8]", "none", 1e-3, 1, tuple(range(100, 140)))

    async def acts(eyes):
        await eyes.see("20260103")
        await eyes.press("slash", *"20260103", "enter", "enter")
        await eyes.see("40 promoted")
        row = next(number for number, line in enumerate(eyes.lines) if "▲" in line)
        await eyes.pilot.click(offset=(2, row))
        await eyes.see("loop 1:")
        await eyes.pilot.click(offset=(eyes.app.size.width - 12, row))
        await eyes.see("loop 40:")
        # As the terminal tells it.
        eyes.app.post_message(MouseScrollUp(None, 20, row, 0, 0, 0, False, False, False, 20, row))
        await eyes.see("  25  ")

    sit(acts)
