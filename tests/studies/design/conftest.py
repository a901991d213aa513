import pytest

from psa_tui.studies.study_parsing import parse_study_file

TEXT = """\
name = "mine"
grid = ["1*2", "1*3"]
variants = ["none", "output", {mode = "output", effect = "noise"}]
trials = 40
meta_loops = 3
dataset = "mnist5k"

[design]
hypotheses = [
  "output - none",
  {contrast = "output+effect=noise - output", direction = "equivalent", endpoint = "test", margin = 2},
]
endpoints = ["escape", "test"]
looks = [20, 40]

[analysis]
alpha = 0.1
"""


@pytest.fixture
def text():
    return TEXT


@pytest.fixture
def parse():
    return lambda text: parse_study_file(text, "x.toml", "x")
