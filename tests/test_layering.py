"""The rooms of the package stand on one another, and none imports one above it."""

import ast
from pathlib import Path

import pytest

import psa_tui

ROOT = Path(psa_tui.__file__).parent
FLOORS = (
    {"errors", "formatting", "outside", "registry"},
    {"method"},
    {"networks"},
    {"data", "storage"},
    {"engine"},
    {"settings"},
    {"machine"},
    {"runs", "search"},
    {"studies"},
    {"analysis", "aws"},
    {"views"},
    {"cli"},
    {"__main__"},
)
"""From the ground up; the rooms of one floor may know one another."""
LEVEL = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def imported_rooms(path):
    """The rooms of psa_tui that a module imports, those only its types need left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    only_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in only_types:
            continue
        names = []
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "psa_tui":
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("psa_tui.")]
        for name in names:
            room = name.split(".")[1]
            if room in LEVEL:
                yield room


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_imports_nothing_from_above_its_room(module):
    room = module.parts[0].removesuffix(".py")
    above = {other for other in imported_rooms(ROOT / module) if LEVEL[other] > LEVEL[room]}
    assert not above


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_has_at_most_three_hundred_lines(module):
    assert len((ROOT / module).read_text(encoding="utf-8").splitlines()) <= 300


def test_the_root_has_at_most_six_modules():
    assert len(list(ROOT.glob("*.py"))) <= 6


def test_a_command_has_at_most_eighty_lines():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / "cli").rglob("*.py")
        if path.name != "app.py" and (lines := len(path.read_text(encoding="utf-8").splitlines())) > 80
    }
    assert long == {}
