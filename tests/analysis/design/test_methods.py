import re

import pytest

from psa_tui.analysis.design.looks import take_look
from psa_tui.analysis.design.methods import methods
from psa_tui.analysis.design.methods_text import methods_latex, methods_markdown
from psa_tui.analysis.sources import load_trials
from psa_tui.errors import DataError
from psa_tui.studies.design.registration import design_path

RATES = {"none": 0.2, "output": 0.95, "sham": 0.2}


@pytest.fixture
def study(tmp_path, registered):
    """A registered study after one of its two looks; returns its trials and its folder."""
    registered()(20, RATES)
    take_look(tmp_path, "mine")
    return load_trials("local", "mine", tmp_path), tmp_path


def test_methods_say_what_the_study_recorded(study):
    found = methods(*study)
    text = " ".join(found.paragraph)
    for words in (
        "Networks of the family mlp in 2 shapes (1*2, 1*3) were trained",
        "in the variants none, output, sham: 20 complete trials of each shape and variant, 120 in all, of 3 meta-loops",
        "AdamW; learning rate 0.0001, batch size 256",
        "Data: mnist5k: 4,000 training, 500 validation, 500 test images; fingerprint of data and split " + "f" * 64,
        "derived from the study's seed 0: all variants of a trial share its seed",
        "2 hypotheses at alpha 0.05, Holm-corrected, all shapes pooled as strata: output - none, escape: different; ",
        "escape is a test accuracy above 26.00 %.",
        "2 looks were planned, at 20, 40 trials of each shape and variant, with obrien-fleming spending; taken so",
        "selected on the images it is measured on",
    ):
        assert words in text
    checklist = dict(found.checklist)
    assert list(checklist) == [
        "Data",
        "Seeds",
        "Versions",
        "Compute",
        "Registration",
        "Deviations",
        "Missing trials",
        "Selection on validation",
        "Test set",
        "Negative results",
    ]
    assert checklist["Versions"] == "torch 2.9"
    assert "machines a machine; time in trials 0.05 hours" in checklist["Compute"]
    assert checklist["Deviations"] == "None that the program could see."
    assert checklist["Negative results"] == "Not shown, 1 of 2: sham - none, test: greater."


def test_what_is_not_recorded_is_said_to_be_so(tmp_path):
    checklist = dict(methods(load_trials("published"), tmp_path).checklist)
    assert checklist["Versions"] == "not recorded"
    assert checklist["Registration"] == "No design was registered beforehand: all comparisons are exploratory."
    assert "seeds are not recorded" in checklist["Seeds"]
    assert checklist["Test set"].startswith("No test accuracy is recorded")
    assert re.match(r"Of 294 comparisons with the control none, \d+ do not differ", checklist["Negative results"])


def test_markdown_and_latex_escape_what_they_would_read_as_marks(study):
    found = methods(*study)
    markdown = methods_markdown(found)
    assert markdown.startswith("## Methods\n\nNetworks of the family mlp in 2 shapes (1\\*2, 1\\*3)")
    assert "\n- **Test set**: Read once" in markdown
    latex = methods_latex(found)
    assert "26.00 \\%" in latex
    assert latex.count(r"\item[") == len(found.checklist)


def test_methods_are_not_written_of_a_design_that_was_changed(study):
    trials, folder = study
    path = design_path(folder, "mine")
    path.write_text(path.read_text().replace("0.05", "0.5"))
    with pytest.raises(DataError, match="changed since it was registered"):
        methods(trials, folder)
    assert any("changed since" in one for one in load_trials("local", "mine", folder).attrs["departures"])
