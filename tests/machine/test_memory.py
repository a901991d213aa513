import subprocess
import sys

import pytest

from psa_tui.data import free_memory
from psa_tui.errors import ConfigError
from psa_tui.machine import memory
from psa_tui.networks import NETWORKS

pytestmark = pytest.mark.slow


def test_asking_for_the_available_memory_imports_no_torch():
    program = (
        "import sys; from psa_tui.machine.memory import available_memory_bytes as f; assert f() > 0; "
        "print(sorted({'torch', 'numpy'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_a_network_is_refused_when_its_training_needs_more_than_is_available(monkeypatch):
    network = NETWORKS.find("mlp").parse("[1*1024]", (1, 28, 28), 10)
    monkeypatch.setattr(memory, "available_memory_bytes", lambda: network.training_bytes(256))
    memory.check_memory(network, 256, 50_000)
    memory.check_memory(network, 10_000, 256)
    with pytest.raises(ConfigError) as caught:
        memory.check_memory(network, 10_000, 50_000)
    assert str(caught.value) == (
        "[1*1024] has 814,090 parameters and needs about 0.2 GB to train; 0.1 GB of memory are available: "
        "choose a smaller --arch or --batch-size"
    )


def group(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


def test_the_tightest_version_2_limit_above_the_process_counts_without_reclaimable_cache(tmp_path):
    group(tmp_path, cgroup__controllers="memory")
    group(tmp_path / "outer", memory__max=1000, memory__current=700, memory__stat="anon 500\ninactive_file 100")
    group(tmp_path / "outer/inner", memory__max="max", memory__current=300, memory__stat="inactive_file 0")
    group(tmp_path / "other", memory__max=10, memory__current=1, memory__stat="inactive_file 0")
    assert free_memory._control_group_bytes("0::/outer/inner\n", tmp_path) == 400


def test_a_container_that_sees_only_its_own_group_finds_its_limit_at_the_mount(tmp_path):
    group(tmp_path, memory__max=1000, memory__current=900, memory__stat="inactive_file 50")
    assert free_memory._control_group_bytes("0::/\n", tmp_path) == 150
    assert free_memory._control_group_bytes("0::/docker/abc\n", tmp_path) == 150


def test_a_version_1_limit_counts_and_its_usage_may_exceed_it(tmp_path):
    membership = "5:cpu,cpuacct:/x\n4:memory:/job\n1:name=systemd:/a:b\n"
    stat = "inactive_file 1\ntotal_inactive_file 30"
    files = {"memory__usage_in_bytes": 130, "memory__stat": stat}
    group(tmp_path / "memory", memory__limit_in_bytes=9223372036854771712, **files)
    group(tmp_path / "memory/job", memory__limit_in_bytes=500, **files)
    assert free_memory._control_group_bytes(membership, tmp_path) == 400
    group(tmp_path / "memory/job", memory__limit_in_bytes=90, **files)
    assert free_memory._control_group_bytes(membership, tmp_path) == 0


@pytest.mark.parametrize("membership", ["", "0::/\n", "4:memory:/\n", "0::/../..\n"])
def test_no_control_group_is_no_limit(tmp_path, membership):
    assert free_memory._control_group_bytes(membership, tmp_path) is None
