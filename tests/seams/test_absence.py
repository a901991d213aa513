"""What is not installed, what is broken, and what no longer is there."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.seams.conftest import ALWAYS, EVERYTHING, OF_A_RUN, PLUGIN, SEAMS, Program, refusal

pytestmark = pytest.mark.slow

KNOWN = {
    "ablations": "expected one of none, decay, dropout, full, hidden, output, plain, ",
    "promotions": "no promotion rule 'ties', expected one of strict",
    "networks": "expected one of mlp",
    "datasets": "expected one of auto, mnist, mnist5k, fashion-mnist, kmnist, cifar10",
    "effects": "expected one of zero, reinit, noise, scatter, bias, weights, none",
    "backends": "expected one of auto, numba, torch, module",
}
"""What a refusal says is there."""


@pytest.mark.parametrize("seam", SEAMS)
def test_a_name_that_is_not_installed_is_refused_with_those_that_are(psa, seam):
    name, option = SEAMS[seam]
    line = refusal(psa.run("train", *option.split(), "--threads", "1", plugin=None))
    assert KNOWN[seam] in line
    assert name in line


@pytest.mark.parametrize("seam", SEAMS)
def test_a_plug_in_that_cannot_be_imported_is_refused_by_name(psa, tmp_path, seam):
    name, option = SEAMS[seam]
    plugin = broken_plugin(tmp_path, (seam, name))
    line = refusal(psa.run("train", *option.split(), "--threads", "1", plugin=plugin))
    assert f"{name!r}: the plug-in psa_broken:nothing cannot be loaded (ModuleNotFoundError: " in line


def test_a_plug_in_that_cannot_be_imported_hurts_no_other_command(psa, tmp_path):
    plugin = broken_plugin(tmp_path, *((seam, name) for seam, (name, _) in SEAMS.items()))
    psa("config", plugin=plugin)
    line = refusal(psa.run("train", "--mode", "nothing", plugin=plugin))
    assert "expected one of none, decay, dropout, full, hidden, output, plain, " in line
    assert ", three, found 'nothing'" in line


def broken_plugin(tmp_path, *entries):
    """A distribution whose one module cannot be imported; ``entries`` are groups and names."""
    plugin = tmp_path / "broken"
    about = plugin / "psa_broken-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: psa-broken\nVersion: 1.0\n")
    lines = [f"[psa_tui.{seam}]\n{name} = psa_broken:nothing\n" for seam, name in entries]
    (about / "entry_points.txt").write_text("".join(lines))
    (plugin / "psa_broken.py").write_text("import no_such_package\n")
    return plugin


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run with all of them, that ended."""
    psa = Program(tmp_path_factory.mktemp("trained"))
    psa("train", *EVERYTHING, *ALWAYS, "--meta-loops", "2", "--quiet")
    return psa


def test_a_checkpoint_of_plug_ins_that_are_gone_is_listed(trained):
    listed = trained.run("status", plugin=None)
    assert (listed.returncode, listed.stderr) == (0, "")
    for text in ("2x8", "three+ties", "digits8", "2/2"):
        assert text in listed.stdout
    (found,) = json.loads(trained("status", "--json", plugin=None))["checkpoints"]
    assert found["problem"] is None
    assert "three+ties" in trained("results", "runs", plugin=None)


def plugin_without(tmp_path, name):
    """A copy of the plug-in that does not name one of its things."""
    plugin = tmp_path / "plugin"
    shutil.copytree(PLUGIN, plugin)
    (listed,) = plugin.glob("*/entry_points.txt")
    lines = listed.read_text().splitlines(keepends=True)
    listed.write_text("".join(line for line in lines if not line.startswith(f"{name} =")))
    return plugin


@pytest.mark.parametrize("seam", OF_A_RUN)
def test_a_checkpoint_is_probed_without_what_it_was_ablated_and_promoted_by_and_not_without_the_rest(
    trained, tmp_path, seam
):
    name, _ = SEAMS[seam]
    done = trained.run("probe", "--draws", "2", plugin=plugin_without(tmp_path, name))
    if seam in ("ablations", "promotions"):
        assert (done.returncode, done.stderr) == (0, "")
        assert "2x8   three+ties digits8" in done.stdout
    else:
        assert name in refusal(done)


@pytest.mark.parametrize("seam", OF_A_RUN)
def test_a_checkpoint_of_a_plug_in_that_is_gone_is_not_resumed_and_the_plug_in_named(trained, tmp_path, seam):
    name, _ = SEAMS[seam]
    plugin = plugin_without(tmp_path, name)
    line = refusal(trained.run("resume", "--meta-loops", "1", plugin=plugin))
    assert name in line
    assert "expected" in line
