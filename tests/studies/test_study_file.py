import re
from dataclasses import replace
from pathlib import Path

import pytest

from psa_tui.errors import ConfigError
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.variants import CONTROLS, PUBLISHED, find_variant
from psa_tui.settings import load_settings
from psa_tui.studies.grids import parse_grid
from psa_tui.studies.request import StudyRequest, new_study
from psa_tui.studies.seeds import Seeding
from psa_tui.studies.spec import StudySpec
from psa_tui.studies.study_file import format_study_file, load_recipe, load_study_file, recipe_names
from psa_tui.studies.study_parsing import parse_study_file

DOCS = Path(__file__).parents[2] / "docs" / "studies.md"
WHOLE = """\
about = "all that can be said"
name = "mine"
grid = ["8*8", "[4*4, 2*8]"]
variants = [
  "output", "none",
  {mode = "output", amount = "10%", effect = "noise", promote = "patience:5", optimizer_state="lkg", with=["decay"]},
  {schedule = "dropout:50,output:50"},
]
trials = 20
meta_loops = 30
seed = 7
seeding = "separate"
dataset = "mnist5k"
network = "mlp"
lr = 1e-3
batch_size = 64
weight_decay = 0.01
dropout = 0.2
"""
SPEC = StudySpec(
    name="mine",
    networks=parse_grid("8*8,[4*4,2*8]"),
    variants=tuple(
        map(
            find_variant,
            (
                "none",
                "output",
                "dropout:50>output:50",
                "output+amount=10%+effect=noise+promote=patience:5+optimizer=lkg+decay",
            ),
        )
    ),
    trials=20,
    meta_loops=30,
    seed=7,
    seeding=Seeding.SEPARATE,
    dataset="mnist5k",
    dataset_fingerprint="",
    hyperparameters=Hyperparameters(learning_rate=1e-3, batch_size=64, weight_decay=0.01, dropout=0.2),
)


def test_a_file_says_every_part_of_a_design():
    found = parse_study_file(WHOLE, "mine.toml", "other")
    assert (found.about, found.studies) == ("all that can be said", (SPEC,))


def test_the_file_of_the_documentation_is_one():
    (example,) = re.findall(r"^```toml\n(.*?)^```", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    (study,) = parse_study_file(example, "mine.toml", "mine").studies
    assert (study.trials, study.seeding) == (20, Seeding.PAIRED)
    assert {variant.initialisation for variant in study.variants} == {"he"}


def test_a_design_is_written_as_a_file_that_reads_back():
    for spec in (SPEC, replace(SPEC, networks=parse_grid("first"), seeding=Seeding.PAIRED)):
        assert parse_study_file("\n".join(format_study_file(spec)), "", "").studies == (spec,)


def test_what_is_not_said_is_as_published():
    (spec,) = parse_study_file("", "x.toml", "reproduction").studies
    assert spec == new_study(StudyRequest(), load_settings({}))
    (first,) = parse_study_file('grid = "first"', "x.toml", "x").studies
    assert (len(first.networks), [variant.name for variant in first.variants]) == (
        59,
        ["none", "full", "hidden", "output"],
    )


def test_a_list_of_a_hyperparameter_or_of_data_sets_makes_a_study_of_each():
    found = parse_study_file('grid = ["1*2"]\nlr = [1e-4, 0.01]\ndataset = ["mnist", "kmnist"]', "x", "x").studies
    assert [(one.name, one.dataset, one.hyperparameters.learning_rate) for one in found] == [
        ("x.mnist.lr-0.0001", "mnist", 1e-4),
        ("x.mnist.lr-0.01", "mnist", 0.01),
        ("x.kmnist.lr-0.0001", "kmnist", 1e-4),
        ("x.kmnist.lr-0.01", "kmnist", 0.01),
    ]


def test_the_law_of_first_weights_is_that_of_every_variant_that_names_none():
    text = 'grid = ["1*2"]\ninit = "he"\nvariants = ["none", {mode = "output", init = "orthogonal"}]'
    (spec,) = parse_study_file(text, "x", "x").studies
    assert [variant.initialisation for variant in spec.variants] == ["he", "orthogonal"]


def test_all_faults_are_told_with_their_lines_before_anything_is_begun():
    text = """\
name = "a b"
grid = [
  "8*8",
  "8*", "8*8",
]
variants = ["none", "outpt", "none",
  {mode = "output", promote = "patience:0"},
  {ablate = "unit:9.3"},
  {bogus = 1}]
trials = true
seeding = "odd"
lr = [1e-3, 20.0]
colour = "red"
"""
    with pytest.raises(ConfigError, match=r"^x.toml: 12 faults, nothing was begun$") as refused:
        parse_study_file(text, "x.toml", "x")
    lines = refused.value.detail.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        f"line {number}" for number in (1, 4, 4, 6, 6, 7, 8, 9, 10, 11, 12, 13)
    ]
    assert "line 1: name: 'a b': expected letters, digits, dots, dashes and underscores" in refused.value.detail
    assert "line 6: variants: 'outpt': expected one of none, " in refused.value.detail
    assert "line 8: variants: unit:9.3 at 8*8: unit:9.3: the network has no such unit" in lines
    assert "line 12: lr: expected a number above 0, at most 10, found 20.0" in lines


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trials = ", r"x.toml: no TOML: Invalid value \(at end of document\)"),
        ("trials = 0", "x.toml, line 1: trials: expected a whole number from 1 to 10000, found '0'"),
        ("\ngrid = []", "x.toml, line 2: grid: expected a list of architectures"),
        ('grid = "shapes.txt"', "x.toml, line 1: grid: 'shapes.txt'"),
        ("variants = 3", "x.toml, line 1: variants: expected a list of names and tables"),
        ('dataset = "auto"', "x.toml, line 1: dataset: a study must not choose its data set; name one"),
        (
            'dataset = "mnist5k"\nbatch_size = [256, 4001]',
            "x.toml, line 2: batch_size: expected at most the 4,000 training images of mnist5k, found 4,001",
        ),
        ("lr = []", "x.toml, line 1: lr: expected different values"),
        ("lr = [1e-3, 1e-3]", "x.toml, line 1: lr: expected different values"),
        ('variants = [{schedule = "none:5,output:5", amount = 3}]', "a schedule names all its modes"),
        ("a=" + "[" * 3000 + "]" * 3000, "nested too deeply"),
    ],
)
def test_what_is_no_study_file_is_refused_in_a_line(text, said):
    with pytest.raises(ConfigError, match=said):
        parse_study_file(text, "x.toml", "x")


def test_a_file_that_cannot_be_read_is_told_with_the_remedy(tmp_path):
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    for name, reason in (("none.toml", "No such file"), ("bytes.toml", "no text in UTF-8")):
        with pytest.raises(ConfigError, match=rf"{name}: cannot be read \({reason}.*psa study recipes"):
            load_study_file(tmp_path / name)


def test_every_recipe_is_a_design_and_the_published_one_is_the_reproduction():
    found = {name: load_recipe(name) for name in recipe_names()}
    assert set(found) == {
        "published",
        "first",
        "squares-100",
        "controls",
        "patience",
        "optimizer-state",
        "amount",
        "kick",
        "learning-rates",
        "widths",
        "other-data",
        "residual",
        "residual-faulty",
    }
    assert all(one.about and len(one.about) <= 62 and one.studies for one in found.values())
    assert found["published"].studies == (new_study(StudyRequest(), load_settings({})),)
    (controls,) = found["controls"].studies
    assert set(controls.variants) == {*PUBLISHED, *CONTROLS}
    (faulty,) = found["residual-faulty"].studies
    # In mode decay or dropout, with both faults, another name would be the same training.
    assert {find_variant(f"{mode.name}+dropout+decay") for mode in PUBLISHED} == set(faulty.variants)
    (squares,) = found["squares-100"].studies
    assert [network.short_name for network in squares.networks] == [f"{n}*{n}" for n in range(1, 33)]
    assert squares.trials == 100
