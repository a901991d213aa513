"""The file of a search: goes on to the bit, is read by others, and is refused in one line where it is not ours."""

import errno
import json
import os

import pytest
import safetensors
import safetensors.torch
import torch
from torch import nn

import psa_tui
from psa_tui.errors import CheckpointError, ConfigError, NoCheckpointError
from psa_tui.method.variants import Ablation, Variant
from psa_tui.networks.unit import Place, Unit
from psa_tui.search import file as search_file
from tests.search.conftest import Trainer, assert_same, mlp_units, small_mlp, values
from tests.search.test_search import Tied


def same_loops(events):
    return [(one.meta_loop, one.verdict, one.reason, one.ablation, one.progress, one.dead_units) for one in events]


@pytest.mark.parametrize(
    "variant",
    [
        "hidden",
        "output+amount=2+promote=patience:2",
        "full+effect=noise+promote=anneal:3,0.9",
        "none:3>full:2>output:9",
        Variant(name="mine", ablation=Ablation("full", amount="20%"), promotion="always"),
    ],
    ids=str,
)
def test_a_search_that_is_loaded_after_every_loop_is_one_that_never_was_saved(variant, tmp_path):
    model = small_mlp()
    search, train = psa_tui.Search(model, mlp_units(model), variant, seed=4), Trainer(model)
    expected = [train(loop) for loop in search.loops(9)]
    search.load_best_()

    path, events, again = tmp_path / "search.safetensors", [], small_mlp()
    saved = psa_tui.Search(again, mlp_units(again), variant, seed=4)
    saved.save(path)
    for last in range(1, 10):
        # Another model object, with other weights, as in another process.
        again = small_mlp(seed=last)
        saved = psa_tui.Search.load(path, again, mlp_units(again), variant=variant, seed=4)
        train = Trainer(again)
        for loop in saved.loops(last):
            events.append(train(loop))
            saved.save(path)
    saved.load_best_()
    assert same_loops(events) == same_loops(expected)
    assert saved.history == search.history
    assert saved.variant.without_look() == search.variant.without_look()
    assert_same(values(again), values(model))
    assert os.listdir(tmp_path) == ["search.safetensors"]


def test_the_lkg_loads_into_the_users_own_class_without_this_package(model, units, tmp_path):
    search, train = psa_tui.Search(model, units, "output", seed=1), Trainer(model)
    for loop in search.loops(3):
        train(loop)
    search.save(tmp_path / "search.safetensors")
    search.load_best_()
    fresh = small_mlp(seed=9)
    fresh.load_state_dict(safetensors.torch.load_file(tmp_path / "search.safetensors"))
    assert_same(values(fresh), values(model))


class Rare(Tied):
    """Tied parameters, a buffer that is no part of the ``state_dict``, counters, and types that NumPy has not."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mask", torch.tensor([[True], [False]]), persistent=False)
        self.norm = nn.BatchNorm1d(3)
        self.narrow = nn.Parameter(torch.tensor(0.1, dtype=torch.bfloat16))
        self.phase = nn.Parameter(torch.tensor([1 + 2j]))
        self.empty = nn.Parameter(torch.zeros(0, 4))


def test_every_kind_of_tensor_comes_back(tmp_path):
    model, path = Rare(), tmp_path / "search.safetensors"
    units = [Unit(f"{n}", "output", "head", (Place("head.bias", 0, n),)) for n in range(4)]
    search = psa_tui.Search(model, units, "output+promote=patience:3")
    for loop in search.loops(2):
        with torch.no_grad():
            model.norm.num_batches_tracked += 5
            model.mask.logical_not_()
            model.narrow += loop.number
        loop.report(0.5 / loop.number)
    held = values(model)
    search.save(path)
    tensors = safetensors.torch.load_file(path)
    assert {"head.weight", "embedding.weight", "psa.beside.mask", "psa.held.mask", "psa.held.embedding.weight"} <= set(
        tensors
    )
    other = Rare()
    other.load_state_dict(tensors, strict=False)
    loaded = psa_tui.Search.load(path, other, units)
    for loop in loaded.loops(4):
        # The third rollback in a row promotes the best of them, which the file held.
        loop.report(0.1)
    loaded.load_best_()
    assert loop.event.progress.lkg_meta_loop == 2
    assert_same(values(other), held)


def test_a_state_dict_is_the_file_within_a_checkpoint_of_ones_own(model, units, tmp_path):
    search, train = psa_tui.Search(model, units, "output+promote=patience:3", seed=1), Trainer(model)
    for loop in search.loops(4):
        train(loop)
    search.save(tmp_path / "a.safetensors")
    torch.save({"mine": 1, "search": search.state_dict()}, tmp_path / "mine.pt")
    state = torch.load(tmp_path / "mine.pt", weights_only=True)["search"]
    other = small_mlp(seed=9)
    again = psa_tui.Search(other, mlp_units(other), "output+promote=patience:3", seed=1)
    for broken in (
        {},
        {**state, "tensors": None},
        {**state, "header": state["header"].replace('"seed": 1', '"seed": 2')},
    ):
        with pytest.raises(CheckpointError, match=r"^state_dict: damaged or not"):
            again.load_state_dict(broken)
    again.load_state_dict(state)
    again.save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    with pytest.raises(CheckpointError, match=r"^state_dict: a search with seed 1, expected 2"):
        psa_tui.Search(other, mlp_units(other), "output+promote=patience:3", seed=2).load_state_dict(state)


def test_a_save_in_the_middle_of_a_loop_is_that_of_the_loop_before(model, units, tmp_path):
    search, train = psa_tui.Search(model, units, "output", seed=1), Trainer(model)
    for loop in search.loops(3):
        search.save(tmp_path / f"{loop.number}.safetensors")
        train(loop)
        if loop.number < 3:
            search.save(tmp_path / f"{loop.number} after.safetensors")
    for number in (1, 2):
        after = (tmp_path / f"{number} after.safetensors").read_bytes()
        assert (tmp_path / f"{number + 1}.safetensors").read_bytes() == after


@pytest.fixture
def saved(model, units, tmp_path):
    search, train = psa_tui.Search(model, units, "output", seed=1), Trainer(model)
    for loop in search.loops(3):
        train(loop)
    path = tmp_path / "search.safetensors"
    search.save(path)
    return path


@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_a_save_that_fails_leaves_the_file_and_the_search(call, saved, model, units, monkeypatch):
    before = saved.read_bytes()
    search = psa_tui.Search.load(saved, model, units)

    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    where = {
        "write": "psa_tui.storage.atomic_write._write_synced",
        "fsync": "os.fsync",
        "rename": "pathlib.Path.replace",
    }[call]
    monkeypatch.setattr(where, fail)
    with pytest.raises(CheckpointError, match=r"cannot be written \(No space left .*\); the file of before is"):
        search.save(saved)
    monkeypatch.undo()
    assert saved.read_bytes() == before
    search.save(saved)
    assert saved.read_bytes() == before


def test_a_folder_that_is_not_there_is_named(model, units, tmp_path):
    with pytest.raises(CheckpointError, match=r"none/search\.safetensors: cannot be written \(No such file"):
        psa_tui.Search(model, units, "none").save(tmp_path / "none" / "search.safetensors")


def test_a_file_of_another_model_other_units_variant_or_seed_is_refused(saved, model, units):
    def refuses(message, *arguments, error=CheckpointError, **named):
        with pytest.raises(error, match=message) as caught:
            psa_tui.Search.load(saved, *arguments, **named)
        assert "\n" not in str(caught.value)

    wider = nn.Sequential(nn.Linear(12, 6), nn.ReLU(), nn.Linear(6, 7), nn.ReLU(), nn.Linear(7, 4))
    refuses(r"the search of another model: 2\.weight is float32 of shape \(5, 6\), expected", wider, mlp_units(wider))
    longer = nn.Sequential(*small_mlp(), nn.ReLU(), nn.Linear(4, 4))
    refuses(r"another model: 6\.weight is not there, expected float32 of shape \(4, 4\)", longer, units)
    shorter = nn.Sequential(*small_mlp()[:3])
    refuses(r"another model: it has '4\.bias' too", shorter, mlp_units(shorter))
    refuses(r"another model: 0\.weight is float32 .*, expected float64", small_mlp(dtype=torch.float64), units)
    refuses("other units: 15 there, 14 given", model, units[1:])
    refuses("other units: 15 there, 15 given", model, [*units[1:], units[0]])
    refuses("a search with variant output, expected full", model, units, variant="full")
    refuses("a search with seed 1, expected 2", model, units, seed=2)
    refuses("mode 'gone'|gone", model, units, variant="gone", error=ConfigError)


def test_a_refused_file_leaves_the_model_as_it_was(saved, units):
    model = small_mlp(seed=8)
    with pytest.raises(CheckpointError):
        psa_tui.Search.load(saved, model, units, seed=2)
    assert_same(values(model), values(small_mlp(seed=8)))


def test_damaged_and_foreign_files_are_refused_in_one_line(saved, model, units, tmp_path):
    good = saved.read_bytes()

    def refuses(message, error=CheckpointError):
        with pytest.raises(error, match=message) as caught:
            psa_tui.Search.load(saved, model, units)
        assert str(caught.value).isprintable()

    for at in range(0, len(good), max(len(good) // 40, 1)):
        saved.write_bytes(good[:at] + bytes([good[at] ^ 16]) + good[at + 1 :])
        refuses("damaged or not a search|not the file of a search|search format|not there|another model")
        saved.write_bytes(good[:at])
        refuses("damaged or not a search")
    saved.unlink()
    refuses("there is no such file", NoCheckpointError)
    saved.mkdir()
    refuses("not a file")
    saved.rmdir()
    os.mkfifo(saved)
    refuses("not a file")
    saved.unlink()
    safetensors.torch.save_file(dict(model.state_dict()), saved)
    refuses("not the file of a search")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("progress", "meta_loop"), 10**16, "counters are out of range"),
        (("progress", "promotions"), "3", "counters are no whole numbers"),
        (("progress", "more"), 1, "damaged"),
        (("seed",), -1, "makes no sense"),
        (("seed",), 2**70, "it has the number"),
        (("variant", "name"), "\x1b[2J", None),
        (("variant", "dropout"), 1, "its variant makes no sense"),
        (("variant", "ablation"), {"selection": "output"}, None),
        (
            ("variant", "ablation"),
            {"selection": ["output"], "amount": "1", "effect": "zero"},
            "its variant makes no sense",
        ),
        (("variant", "schedule"), [[1.5, {}]], "damaged"),
        (("history", "meta_loops"), [1, 2], "damaged"),
        (("history", "meta_loops"), [1, 2, 4], "its history is not that of its counters"),
        (("history", "validation_accuracies"), [2.0, 0.0, 0.0], "its history has no accuracies"),
        (("history", "event"), "run_finished", "damaged"),
        (("history",), None, "damaged"),
        ((), [], "damaged"),
    ],
)
def test_a_header_that_contradicts_itself_is_refused(path, value, message, saved, model, units):
    with safetensors.safe_open(saved, "pt") as file:
        content = json.loads(file.metadata()[search_file.FORMAT].split(" ", 2)[2])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    place = content
    for name in path[:-1]:
        place = place[name]
    if path:
        place[path[-1]] = value
    text = json.dumps(content if path else value)
    entry = f"1 {search_file._digest(text, tensors)} {text}"
    safetensors.torch.save_file(tensors, saved, {search_file.FORMAT: entry})
    if message is None:
        assert psa_tui.Search.load(saved, model, units).variant.name.isprintable()
        return
    with pytest.raises((CheckpointError, ConfigError), match=message) as caught:
        psa_tui.Search.load(saved, model, units)
    assert str(caught.value).isprintable()


def test_a_newer_file_and_one_with_a_huge_header_are_refused(saved, model, units):
    tensors = safetensors.torch.load_file(saved)
    for entry, message in (
        ("2", "search format 2, this version reads 1; update psa-tui"),
        ("1 " + "x" * 16_000_001, "more than 16,000,000"),
    ):
        safetensors.torch.save_file(tensors, saved, {search_file.FORMAT: entry})
        with pytest.raises(CheckpointError, match=message):
            psa_tui.Search.load(saved, model, units)


def test_a_history_keeps_its_newest_loops_and_stays_small(model, units, monkeypatch, tmp_path):
    monkeypatch.setattr("psa_tui.search.state._MOST_LOOPS", 5)
    monkeypatch.setattr("psa_tui.search.state._MOST_UNITS", 7)
    search = psa_tui.Search(model, units, "full+amount=3")
    for loop in search.loops(9):
        loop.report(0.5)
    assert search.history.meta_loops == (8, 9)
    search.save(tmp_path / "search.safetensors")
    assert psa_tui.Search.load(tmp_path / "search.safetensors", model, units).history == search.history
