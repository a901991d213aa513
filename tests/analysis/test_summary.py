import re

from psa_tui import load_trials
from psa_tui.analysis.sources import load_published_cost, load_published_summary
from psa_tui.analysis.summary import cell_statistics, missing_cells, notices, summary_markdown, trials_markdown

LINE = re.compile(r"\* (\w+): Mean=(.+)% \| Std=(.+)% \| Min=(.+)% \| Max=(.+)% \(n=(\d+)\)")


def _as_published(text):
    """Each line of the summary file as a row of the published table."""
    rows, shape = [], None
    for line in text.splitlines():
        if found := re.fullmatch(r"Results Shape \{(.+)\} Parameters \{(\d+)\}", line):
            shape = (found[1], int(found[2]))
        elif found := LINE.fullmatch(line):
            rows.append((*shape, found[1].lower(), *map(float, found.groups()[1:5]), int(found[6])))
    return rows


def test_published_trials_give_all_588_published_lines():
    published = [tuple(row) for row in load_published_summary().itertuples(index=False)]
    assert len(published) == 588
    assert _as_published(summary_markdown(load_trials("published"))) == published


def test_statistics_are_fractions_beside_their_printed_percentages():
    cell = cell_statistics(load_trials("published")).iloc[0]
    assert (cell["n"], cell["mean_pct"], cell["std_pct"], cell["min_pct"], cell["max_pct"]) == (
        10,
        98.25,
        0.06,
        98.18,
        98.37,
    )
    assert abs(cell["mean"] - 0.98249) < 1e-12
    assert cell["max"] == 0.9837


def test_the_files_open_with_the_lines_their_readers_know():
    trials = load_trials("published")
    assert (
        "\nResults Shape {1*2048} Parameters {1628170}\n"
        "* None: Mean=98.25% | Std=0.06% | Min=98.18% | Max=98.37% (n=10)\n"
        "* Decay: Mean=98.21% | Std=0.04% | Min=98.15% | Max=98.26% (n=10)\n"
    ) in summary_markdown(trials)
    assert (
        "\n### Architecture: 1*2048\n\n"
        "| Trial | None | Decay | Dropout | Full | Hidden | Output |\n"
        "|:---:|:---:|:---:|:---:|:---:|:---:|:---:|\n"
        "| 1 | 98.22% | 98.26% | 98.18% | 98.15% | 98.24% | 97.87% |\n"
    ) in trials_markdown(trials)


def test_a_first_study_has_four_modes_and_missing_trials_are_not_applicable(make_study):
    folder = make_study(
        shapes=("8*8",),
        modes=("none", "full", "hidden", "output"),
        trials=2,
        left_out=[("8*8", "none", 2), ("8*8", "full", 1), ("8*8", "full", 2)],
    )
    trials = load_trials("local", results_dir=folder)
    assert "* Full: N/A" in summary_markdown(trials)
    assert "Decay" not in summary_markdown(trials)
    table = trials_markdown(trials)
    assert "| Trial | None | Full | Hidden | Output |" in table
    assert re.search(r"\| 2 \| N/A \| N/A \| [\d.]+% \| [\d.]+% \|", table)
    assert [tuple(row) for row in missing_cells(trials).itertuples(index=False)] == [
        ("8*8", "none", 1, 2),
        ("8*8", "full", 0, 2),
    ]


def test_a_single_trial_has_no_spread(make_study):
    trials = load_trials("local", results_dir=make_study(trials=1))
    assert (cell_statistics(trials)["std"] == 0).all()
    assert "Std=0.00%" in summary_markdown(trials)


def test_what_a_reader_must_know_is_said_in_words_and_in_the_file(make_study):
    folder = make_study(
        "q", quick=True, dataset="mnist5k", left_out=[("8*8", "none", 2)], failed=[("18*18", "full", 1)], trials=2
    )
    trials = load_trials("local", results_dir=folder)
    assert notices(trials) == [
        "not the published settings: meta loops 12 (published: 100); not comparable with the published numbers",
        "study q is quick, not a reproduction",
        "trained on mnist5k, not on full MNIST: not comparable with the published numbers",
        "2 of 24 trials missing: 8*8 none (1 of 2), 18*18 full (1 of 2)",
        "1 trials failed, the first 18*18 full 1 (out of memory)",
    ]
    assert "> study q is quick, not a reproduction" in summary_markdown(trials)
    assert notices(load_trials("published")) == []


def test_the_published_cost_is_that_of_the_study():
    cost = load_published_cost()
    assert round(cost["billable_hours_ml_g4dn_xlarge"].sum(), 1) == 869.5
    assert round(cost["usd"].sum()) == 640
