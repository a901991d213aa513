"""A program that shows a study on its terminal, event by event, until it is asked to stop."""

import sys
import time

from psa_tui.machine.signals import StopRequest
from psa_tui.studies.events import CellFinished, StudyFinished, StudyOutcome, StudyStarted
from psa_tui.views.study.dashboard import StudyDashboard
from tests.views.study.conftest import progressed, study_started


def main() -> None:
    with StopRequest() as stop:
        stop.in_loops = True
        view = StudyDashboard(sys.stdout, stop, ascii_only=False)
        started: StudyStarted = study_started()
        view.handle(started)
        view.handle(CellFinished(shape="1*2048", worker=None, trials=tuple(range(1, 11)), means=(0.98,) * 6))
        loop = 0
        while stop.reason is None:
            loop += 1
            view.handle(progressed("18*18", "worker 1", loop, loop_s=1.0))
            time.sleep(0.1)
        view.handle(
            StudyFinished(
                outcome=StudyOutcome.STOPPED,
                reason=stop.reason,
                complete=60,
                failed=0,
                seconds=5,
                go_on="psa reproduce run",
            )
        )
        view.close()
    sys.exit(stop.exit_code)


if __name__ == "__main__":
    main()
