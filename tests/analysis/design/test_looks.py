import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from psa_tui.analysis.design.boundaries import boundaries, nominal_level
from psa_tui.analysis.design.look_text import look_text, plan_text
from psa_tui.analysis.design.looks import planned_boundaries, results_of, take_look
from psa_tui.errors import ConfigError, DataError, PsaError
from psa_tui.storage.meta_loops import MetaLoopRow
from psa_tui.storage.study_rows import LOCAL, TrialLoop
from psa_tui.storage.study_store import open_store
from psa_tui.studies.design.departures import departures
from psa_tui.studies.design.plan import Spending
from psa_tui.studies.design.registration import TakenLook, design_path, load_registration, with_look
from tests.analysis.design.conftest import FILE, bimodal

RATES = {"none": 0.2, "output": 0.95, "sham": 0.2}


def test_a_look_is_counted_when_it_is_taken_and_without_new_trials_there_is_none(tmp_path, registered):
    enter = registered()
    enter(20, RATES)
    first, is_new = take_look(tmp_path, "mine")
    assert is_new
    assert load_registration(tmp_path, "mine") == first
    assert (first.looks[0].trials, first.looks[0].fraction) == (20, 0.5)
    assert take_look(tmp_path, "mine") == (first, False)
    output, sham = first.looks[0].results
    assert (output["n"], output["test"], output["shown_at"], sham["shown_at"]) == (40, "McNemar, exact", 1, None)
    assert output["low"] < output["estimate"] < output["high"]
    # The first is shown at half of alpha, so the other one has all of it: Holm's correction.
    (bound,) = boundaries([0.5], 0.05, Spending.OBRIEN_FLEMING, two_sided=False)
    assert sham["boundary_z"] == pytest.approx(bound)
    assert sham["boundary_p"] == pytest.approx(nominal_level(bound, two_sided=False))

    enter(40, RATES)
    second, is_new = take_look(tmp_path, "mine")
    assert is_new
    assert [look.trials for look in second.looks] == [20, 40]
    assert second.looks[0] == first.looks[0]
    assert [one["shown_at"] for one in second.looks[1].results] == [1, None]
    (_, bound) = boundaries([0.5, 1], 0.05, Spending.OBRIEN_FLEMING, two_sided=False)
    assert second.looks[1].results[1]["boundary_z"] == pytest.approx(bound)
    assert departures(tmp_path, "mine") == []
    # More trials than were registered are not looked at.
    enter(50, RATES)
    assert take_look(tmp_path, "mine") == (second, False)


def test_a_look_at_another_time_than_planned_has_its_price_and_is_a_departure(tmp_path, registered):
    enter = registered()
    enter(10, RATES)
    take_look(tmp_path, "mine")
    enter(40, RATES)
    found, _ = take_look(tmp_path, "mine")
    bounds = boundaries([0.25, 1], 0.05, Spending.OBRIEN_FLEMING, two_sided=False)
    assert found.looks[1].results[1]["boundary_z"] == pytest.approx(bounds[-1])
    assert departures(tmp_path, "mine") == ["look 1 was taken at 10 trials, planned at 20"]


def test_after_the_last_trial_no_look_is_promised(tmp_path, registered):
    registered()(40, RATES)
    registration, _ = take_look(tmp_path, "mine")
    assert "is not refuted" in list(look_text(registration, True))[2]


def test_a_look_at_what_loops_tell_needs_them_and_is_not_counted_without(tmp_path, registered):
    claim = '{contrast = "output - none", endpoint = "harm"}'
    registered(FILE.replace('"output - none", ', f"{claim}, ").replace('["escape", ', '["harm", '))(20, RATES)
    with pytest.raises(DataError, match="has no meta-loops"):
        take_look(tmp_path, "mine")
    with open_store(tmp_path) as store:
        rows = store.trials("mine")
        store.put("mine", rows, [loop for row in rows for loop in two_loops(row, harmed=row.mode == "output")])
    harm, test = take_look(tmp_path, "mine")[0].looks[0].results
    assert (harm["n"], harm["estimate"], harm["shown_at"], test["endpoint"]) == (40, 1, 1, "test")


def two_loops(row, harmed):
    """Two loops of a trial: a promoted candidate, and one that is worse or better."""
    for meta_loop, correct in ((1, 50), (2, 40 if harmed else 60)):
        yield TrialLoop(
            row.architecture,
            row.trial,
            MetaLoopRow(
                meta_loop=meta_loop,
                mode=row.mode,
                ablations=(),
                train_loss=1.0,
                validation_correct=correct,
                validation_count=100,
                finite=True,
                verdict="promoted" if correct != 40 else "rolled_back",
                reason="",
                seconds=1.0,
            ),
        )


def test_a_look_that_cannot_be_counted_shows_nothing(tmp_path, registered):
    registered()(20, RATES)
    blocked = design_path(tmp_path, "mine").with_name(".ledger.json.tmp")
    blocked.mkdir()
    with pytest.raises(PsaError, match=r"ledger.json: cannot be written"):
        take_look(tmp_path, "mine")
    assert load_registration(tmp_path, "mine").looks == ()
    blocked.rmdir()
    assert take_look(tmp_path, "mine")[1]


def test_of_looks_at_the_same_time_one_is_counted(tmp_path, registered):
    registered()(20, RATES)
    with ThreadPoolExecutor(4) as several:
        taken = list(several.map(lambda _: take_look(tmp_path, "mine"), range(4)))
    assert sorted(is_new for _, is_new in taken) == [False, False, False, True]
    assert len(load_registration(tmp_path, "mine").looks) == 1


def test_what_cannot_be_looked_at_is_told(tmp_path, registered):
    with pytest.raises(ConfigError, match=r"study mine is not registered in .*; psa study register FILE does it"):
        take_look(tmp_path, "mine")
    assert not (tmp_path / "registrations").exists()
    with open_store(tmp_path) as store:
        store.enter("mine", LOCAL, {}, trials=1)
    with pytest.raises(ConfigError, match=r"before the results are known$"):
        take_look(tmp_path, "mine")  # It is there, and no other is meant.
    enter = registered()
    with pytest.raises(ConfigError, match=r"; did you mean 'mine'\?$"):
        take_look(tmp_path, "mime")
    with pytest.raises(ConfigError, match=r"no trial that is complete in every network and variant"):
        take_look(tmp_path, "mine")
    enter(20, RATES)
    path = design_path(tmp_path, "mine")
    path.write_text(path.read_text().replace('"alpha": 0.05', '"alpha": 0.5'))
    with pytest.raises(DataError, match=r"changed since it was registered"):
        take_look(tmp_path, "mine")


def test_only_trials_that_all_cells_have_are_looked_at(tmp_path, registered):
    enter = registered()
    enter(20, RATES)
    with open_store(tmp_path) as store:
        row = store.trials("mine")[0]
        store.put("mine", [replace(row, trial=21), replace(row, trial=7, state="running")])
    assert take_look(tmp_path, "mine")[0].looks[0].trials == 6


def test_each_network_alone_is_a_family_as_large_as_all_of_them(unwritten):
    registration = unwritten(FILE + "[analysis]\npooled = false\n")
    found = list(results_of(registration, bimodal(registration.study, 40, RATES, 1), 40, {}))
    assert [(one["contrast"], one["shape"]) for one in found] == [
        ("output - none", "1*2"),
        ("output - none", "1*3"),
        ("sham - none", "1*2"),
        ("sham - none", "1*3"),
    ]
    assert planned_boundaries(registration.design, 4)[-1][1] < 0.05 / 4 + 1e-6


def test_the_plan_and_a_look_in_words(tmp_path, registered):
    registered()(20, RATES)
    registration, _ = take_look(tmp_path, "mine")
    said, table, note = plan_text(registration)
    assert said == "study mine: alpha 0.05, obrien-fleming spending, 2 looks, 2 hypotheses (Holm)"
    assert [row[:3] for row in table.rows] == [["1", "20", "3.345"], ["2", "40", "2.246"]]
    assert "Holm" in note
    said, table, next_look, note = look_text(registration, True)
    assert said.startswith("study mine, look 1 of 2 (counted now): 20 trials of 40 in every cell, 50 % of the inf")
    assert [row[-1] for row in table.rows] == ["look 1", "no"]
    assert next_look == "What is not shown yet may be at the next look, at 40 trials."
    assert json.loads(json.dumps(registration.looks[0].results))


def false_positives(registration, sets, rates, shared):
    """The share of data sets without any difference in which a look shows one."""
    found = 0
    for seed in range(10_000, 10_000 + sets):
        rows = bimodal(registration.study, registration.design.looks[-1], rates, seed, shared)
        now = registration
        for trials in registration.design.looks:
            results = tuple(results_of(now, rows, trials, {}))
            look = TakenLook(taken_at="", trials=trials, fraction=trials / now.design.looks[-1], results=results)
            now = with_look(now, look)
        found += any(one["shown_at"] for one in results)
    return found / sets


SAME = dict.fromkeys(RATES, 0.4)


def test_all_looks_together_keep_the_risk(unwritten):
    registration = unwritten(FILE.replace('["escape", "test"]', '["test"]').replace("looks = [20, 40]", "looks = 3"))
    assert false_positives(registration, 150, SAME, True) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("hypothesis", "seeding", "least"),
    [
        ('{contrast = "output - none", endpoint = "test"}', "paired", 0.04),
        ('{contrast = "output - none", endpoint = "test", direction = "less"}', "paired", 0.04),
        ('{contrast = "output - none", endpoint = "test"}', "independent", 0.04),
        ('{contrast = "output - none", endpoint = "escape"}', "independent", 0.03),
        ('{contrast = "output - none", endpoint = "escape"}', "paired", 0.02),
    ],
)
def test_in_2000_data_sets_without_a_difference_five_looks_show_one_in_five_percent(
    unwritten, hypothesis, seeding, least
):
    """McNemar's exact test, of whole numbers, stays below; all others are at 5 % +- 1."""
    text = FILE.replace(
        '"output - none", {contrast = "sham - none", direction = "greater", endpoint = "test"}', hypothesis
    )
    text = text.replace("looks = [20, 40]", "looks = 5").replace("trials = 40", f'trials = 40\nseeding = "{seeding}"')
    text = text.replace(', "sham"]', "]")
    found = false_positives(unwritten(text), 2000, SAME, seeding == "paired")
    assert least <= found <= 0.06


@pytest.mark.campaign
@pytest.mark.parametrize(("endpoint", "seeding"), [("escape", "paired"), ("test", "independent")])
def test_in_2000_data_sets_with_a_difference_the_last_interval_has_it_in_95_percent_or_more(
    unwritten, endpoint, seeding
):
    """Repeated confidence intervals hold at all looks together, so the last alone is a little wider than it need be."""
    hypothesis = f'{{contrast = "output - none", endpoint = "{endpoint}"}}'
    text = FILE.replace(
        '"output - none", {contrast = "sham - none", direction = "greater", endpoint = "test"}', hypothesis
    )
    registration = unwritten(text.replace("trials = 40", f'trials = 40\nseeding = "{seeding}"'))
    rates = {"none": 0.3, "output": 0.6, "sham": 0.3}
    true = 0.3 if endpoint == "escape" else 0.3 * (0.55 - 0.11)
    look = TakenLook(taken_at="", trials=20, fraction=0.5, results=({"shown_at": None},))
    covered = 0
    for seed in range(2000):
        rows = bimodal(registration.study, 40, rates, seed, seeding == "paired")
        (result,) = results_of(with_look(registration, look), rows, 40, {})
        covered += result["low"] <= true <= result["high"]
    assert 0.94 <= covered / 2000 <= 0.97
