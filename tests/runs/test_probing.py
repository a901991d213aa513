"""Checkpoints that are damaged and measured: against formulas that know nothing of the program."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import linear

from psa_tui.analysis.robustness import robustness_curve
from psa_tui.data import load_dataset
from psa_tui.engine import probing as engine
from psa_tui.errors import CheckpointError, ConfigError, DataError, NoCheckpointError
from psa_tui.method.probes import UnitKill, WeightNoise
from psa_tui.runs.probing import fitted, load_subjects, measure
from psa_tui.settings import load_settings
from psa_tui.storage.checkpoint import write_checkpoint

DATA = load_dataset("mnist5k", Path("nowhere"))
BACKENDS = ("torch", "module")


@pytest.fixture
def checkpoint(checkpoint):
    """One whose answers depend on the image, which small random weights do not make."""
    draws = np.random.default_rng(2)
    weights = {
        name: draws.normal(0, np.sqrt(2 / array.shape[-1]), array.shape).astype(np.float32)
        for name, array in checkpoint.weights.items()
    }
    return replace(checkpoint, weights=weights)


@pytest.fixture
def path(checkpoint, tmp_path):
    """A checkpoint of [2*4, 1*3] on mnist5k, of the edition there is."""
    record = replace(checkpoint.record, dataset_fingerprint=DATA.fingerprint)
    write_checkpoint(tmp_path / "a.safetensors", replace(checkpoint, record=record))
    return tmp_path / "a.safetensors"


def loaded(*paths, **flags):
    subjects, problems = load_subjects(paths, load_settings({"device": "cpu", "threads": 1, **flags}), print)
    return subjects, list(problems.values())


def plain_count(tensors):
    """How many test images a plain PyTorch network with these tensors classifies correctly."""
    activations = (torch.from_numpy(DATA.test.pixels).float() / 255 - DATA.spec.mean[0]) / DATA.spec.std[0]
    for layer in ("0", "3", "6"):
        weight, bias = (torch.from_numpy(tensors[f"{layer}.{kind}"]) for kind in ("weight", "bias"))
        activations = linear(activations, weight, bias).relu()
    weight, bias = torch.from_numpy(tensors["9.weight"]), torch.from_numpy(tensors["9.bias"])
    return int((linear(activations, weight, bias).argmax(1).numpy() == DATA.test.labels).sum())


@pytest.mark.parametrize("backend", BACKENDS)
def test_counts_are_those_of_tensors_zeroed_by_hand_in_a_plain_network(checkpoint, path, backend):
    (subject,), _ = loaded(path, backend=backend)
    assert subject.backend.name == backend
    probe = UnitKill((1, 4, 11), 25, 5)
    found = measure(subject, probe, lambda done: None)
    assert found.untouched == plain_count(checkpoint.weights)
    for level, correct in zip(probe.levels, found.correct, strict=True):
        expected = []
        for draw in range(probe.draws):
            tensors = {name: array.copy() for name, array in checkpoint.weights.items()}
            for number in probe.chosen(subject.network, level, draw):
                layer, unit = next((i, number - start) for i, start in ((2, 8), (1, 4), (0, 0)) if number >= start)
                tensors[f"{3 * layer}.weight"][unit] = tensors[f"{3 * layer}.bias"][unit] = 0
                tensors[f"{3 * layer + 3}.weight"][:, unit] = 0
            expected.append(plain_count(tensors))
        assert correct.tolist() == expected
        assert level == 11 or len(set(expected)) > 5
    # Without any hidden unit all images look alike.
    assert set(found.correct[-1].tolist()) == {int((DATA.test.labels == checkpoint.weights["9.bias"].argmax()).sum())}


@pytest.mark.parametrize("backend", BACKENDS)
def test_counts_with_noise_are_those_of_a_plain_network(checkpoint, path, backend):
    (subject,), _ = loaded(path, backend=backend)
    probe = WeightNoise((0.05, 0.5), 10, 1)
    found = measure(subject, probe, lambda done: None)
    assert found.dead_hit is None
    for level, correct in zip(probe.levels, found.correct, strict=True):
        rows = np.repeat(subject.row[None], 10, axis=0)
        probe.damage(rows, subject.network, level, 0)
        named = ({one.name: one.view(row[None])[0] for one in subject.network.tensors} for row in rows)
        assert correct.tolist() == [plain_count(tensors) for tensors in named]
        assert len(set(correct.tolist())) > 3


def test_a_level_alone_and_draws_that_do_not_fit_into_memory_together_give_the_same(path, monkeypatch):
    (subject,), _ = loaded(path)
    probe = UnitKill((2, 6), 25, 0)
    whole = measure(subject, probe, lambda done: None)
    alone = measure(subject, UnitKill((6,), 25, 0), lambda done: None)
    np.testing.assert_array_equal(alone.correct[0], whole.correct[1])
    monkeypatch.setattr(engine, "_ROWS_BYTES", 7 * subject.row.nbytes)
    told = []
    parts = measure(subject, probe, told.append)
    np.testing.assert_array_equal(parts.correct, whole.correct)
    assert told == [7, 7, 7, 4] * 2


def test_the_mean_and_the_band_are_those_of_the_draws(path):
    (subject,), _ = loaded(path)
    found = measure(subject, UnitKill((3,), 31, 0), lambda done: None)
    untouched, point = robustness_curve(found, UnitKill((3,), 31, 0))
    # Of 31 in order the 4th and the 28th are at a tenth and nine tenths of the way.
    ordered = sorted(found.correct[0].tolist())
    assert (point.low, point.high) == pytest.approx((ordered[3] / 500, ordered[27] / 500))
    assert point.mean == pytest.approx(sum(ordered) / 31 / 500)
    assert untouched.level == 0
    assert untouched.mean == untouched.low == untouched.high == found.untouched / 500


def test_what_cannot_be_measured_is_told_beside_what_can(checkpoint, path, tmp_path):
    write_checkpoint(tmp_path / "other.safetensors", checkpoint)
    foreign = replace(checkpoint.record, network="nobody's")
    write_checkpoint(tmp_path / "foreign.safetensors", replace(checkpoint, record=foreign))
    slow = replace(checkpoint.record, backend="abacus")
    write_checkpoint(tmp_path / "slow.safetensors", replace(checkpoint, record=slow))
    (tmp_path / "broken.safetensors").write_bytes(b"nonsense")
    names = ("other", "foreign", "slow", "broken", "missing")
    subjects, problems = loaded(*(tmp_path / f"{name}.safetensors" for name in names), path)
    assert [subject.label for subject in subjects] == [str(path)]
    assert list(map(type, problems)) == [DataError, ConfigError, ConfigError, CheckpointError, NoCheckpointError]
    words = ("another edition of mnist5k", "family nobody's", "'abacus'", "damaged", "there is no such checkpoint")
    for problem, said in zip(problems, words, strict=True):
        assert said in str(problem)


def test_too_few_hidden_units_are_refused_unless_the_levels_shall_fit(path):
    subjects, _ = loaded(path)
    probe = UnitKill((1, 11, 12), 5, 0)
    with pytest.raises(ConfigError, match=r"^--kill: .*a\.safetensors, \[2\*4, 1\*3\], has 11 hidden units; 12 cannot"):
        fitted(probe, subjects, fit=False)
    assert fitted(probe, subjects, fit=True).levels == (1, 11)
    assert fitted(UnitKill((1, 11), 5, 0), subjects, fit=False).levels == (1, 11)
    assert fitted(WeightNoise((100.0,), 5, 0), subjects, fit=False).levels == (100.0,)


def test_a_checkpoint_is_measured_with_the_backend_it_was_trained_with(checkpoint, path, tmp_path):
    record = replace(checkpoint.record, dataset_fingerprint=DATA.fingerprint, backend="module")
    write_checkpoint(tmp_path / "b.safetensors", replace(checkpoint, record=record))
    subjects, _ = load_subjects([path, tmp_path / "b.safetensors"], load_settings({}), print)
    assert [subject.backend.name for subject in subjects] == ["torch", "module"]
    assert [subject.images.labels.device.type for subject in subjects] == ["cpu", "cpu"]
