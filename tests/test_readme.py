"""The lines of README.md can be typed as they stand, in bash and in zsh."""

import re
import shlex
from pathlib import Path

import pytest

from psa_tui.settings import SETTINGS, load_settings

TEXT = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```bash\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
LINES = [line for block in BLOCKS for line in block.splitlines() if line]
NAMED = [line for line in LINES if line.startswith("psa train --name")]


@pytest.mark.parametrize("line", LINES)
def test_no_shell_takes_a_part_of_a_line_for_a_pattern_of_files(line):
    typed = re.sub(r""""[^"]*"|'[^']*'""", "", line.partition(" # ")[0])
    assert not set("*?[]~") & set(typed)


def test_the_lines_that_train_have_no_comment_and_each_a_run_of_its_own():
    assert len(NAMED) == 9
    assert not any("#" in line for line in NAMED)
    assert len({shlex.split(line)[3] for line in NAMED}) == len(NAMED)


@pytest.mark.parametrize("line", NAMED)
def test_a_line_that_trains_says_a_run(command, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for setting in SETTINGS.values():
        monkeypatch.delenv(setting.variable, raising=False)
    given = command.commands["train"].make_context("train", shlex.split(line)[2:]).params
    config = load_settings({name: value for name, value in given.items() if name in SETTINGS}).run_config()
    assert config.model_dir == Path("models") / config.name
