import json
from dataclasses import replace

import pytest

from psa_tui.method.variants import DROPOUT, NONE, PUBLISHED, find_variant
from psa_tui.studies import plan as plans
from psa_tui.studies.calibration import Calibration
from psa_tui.studies.grids import parse_grid, parse_network
from psa_tui.studies.plan import disk_bytes, make_plan, memory_bytes, published_cost
from psa_tui.studies.spec import StudySpec
from psa_tui.views.study.plan import format_plan

PUBLISHED_STUDY = StudySpec(
    name="plan",
    networks=parse_grid("published"),
    variants=PUBLISHED,
    trials=10,
    meta_loops=100,
    seed=0,
    dataset="mnist",
    dataset_fingerprint="",
)


def test_the_published_study_cost_what_its_publishers_paid():
    cloud = published_cost(PUBLISHED_STUDY)
    assert (cloud.shapes, round(cloud.hours, 1), round(cloud.usd)) == (98, 869.5, 640)
    assert (cloud.share_hours, cloud.share_usd) == (cloud.hours, cloud.usd)


def test_a_part_of_the_published_study_is_charged_for_its_trials_and_loops():
    part = replace(
        PUBLISHED_STUDY,
        networks=(parse_network("1*2048"), parse_network("5*7")),
        trials=5,
        meta_loops=20,
        variants=(NONE,),
    )
    cloud = published_cost(part)
    assert (cloud.shapes, cloud.hours, cloud.usd) == (1, 2.6375, 1.9423)
    assert cloud.share_usd == pytest.approx(1.9423 * 5 / 60 * 20 / 100)
    assert published_cost(replace(PUBLISHED_STUDY, networks=(parse_network("5*7"),))) is None


def test_disk_and_memory_grow_with_what_needs_them():
    twice = disk_bytes(replace(PUBLISHED_STUDY, meta_loops=200), 2) - disk_bytes(PUBLISHED_STUDY, 2)
    assert twice == disk_bytes(replace(PUBLISHED_STUDY, meta_loops=300), 2) - disk_bytes(
        replace(PUBLISHED_STUDY, meta_loops=200), 2
    )
    assert twice > 588_000 * 50
    largest = 4 * parse_network("4*632").parameters
    assert disk_bytes(PUBLISHED_STUDY, 3) - disk_bytes(PUBLISHED_STUDY, 2) > 2 * 6 * largest * 0.5
    assert memory_bytes(PUBLISHED_STUDY, 4) == pytest.approx(2 * memory_bytes(PUBLISHED_STUDY, 2), rel=0.2)


def test_a_kept_optimiser_and_a_held_candidate_take_room_in_memory_and_on_the_disk():
    network = parse_network("1*8")
    published = replace(PUBLISHED_STUDY, networks=(network,))
    kept = replace(published, variants=(*PUBLISHED[1:], find_variant("output+promote=patience:3+optimizer=lkg")))
    # Two moments and three tensors of a held candidate lie in the population; the moments are cloned for the epoch.
    assert memory_bytes(kept, 1) - memory_bytes(published, 1) == 7 * 4 * network.parameters * 60
    assert disk_bytes(kept, 1) - disk_bytes(published, 1) >= 2 * 5 * 4 * network.parameters * 60


@pytest.mark.parametrize(("share", "said"), [(0.47, True), (0.95, False), (None, False)])
def test_a_plan_made_on_a_busy_machine_says_so_and_what_it_would_be(monkeypatch, share, said):
    costs = dict.fromkeys(PUBLISHED_STUDY.networks, 0.1)
    monkeypatch.setattr(plans, "calibrate", lambda *_: Calibration(costs, share))
    made = make_plan(PUBLISHED_STUDY, 2, "cpu", "auto")
    line = f"{'':<12}Busy machine: a worker had 47% of a core; of whole ones {98 * 600 * 0.47 / 7200:,.2f} hours."
    assert (line in format_plan(made)) is said
    assert len(line) <= 80
    assert made.as_json()["core_share"] == share


@pytest.mark.slow
@pytest.mark.campaign
def test_a_plan_measures_on_the_real_engine_and_predicts_the_rest():
    networks = tuple(parse_network(f"{depth}*{width}") for depth in (1, 2, 3) for width in (2, 3, 4, 5, 6))
    spec = replace(PUBLISHED_STUDY, networks=networks, trials=2, meta_loops=3, variants=(NONE, DROPOUT))
    plan = make_plan(spec, 1, "cpu", "auto")
    assert (plan.cells, plan.trials, plan.meta_loops) == (30, 60, 180)
    assert len(plan.measured) == 12
    assert set(plan.costs_s) == set(networks)
    assert all(1e-4 < cost < 60 for cost in plan.costs_s.values())
    assert plan.hours_by_workers[1] == pytest.approx(sum(plan.costs_s.values()) * 2 * 2 * 3 / 3600)
    assert plan.hours_by_workers[1] > plan.hours_by_workers[2] > plan.hours_by_workers[4]
    assert 0 <= plan.median_error <= plan.worst_error
    content = json.loads(json.dumps(plan.as_json(), allow_nan=False))
    assert sum(shape["measured"] for shape in content["shapes"]) == 12
    assert content["published_sagemaker"]["shapes"] == 5


@pytest.mark.slow
@pytest.mark.campaign
def test_the_embedded_digits_cost_their_share_of_full_mnist():
    spec = replace(PUBLISHED_STUDY, networks=(parse_network("1*64"),), trials=1, variants=(NONE,))
    full, small = (
        # The shortest of some: whatever else computes makes a measurement longer, never shorter.
        min(make_plan(one, 1, "cpu", "auto").costs_s[parse_network("1*64")] for _ in range(3))
        for one in (spec, replace(spec, dataset="mnist5k"))
    )
    assert small < full / 2
