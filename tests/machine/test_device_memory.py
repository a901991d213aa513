import json
import sys
from types import SimpleNamespace

import pytest
import torch

from psa_tui.machine.device_memory import measure_device_memory
from psa_tui.method.events import DeviceMemoryMeasured
from tests import program

ON_A_GPU = """
from psa_tui.cli import main
from psa_tui.method.events import DeviceMemoryMeasured
from psa_tui.runs import session

allocated = iter((5, 5, 7, 7))
session.measure_device_memory = lambda device: DeviceMemoryMeasured(allocated_bytes=next(allocated), total_bytes=9)
main()
"""


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_a_device_that_shares_the_machines_memory_has_none_of_its_own(device):
    assert measure_device_memory(torch.device(device)) is None


def test_of_a_gpu_it_is_what_this_process_allocated_and_what_there_is(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: asked.append(device) or 5_000_000)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=80_000_000))
    found = measure_device_memory(torch.device("cuda:1"))
    assert found == DeviceMemoryMeasured(allocated_bytes=5_000_000, total_bytes=80_000_000)
    assert asked == [torch.device("cuda:1")]


def test_a_run_tells_of_it_after_each_loop_that_changed_it(psa):
    words = ["train", "--dataset", "mnist5k", "--arch", "[1*4]", "--seed", "3", "--threads", "1", "--meta-loops", "4"]
    done = program.run([sys.executable, "-c", ON_A_GPU, *words, "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    told = [event["event"] for event in events if event["event"] in ("meta_loop_finished", "device_memory_measured")]
    loop, memory = "meta_loop_finished", "device_memory_measured"
    assert told == [loop, memory, loop, loop, memory, loop]
    assert [event["allocated_bytes"] for event in events if event["event"] == memory] == [5, 7]
