"""The usual parts of a training loop around a search: loaders, mixed precision, schedulers, and the example itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

import psa_tui
from tests import program
from tests.search.conftest import assert_same, blobs, count_correct, mlp_units, small_mlp, values

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_training_loop.py"


def script(path, last):
    """Go on to loop ``last`` with a loader, a scaler and a scheduler."""
    model = small_mlp()
    train, validation = TensorDataset(*blobs(64, 1)), blobs(80, 2)
    known = psa_tui.Search.load(path, model, mlp_units(model)) if path.exists() else None
    search = known or psa_tui.Search(model, mlp_units(model), "full", seed=2)
    for loop in search.loops(last):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        scaler = torch.amp.GradScaler("cpu")
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        for images, labels in DataLoader(train, 16, shuffle=True, generator=loop.generator("order")):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16):
                loss = cross_entropy(model(images), labels)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            scheduler.step()
        loop.report(correct=count_correct(model, *validation), total=80)
        search.save(path)
    search.load_best_()
    return values(model), search


def test_loaders_scalers_and_schedulers_go_on_to_the_bit(tmp_path):
    whole, search = script(tmp_path / "whole.safetensors", 6)
    for last in (2, 3, 6):
        parts, gone_on = script(tmp_path / "parts.safetensors", last)
    assert_same(parts, whole)
    assert (tmp_path / "parts.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    assert gone_on.progress == search.progress
    assert search.progress.promotions > 1


@pytest.mark.slow
def test_the_example_trains_on_real_digits_and_goes_on_when_it_is_run_again(tmp_path):
    def run(loops):
        done = program.run(
            [sys.executable, EXAMPLE, "--loops", str(loops)],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    first, again = run(1), run(2)
    assert first[1] == "from the weights that the model has, to meta-loop 1; seed 7"
    assert again[1] == "going on after meta-loop 1, to meta-loop 2; seed 7"
    assert [line.split()[1] for line in again if line.startswith("loop")] == ["2/2"]
    accuracy = float(again[-1].removeprefix("test accuracy of the best: ").removesuffix(" %"))
    assert accuracy > 80


def test_importing_the_package_imports_no_torch():
    code = "import sys, psa_tui; psa_tui.Variant; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
