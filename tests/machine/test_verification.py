from dataclasses import replace

import pytest
import torch

from psa_tui.engine.backend import BACKENDS
from psa_tui.engine.backends.module import ModuleBackend
from psa_tui.errors import PsaError
from psa_tui.machine import throughput, verification
from psa_tui.machine.oracle import VARIANTS, epoch_on, expect, initial_weights
from psa_tui.machine.verification import generated_images, images_of_the_check, product_error, verify
from psa_tui.views.verification_text import MOST_PRODUCT_ERROR
from tests.engine import oracle
from tests.engine.trials import end_of, mlp

SHAPE = "[4*4, 2*8]"
IN_CAMPAIGNS = pytest.mark.campaign


@pytest.fixture(autouse=True)
def a_moment(monkeypatch):
    """One small network, timed for a moment; and one thread, as before."""
    monkeypatch.setattr(verification, "_SHAPES", (SHAPE,))
    monkeypatch.setattr(verification, "_SPEC", replace(verification._SPEC, train_count=1000))
    for name in ("_MEASURE_S", "_TRAIN_S"):
        monkeypatch.setattr(throughput, name, 0.01)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def checked(backend):
    (check,) = verify([backend], "cpu", 1)
    return check


def fewer_digits(numbers):
    """``numbers`` with the ten bits of mantissa of TF32."""
    return ((numbers.view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)


class Wrong(ModuleBackend):
    """The plain backend, but for a fault."""

    name = "wrong"


class TooFast(Wrong):
    def train_epoch(self, weights, network, images, epoch):
        before = weights.clone()
        losses = yield from super().train_epoch(weights, network, images, epoch)
        weights.add_(weights - before, alpha=0.001)
        return losses


class WithoutDecay(Wrong):
    def train_epoch(self, weights, network, images, epoch):
        object.__setattr__(epoch, "weight_decay", (0.0,) * len(weights))
        return super().train_epoch(weights, network, images, epoch)


class WithoutDropout(Wrong):
    def train_epoch(self, weights, network, images, epoch):
        object.__setattr__(epoch, "dropout", (None,) * len(weights))
        return super().train_epoch(weights, network, images, epoch)


class OneWeightOff(Wrong):
    def train_epoch(self, weights, network, images, epoch):
        losses = yield from super().train_epoch(weights, network, images, epoch)
        weights[0, -1] += 1e-5
        return losses


class NotANumber(Wrong):
    def train_epoch(self, weights, network, images, epoch):
        losses = yield from super().train_epoch(weights, network, images, epoch)
        weights[0, 0] = float("nan")
        return losses


class OneImageOff(Wrong):
    def count_correct(self, weights, network, images, active=None):
        return super().count_correct(weights, network, images, active) - 1


class WithFewerDigits(Wrong):
    def train_epoch(self, weights, network, images, epoch):
        multiply = torch.nn.functional.linear
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                torch.nn.functional,
                "linear",
                lambda inputs, weight, bias: multiply(inputs, weight + (fewer_digits(weight) - weight).detach(), bias),
            )
            return (yield from super().train_epoch(weights, network, images, epoch))


class Broken(Wrong):
    def train_epoch(self, weights, network, images, epoch):
        raise RuntimeError("no kernel image is available\nfor this device")


@pytest.mark.parametrize("name", ["torch", *(pytest.param(name, marks=IN_CAMPAIGNS) for name in ("numba", "module"))])
def test_every_backend_passes(name):
    check = checked(BACKENDS.find(name))
    assert check.passed
    assert (check.backend, check.architecture, check.miscounted, check.error) == (name, SHAPE, 0, "")
    assert check.meta_loops_per_s > 0


@pytest.mark.parametrize(
    "fault",
    [
        OneWeightOff,
        *(
            pytest.param(fault, marks=IN_CAMPAIGNS)
            for fault in (TooFast, WithoutDecay, WithoutDropout, NotANumber, OneImageOff, WithFewerDigits)
        ),
    ],
)
def test_a_backend_with_a_small_fault_does_not_pass(fault):
    check = checked(fault())
    assert not check.passed
    assert check.error == ""


@IN_CAMPAIGNS
def test_what_a_backend_raises_is_told_in_a_line_and_the_others_are_checked():
    broken, sound = verify([Broken(), ModuleBackend()], "cpu", 1)
    assert not broken.passed
    assert broken.error == "RuntimeError: no kernel image is available"
    assert sound.passed


@IN_CAMPAIGNS
@pytest.mark.parametrize("text", [SHAPE, "[1*1024]"])
def test_rounding_cannot_decide_whether_a_unit_of_the_check_is_active(text, monkeypatch):
    least, relu = [], torch.relu

    def recorded(sums):
        if sums.dtype is torch.float64 and sums.requires_grad:
            least.append(float(sums.detach().abs().min()))
        return relu(sums)

    monkeypatch.setattr(torch, "relu", recorded)
    expect(mlp(text), images_of_the_check())
    # A sum of 784 products of such numbers is rounded by a few 1e-7.
    assert min(least) > 4e-6


@pytest.mark.parametrize("text", [SHAPE, "[1*16]"])
@pytest.mark.campaign
def test_its_oracle_is_that_of_the_tests(text):
    network, images = mlp(text), images_of_the_check()
    weights = initial_weights(network).double()
    epoch = epoch_on(images, weights)
    end_of(oracle.train_epoch(weights, network, images, epoch))
    expected = expect(network, images)
    assert (expected.weights - weights).abs().max() <= 1e-12
    assert len(weights) == len(VARIANTS)
    decided = expected.decided
    assert oracle.count_correct(weights[:1], network, decided).tolist() == [len(decided)]
    assert len(decided) > 250


def test_generated_images_have_as_much_ink_as_mnist():
    pixels = generated_images(1000).pixels
    patches = pixels.view(1000, 7, 4, 7, 4).amax((2, 4))
    assert 145 <= float((pixels > 0).sum(1).float().mean()) <= 153
    assert 18 <= float((patches > 0).sum((1, 2)).float().mean()) <= 19


def test_products_of_float32_have_its_digits_here_and_those_of_tf32_do_not(monkeypatch):
    assert product_error("cpu") <= MOST_PRODUCT_ERROR
    monkeypatch.setattr(torch.Tensor, "to", lambda numbers, device: fewer_digits(numbers))
    assert product_error("cpu") > 10 * MOST_PRODUCT_ERROR


def test_a_device_that_does_not_compute_is_told_in_a_line():
    with pytest.raises(PsaError, match=r"^meta multiplies nothing \(.*\); choose another --device$"):
        product_error("meta")
