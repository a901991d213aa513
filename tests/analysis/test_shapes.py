"""Shapes that are no depth*width: several widths, another family, another data set."""

import math

import pytest

from psa_tui import load_meta_loops, load_trials
from psa_tui.analysis.comparison import compare_regimes, compare_sources, compare_with_control, pooled_sources
from psa_tui.analysis.comparison_text import control_text, sources_text
from psa_tui.analysis.export import data_bytes, marked
from psa_tui.analysis.regimes import bootstrap, classify, explain
from psa_tui.analysis.shapes import Size, count_text, size_of, split_shapes
from psa_tui.analysis.summary import cell_statistics, notices, summary_markdown, trials_markdown
from psa_tui.analysis.tables import architecture_data, as_latex, as_markdown
from psa_tui.errors import ConfigError, DataError

pytestmark = pytest.mark.slow

ODD = ("b3-c16", "8*8|x", "[[", "", "999999999999*999999999999")


@pytest.fixture
def mixed(make_study):
    """A study whose shapes have several widths, beside square ones."""
    return make_study(shapes=("8*8", "[4*4,2*8]", "[1*4,1*8]"))


@pytest.fixture
def foreign(make_study):
    """A study of a family that is not installed here."""
    return make_study("foreign", shapes=("b3-c16", "3*16"), network="residual")


def test_sizes_are_those_of_the_network():
    assert size_of("18*18", "mnist", "mlp") == Size(18, 18, 20_134)
    assert size_of("[4*4,2*8]", None, "mlp") == Size(6, 32 / 6, 3140 + 3 * 20 + 40 + 72 + 90)
    assert size_of("3*16", "mnist", "residual", recorded=77) == Size(parameters=77)


@pytest.mark.parametrize("text", ODD)
def test_a_text_that_describes_no_network_here_keeps_what_was_recorded(text):
    assert size_of(text, "mnist", "mlp", recorded=5) == Size(parameters=5)
    assert size_of(text, "mnist", "mlp") == Size()


def test_parameters_of_an_unknown_data_set_are_the_recorded_ones():
    assert size_of("8*8", "private", "mlp", recorded=9) == Size(8, 8, 9)
    assert size_of("8*8", "private", "mlp") == Size(8, 8, None)
    assert count_text(None) == count_text(math.nan) == "N/A"


def test_lists_of_shapes_are_divided_outside_brackets():
    assert split_shapes("8*8, [4*4,2*8],18*18") == ["8*8", "[4*4,2*8]", "18*18"]


def test_shapes_of_several_widths_have_their_mean_width_in_every_table(mixed):
    trials = load_trials("local", results_dir=mixed)
    sizes = trials.drop_duplicates("architecture").set_index("architecture")
    assert sizes["depth"].tolist() == [8, 6, 2]
    assert sizes["width"].tolist() == [8, pytest.approx(16 / 3), 6]
    assert sizes["parameters"].tolist() == [6874, 3402, 3270]
    assert "Results Shape {[4*4,2*8]} Parameters {3402}" in summary_markdown(trials)
    assert r"| \[4\*4,2\*8\] | 3,402 | matched | " in as_markdown(trials, "architectures")
    assert classify(trials)["regime"].notna().all()
    assert explain(trials, "[4*4, 2*8]")[0].startswith("[4*4,2*8] (3,402 parameters)")
    assert bootstrap(trials).equals(bootstrap(trials))


@pytest.mark.parametrize("name", ["mixed", "foreign"])
def test_every_table_and_comparison_has_every_shape(request, name):
    trials = load_trials("local", results_dir=request.getfixturevalue(name))
    names = list(dict.fromkeys(trials["architecture"]))
    for table in (cell_statistics(trials), classify(trials), bootstrap(trials, 100), architecture_data(trials)):
        assert list(dict.fromkeys(table["architecture"])) == names
    assert list(dict.fromkeys(compare_with_control(trials)["architecture"])) == names
    published = load_trials("published")
    cells = compare_sources(trials, published)
    assert names == [shape for shape in dict.fromkeys(cells["architecture"]) if shape in names]
    pooled = pooled_sources(trials, published)
    lines = [*sources_text(trials, published, cells, compare_regimes(trials, published), pooled, 0.02)]
    lines += control_text(trials, compare_with_control(trials))
    assert lines
    for kind in ("accuracy", "architectures"):
        assert as_markdown(trials, kind).count("\n| ") == len(names) + 1
        assert as_latex(trials, kind)
    assert trials_markdown(trials).count("### Architecture") == len(names)


def test_what_cannot_be_known_of_a_foreign_shape_is_not_made_up(foreign):
    trials = load_trials("local", results_dir=foreign)
    assert trials["depth"].isna().all()
    assert trials["width"].isna().all()
    assert trials["parameters"].eq(12_345).all()
    assert "Results Shape {3*16} Parameters {12345}" in summary_markdown(trials)
    assert r"| 3\*16 | 12,345 | N/A | " in as_markdown(trials, "architectures")
    assert "network residual (published: mlp)" in notices(trials)[0]
    with pytest.raises(ConfigError, match="has no trials of it"):
        explain(trials, "8*8")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("name", ["mixed", "foreign"])
def test_exported_shapes_read_back_as_they_were(request, tmp_path, name, suffix):
    folder = request.getfixturevalue(name)
    for load in (load_trials, load_meta_loops):
        table = load("local", results_dir=folder)
        path = tmp_path / f"{load.__name__}{suffix}"
        path.write_bytes(data_bytes(marked(table, table), suffix))
        again = load(path)
        assert again["architecture"].tolist() == table["architecture"].tolist()
        assert again.attrs.get("network") == table.attrs.get("network")
        if load is load_trials:
            assert again["parameters"].tolist() == table["parameters"].tolist()


def test_a_foreign_shape_of_a_file_is_one_printable_word(tmp_path):
    path = tmp_path / "trials.csv"
    path.write_text("network,architecture,mode,trial,best_validation_accuracy\nresidual,a b,none,1,0.5\n")
    with pytest.raises(DataError, match="'a b', expected an architecture of network residual"):
        load_trials(path)
