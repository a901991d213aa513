import hashlib
import json
from dataclasses import replace

import pytest

from psa_tui.errors import ConfigError, DataError, PsaError
from psa_tui.networks.modules.recorded import SIZES
from psa_tui.storage.study_rows import FAILED, TrialRow
from psa_tui.storage.study_store import open_store
from psa_tui.studies.design.departures import departures, departures_before
from psa_tui.studies.design.registration import (
    TakenLook,
    changing,
    design_path,
    load_registration,
    register,
    with_look,
    write_ledger,
)
from psa_tui.studies.design.standing import standing


@pytest.fixture
def design(parse, text):
    return replace(parse(text).design, escape_above=0.26)


@pytest.fixture
def spec(parse, text):
    (spec,) = parse(text).studies
    return replace(spec, dataset_fingerprint="f" * 64)


def begin(folder, spec, rows=(), **changes):
    with open_store(folder) as store:
        settings = spec.as_settings() | changes
        store.enter(spec.name, "local", settings, seed=0, meta_loops=settings["meta_loops"], trials=settings["trials"])
        store.begin_session(spec.name, 1, "a machine", {})
        store.put(spec.name, rows)


def test_the_number_is_the_sha256_of_the_file_and_the_same_for_the_same_design(tmp_path, spec, design, parse, text):
    first, is_new = register(tmp_path, spec, design)
    assert is_new
    assert hashlib.sha256(design_path(tmp_path, "mine").read_bytes()).hexdigest() == first.sha256
    assert register(tmp_path, spec, design) == (first, False)
    # Other words for the same design, elsewhere, and of a study that has grown meanwhile.
    other = parse(text.replace("looks = [20, 40]", "looks = 2"))
    again, _ = register(tmp_path / "other", replace(spec, earlier=(10,)), replace(other.design, escape_above=0.26))
    assert again.sha256 == first.sha256
    assert load_registration(tmp_path, "mine") == first
    assert load_registration(tmp_path, "other") is None
    assert load_registration(tmp_path, "../mine") is None


def test_another_design_under_the_name_is_refused_with_its_differences_and_changes_nothing(tmp_path, spec, design):
    first, _ = register(tmp_path, spec, design)
    for changed, said in (
        ((spec, replace(design, looks=(40,))), "looks registered 20, 40, found 40; SHA-256"),
        ((replace(spec, seed=3), design), "seed registered 0, found 3; SHA-256"),
        ((spec, replace(design, hypotheses=design.hypotheses[:1])), r"hypotheses registered output - none different "),
    ):
        with pytest.raises(ConfigError, match=said):
            register(tmp_path, *changed)
    assert load_registration(tmp_path, "mine") == first


@pytest.mark.parametrize("file", ["design.json", "ledger.json"])
def test_a_registration_that_was_changed_is_refused(tmp_path, spec, design, file):
    register(tmp_path, spec, design)
    path = design_path(tmp_path, "mine").with_name(file)
    kept = path.read_bytes()
    changed = kept.replace(b'"alpha": 0.1', b'"alpha": 0.2').replace(b'_at": "20', b'_at": "19')
    assert changed != kept
    for content in (changed, kept[:-10], b"[]", b"\xff"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"put back the registered files, or begin"):
            load_registration(tmp_path, "mine")
        with pytest.raises(DataError):
            register(tmp_path, spec, design)
        with pytest.raises(DataError):
            departures_before(tmp_path, spec)
        assert len(departures(tmp_path, "mine")) == 1
        assert standing(tmp_path, "mine").sha256 is None
    path.write_bytes(kept)
    assert departures(tmp_path, "mine") == []


def test_a_design_that_is_gone_is_refused_and_a_registration_cut_short_is_made_again(tmp_path, spec, design):
    register(tmp_path, spec, design)
    path = design_path(tmp_path, "mine")
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(DataError, match=r"design.json: missing, although ledger.json says"):
        load_registration(tmp_path, "mine")
    # A kill between the two files: nobody was told a number.
    path.write_bytes(content)
    path.with_name("ledger.json").unlink()
    assert register(tmp_path, spec, design)[1]


def test_a_folder_that_cannot_be_written_is_told(tmp_path, spec, design):
    (tmp_path / "registrations").write_text("")
    with pytest.raises(PsaError, match=r"registrations/mine: cannot be made"):
        register(tmp_path, spec, design)


def test_what_follows_its_registration_departs_in_nothing(tmp_path, spec, design):
    register(tmp_path, spec, design)
    begin(tmp_path, spec, [TrialRow(architecture="1*2", mode="none", trial=1, parameters=9, meta_loop=3, bounty=0.5)])
    assert departures(tmp_path, "mine") == []
    # It may have fewer trials than registered until it has them all.
    begin(tmp_path, spec, trials=20)
    assert departures(tmp_path, "mine", {"contrasts": ["output - none"], "alpha": 0.1, "endpoints": ["test"]}) == []
    assert departures_before(tmp_path, replace(spec, trials=20)) == []
    assert departures(tmp_path, "never registered") == []
    # What is recorded to show networks of a user's code is no part of a design.
    with open_store(tmp_path) as store:
        row = store.study("mine")
        sizes = [dict.fromkeys(SIZES, 1)] * len(spec.networks)
        store.enter("mine", row.source, row.settings | {"sizes": sizes}, trials=row.trials)
    assert departures(tmp_path, "mine") == []


def test_every_departure_is_named(tmp_path, spec, design):
    row = TrialRow(architecture="1*2", mode="none", trial=1, parameters=9, meta_loop=2, bounty=0.5)
    begin(
        tmp_path,
        spec,
        [row, replace(row, trial=2, meta_loop=3, bounty=None), replace(row, trial=3, state=FAILED)],
        learning_rate=0.01,
        trials=50,
        modes=["none", "output"],
    )
    made, _ = register(tmp_path, spec, design)
    for trials in (20, 30, 40):
        look = TakenLook(taken_at="2026-01-01T00:00:00.000+00:00", trials=trials, fraction=0.5, results=())
        made = with_look(made, look)
        with changing(tmp_path, "mine"):
            write_ledger(tmp_path, made)
    analysis = {"contrasts": ["hidden - none"], "endpoints": ["validation"], "alpha": 0.05, "escape_above": 0.5}
    found = departures(tmp_path, "mine", analysis)
    assert found[:3] == [
        "learning rate registered 0.0001, found 0.01",
        "modes registered none, output, noise, found none, output",
        "trials registered 40, found 50",
    ]
    assert found[3:6] == [
        "1 trial failed and cannot be counted",
        "1 complete trial never promoted anything: without an accuracy",
        "1 complete trial with another number of meta-loops than the registered 3",
    ]
    assert found[6].startswith("registered at ")
    assert "after its training was begun at" in found[6]
    assert found[7:] == [
        "look 2 was taken at 30 trials, planned at 40",
        "look 3, at 40 trials, was not planned: the design has 2",
        "hidden - none is no registered contrast: exploratory",
        "validation is no registered endpoint: exploratory",
        "alpha registered 0.1, used 0.05",
        "escape above registered 0.26, used 0.5",
    ]
    assert json.loads(json.dumps(standing(tmp_path, "mine").as_json()))["looks_taken"] == 3
    assert [line.partition(":")[0] for line in standing(tmp_path, "mine").lines()][1:] == [
        "departs from its registration"
    ] * 9
