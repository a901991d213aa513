import json
import re

import pytest

from psa_tui.errors import ConfigError
from psa_tui.studies.design.plan import Design, Direction, Endpoint


def test_a_study_file_says_what_is_to_be_tested_and_how(parse, text):
    design = parse(text).design
    assert [str(one) for one in design.hypotheses] == [
        "output - none, escape: different",
        "noise - output, test: equivalent (margin 2 points)",
    ]
    assert design.hypotheses[0].endpoint is Endpoint.ESCAPE
    assert design.hypotheses[1].direction is Direction.EQUIVALENT
    assert (design.looks, design.alpha, design.spending, design.correction) == (
        (20, 40),
        0.1,
        "obrien-fleming",
        "holm",
    )
    assert Design.from_json(json.loads(json.dumps(design.as_json()))) == design


def test_a_file_without_these_parts_is_a_study_all_the_same(parse, text):
    found = parse(text.partition("[design]")[0])
    assert found.design is None
    assert found.studies == parse(text).studies


def test_looks_may_be_a_number_and_variants_are_called_as_the_file_spells_them(parse, text):
    text = text.replace("looks = [20, 40]", "looks = 3").replace("trials = 40", 'trials = 40\ninit = "he"')
    design = parse(text.replace("output+effect=noise - output", "output - none")).design
    assert design.looks == (13, 27, 40)
    assert design.hypotheses[0].contrast == "output+init=he - none+init=he"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            '"output - none"',
            '"outputt - none"',
            "line 10: design.hypotheses: expected one of none, output, noise, found",
        ),
        ('"output - none"', '"hidden - none"', "line 10: design.hypotheses: expected one of none, output, "),
        ('"output - none"', '"output-none"', "line 10: design.hypotheses: expected two variants with ' - ' between"),
        ('"output - none"', '"none - none"', "line 10: design.hypotheses: none - none: expected two variants"),
        ('"output - none"', "3", "line 10: design.hypotheses: expected .VARIANT - VARIANT., or a table"),
        ("margin = 2", "margin = 0", "line 11: design.hypotheses: .equivalent. needs a margin in points"),
        ("margin = 2", "margins = 2", "line 11: design.hypotheses: expected one of contrast, direction"),
        ('direction = "equivalent"', 'direction = "different"', "line 11: design.hypotheses: .different. takes no mar"),
        ('endpoint = "test"', 'endpoint = "validation"', "line 11: design.hypotheses: expected one of escape, test, f"),
        ('["escape", "test"]', '["escape", "tset"]', "design.endpoints: expected one of escape, validation, test"),
        ('["escape", "test"]', '["escape", "escape"]', "line 13: design.endpoints: expected some of .* each once"),
        ("looks = [20, 40]", "looks = [20, 30]", "line 14: design.looks: expected ascending .* end with 40"),
        ("looks = [20, 40]", "looks = 41", "line 14: design.looks: expected ascending"),
        ("looks = [20, 40]", "look = 2", "line 14: no key of .design.: expected one of hypotheses, .* did you mean"),
        ("alpha = 0.1", "alpha = 1", "line 17: analysis.alpha: expected the risk of a false positive, a number"),
        ("alpha = 0.1", "pooled = 1", "line 17: analysis.pooled: expected true or false"),
        ("alpha = 0.1", 'spending = "all"', "line 17: analysis.spending: expected one of obrien-fleming, pocock"),
        ("[analysis]", "[[analysis]]", "line 16: analysis: expected a table"),
    ],
)
def test_every_fault_is_told_with_its_line(parse, text, old, new, said):
    assert old in text
    with pytest.raises(ConfigError) as found:
        parse(text.replace(old, new))
    assert re.search(said, f"{found.value} {found.value.detail}")


def test_a_design_without_hypotheses_is_a_fault_at_its_table(parse, text):
    before = text.partition("[design]")[0]
    with pytest.raises(ConfigError, match=r"x.toml, line 8: design.hypotheses: expected a list of 1 to 20, such as"):
        parse(before + "[design]\nlooks = 2\n")
