from dataclasses import replace

import numpy as np
import pytest

from psa_tui.storage.study_rows import TrialRow
from psa_tui.storage.study_store import open_store
from psa_tui.studies.design.registration import Registration, register
from psa_tui.studies.study_parsing import parse_study_file

FILE = """\
name = "mine"
grid = ["1*2", "1*3"]
variants = ["none", "output", "sham"]
trials = 40
meta_loops = 3
dataset = "mnist5k"

[design]
hypotheses = ["output - none", {contrast = "sham - none", direction = "greater", endpoint = "test"}]
endpoints = ["escape", "test"]
escape_above = 26
looks = [20, 40]
"""


@pytest.fixture
def designed():
    """The study of a file and its design."""

    def make(text=FILE):
        found = parse_study_file(text, "x.toml", "x")
        (spec,) = found.studies
        return replace(spec, dataset_fingerprint="f" * 64), found.design

    return make


@pytest.fixture
def unwritten(designed):
    """A registration that is in no file."""

    def make(text=FILE):
        spec, design = designed(text)
        return Registration(study=spec.as_settings(), design=design, sha256="", registered_at="")

    return make


@pytest.fixture
def registered(tmp_path, designed):
    """Register a study; returns what enters trials, given each variant's rate of escape."""

    def make(text=FILE, name="mine"):
        spec, design = designed(text)
        register(tmp_path, spec, design)

        def enter(trials, rates, seed=0, **changes):
            with open_store(tmp_path) as store:
                store.enter(name, "local", spec.as_settings() | changes, seed=0, meta_loops=3, trials=trials)
                if not store.sessions(name):
                    store.begin_session(name, 1, "a machine", {"torch": "2.9"})
                store.put(name, bimodal(spec.as_settings(), trials, rates, seed))

        return enter

    return make


def bimodal(study, trials, rates, seed, shared=True):
    """Trials that stay at the majority class or escape to anywhere; pairs share their luck unless they do not."""
    draws = np.random.default_rng(seed)
    luck = draws.random((len(study["shapes"]), 1, trials))
    if not shared:
        luck = draws.random((len(study["shapes"]), len(study["modes"]), trials))
    luck = np.where(draws.random((len(study["shapes"]), len(study["modes"]), trials)) < 0.5, luck, 1 - luck)
    luck = np.broadcast_to(luck, (len(study["shapes"]), len(study["modes"]), trials))
    heights = draws.uniform(0.3, 0.8, luck.shape)
    return [
        TrialRow(
            architecture=shape,
            mode=mode,
            trial=trial + 1,
            parameters=9,
            seed=trial,
            meta_loop=study["meta_loops"],
            bounty=0.11 + (heights[i, j, trial] - 0.11) * (luck[i, j, trial] < rates[mode]) + 1e-3,
            bounty_meta_loop=1,
            test_accuracy=0.11 + (heights[i, j, trial] - 0.11) * (luck[i, j, trial] < rates[mode]),
            seconds=1.5,
            origin="a machine",
        )
        for i, shape in enumerate(study["shapes"])
        for j, mode in enumerate(study["modes"])
        for trial in range(trials)
    ]
