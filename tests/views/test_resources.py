import re

import pytest

from psa_tui.method.event_codec import decode_event, encode_event
from psa_tui.method.events import DeviceMemoryMeasured
from psa_tui.views.display import DisplayOptions
from psa_tui.views.glyphs import ASCII, UNICODE
from psa_tui.views.resources import ResourceHistory, Resources, resource_chart


def taken(*samples):
    history = ResourceHistory()
    for cpu, memory in samples:
        history.add(Resources(cpu, memory), 1.0)
    return history


def test_processor_time_and_memory_are_drawn_from_zero_to_the_most_with_what_is_now():
    history = taken((0.0, 100_000_000), (50.0, 200_000_000), (200.0, 400_000_000), (100.0, 300_000_000))
    assert resource_chart(history, 60, 4, UNICODE).plain.split("\n") == [
        "CPU 100 %, at most 200 % over 0:04",
        " ▂█▄",
        "memory 300.0 MB, at most 400.0 MB over 0:04",
        "▂▄█▆",
    ]
    assert resource_chart(history, 20, 2, ASCII).plain.split("\n") == ["100 %", "300.0 MB"]
    assert resource_chart(history, 60, 6, ASCII).plain.split("\n")[1:3] == ["  %", " =%%"]


def test_a_long_run_takes_no_more_room_and_forgets_no_peak():
    history = taken(*((float(n % 100), n) for n in range(20_000)), (900.0, 20_000), *((1.0, 20_000),) * 5_000)
    assert len(history.cpu_percent) == len(history.memory_bytes) < 512
    assert history.seconds == 25_001
    assert history.greatest_cpu_percent == 900.0
    # Memory rose evenly up to four fifths of the way, and each sample counted the same.
    middle = len(history.memory_bytes) * 2 // 5
    assert history.memory_bytes[middle] == pytest.approx(10_000, rel=0.01)


def test_of_another_process_nothing_is_drawn():
    chart = resource_chart(ResourceHistory(), 60, 4, UNICODE, is_ours=False)
    assert chart.plain == "not known of another process's run"


def test_a_key_shows_and_hides_them(recorded, build):
    state, now = build.replay(recorded)
    state.resources = taken((150.0, 400_000_000), (100.0, 500_000_000))
    shown = "\n".join(build.picture(state, 140, 45, now, DisplayOptions(), keys=["9"]))
    assert "what the run takes" in shown
    assert re.search(r"CPU 100 %, at most 150 %", shown)
    assert "what the run takes" not in "\n".join(build.picture(state, 140, 45, now, DisplayOptions()))


GPU = DeviceMemoryMeasured(allocated_bytes=1_234_000_000, total_bytes=79_600_000_000)


def test_what_a_run_has_of_its_gpu_stands_below_and_is_never_cut():
    history = taken((50.0, 200_000_000), (100.0, 400_000_000))
    for width, last in (
        (60, "GPU 1.2 GB of 79.6 GB allocated"),
        (24, "GPU 1.2 GB of 79.6 GB"),
        (18, "1.2 GB of 79.6 GB"),
    ):
        lines = resource_chart(history, width, 7, UNICODE, device_memory=GPU).plain.split("\n")
        assert len(lines) == 7
        assert lines[-1] == last


@pytest.mark.parametrize(("size", "keys"), [((60, 15), ["9"]), ((80, 24), ["9"]), ((140, 45), []), ((200, 60), [])])
def test_the_screen_of_a_run_on_a_gpu_has_its_memory(recorded, build, size, keys):
    state, now = build.replay(recorded[:60])
    state.resources = taken((150.0, 400_000_000), (100.0, 500_000_000))
    assert "GPU" not in "\n".join(build.picture(state, *size, now, DisplayOptions(), keys=keys))
    state.fold(decode_event(encode_event(GPU)), now)
    assert "GPU 1.2 GB of 79.6 GB" in "\n".join(build.picture(state, *size, now, DisplayOptions(), keys=keys))
