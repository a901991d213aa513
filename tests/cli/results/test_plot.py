import pytest

pytest.importorskip("matplotlib")


def test_the_published_figures_are_written_and_those_of_meta_loops_skipped_by_name_in_one_line(psa, tmp_path):
    done = psa("results", "plot", "--source", "published", "--format", "svg")
    assert done.returncode == 0
    assert done.stdout == ""
    first, *rest = done.stderr.splitlines()
    assert first.startswith("psa: not drawn: survival, convergence, late-breakthroughs; the published study has")
    names = sorted(path.name for path in (tmp_path / "results" / "figures").iterdir())
    assert names == sorted(
        f"{name}.svg"
        for name in (
            "ablation-effect",
            "baseline-accuracy",
            "chance",
            "contrasts",
            "design-space",
            "instability",
            "parameter-matching",
            "profiles",
            "regimes",
            "winning-mode",
        )
    )
    assert len(rest) == len(names)


def test_named_figures_and_formats_are_written_where_asked(psa, tmp_path):
    done = psa("results", "plot", "regimes", "--source", "published", "--out", "there", "--format", "png, svg")
    assert done.returncode == 0
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["regimes.png", "regimes.svg"]


def test_a_figure_that_cannot_be_drawn_alone_is_a_failure(psa, tmp_path):
    done = psa("results", "plot", "convergence", "--source", "published")
    assert done.returncode == 1
    assert done.stderr.startswith("psa: not drawn: convergence; the published study has")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "figures: expected one of design-space, "),
        (
            ["instability", "--terminal", "late-breakthroughs"],
            "figures in a terminal: expected one of",
        ),
        (["--format", "jpg"], "--format jpg: expected png, svg, pdf, or several with commas"),
    ],
)
def test_unknown_names_and_formats_are_refused_before_any_work(psa, arguments, said):
    done = psa("results", "plot", "--source", "published", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"psa: error: {said}")
    assert len(done.stderr.splitlines()) == 1


def test_the_terminal_shows_the_map_at_80_columns_in_ascii_without_colour(psa):
    done = psa("results", "plot", "--terminal", "--source", "published", "--ascii")
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "u untrainable (46)  O optimally sized (24)  C chaotic (17)  B beneficial (11)" in done.stdout


def test_a_place_that_cannot_be_written_is_said_in_one_line(psa, tmp_path):
    (tmp_path / "file").write_text("")
    done = psa("results", "plot", "regimes", "--source", "published", "--out", "file/inside")
    assert done.returncode == 1
    assert done.stderr.startswith("psa: error: file/inside/regimes.png: cannot be written")
