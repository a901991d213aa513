"""What a search promises of a loop: what is in the model, what a report does, and what is refused in one line."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

import psa_tui
from psa_tui.errors import ConfigError, PsaError
from psa_tui.method.events import Verdict
from psa_tui.method.variants import Ablation, OptimizerState, Variant
from psa_tui.networks.unit import Place, Unit
from tests.search.conftest import Trainer, assert_same, mlp_units, small_mlp, values


def test_each_loop_begins_with_the_lkg_and_exactly_the_named_damage(model, units):
    train = Trainer(model)
    search = psa_tui.Search(model, units, variant="output", seed=3)
    lkg = values(model)
    for loop in search.loops(6):
        begun = values(model)
        expected = copy.deepcopy(lkg)
        for unit in loop.units:
            for place in unit.incoming:
                expected[place.parameter].select(place.dimension, place.index).zero_()
        assert_same(begun, expected)
        assert len(loop.units) == (loop.number > 1)
        assert all(parameter.grad is None for parameter in model.parameters())
        if train(loop).verdict is Verdict.PROMOTED:
            lkg = values(model)
    search.load_best_()
    assert_same(values(model), lkg)
    assert {one.gain is None for one in [loop.event]} == {False}


def test_loops_go_on_to_a_number_in_total(model, units):
    train = Trainer(model)
    search = psa_tui.Search(model, units, "none")
    assert [train(loop).meta_loop for loop in search.loops(2)] == [1, 2]
    assert [train(loop).meta_loop for loop in search.loops(4)] == [3, 4]
    assert list(search.loops(4)) == []
    assert search.history.meta_loops == (1, 2, 3, 4)


def test_a_loop_that_is_left_never_was(model, units):
    train = Trainer(model)
    search, twin_model = psa_tui.Search(model, units, "full", seed=5), small_mlp()
    for loop in search.loops(3):
        train(loop)
        if loop.number == 2:
            break
    left = next(search.loops(9))
    with torch.no_grad():
        model[0].weight.fill_(7)

    def fail():
        for _ in search.loops(9):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert search.progress.meta_loop == 2
    with pytest.raises(PsaError, match="meta-loop 3 was left without a report and is over"):
        left.report(0.5)
    twin = psa_tui.Search(twin_model, mlp_units(twin_model), "full", seed=5)
    twin_train = Trainer(twin_model)
    events = [train(loop) for loop in search.loops(6)]
    expected = [twin_train(loop) for loop in twin.loops(6)][2:]
    assert [event.progress for event in events] == [event.progress for event in expected]
    assert_same(values(model), values(twin_model))


def test_a_loop_is_reported_once(model, units):
    search = psa_tui.Search(model, units, "none")
    with pytest.raises(PsaError, match=r"meta-loop 1 was not reported: call loop\.report"):
        for _ in search.loops(2):
            pass
    assert search.progress.meta_loop == 0
    for loop in search.loops(1):
        loop.report(0.5)
        with pytest.raises(PsaError, match="meta-loop 1 was reported already"):
            loop.report(0.6)
    assert search.progress.lkg_accuracy == 0.5


def reported(search, *accuracies):
    loops = search.loops(search.progress.meta_loop + len(accuracies))
    return [loop.report(accuracy) for loop, accuracy in zip(loops, accuracies, strict=False)]


def test_fractions_are_compared_exactly(model, units):
    third = 1 / 3
    search = psa_tui.Search(model, units, "none")
    events = reported(search, third, third, math.nextafter(third, 1), np.float32(0.75), torch.tensor(0.75), 1, 1.0)
    assert [event.verdict is Verdict.PROMOTED for event in events] == [True, False, True, True, False, True, False]
    assert events[2].progress.lkg_accuracy == math.nextafter(third, 1)
    assert [event.reason for event in events[3:5]] == [
        "41.7 points more correct than the LKG",
        "no better than the LKG",
    ]


def test_an_accuracy_or_weights_that_are_not_finite_are_rolled_back(model, units):
    search = psa_tui.Search(model, units, "none")
    events = reported(search, math.nan, 0.5, math.inf)
    for loop in search.loops(4):
        with torch.no_grad():
            model[2].bias[1] = math.nan
        events.append(loop.report(0.9))
    for loop in search.loops(5):
        events.append(loop.report(0.9, train_loss=math.inf))
    assert [event.finite for event in events] == [False, True, False, False, False]
    assert [event.reason for event in events[2:]] == ["not finite"] * 3
    assert (search.progress.promotions, search.progress.non_finite) == (1, 4)
    search.load_best_()
    assert all(tensor.isfinite().all() for tensor in values(model).values())


def test_infinities_in_a_buffer_are_no_failure(model, units):
    model.register_buffer("mask", torch.tensor([0.0, -math.inf]))
    (event,) = reported(psa_tui.Search(model, units, "none"), 0.5)
    assert event.finite


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"accuracy": 91.2}, "accuracy 91.2, expected a fraction"),
        ({"accuracy": -0.1}, "accuracy -0.1"),
        ({}, "report an accuracy as a fraction, or correct=9123"),
        ({"correct": 3}, "report an accuracy as a fraction, or correct=9123"),
        ({"accuracy": 0.5, "correct": 3, "total": 4}, "report an accuracy as a fraction, or correct=9123"),
        ({"correct": 5, "total": 4}, "5 correct of 4"),
        ({"correct": 0.5, "total": 4}, "expected whole numbers of images, found 0.5"),
        ({"correct": 0, "total": 0}, "0 correct of 0"),
    ],
)
def test_what_is_no_accuracy_is_refused_and_can_be_reported_again(arguments, message, model, units):
    search = psa_tui.Search(model, units, "none")
    for loop in search.loops(1):
        with pytest.raises(ConfigError, match=message):
            loop.report(**arguments)
        loop.report(correct=np.int64(3), total=torch.tensor(4))
    assert search.progress.lkg_accuracy == 0.75
    for loop in search.loops(2):
        with pytest.raises(ConfigError, match="report accuracies in every loop, or counts of the same total"):
            loop.report(0.5)
        break


def test_changed_models_are_refused(model, units):
    search = psa_tui.Search(model, units, "none")
    for loop in search.loops(1):
        model.add_module("more", nn.Linear(2, 2))
        with pytest.raises(ConfigError, match=r"the model has changed since the search began: more\.weight is float32"):
            loop.report(0.5)
        del model.more
        loop.report(0.5)
    model[2] = nn.Linear(6, 9)
    with pytest.raises(
        ConfigError, match=r"2\.weight is float32 of shape \(9, 6\), expected float32 of shape \(5, 6\)"
    ):
        next(search.loops(2))
    model[2] = nn.Linear(6, 5)
    model.double()
    with pytest.raises(ConfigError, match=r"0\.weight is float64 of shape"):
        next(search.loops(2))


class Tied(nn.Module):
    """A language model's first and last layer are often one tensor."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(4, 3)
        self.head = nn.Linear(3, 4)
        self.head.weight = self.embedding.weight


def test_units_of_tied_parameters_are_refused_and_other_units_are_not():
    model = Tied()
    unit = Unit("head[1]", "output", "head", (Place("head.weight", 0, 1), Place("head.bias", 0, 1)))
    for name, other in (("head.weight", "embedding.weight"), ("embedding.weight", "head.weight")):
        tied = Unit("head[1]", "output", "head", (Place(name, 0, 1),))
        with pytest.raises(ConfigError, match=f"unit head\\[1\\]: {name} is {other} too \\(tied\\)"):
            psa_tui.Search(model, [tied], "output")
    untied = Unit("bias", "output", "head", (Place("head.bias", 0, 1),))
    search = psa_tui.Search(model, [untied], "output")
    for loop in search.loops(2):
        loop.report(0.5)
    assert float(model.head.bias[1].detach()) == 0
    assert unit.incoming[0].parameter == "head.weight"


def sharing():
    model = small_mlp()
    model[4].weight = nn.Parameter(model[2].weight.data[:4])
    return model


def expanded():
    model = small_mlp()
    model.register_buffer("ones", torch.ones(1).expand(3))
    return model


def with_extra_state():
    class Stateful(nn.Linear):
        def get_extra_state(self):
            return {"steps": 3}

    return nn.Sequential(Stateful(2, 2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            sharing,
            r"2\.weight and 4\.weight share memory without being one tensor|4\.weight and 2\.weight share memory",
        ),
        (expanded, "ones is an expanded view"),
        (with_extra_state, r"0 has extra state \(Stateful\.get_extra_state\)"),
        (lambda: nn.Sequential(nn.LazyLinear(3)), r"0\.weight has no shape yet; show the model a batch"),
        (lambda: nn.Linear(2, 2, device="meta"), "weight is on device meta"),
        (
            lambda: nn.ParameterDict({"a": nn.Parameter(torch.ones(2).to_sparse())}),
            "a is on device cpu, torch.sparse_coo",
        ),
    ],
)
def test_models_that_cannot_be_copied_back_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        psa_tui.Search(make(), [], "none")


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ("restart", "variant restart trains a new initialisation"),
        ("plain", "variant plain goes on with an optimiser's state"),
        ("shuffled-labels", "variant shuffled-labels shuffles the labels"),
        ("output+init=he", "begins from the initialisation he"),
        ("output+half", "decides on one half of the validation images"),
        ("none:3>output+half:3", "they report different validation images"),
        ("dormant", "dormant needs activations"),
        ("reinit", "the effect reinit draws units anew"),
        ("full+amount=99", "an amount of 99, and there are 15 units"),
        ("layer:7", "the network has layers 0 to 2"),
        ("no-such", "no-such"),
        (Variant(name="own", ablation=Ablation("output", effect="vanish")), "vanish"),
        (Variant(name="own", promotion="never"), "never"),
        (Variant(name="two\nlines"), r"a variant called 'two\\nlines'"),
        (Variant(name="own", optimizer_state=OptimizerState.LKG), "variant own goes on with an optimiser's state"),
        (Variant(name="own", schedule=((2, Variant(name="part", restarts=True)),)), "variant part trains a new"),
    ],
)
def test_what_a_search_cannot_do_is_refused_before_anything_runs(variant, message, model, units):
    with pytest.raises(ConfigError, match=message):
        psa_tui.Search(model, units, variant)


def test_output_ablations_need_output_units(model, units):
    hidden = [unit for unit in units if unit.kind != "output"]
    with pytest.raises(ConfigError, match="no unit is of kind 'output'"):
        psa_tui.Search(model, hidden, "output")
    with pytest.raises(ConfigError, match="there are no units"):
        psa_tui.Search(model, [], "full")
    search = psa_tui.Search(model, hidden, "full")
    reported(search, 0.5, 0.6)
    assert search.progress.meta_loop == 2


def test_the_training_half_of_a_variant_must_be_asked_for(model, units):
    search = psa_tui.Search(model, units, "none:1>output+dropout+decay:9")
    asked = []
    for loop in search.loops(2):
        if loop.number == 2:
            with pytest.raises(
                ConfigError, match=r"has weight decay, .* take the rate from loop\.weight_decay\(rate\)"
            ):
                loop.report(0.5)
        asked.append((loop.weight_decay(0.01), loop.dropout(0.2)))
        loop.report(0.5)
    assert asked == [(0.0, 0.0), (0.01, 0.2)]


def test_draws_have_addresses_that_never_change(model, units):
    search = psa_tui.Search(model, units, "none", seed=7)
    seeds, firsts, orders = [], [], []
    for loop in search.loops(2):
        seeds.append(loop.seed("order"))
        firsts.append(torch.randperm(5, generator=loop.generator("order")).tolist())
        orders.append(loop.order(6).tolist())
        assert loop.seed("dropout") != loop.seed("order")
        assert loop.generator("order").initial_seed() == loop.seed("order")
        loop.report(0.5)
    assert seeds == [14593791949044801349, 15736922432513469481]
    assert orders == [[1, 0, 5, 4, 3, 2], [5, 0, 4, 3, 2, 1]]


def test_a_loop_says_what_happened_in_one_line(model, units):
    search = psa_tui.Search(model, units, "output", seed=1)
    lines = []
    for loop in search.loops(2):
        lines.append(str(loop))
        loop.report(correct=50 - loop.number, total=100)
        lines.append(str(loop))
    assert lines == [
        "meta-loop 1: nothing damaged",
        "meta-loop 1: nothing damaged, 49.00 %, promoted (the first candidate)",
        f"meta-loop 2: {loop.units[0].name} damaged",
        f"meta-loop 2: {loop.units[0].name} damaged, 48.00 %, rolled back (1 fewer correct than the LKG)",
    ]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("variant", ["output", "full+effect=noise", "hidden+amount=3+effect=scatter", "smallest"])
def test_every_floating_point_type_is_damaged_and_restored(dtype, variant):
    model = small_mlp(dtype=dtype)
    search = psa_tui.Search(model, mlp_units(model), variant, seed=2)
    before = values(model)
    for loop in search.loops(4):
        changed = sum(int((now != before[name]).sum()) for name, now in values(model).items())
        assert (changed > 0) == (loop.number > 1)
        loop.report(0.5)
    search.load_best_()
    assert_same(values(model), before)


def test_models_of_mixed_types_frozen_parts_and_integer_state_are_restored():
    model = nn.Sequential(nn.Linear(3, 4).bfloat16(), nn.BatchNorm1d(4), nn.Linear(4, 2).double())
    model[0].weight.requires_grad_(False)
    model.register_parameter("choice", nn.Parameter(torch.tensor([3, 1]), requires_grad=False))
    model.register_parameter("phase", nn.Parameter(torch.tensor([1j])))
    before = values(model)
    trained = {name: tensor + 1 for name, tensor in before.items()}
    units = [Unit(f"0[{n}]", "neuron", "0", (Place("0.weight", 0, n), Place("0.bias", 0, n))) for n in range(4)]
    search = psa_tui.Search(model, units, "full+effect=noise", seed=2)
    for loop in search.loops(3):
        lkg = before if loop.number == 1 else trained
        same = [name for name, now in values(model).items() if torch.equal(now, lkg[name])]
        assert ("0.weight" in same) == (loop.number == 1)
        assert {"2.weight", "1.num_batches_tracked", "choice", "phase"} <= set(same)
        with torch.no_grad():
            for tensor in [*model.parameters(), *model.buffers()]:
                tensor.add_(1)
        loop.report(0.5 / loop.number)
    search.load_best_()
    assert_same(values(model), trained)
    assert not model[0].weight.requires_grad
