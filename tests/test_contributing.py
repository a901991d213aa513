"""What CONTRIBUTING.md says is there, is there; its recipes themselves are run by tests/seams and tests/examples."""

import re
from pathlib import Path

import pytest

from psa_tui.data import DATASETS
from psa_tui.engine.backend import BACKENDS
from psa_tui.method.ablation import ABLATIONS
from psa_tui.method.effects import EFFECTS
from psa_tui.method.promotion import PROMOTIONS
from psa_tui.method.variants import VARIANTS
from psa_tui.networks import NETWORKS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([a-z_/0-9]+(?:\.py|/))`", TEXT)))


@pytest.mark.parametrize("name", NAMED)
def test_every_file_and_folder_it_names_exists(name):
    assert (ROOT / name).exists() or (ROOT / "psa_tui" / name).exists()


def test_the_entry_point_groups_it_names_are_those_that_are_looked_for():
    groups = {registry.group for registry in (ABLATIONS, EFFECTS, PROMOTIONS, VARIANTS, NETWORKS, DATASETS, BACKENDS)}
    assert set(re.findall(r"`(psa_tui\.[a-z]+)`", TEXT)) == groups


def test_every_room_is_in_its_layout():
    rooms = {path.name for path in (ROOT / "psa_tui").iterdir() if path.is_dir() and not path.name.startswith("_")}
    layout = TEXT.partition("psa_tui/\n")[2].partition("\n```")[0]
    assert rooms <= set(re.findall(r"^ {2}([a-z]+)/", layout, flags=re.MULTILINE))
