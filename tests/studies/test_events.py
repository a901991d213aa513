import json

import pytest

from psa_tui.method.event_codec import decode_event, encode_event
from psa_tui.studies.events import (
    CellFailed,
    CellFinished,
    CellProgressed,
    CellStarted,
    StudyFinished,
    StudyNote,
    StudyOutcome,
    StudyStarted,
    WorkerLost,
)

EVENTS = [
    StudyStarted(
        study="s",
        resumed=False,
        quick=True,
        shapes=("1*2", "2*2"),
        depths=(1, 2),
        widths=(2, 2.5),
        modes=("none",),
        trials=2,
        meta_loops=3,
        seed=0,
        dataset="mnist",
        workers=2,
        costs_s=(0.1, 0.2),
        notices=("mind",),
    ),
    CellStarted(shape="1*2", worker="worker 1", trials=(1, 2), meta_loop=0),
    CellProgressed(
        shape="1*2",
        worker="worker 1",
        trials=(1, 2),
        meta_loop=1,
        loop_share=0.5,
        loop_s=None,
        bounties=((0.5, None),),
    ),
    CellFinished(shape="1*2", worker=None, trials=(1, 2), means=(0.5,)),
    CellFailed(shape="1*2", worker="worker 1", trials=(1, 2), attempt=1, cause="killed", final=False),
    WorkerLost(worker="worker 1", cause="killed"),
    StudyNote(text="hello"),
    StudyFinished(outcome=StudyOutcome.STOPPED, reason="q", complete=1, failed=0, seconds=1.5, go_on="psa"),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_event_survives_a_trip_through_json(event):
    assert decode_event(json.loads(json.dumps(encode_event(event)))) == event


@pytest.mark.parametrize("change", [{"schema": 1}, {"event": "nothing"}, {"more": 1}])
def test_what_is_no_event_of_this_schema_is_refused(change):
    with pytest.raises((KeyError, ValueError)):
        decode_event({**encode_event(EVENTS[-2]), **change})
