import re

import pytest

from psa_tui.views.column_widths import folded, layout_of
from psa_tui.views.tables import print_names, print_table

MODE = "output+effect=reinit+promote=patience:5"
HEADS = "shape", "mode", "n", "mean", "test diff"
ROWS = ("[4*4,2*8]", "none", "4/4", "81.85", "-12.70"), ("8*8", MODE, "4/4", "7.10", "+0.00")


@pytest.fixture
def printed(monkeypatch, capsys):
    """Print by a function in a terminal of some columns, and return its lines and what stderr got."""

    def run(columns, do, *arguments, **options):
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        do(*arguments, **options)
        said = capsys.readouterr()
        return re.sub(r"\x1b\[\d*m", "", said.out).rstrip("\n").split("\n"), said.err

    return run


def test_a_mode_is_folded_before_its_axes_and_between_the_parts_of_one_only_where_it_must():
    assert folded(MODE, 20).split("\n") == ["output+effect=reinit", "+promote=patience:5"]
    assert folded(MODE, 14).split("\n") == ["output", "+effect=reinit", "+promote=", "patience:5"]
    assert folded("PSA_OPTIMIZER_STATE", 14) == "PSA_OPTIMIZER_\nSTATE"
    assert folded("test diff", 5) == "test\ndiff"
    assert folded(MODE, 40) == MODE
    assert folded("", 5) == ""


@pytest.mark.parametrize("columns", [40, 48, 60, 80])
def test_in_a_narrow_terminal_words_are_folded_and_numbers_never(printed, columns):
    lines, said = printed(columns, print_table, HEADS, ROWS, 2)
    assert all(len(line) <= columns for line in lines)
    text = " ".join(lines).split()
    assert {"81.85", "7.10", "[4*4,2*8]", "4/4"} <= set(text)
    assert ("-12.70" in text) is ("test diff" not in said)
    assert "".join(part for part in text[text.index("8*8") :] if part in MODE) == MODE


def test_what_has_no_room_is_named_and_what_one_can_spare_goes_without_a_word(printed):
    lines, said = printed(40, print_table, HEADS, ROWS, 2)
    assert lines[0].split() == ["shape", "mode", "n", "mean"]
    assert said == "psa: no room here for test diff; a wider terminal or a pipe has all columns\n"
    lines, said = printed(40, print_names, HEADS, ROWS, ("n", "mean"))
    words = " ".join(lines).split()
    assert "n" not in words
    assert "4/4" not in words
    assert {"mean", "81.85", "-12.70"} <= set(words)
    assert said == ""


def test_names_to_be_copied_are_whole_even_where_nothing_fits(printed):
    name = "a-run-with-a-long-name/mnist_lkg.safetensors"
    lines, _ = printed(40, print_names, ("checkpoint", "mode"), [(name, MODE)], ("mode",))
    assert lines[1].strip() == name


def test_in_wide_room_nothing_changes():
    layout = layout_of(HEADS, ROWS, 240, first_number=2)
    assert layout.places == [0, 1, 2, 3, 4]
    assert layout.widths == [9, len(MODE), 3, 5, 9]


def test_where_nothing_is_left_to_be_spared_a_mode_is_folded_narrower_before_a_number_is_broken():
    name, mode = "x" * 40, "output+effect=reinit"
    layout = layout_of(["checkpoint", "modes", "bounty"], [[name, mode, "78.15 %"]], 61, spare=(), whole=True)
    assert layout.widths == [40, 11, 7]
    assert sum(layout.widths) + 3 == 61
