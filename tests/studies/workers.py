from collections import deque

from psa_tui.studies.executors.base import Advanced, Left, Lost, Refused
from psa_tui.studies.training import LoopDone, PartRun


class InProcess:
    """Workers that train in the test's own process, a meta-loop a message.

    ``script`` lists (shape, meta-loops done) where, in this order, something befalls a worker.
    """

    def __init__(self, spec, data, workers=2, script=()):
        self.workers = [f"worker {number}" for number in range(1, workers + 1)]
        self.spec, self.data, self.script = spec, data, deque(script)
        self.runs = {}
        self.submitted = []
        self.stopping = self.closed = False

    def submit(self, worker, part, saved):
        run = PartRun(self.spec, part, self.data, saved)
        self.submitted.append((worker, part, run.meta_loop))
        self.runs[worker] = (run, run.run())

    def messages(self, patience_s):
        found = []
        for worker, (run, steps) in list(self.runs.items()):
            if self.stopping:
                found.append(Left(worker, run.part))
            elif self.script and self.script[0] == (str(run.part.shape), run.meta_loop):
                self.script.popleft()
                found.append(self.befall(worker, run))
            else:
                found.append(self.step(worker, run, steps))
                if not run.finished:
                    continue
            del self.runs[worker]
        return found

    def befall(self, worker, run):
        return Lost(worker, run.part, "it was killed by SIGKILL")

    def step(self, worker, run, steps):
        rows = next((step.rows for step in steps if isinstance(step, LoopDone)), ())
        trials = tuple(run.trial_rows("here"))
        state = None if run.finished else run.state()
        done = run.finished
        return Advanced(worker, run.part, run.meta_loop, 0.0, 0.1, run.bounties, rows, trials, state, done)

    def stop(self):
        self.stopping = True

    def close(self):
        self.closed = True


class Refusing(InProcess):
    hopeless = False

    def befall(self, worker, run):
        return Refused(worker, run.part, "RuntimeError: no", self.hopeless)
