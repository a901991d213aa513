import re
from xml.etree import ElementTree

import pytest


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
    for part in ("PSA [2*8, 1*6]  mode full", "4/4  finished", f"LKG {bounty} since", "network: ablations", "6,476"):
        assert part in text
    assert ("▲" in text) == (not options)


def test_a_picture_that_cannot_be_written_does_not_harm_the_run(psa, tmp_path):
    done = psa(
        "train", "--dataset", "mnist5k", "--arch", "[1*8]", "--meta-loops", 2, "--save-svg", "no/such/folder.svg"
    )
    assert done.returncode == 0
    assert "finished: 2 of 2 meta-loops" in done.stdout
    assert "no/such/folder.svg: the picture cannot be written (No such file or directory)" in done.stderr
    assert "Traceback" not in done.stderr
