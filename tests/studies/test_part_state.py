import hashlib
import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import safetensors.numpy

from psa_tui.errors import CheckpointError
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.progress import Progress
from psa_tui.method.variants import NONE, OUTPUT
from psa_tui.studies.grids import parse_network
from psa_tui.studies.part_state import PartState, decode_state, encode_state
from psa_tui.studies.parts import Part
from psa_tui.studies.spec import StudySpec

NETWORK = parse_network("2*3")
SPEC = StudySpec(
    name="some",
    networks=(NETWORK,),
    variants=(NONE, OUTPUT),
    trials=2,
    meta_loops=5,
    seed=9,
    dataset="mnist5k",
    dataset_fingerprint="f",
)
PART = Part(NETWORK, (1, 2))
COUNTERS = {
    "meta_loop": 3,
    "validation_count": 500,
    "lkg_correct": 77,
    "lkg_meta_loop": 2,
    "promotions": 2,
    "rollbacks": 1,
    "rollbacks_in_a_row": 1,
    "non_finite": 0,
}
STATE = PartState(
    (Progress(**COUNTERS, best_correct=80, best_meta_loop=3),) * 4,
    np.random.default_rng(0).random((4, NETWORK.parameters), dtype=np.float32),
    12.5,
)


def header_of(content):
    return json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]


def altered(content, **changes):
    """The state with other entries in its header, and a digest that fits them."""
    header = {**header_of(content), **changes}
    del header["header_sha256"]
    header["header_sha256"] = hashlib.sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()
    return safetensors.numpy.save(safetensors.numpy.load(content), header)


def equal(one, other):
    return (one.progress, one.seconds) == (other.progress, other.seconds) and np.array_equal(one.lkg, other.lkg)


def test_a_state_survives_a_trip_through_its_bytes():
    assert equal(decode_state(SPEC, PART, encode_state(SPEC, PART, STATE), "file"), STATE)


def test_a_state_of_the_first_format_is_read_with_the_lkg_as_the_best():
    first = altered(encode_state(SPEC, PART, STATE), format="psa-tui part 1", progress=json.dumps([COUNTERS] * 4))
    found = decode_state(SPEC, PART, first, "file")
    assert found.progress == (Progress(**COUNTERS, best_correct=77, best_meta_loop=2),) * 4
    assert np.array_equal(found.lkg, STATE.lkg)


def test_what_a_state_belongs_to_is_written_as_it_always_was():
    assert header_of(encode_state(SPEC, PART, STATE))["study"] == (
        '{"batch_size": 256, "dataset": "mnist5k", "dataset_fingerprint": "f", "dropout": 0.1, '
        '"learning_rate": 0.0001, "meta_loops": 5, "modes": ["none", "output"], "seed": 9, "shape": "2*3", '
        '"trials": [1, 2], "weight_decay": 0.0001}'
    )


def test_a_hyperparameter_that_a_state_lacks_had_its_default():
    content = encode_state(SPEC, PART, STATE)
    study = json.loads(header_of(content)["study"])
    del study["dropout"]
    older = altered(content, study=json.dumps(study))
    assert equal(decode_state(SPEC, PART, older, "file"), STATE)
    with pytest.raises(CheckpointError, match="belongs to another study"):
        decode_state(replace(SPEC, hyperparameters=Hyperparameters(dropout=0.5)), PART, older, "file")


def test_a_newer_state_is_refused_by_name():
    newer = altered(encode_state(SPEC, PART, STATE), format="psa-tui part 6")
    with pytest.raises(CheckpointError, match=r"file: written by a newer psa-tui .part format 6.*update psa-tui"):
        decode_state(SPEC, PART, newer, "file")


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        (replace(SPEC, seed=8), PART),
        (replace(SPEC, variants=(NONE,)), PART),
        (SPEC, Part(NETWORK, (1, 3))),
        (SPEC, Part(parse_network("3*2"), (1, 2))),
    ],
)
def test_the_state_of_another_study_or_part_is_refused(spec, part):
    with pytest.raises(CheckpointError, match="belongs to another study"):
        decode_state(spec, part, encode_state(SPEC, PART, STATE), "file")


@pytest.mark.parametrize("progress", [[], [asdict(Progress(**COUNTERS))], [{"meta_loop": 1}] * 4])
def test_counters_that_do_not_fit_are_damage(progress):
    with pytest.raises(CheckpointError, match="damaged"):
        decode_state(SPEC, PART, altered(encode_state(SPEC, PART, STATE), progress=json.dumps(progress)), "file")


@pytest.mark.parametrize(
    "changes",
    [
        {"progress": "[" * 100_000},
        {"progress": "9" * 5000},
        {"progress": json.dumps([asdict(STATE.progress[0]) | {"lkg_correct": 10**15}] * 4)},
        {"progress": json.dumps([asdict(STATE.progress[0]) | {"meta_loop": -1}] * 4)},
        {"progress": json.dumps([asdict(STATE.progress[0]) | {"meta_loop": "3"}] * 4)},
        {"progress": json.dumps([asdict(STATE.progress[0]) | {"promotions": True}] * 4)},
        {"seconds": "inf"},
        {"seconds": "nan"},
        {"seconds": "-1"},
        {"study": '{"a":' * 100_000},
        {"study": "Infinity"},
    ],
    ids=lambda changes: str(changes)[:50],
)
def test_a_header_that_no_worker_writes_is_damage_in_one_line(changes):
    with pytest.raises(CheckpointError, match="file: damaged") as caught:
        decode_state(SPEC, PART, altered(encode_state(SPEC, PART, STATE), **changes), "file")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300
