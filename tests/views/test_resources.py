import re

import pytest

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
