import logging
import os
import re
from xml.etree import ElementTree

import pytest

from psa_tui.errors import ConfigError
from psa_tui.machine.signals import StopRequest
from psa_tui.method.events import Outcome, RunFinished
from psa_tui.method.progress import Progress
from psa_tui.runs.publishing import Publisher
from psa_tui.views.display import DisplayOptions
from psa_tui.views.svg import SvgView
from tests.views.conftest import run_started


def texts(file):
    """The picture's words, line by line as they are drawn."""
    root = ElementTree.parse(file).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    return " ".join("".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")).replace(
        "\xa0", " "
    )


@pytest.mark.parametrize("options", [(), ("--ascii",)])
def test_a_piped_run_draws_its_last_frame_as_a_well_formed_svg(psa, tmp_path, options):
    run = ("--dataset", "mnist5k", "--arch", "[2*8, 1*6]", "--mode", "full", "--lr", "1e-2", "--threads", 1)
    done = psa("train", *run, "--meta-loops", 4, "--save-svg", "last & frame.svg", *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    text = texts(tmp_path / "last & frame.svg")
    bounty = re.search(r"bounty (\d+\.\d\d %)", done.stdout)[1]
    for part in ("PSA [2*8, 1*6]  mode full", "4/4  finished", f"LKG {bounty} since", "network: ", " dead", "6,476"):
        assert part in text
    assert ("▲" in text) == (not options)
    again = psa("resume", "--save-svg", "other.svg")
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr.startswith("psa: error: --save-svg other.svg: not written, because the run is complete")
    assert not (tmp_path / "other.svg").exists()


FINISHED = RunFinished(
    run="20260101-000000-abcd",
    outcome=Outcome.FINISHED,
    reason="",
    last_meta_loop=40,
    progress=Progress(validation_count=500),
    test_accuracy=None,
    seconds=1.0,
    resume_command="psa resume",
)


@pytest.mark.parametrize("name", ["no/such/folder.svg", "."])
def test_a_picture_that_cannot_be_written_is_refused_before_the_run_begins(psa, tmp_path, name):
    done = psa("train", "--dataset", "mnist5k", "--arch", "[1*8]", "--meta-loops", 2, "--save-svg", name)
    assert (done.returncode, done.stdout, list(tmp_path.iterdir())) == (2, "", [])
    assert done.stderr.startswith(f"psa: error: --save-svg {name}: ")
    assert done.stderr.count("\n") == 1


def test_a_picture_takes_the_place_of_a_link_and_leaves_its_target_alone(tmp_path):
    (tmp_path / "diary").write_text("dear diary")
    (tmp_path / "last.svg").symlink_to(tmp_path / "diary")
    view = SvgView(tmp_path / "last.svg", DisplayOptions())
    view.handle(run_started())
    view.handle(FINISHED)
    assert (tmp_path / "diary").read_text() == "dear diary"
    assert (tmp_path / "last.svg").read_text().startswith("<svg")


def test_a_picture_that_turns_out_impossible_is_an_error_of_the_run(tmp_path, caplog):
    (tmp_path / "pictures").mkdir()
    view, stop = SvgView(tmp_path / "pictures" / "last.svg", DisplayOptions()), StopRequest()
    (tmp_path / "pictures").rmdir()
    with stop, caplog.at_level(logging.ERROR):
        publish = Publisher([view], stop)
        publish(run_started())
        publish(FINISHED)
    assert stop.exit_code == 1
    (said,) = caplog.messages
    assert said == f"{tmp_path}/pictures failed ({os.strerror(2)}); what was recorded is intact"
    with pytest.raises(ConfigError):
        SvgView(tmp_path / "pictures" / "last.svg", DisplayOptions())
