import shutil

import pytest

from psa_tui import load_trials
from psa_tui.analysis.tables import accuracy_data, architecture_data, latex_table, markdown_table
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
    text = markdown_table(load_trials("published"), "accuracy")
    assert r"| 1\*2048 | 1,628,170 | **98.25 ± 0.06** | 98.21 ± 0.04 |" in text
    assert r"| 115\*115 | 1,612,195 | **11.02 ± 0.00** = |" in text
    assert text.count("\n| ") == 99
    assert r"| 1\*2048 | 1,628,170 | matched | beneficial |" in markdown_table(
        load_trials("published"), "architectures"
    )


def test_missing_cells_and_quick_studies_are_marked(make_study):
    trials = load_trials("local", results_dir=make_study(quick=True, left_out=[("8*8", "none", n) for n in (1, 2, 3)]))
    for text in (markdown_table(trials, "accuracy"), latex_table(trials, "accuracy")):
        assert "N/A" in text
        assert "quick, not a reproduction" in text
    assert r"| 8\*8 | 6,874 | matched | N/A |" in markdown_table(trials, "architectures")


def test_latex_takes_a_floating_table_for_a_page_and_a_long_one_for_more(make_study):
    short = latex_table(load_trials("local", results_dir=make_study("a_b")), "accuracy")
    assert r"\begin{table}" in short
    assert r"a\_b" in short
    long = latex_table(load_trials("published"), "accuracy")
    assert r"\begin{longtable}{lrrrrrrr}" in long
    assert r"1$\times$2048 & 1,628,170 & \textbf{98.25}$\,\pm\,$0.06 &" in long


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex with booktabs")
def test_latex_compiles_without_overfull_lines(make_study, tmp_path):
    ours = load_trials("local", results_dir=make_study("a_b", quick=True))
    published = load_trials("published")
    tables = [latex_table(trials, kind) for trials in (ours, published) for kind in ("accuracy", "architectures")]
    page = r"\documentclass{article}\usepackage[margin=2cm]{geometry}\usepackage{booktabs,longtable}\begin{document}"
    (tmp_path / "tables.tex").write_text(
        "\n".join([page, *tables, r"\end{document}"]).replace("\\label{", "%\\label{", 2)
    )
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "tables.tex"]
    done = program.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
    assert (tmp_path / "tables.pdf").stat().st_size > 10_000
