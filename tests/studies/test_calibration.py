from multiprocessing import Pipe

import pytest
import torch

from psa_tui.engine.epoch import Trial
from psa_tui.method.progress import Progress
from psa_tui.studies import calibration


class Reporting:
    """A backend that trains ``together`` members at a time in a second each, and reports every ``every`` images."""

    def __init__(self, clock, together, every):
        self.clock, self.together, self.every = clock, together, every

    def train_epoch(self, weights, network, images, epoch):
        losses = torch.zeros(len(weights), 1)
        for begin in range(0, len(weights), self.together):
            losses[begin : begin + self.together] = 1.0
            self.clock.now += 0.5
            for seen in range(self.every, len(images) + 1, self.every):
                self.clock.now += self.together * self.every / len(images)
                yield (begin * len(images) + self.together * seen) // len(weights), losses


class Clock:
    now = 0.0

    def perf_counter(self):
        return self.now


@pytest.mark.parametrize(("together", "every"), [(2, 40), (2, 4000), (6, 400), (3, 2000)])
def test_the_pace_is_that_of_work_however_often_a_backend_reports(
    monkeypatch, small_study, study_data, together, every
):
    clock = Clock()
    monkeypatch.setattr(calibration, "time", clock)
    members = [
        Trial(trial, variant, Progress(validation_count=1)) for trial in (1, 2) for variant in small_study.variants
    ]
    network, backend = small_study.networks[0], Reporting(clock, together, every)
    found = calibration._epoch_s(small_study, network, backend, study_data.train, "cpu", members, 1.0)
    assert found == (pytest.approx(0.5 + together, rel=0.05), together)


def test_the_pace_is_not_that_of_the_last_images_of_an_epoch_which_have_a_call_of_their_own():
    # Chunks of 500 images: 480 in a second, then 20 in half of one; once the machine did something else.
    points = [(1.0, 480), (1.5, 500), (2.5, 980), (3.0, 1000), (9.0, 1480), (9.5, 1500), (10.5, 1980), (11.0, 2000)]
    assert calibration._median_pace(points) == pytest.approx(1 / 480)
    assert calibration._median_pace(points[:1]) is None


def test_a_worker_ends_without_a_word_when_whoever_asked_has_left(small_study):
    here, there = Pipe()
    there.close()
    calibration._serve(here, small_study, "cpu", "torch", 0.01)
