from collections import deque
from dataclasses import replace

from psa_tui.studies.executors.base import PartFailed, WorkerDied, WorkerStopped
from psa_tui.studies.training import PartRun


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
        self.runs[worker] = (run, run.run(worker, save_every_s=0))

    def messages(self, timeout_s):
        found = []
        for worker, (run, steps) in list(self.runs.items()):
            if self.stopping:
                found.append(WorkerStopped(worker, run.part))
            elif self.script and self.script[0] == (run.part.network.short_name, run.meta_loop):
                self.script.popleft()
                found.append(self.befall(worker, run))
            else:
                step = next(step for step in steps if step.loops or step.done)
                found.append(replace(step, loop_s=0.1))
                if not step.done:
                    continue
            del self.runs[worker]
        return found

    def befall(self, worker, run):
        return WorkerDied(worker, run.part, "it was killed by SIGKILL")

    def stop(self):
        self.stopping = True

    def close(self):
        self.closed = True


class Failing(InProcess):
    permanent = False

    def befall(self, worker, run):
        return PartFailed(worker, run.part, "RuntimeError: no", self.permanent)
