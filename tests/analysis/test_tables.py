import shutil

import numpy as np
import pytest

from psa_tui import load_meta_loops, load_trials
from psa_tui.analysis.chance import chance_table
from psa_tui.analysis.chance_text import chance_text
from psa_tui.analysis.comparison import compare_regimes, compare_sources, compare_with_control, pooled_sources
from psa_tui.analysis.comparison_text import control_text, sources_text
from psa_tui.analysis.contrasts import contrast_table, placebo_table
from psa_tui.analysis.contrasts_text import contrasts_text
from psa_tui.analysis.design.methods import methods
from psa_tui.analysis.design.methods_text import methods_latex
from psa_tui.analysis.endpoints import accuracy, escape
from psa_tui.analysis.escape_times import escape_times, survival_curves, survival_table
from psa_tui.analysis.escape_times_text import survival_text
from psa_tui.analysis.profiles import aggregate_table, profile_table, samples
from psa_tui.analysis.profiles_text import profiles_text
from psa_tui.analysis.tables import accuracy_data, architecture_data, as_latex, as_markdown
from psa_tui.analysis.text_tables import TextTable, about
from psa_tui.analysis.typeset import latex, markdown
from tests import program


def test_deep_and_narrow_shapes_are_asymmetric():
    table = architecture_data(load_trials("published")).set_index("architecture")["matching"]
    assert table[["17*4", "2048*1", "2*1", "8*2"]].eq("asymmetric").all()
    assert table[["1*1", "4*4", "5*5", "2*4", "18*18", "1*2"]].eq("matched").all()
    assert table.eq("asymmetric").sum() == 30


def test_the_best_mean_is_marked_and_ties_share_the_mark():
    table = accuracy_data(load_trials("published")).set_index(["architecture", "mode"])
    assert table.loc["1*2048"]["best"].tolist() == [True, False, False, False, False, False]
    assert not table.loc["1*2048"]["tied"].any()
    assert table.loc["115*115"]["tied"].all()
    for _, shape in table.groupby("architecture"):
        assert shape.loc[shape["best"], "mean_pct"].eq(shape["mean_pct"].max()).all()
        assert shape["tied"].any() == (shape["best"].sum() > 1)


def test_markdown_has_a_row_a_shape_with_std_and_marks():
    text = as_markdown(load_trials("published"), "accuracy")
    assert r"| 1\*2048 | 1,628,170 | **98.25 ± 0.06** | 98.21 ± 0.04 |" in text
    assert r"| 115\*115 | 1,612,195 | **11.02 ± 0.00** = |" in text
    assert text.count("\n| ") == 99
    assert r"| 1\*2048 | 1,628,170 | matched | beneficial |" in as_markdown(load_trials("published"), "architectures")


def test_missing_cells_and_quick_studies_are_marked(make_study):
    trials = load_trials("local", results_dir=make_study(quick=True, left_out=[("8*8", "none", n) for n in (1, 2, 3)]))
    for text in (as_markdown(trials, "accuracy"), as_latex(trials, "accuracy")):
        assert "N/A" in text
        assert "quick, not a reproduction" in text
    assert r"| 8\*8 | 6,874 | matched | N/A |" in as_markdown(trials, "architectures")


def test_latex_takes_a_floating_table_for_a_page_and_a_long_one_for_more(make_study):
    short = as_latex(load_trials("local", results_dir=make_study("a_b")), "accuracy")
    assert r"\begin{table}" in short
    assert r"a\_b" in short
    long = as_latex(load_trials("published"), "accuracy")
    assert r"\begin{longtable}{lrrrrrrr}" in long
    assert r"1$\times$2048 & 1,628,170 & \textbf{98.25}$\,\pm\,$0.06 &" in long


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex with booktabs")
def test_latex_compiles_without_overfull_lines(make_study, tmp_path):
    folder = make_study("a_b", quick=True, further=("sham",), trials=4)
    ours, loops = load_trials("local", results_dir=folder), load_meta_loops("local", results_dir=folder)
    ours.attrs["study"] = HOSTILE
    published = load_trials("published")
    tables = [as_latex(trials, kind) for trials in (ours, published) for kind in ("accuracy", "architectures")]
    tables[:2] = [table.replace("psa-", "psa-ours-") for table in tables[:2]]
    tables += [latex(text, f"t{number}") for number, text in enumerate(every_text(ours, published, loops))]
    tables.append(methods_latex(methods(ours, folder)))
    page = r"\documentclass{article}\usepackage[margin=2cm]{geometry}\usepackage{booktabs,longtable}\begin{document}"
    (tmp_path / "tables.tex").write_text("\n\\clearpage\n".join([page, *tables, r"\end{document}"]))
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "tables.tex"]
    done = program.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
    assert "multiply defined" not in done.stdout
    assert (tmp_path / "tables.pdf").stat().st_size > 10_000


HOSTILE = r"\input{/etc/passwd} $x_1^2$ %#&~`--` <b>|*[a](b)" + "\x1b[31m\n\u65e5\u00e9"


def every_text(ours, published, loops):
    """What the commands print that can be written for a paper."""
    endpoint = accuracy(ours)
    yield contrasts_text(contrast_table(ours, endpoint), endpoint, 0.02, by_shape=True)
    up = escape(ours, 0.26)
    yield contrasts_text(contrast_table(ours, up), up, 0.02, by_shape=True)
    yield control_text(ours, compare_with_control(ours))
    both = compare_sources(ours, published), compare_regimes(ours, published), pooled_sources(ours, published)
    yield sources_text(ours, published, *both, 0.02)
    yield [about(ours), *chance_text(chance_table(placebo_table(published, accuracy(published))), None, endpoint)]
    times = escape_times(loops, 0.26)
    yield survival_text(survival_table(times), survival_curves(times), 0.26, 2, 12)
    found = samples(ours, endpoint.values)
    yield profiles_text(aggregate_table(found), profile_table(found, np.arange(1, 10) / 10), endpoint)


def test_names_from_outside_are_text_in_a_paper():
    table = TextTable(["shape", "p"], [["8*8", "-0.5"], [HOSTILE, "<.001"]])
    found = latex(["what|it is", table], "x")
    assert r"8$\times$8 & $-$0.5 \\" in found
    assert r"\textbackslash{}input\{/etc/passwd\} \$x\_1\textasciicircum{}2\$ \%\#\&\textasciitilde{}" in found
    assert r"-{}-" in found
    assert r"\texttt{U+65E5}é & $<$.001 \\" in found
    assert "\x1b" not in found
    assert r"\caption{What$|$it is.}\label{tab:psa-x-1}" in found
    row = markdown([table]).splitlines()[3]
    assert row.count("|") - row.count(r"\|") == 3
    assert r"\<b\>\|\*\[a\](b)" in row


def test_text_that_stands_apart_from_a_table_is_no_caption():
    table = TextTable(["mode", "n"], [["none", "1"]], about="accuracy")
    found = latex(["what it is", "", "first", "second.", table, "after"], "x")
    assert found.index("what it is\n") < found.index(r"\caption{Accuracy. First. Second.}") < found.index("after")
    assert "| mode | n |\n| --- | ---: |\n| none | 1 |\n" in markdown(["what it is", table])
