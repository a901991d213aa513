import re
from html.parser import HTMLParser

import pytest

pytest.importorskip("jinja2")

from psa_tui.analysis.figures import FIGURES
from psa_tui.analysis.figures.study_results import load_study_results
from psa_tui.analysis.report import builder
from psa_tui.analysis.report.builder import build_page
from psa_tui.analysis.report.contrasts import contrasts
from psa_tui.analysis.report.findings import findings
from psa_tui.analysis.report.gaps import gaps

pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """What a page is made of: every tag, the ids, the addresses it names, the text of each table's cells."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.addresses, self.text = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        values = dict(attrs)
        self.ids += [values["id"]] if "id" in values else []
        self.addresses += [v for k, v in attrs if k in ("src", "href", "action", "poster", "srcset", "data") and v]

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def two_figures(monkeypatch):
    """Pages with two of the figures only: each takes a third of a second, and these tests are about words."""
    monkeypatch.setattr(builder, "FIGURES", {name: FIGURES[name] for name in ("regimes", "convergence")})


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("none")
    results = load_study_results("published", None, folder)
    return results, build_page(results, folder).decode()


@pytest.mark.campaign
def test_the_published_page_is_small_self_contained_and_the_same_every_time(published, tmp_path):
    _, text = published
    page = Page(text)
    assert len(text.encode()) < 3_000_000
    assert [address for address in page.addresses if not address.startswith(("#", "data:"))] == []
    assert len(page.ids) == len(set(page.ids))
    assert build_page(load_study_results("published", None, tmp_path), tmp_path).decode() == text


def test_references_within_figures_lead_to_ids_of_the_page(published):
    page = Page(published[1])
    wanted = {address[1:] for address in page.addresses if address.startswith("#")}
    wanted |= set(re.findall(r"url\(#([^)]+)\)", published[1]))
    assert wanted
    assert wanted <= set(page.ids)


def test_the_published_findings_are_those_of_its_numbers(published):
    said = findings(published[0])
    assert said[0] == "5,880 complete trials of 98 shapes in 6 modes (10 trials in each of 588 cells)."
    assert any("98.25 % (standard deviation 0.06 points over 10 trials): 1*2048, mode none." in one for one in said)
    assert any(
        "46 architectural failure (untrainable), 11 beneficial regularization, 24 optimally sized, 17 chaotic" in one
        for one in said
    )
    assert any("the furthest is 18*18, mode output, with 71.16 %" in one for one in said)
    assert any("output - none +1.75 (+1.00 to +2.49; p <.001 after Holm)" in one for one in said)
    assert any("(A/A): decay - none +0.19 (-0.47 to +0.86; p 0.574)" in one for one in said)


def test_findings_follow_the_numbers_when_they_are_turned_around(published):
    trials = published[0].trials.copy()
    trials.attrs = published[0].trials.attrs
    swap = {
        "none": "full",
        "full": "none",
        "decay": "hidden",
        "hidden": "decay",
        "dropout": "output",
        "output": "dropout",
    }
    trials["mode"] = trials["mode"].map(swap)
    said = " ".join(findings(type(published[0])(trials, None, "")))
    assert "1*2048, mode full." in said
    assert "The largest loss is at 11*11: 33.67 % without ablation, 11.02 % with it (-22.65 points)." in said
    assert "The largest gain is at 1*4: 66.65 % without ablation, 81.72 % with it (+15.07 points)." in said
    assert "the furthest is 19*19, mode hidden, with 79.87 % in its best trial." in said


def test_a_page_says_what_is_missing(make_study, two_figures):
    left_out = tuple(("8*8", "none", trial) for trial in (1, 2))
    folder = make_study(left_out=left_out, quick=True)
    results = load_study_results("local", None, folder)
    text = Page(build_page(results, folder).decode()).text
    assert "quick, not a reproduction" in text
    assert "2 of 36 trials missing: 8*8 none (1 of 3)." in text
    assert "within 2 points of the published" not in text
    assert "Cells with missing trials" in text


def test_the_published_page_says_that_seeds_tests_and_meta_loops_are_unknown(published):
    said = " ".join(gaps(published[0]))
    assert "The test accuracy of all trials is not known." in said
    assert "The seed of all trials is not known." in said
    assert "no meta-loops" in said
    assert (
        "Not drawn, for want of meta-loops: Escapes over the meta-loops, LKG accuracy over the meta-loops, Late"
        in published[1]
    )


def test_a_complete_study_misses_nothing_and_is_compared_with_the_published_one(make_study, two_figures):
    folder = make_study(meta_loops=100)
    results = load_study_results("local", None, folder)
    text = Page(build_page(results, folder).decode()).text
    assert gaps(results) == []
    assert "Nothing: every planned trial is complete" in text
    assert "Of 12 cells that the published study has too" in text


def test_a_study_of_other_settings_is_not_compared_with_the_published_one(make_study, two_figures):
    folder = make_study(meta_loops=12)
    text = Page(build_page(load_study_results("local", None, folder), folder).decode()).text
    assert "meta loops 12 (published: 100)" in text
    assert "that the published study has too" not in text


def rows_of(text, table):
    body = text.split(f'<table id="table-{table}"')[1].split("<tbody>")[1].split("</tbody>")[0]
    return [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in body.split("<tr>")[1:]]


def test_contrasts_are_pooled_and_by_shape_with_what_chance_does_beside_them(published):
    text = published[1]
    pooled = rows_of(text, "contrasts-accuracy")
    assert [row[:2] for row in pooled] == [
        ["full - none", "declared"],
        ["hidden - none", "declared"],
        ["output - none", "declared"],
        ["dropout - none", "exploratory"],
        ["decay - none", "A/A"],
        ["none: odd - even", "A/A"],
    ]
    assert pooled[2][2:] == ["+1.75", "+1.00 to +2.49", "&lt;.001", "&lt;.001", "no", "980 / 980", "38.73", "36.98"]
    assert len(rows_of(text, "contrasts-escapes")) == 6
    single = rows_of(text, "contrasts-shapes")
    assert len(single) == 6 * 98
    assert {(row[1], row[2]) for row in single} == {
        *((f"{mode} - none", "exploratory") for mode in ("full", "hidden", "output", "dropout")),
        ("decay - none", "A/A"),
        ("none: odd - even", "A/A"),
    }
    assert "(chance: 5 in 100): decay - none 6 of 96, none: odd - even 4 of 96." in text
    section = text.split('<section id="contrasts">')[1].split("</section>")[0]
    assert re.findall(r'<figure id="figure-([a-z]+)"', section) == ["contrasts", "chance"]
    assert "p by labels exchanged at random within each shape" in section


def test_a_study_of_few_trials_says_that_no_a_a_is_possible(make_study):
    folder = make_study(modes=("none", "output"))
    notes = contrasts(load_study_results("local", None, folder)).notes
    assert "no A/A is possible: it takes sham or decay beside none, or four trials of a shape and control" in notes
    alone = make_study("alone", modes=("output",), folder=folder.parent / "alone")
    assert contrasts(load_study_results("local", None, alone)).tables == []


def test_every_figure_has_its_words(published):
    for name in (name for name, figure in FIGURES.items() if not figure.needs_loops):
        words = FIGURES[name].describe(published[0])
        svg = published[1].split(f'<figure id="figure-{name}">')[1].split("</figure>")[0]
        assert re.search(r'<svg [^>]*role="img" aria-label="' + re.escape(words).replace("<", "&lt;") + '"', svg)


def test_text_from_outside_stays_text(make_study, two_figures):
    image, script, template = "<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", "{{ 7*7 }}"
    folder = make_study(shapes=("8*8",), trials=1, meta_loops=2)
    results = load_study_results("local", None, folder)
    for table in (results.trials, results.loops):
        table.attrs = {**table.attrs, "study": image, "source": script, "settings": {"seed": template}}
    page = Page(build_page(results, folder).decode())
    assert page.tags.count("script") == 2
    assert "img" not in page.tags
    assert all(hostile in page.text for hostile in (image, script, template))


def test_only_the_pages_own_script_may_run(published):
    import base64
    import hashlib

    script = re.search(r"<script>(.*?)</script>", published[1], re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', published[1])[1]
    assert f"script-src 'sha256-{digest}'" in policy.replace("&#39;", "'")
    assert policy.startswith("default-src 'none'")
