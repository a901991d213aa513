import subprocess
import sys
import time

import psutil
import pytest
import torch

from psa_tui import device
from psa_tui.architecture import parse_architecture
from psa_tui.config import DEVICES
from psa_tui.device import Accelerator, Benchmark, Capabilities, Choice, choose, detect, set_threads
from psa_tui.errors import ConfigError

GPU = Accelerator("cuda:0", "Tesla T4", 15_843_721_216)
SECOND_GPU = Accelerator("cuda:1", "Tesla T4", 15_843_721_216)
METAL = Accelerator("mps", "Apple GPU (Metal)", None)
REASONS = {"cuda": "no driver", "mps": "no Mac"}


def machine(*accelerators):
    kinds = {accelerator.kind for accelerator in accelerators}
    return Capabilities(
        versions={"psa-tui": "1", "Python": "2", "PyTorch": "3", "NumPy": "4", "CUDA": None},
        system="Linux",
        cpu="A CPU",
        physical_cores=2,
        logical_cores=4,
        memory_bytes=2_000,
        available_memory_bytes=1_000,
        accelerators=accelerators,
        missing={kind: reason for kind, reason in REASONS.items() if kind not in kinds},
    )


@pytest.mark.parametrize(
    ("accelerators", "expected"),
    [
        ((), Choice("cpu", "neither CUDA nor MPS is usable")),
        ((METAL,), Choice("mps", "Apple GPU (Metal) is usable, and faster than the CPU on large shapes")),
        ((METAL, GPU), Choice("cuda:0", "Tesla T4 is usable, and faster than the CPU on large shapes")),
        ((GPU, SECOND_GPU), Choice("cuda:0", "Tesla T4 is usable, and faster than the CPU on large shapes")),
    ],
)
def test_auto_takes_cuda_then_mps_then_the_cpu(accelerators, expected):
    assert choose("auto", machine(*accelerators)) == expected


def test_an_explicit_device_is_used_whatever_auto_would_take():
    full = machine(GPU, SECOND_GPU, METAL)
    asked = "it was asked for"
    assert choose("cpu", full) == Choice("cpu", asked)
    assert choose("cuda", full) == Choice("cuda:0", asked)
    assert choose("mps", full) == Choice("mps", asked)
    assert full.usable == ("cpu", "cuda", "mps")


@pytest.mark.parametrize(
    ("wanted", "accelerators", "message"),
    [
        ("cuda", (), "device cuda is not usable: no driver; choose --device auto or cpu"),
        ("mps", (GPU,), "device mps is not usable: no Mac; choose --device auto or cpu or cuda"),
        ("cuda", (METAL,), "device cuda is not usable: no driver; choose --device auto or cpu or mps"),
        ("tpu", (GPU,), "device 'tpu' is unknown, expected one of auto, cpu, cuda, mps"),
    ],
)
def test_an_explicit_device_that_is_not_usable_is_refused_and_nothing_taken_in_its_place(wanted, accelerators, message):
    with pytest.raises(ConfigError) as raised:
        choose(wanted, machine(*accelerators))
    assert str(raised.value) == message


def test_the_report_of_this_machine_agrees_with_torch_and_the_system():
    found = detect()
    assert (found.versions["PyTorch"], found.versions["CUDA"]) == (torch.__version__, torch.version.cuda)
    assert found.memory_bytes == psutil.virtual_memory().total >= found.available_memory_bytes > 0
    assert found.logical_cores == psutil.cpu_count()
    assert found.cpu
    assert ("cuda" in found.usable, "mps" in found.usable) == (
        torch.cuda.is_available(),
        torch.backends.mps.is_available(),
    )
    for wanted in DEVICES:
        if wanted in ("auto", *found.usable):
            torch.zeros(1, device=choose(wanted, found).device)
        else:
            assert found.missing[wanted]


@pytest.fixture
def one_thread():
    """Compute with one thread for the length of a test."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_threads_are_set_when_said_and_reported_always(one_thread):
    assert set_threads(None) == 1
    assert set_threads(2) == torch.get_num_threads() == 2
    assert set_threads(None) == 2


def test_asking_for_the_available_memory_imports_no_torch():
    program = (
        "import sys; from psa_tui.device import available_memory_bytes as f; assert f() > 0; "
        "print(sorted({'torch', 'numpy'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def group(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


def test_the_tightest_version_2_limit_above_the_process_counts_without_reclaimable_cache(tmp_path):
    group(tmp_path, cgroup__controllers="memory")
    group(tmp_path / "outer", memory__max=1000, memory__current=700, memory__stat="anon 500\ninactive_file 100")
    group(tmp_path / "outer/inner", memory__max="max", memory__current=300, memory__stat="inactive_file 0")
    group(tmp_path / "other", memory__max=10, memory__current=1, memory__stat="inactive_file 0")
    assert device._control_group_bytes("0::/outer/inner\n", tmp_path) == 400


def test_a_container_that_sees_only_its_own_group_finds_its_limit_at_the_mount(tmp_path):
    group(tmp_path, memory__max=1000, memory__current=900, memory__stat="inactive_file 50")
    assert device._control_group_bytes("0::/\n", tmp_path) == 150
    assert device._control_group_bytes("0::/docker/abc\n", tmp_path) == 150


def test_a_version_1_limit_counts_and_its_usage_may_exceed_it(tmp_path):
    membership = "5:cpu,cpuacct:/x\n4:memory:/job\n1:name=systemd:/a:b\n"
    stat = "inactive_file 1\ntotal_inactive_file 30"
    files = {"memory__usage_in_bytes": 130, "memory__stat": stat}
    group(tmp_path / "memory", memory__limit_in_bytes=9223372036854771712, **files)
    group(tmp_path / "memory/job", memory__limit_in_bytes=500, **files)
    assert device._control_group_bytes(membership, tmp_path) == 400
    group(tmp_path / "memory/job", memory__limit_in_bytes=90, **files)
    assert device._control_group_bytes(membership, tmp_path) == 0


@pytest.mark.parametrize("membership", ["", "0::/\n", "4:memory:/\n", "0::/../..\n"])
def test_no_control_group_is_no_limit(tmp_path, membership):
    assert device._control_group_bytes(membership, tmp_path) is None


def test_a_prediction_is_the_work_of_a_meta_loop_at_the_measured_rates():
    measured = Benchmark(
        architecture="[1*1024]",
        parameters=814_090,
        batch_size=256,
        matrix_product_flop_per_s=1e11,
        training_images_per_s=25_000.0,
        evaluation_images_per_s=40_000.0,
    )
    assert measured.meta_loop_s == 2.25
    assert measured.floor_s == pytest.approx(814_090 * 320_000 / 1e11)


def test_a_measurement_predicts_what_an_epoch_of_the_engine_really_takes(one_thread):

    from psa_tui.engine.epoch import Epoch, Images, count_correct, train_epoch
    from psa_tui.engine.model import initial_weights, layout, stack

    architecture = parse_architecture("[2*32]")
    measured = device.measure(architecture, 500, "cpu")
    layers = layout(architecture)
    flat = stack([initial_weights(layers, 1)], torch.device("cpu"))
    pixels = torch.zeros(50_000, 784, dtype=torch.uint8)
    images = Images(pixels, torch.zeros(50_000, dtype=torch.int64), 0.5, 0.5)
    epoch = Epoch(torch.randperm(50_000).unsqueeze(0), 1e-4, 500, torch.zeros(1, 1), (None,))
    started = time.perf_counter()
    for _ in train_epoch(flat, layers, images, epoch):
        pass
    count_correct(flat, layers, Images(pixels[:10_000], images.labels[:10_000], 0.5, 0.5))
    seconds = time.perf_counter() - started
    assert seconds / 5 < measured.meta_loop_s < seconds * 5
    assert measured.floor_s < measured.meta_loop_s
