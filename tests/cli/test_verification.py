import sys
from importlib.metadata import version

import pytest
import torch

import psa_tui

WRONG_BACKEND = """
from psa_tui.engine.backends.module import ModuleBackend


class Hasty(ModuleBackend):
    name = "hasty"

    def train_epoch(self, weights, network, images, epoch):
        before = weights.clone()
        losses = yield from super().train_epoch(weights, network, images, epoch)
        weights.add_(weights - before, alpha=0.01)
        return losses
"""
"""Its steps are a hundredth too long."""
ON_THE_CPU = ("device", "--verify", "--device", "cpu", "--threads", "1")


@pytest.fixture
def hasty(tmp_path, monkeypatch):
    """Install a backend whose update is off, as pip would leave it."""
    folder = tmp_path / "plugin"
    metadata = folder / "hasty-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / "hasty.py").write_text(WRONG_BACKEND)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: hasty\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[psa_tui.backends]\nhasty = hasty:Hasty\n")
    monkeypatch.setenv("PYTHONPATH", str(folder))


def table(text):
    """The words of each row of a table that ``text`` has."""
    return [line.split() for line in text.splitlines() if line.startswith(("numba ", "torch ", "module ", "hasty "))]


@pytest.mark.campaign
def test_every_backend_is_checked_and_a_wrong_one_ends_in_an_error_with_a_remedy(terminal, hasty):
    narrow = terminal([sys.executable, "-m", "psa_tui", *ON_THE_CPU], size=(60, 24), NO_COLOR="1")
    assert narrow.wait_for_end() == 1
    text = narrow.raw.decode()
    rows = table(text)
    assert [row[0] for row in rows] == 2 * ["numba", "torch", "module", "hasty"]
    for row in rows:
        is_right = row[0] != "hasty"
        assert (row[-1] != "WRONG") == is_right
        mean, mean_limit, most, most_limit, speed = map(float, row[-5:] if is_right else row[-6:-1])
        assert (mean <= mean_limit and most <= most_limit) == is_right
        assert speed > 0
    assert " ".join(line.strip() for line in text.splitlines()[-2:]) == (
        "psa: error: hasty cannot be trusted on cpu: train with --backend numba, and send the line that begins psa-tui"
    )
    # Plain lines that fit, and one to send, which must not be broken.
    assert "\x1b" not in text
    (line,) = [line for line in text.splitlines() if line.startswith("psa-tui ")]
    assert [part.split()[0] for part in line.split("; ")[4:]] == [row[0] for row in rows]
    assert max(len(one) for one in text.splitlines() if one and not one.startswith("psa") and "hasty" not in one) <= 60


@pytest.mark.campaign
def test_a_right_one_ends_well_with_a_line_to_send(psa):
    result = psa(*ON_THE_CPU, "--backend", "torch")
    assert result.returncode == 0
    assert result.stderr == (
        "psa: checking cpu: a few seconds for each backend, and some ten for kernels that are compiled once\n"
    )
    title, header, *rows, gap, line = result.stdout.splitlines()
    assert title == "weights beside float64, meta-loops a second, on cpu"
    assert header.split() == ["backend", "shape", "mean", "limit", "most", "limit", "speed"]
    assert [row.split()[0] for row in rows] == ["torch", "torch"]
    assert gap == ""
    parts = line.split("; ")
    assert parts[0] == f"psa-tui {psa_tui.__version__}"
    assert parts[1].startswith("cpu: ")
    assert f"PyTorch {torch.__version__}" in parts[2]
    assert f"Numba {version('numba')}" in parts[2]


def test_it_is_not_the_benchmark(psa):
    result = psa("device", "--verify", "--bench")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "psa: error: --bench and --verify exclude each other; choose one\n"
