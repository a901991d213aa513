"""Whatever a script does with a search, in any order: it is where its last report left it, and goes on from there."""

import tempfile
from pathlib import Path

import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import psa_tui
from tests.search.conftest import assert_same, mlp_units, small_mlp, values

VARIANTS = ("full", "hidden+amount=2+promote=patience:2", "output+effect=noise+promote=anneal:9,0.9", "none:2>output:9")
LAST = 99


def train(model, number):
    """A training loop of a user's: what comes out depends on what went in, and on the loop."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.cos(37 * parameter + number), alpha=0.1)
        return 0.5 + 0.5 * float(torch.sin(1000 * sum(parameter.double().sum() for parameter in model.parameters())))


class Script(RuleBasedStateMachine):
    """Beside a twin, which goes through its loops and does nothing else."""

    @initialize(variant=st.sampled_from(VARIANTS), seed=st.integers(0, 2**63 - 1))
    def begin(self, variant, seed):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "search.safetensors"
        self.model, twin = small_mlp(), small_mlp()
        self.variant, self.seed = variant, seed
        self.search = psa_tui.Search(self.model, mlp_units(self.model), variant, seed)
        self.twin = psa_tui.Search(twin, mlp_units(twin), variant, seed)
        self.search.save(self.path)
        self.saved_at = 0
        self.events = []
        self.going, self.loop = None, None
        self.expected = []
        self.twin_loops = self.twin.loops(LAST)

    def teardown(self):
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule()
    def go_on(self):
        if self.going is None:
            self.going = self.search.loops(LAST)
        if self.loop is None or self.loop.event is not None:
            self.loop = next(self.going)

    @precondition(lambda self: self.going and self.loop and self.loop.event is None)
    @rule()
    def train_and_report(self):
        event = self.loop.report(train(self.model, self.loop.number))
        self.events = [*self.events[: event.meta_loop - 1], event]

    @precondition(lambda self: self.going)
    @rule(train_first=st.booleans())
    def leave(self, train_first):
        if train_first:
            train(self.model, 7)
        self.going.close()
        self.going = self.loop = None

    @rule()
    def save(self):
        self.search.save(self.path)
        self.saved_at = self.search.progress.meta_loop

    @rule(seed=st.integers(0, 9))
    def load_in_another_process(self, seed):
        self.model = small_mlp(seed)
        self.search = psa_tui.Search.load(self.path, self.model, mlp_units(self.model), self.variant, self.seed)
        self.going = self.loop = None
        assert self.search.progress.meta_loop == self.saved_at
        self.events = self.events[: self.saved_at]

    @precondition(lambda self: self.search.progress.promotions)
    @rule()
    def look_at_the_best(self):
        self.search.load_best_()
        while len(self.expected) < self.search.progress.meta_loop:
            self.twin_goes_on()
        assert_same(values(self.model), self.expected[self.search.progress.meta_loop - 1][1])
        if self.going:
            self.going.close()
        self.going = self.loop = None

    def twin_goes_on(self):
        loop = next(self.twin_loops)
        event = loop.report(train(self.twin.model, loop.number))
        self.expected.append((event, {name: one.clone() for name, one in self.twin._state.lkg.items()}))

    @invariant()
    def it_is_where_its_reports_left_it(self):
        if not hasattr(self, "search"):
            return
        assert self.search.progress.meta_loop == len(self.events)
        while len(self.expected) < len(self.events):
            self.twin_goes_on()
        found = [(event.reason, event.ablation, event.progress, event.validation_accuracy) for event in self.events]
        assert found == [
            (event.reason, event.ablation, event.progress, event.validation_accuracy)
            for event, _ in self.expected[: len(found)]
        ]


TestScript = Script.TestCase
TestScript.settings = settings(max_examples=8, stateful_step_count=20, deadline=None)
