import json
import os
import pickle
import random
import sys
import tracemalloc
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy
import torch

from psa_tui.errors import CheckpointError
from psa_tui.runs.checkpoint_files import DEFAULT_NAME
from psa_tui.storage.atomic_write import atomic_write, temporary_path
from psa_tui.storage.checkpoint import (
    Checkpoint,
    encode,
    previous_path,
    read_checkpoint,
    write_checkpoint,
)
from tests import program


@pytest.fixture
def path(tmp_path):
    return tmp_path / DEFAULT_NAME


def same(one, other):
    return one.record == other.record and all(
        np.array_equal(one.weights[name], other.weights[name]) for name in one.weights | other.weights
    )


def later(checkpoint, loops=1):
    from dataclasses import replace

    progress = replace(checkpoint.record.progress, meta_loop=checkpoint.record.progress.meta_loop + loops)
    return Checkpoint(replace(checkpoint.record, progress=progress), checkpoint.weights)


def test_what_is_written_is_read_back(path, checkpoint):
    write_checkpoint(path, checkpoint)
    assert same(read_checkpoint(path), checkpoint)


def test_any_safetensors_reader_loads_it_into_the_equivalent_sequential(path, checkpoint):
    from safetensors.torch import load_file

    write_checkpoint(path, checkpoint)
    linears = [torch.nn.Linear(784, 4), torch.nn.Linear(4, 4), torch.nn.Linear(4, 3)]
    hidden = [module for linear in linears for module in (linear, torch.nn.ReLU(), torch.nn.Dropout())]
    model = torch.nn.Sequential(*hidden, torch.nn.Linear(3, 10))
    model.load_state_dict(load_file(path))
    assert torch.equal(model[9].bias.detach(), torch.from_numpy(checkpoint.weights["9.bias"]))
    with safetensors.safe_open(path, framework="np") as file:
        metadata = file.metadata()
    assert json.loads(metadata["architecture"]) == "[2*4, 1*3]"
    assert json.loads(metadata["mode_history"]) == [[1, "none"], [3, "hidden"]]
    assert len(metadata["weights_sha256"]) == 64


def test_one_previous_generation_is_kept(path, checkpoint):
    for loops in range(3):
        write_checkpoint(path, later(checkpoint, loops))
    assert read_checkpoint(path).record.progress.meta_loop == 5
    assert read_checkpoint(previous_path(path)).record.progress.meta_loop == 4
    assert {p.name for p in path.parent.iterdir()} == {DEFAULT_NAME, "mnist_lkg.previous.safetensors"}


def test_two_thousand_mutated_files_are_all_refused_and_left_as_they_are(path, checkpoint):
    good = encode(checkpoint)
    draws = random.Random(5)
    accepted = []
    for number in range(2000):
        kind = number % 4
        bad = bytearray(good)
        if kind == 0:
            bad[draws.randrange(len(bad))] ^= 1 << draws.randrange(8)
        elif kind == 1:
            bad = bad[: draws.randrange(len(bad))]
        elif kind == 2:
            start = draws.randrange(len(bad))
            bad[start : start + draws.randrange(1, 64)] = draws.randbytes(draws.randrange(64))
        else:
            bad[draws.randrange(min(len(bad), 2000))] = draws.randrange(256)
        if bytes(bad) == good:
            continue
        path.write_bytes(bad)
        try:
            read = read_checkpoint(path)
        except CheckpointError as error:
            assert "\n" not in str(error)
        else:
            # White space between the header's end and the data carries no meaning; all else must match.
            accepted.append(same(read, checkpoint))
        assert path.read_bytes() == bytes(bad)
    assert all(accepted)
    assert len(accepted) < 20


@pytest.mark.parametrize("name", ["seed", "learning_rate", "progress", "mode_history", "versions"])
def test_a_changed_header_field_is_noticed(path, checkpoint, name):
    write_checkpoint(path, checkpoint)
    with safetensors.safe_open(path, framework="np") as file:
        metadata = file.metadata()
        weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    metadata[name] = metadata[name].replace("1", "2").replace("7", "8")
    path.write_bytes(safetensors.numpy.save(weights, metadata))
    with pytest.raises(CheckpointError, match="its header does not match its digest"):
        read_checkpoint(path)


def test_a_pickle_with_this_name_is_refused_and_never_loaded(path, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    path.write_bytes(pickle.dumps(Trap()))
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match="damaged or not a checkpoint"):
        read_checkpoint(path)
    assert path.read_bytes() == before
    assert not (tmp_path / "sprung").exists()


def test_a_foreign_safetensors_file_and_a_newer_format_are_told_apart(path, checkpoint):
    path.write_bytes(safetensors.numpy.save(checkpoint.weights))
    with pytest.raises(CheckpointError, match="not a psa-tui checkpoint"):
        read_checkpoint(path)
    path.write_bytes(
        safetensors.numpy.save(checkpoint.weights, {"format": "psa-tui checkpoint", "format_version": "6"})
    )
    with pytest.raises(CheckpointError, match=r"checkpoint format 6, this version reads up to 5; update psa-tui"):
        read_checkpoint(path)


def test_a_damaged_file_names_the_intact_previous_generation_and_how_to_go_back(path, checkpoint):
    write_checkpoint(path, checkpoint)
    write_checkpoint(path, later(checkpoint))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    previous = previous_path(path)
    assert f"the previous generation {previous} is intact (meta-loop 3)" in str(caught.value)
    assert str(caught.value).endswith(f"mv {previous} {path}")
    previous.write_bytes(b"")
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert "previous generation" not in str(caught.value)


@pytest.mark.slow
def test_a_full_disk_leaves_the_checkpoint_and_its_previous_generation_intact(path, checkpoint):
    write_checkpoint(path, checkpoint)
    write_checkpoint(path, later(checkpoint))
    before = {p.name: p.read_bytes() for p in path.parent.iterdir()}
    script = f"""
import pathlib, resource
from psa_tui.storage.checkpoint import read_checkpoint, write_checkpoint
from psa_tui.errors import CheckpointError
path = pathlib.Path({str(path)!r})
checkpoint = read_checkpoint(path)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_checkpoint(path, checkpoint)
except CheckpointError as error:
    print(error)
"""
    done = program.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert "cannot be written (File too large)" in done.stdout, done.stderr
    assert {p.name: p.read_bytes() for p in path.parent.iterdir()} == before


def test_a_checkpoint_whose_folder_is_gone_gets_one_remedy(tmp_path, checkpoint):
    """How to go on is said by the run's last event, and not in other words a line below."""
    with pytest.raises(CheckpointError, match=r"directory\); see to the folder, space and permissions$"):
        write_checkpoint(tmp_path / "gone" / DEFAULT_NAME, checkpoint)


def test_an_error_of_flushing_names_the_file(path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: os.read(-1, 1))
    with pytest.raises(OSError, match="Bad file") as caught:
        atomic_write(path, b"content")
    assert caught.value.filename == str(temporary_path(path))


def test_non_finite_weights_and_every_float_survive_the_round_trip(path, checkpoint):
    weights = {name: array.copy() for name, array in checkpoint.weights.items()}
    weights["0.bias"][:3] = [np.nan, np.inf, -0.0]
    write_checkpoint(path, Checkpoint(checkpoint.record, weights))
    assert read_checkpoint(path).weights["0.bias"].tobytes() == weights["0.bias"].tobytes()


def headed(checkpoint, weights=None, **fields):
    """The bytes of the checkpoint with other JSON texts in its header, and digests that fit them."""
    from psa_tui.storage import checkpoint as module

    good = encode(checkpoint)
    metadata = json.loads(good[8 : 8 + int.from_bytes(good[:8], "little")])["__metadata__"] | fields
    weights = checkpoint.weights if weights is None else weights
    del metadata["record_sha256"]
    metadata["weights_sha256"] = module._weights_digest(weights)
    metadata["record_sha256"] = module._record_digest(metadata)
    return safetensors.numpy.save(weights, metadata)


def hostile_fields(checkpoint):
    """Header fields that no run writes, as JSON texts; the digests of the files are made to fit."""
    names = json.loads(json.dumps(sorted(checkpoint.record.__dataclass_fields__)))
    texts = ("[" * 5000 + "]" * 5000, '{"a":' * 5000 + "1" + "}" * 5000, "1" * 5000, "1e999", "Infinity", "[NaN]")
    yield from ({name: text} for name in names if name != "hyperparameters" for text in texts)
    yield from ({name: json.dumps("a\x1b]0;title\x07")} for name in ("run", "machine", "dataset", "device"))
    yield from ({"run": json.dumps(name)} for name in ("../../x", "/tmp/x", ".", "", "a b", "x" * 65))
    for architecture in ("[999999999999*1]", "[999999999999*999999999999]", "[2*4, 1*3" + ", 1*1" * 3000 + "]"):
        yield {"architecture": json.dumps(architecture)}
        yield {"architecture": json.dumps(architecture), "parameters": str(10**15)}
    for shape in ([10**12], [1] * 7000, [1, 28, 28, 0], [-1], [1.5], [None], [[1]]):
        yield {"input_shape": json.dumps(shape)}
    for history in ([[10**18, "none"]], [[1, "none"]] * 5000, [[3, "none"], [1, "full"]], [[1]], [["1", "none"]], []):
        yield {"mode_history": json.dumps(history)}
    for number in (10**18, -1, True, "x", 1.5):
        yield {"last_meta_loop": json.dumps(number)}
        yield {"test_correct": json.dumps(number)}
        for name in ("meta_loop", "lkg_correct", "lkg_meta_loop", "best_correct", "promotions", "rollbacks"):
            progress = {**json.loads(json.dumps(asdict(checkpoint.record.progress))), name: number}
            yield {"progress": json.dumps(progress)}


def test_no_field_of_a_header_makes_more_of_a_file_than_lies_in_it(path, checkpoint):
    for fields in hostile_fields(checkpoint):
        path.write_bytes(headed(checkpoint, **fields))
        tracemalloc.start()
        with pytest.raises(CheckpointError) as caught:
            read_checkpoint(path)
        assert tracemalloc.get_traced_memory()[1] < 4e6, fields
        tracemalloc.stop()
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 400 + len(str(path))


@pytest.mark.parametrize("shape", [[0, 2**40], [2**40, 0], [2**40], [2**63, 0], [0] * 70, [], [-1]], ids=str)
@pytest.mark.parametrize("kind", ["F32", "F64", "BF16", "F8_E4M3", "F4", "C64", "X9"])
def test_tensors_of_odd_shapes_and_kinds_are_refused_in_one_line(path, checkpoint, kind, shape):
    good = encode(checkpoint)
    metadata = json.loads(good[8 : 8 + int.from_bytes(good[:8], "little")])["__metadata__"]
    tensors = {"0.weight": {"dtype": kind, "shape": shape, "data_offsets": [0, 0]}}
    header = json.dumps({"__metadata__": metadata, **tensors}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert str(caught.value).isprintable()


def test_status_tells_of_a_bad_file_in_a_line_and_of_the_good_ones_beside_it(psa, tmp_path, checkpoint):
    folder = tmp_path / "models"
    folder.mkdir()
    write_checkpoint(folder / DEFAULT_NAME, checkpoint)
    for number, fields in enumerate(list(hostile_fields(checkpoint))[::9]):
        (folder / f"bad{number}_lkg.safetensors").write_bytes(headed(checkpoint, **fields))
    os.mkfifo(folder / "pipe_lkg.safetensors")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "history.sqlite").write_bytes(b"no database" * 1000)
    done = psa("status")
    assert done.returncode == 1
    assert "mnist_lkg.safetensors [2*4, 1*3] 3,215" in done.stdout
    lines = done.stderr.splitlines()
    assert len(lines) == number + 3
    assert all(line.startswith("psa: ") for line in lines)


@pytest.mark.parametrize("path", ["", ".", "/"])
def test_a_path_that_names_no_file_is_refused_as_a_folder_is(path):
    with pytest.raises(IsADirectoryError):
        atomic_write(Path(path), b"content")
