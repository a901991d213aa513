import hashlib
import json
import re
import sys
from pathlib import Path

import pytest

from psa_tui.cli.app import main
from psa_tui.studies.study_parsing import parse_study_file

DOCS = (Path(__file__).parents[3] / "docs" / "design.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"^```toml\n(.*?)^```", DOCS, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def file(tmp_path):
    """The example of the documentation, on fewer digits and in seconds."""
    text = EXAMPLE.replace('["8*8", "10*10"]', '["1*2"]').replace(
        "meta_loops = 100", 'meta_loops = 1\ndataset = "mnist5k"'
    )
    (tmp_path / "pilot.toml").write_text(text.replace("trials = 40", "trials = 6").replace("[20, 40]", "[3, 6]"))
    return tmp_path / "pilot.toml"


@pytest.fixture
def said(command, tmp_path, monkeypatch, capsys):
    """Run ``psa`` in this process and in an empty folder: exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("psa_tui.cli.app.app", command)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["psa", *words])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code or 0, *capsys.readouterr()

    return run


def test_the_example_of_the_documentation_is_a_design_and_its_comments_are_true():
    design = parse_study_file(EXAMPLE, "pilot.toml", "pilot").design
    assert parse_study_file(EXAMPLE.partition("[analysis]")[0], "pilot.toml", "pilot").design == design
    assert parse_study_file(EXAMPLE.replace("[20, 40]", "2"), "pilot.toml", "pilot").design == design


def test_a_study_is_registered_run_looked_at_twice_and_written_up(psa, said, tmp_path, file):
    registered = psa("study", "register", "pilot.toml")
    assert registered.returncode == 0, registered.stderr
    digest, path = registered.stdout.split()
    assert hashlib.sha256((tmp_path / path).read_bytes()).hexdigest() == digest
    run = ("--workers", "1", "--quiet")
    assert psa("study", "run", "pilot.toml", "--trials", "3", *run).returncode == 0
    first = psa("study", "look", "pilot")
    assert first.stdout.startswith("study pilot, look 1 of 2 (counted now): 3 trials of 6 in every cell, 50 % of the")
    assert "(taken " in said("study", "look", "pilot")[1]
    done = psa("study", "run", "pilot.toml", *run)
    assert (done.returncode, done.stderr) == (0, "")
    last = json.loads(said("study", "look", "pilot", "--json")[1])
    assert (last["sha256"], [look["trials"] for look in last["looks"]], last["counted"]) == (digest, [3, 6], True)
    assert [one["n"] for one in last["looks"][1]["results"]] == [6, 6, 6]
    assert f"SHA-256 {digest[:16]}...; 2 of 2 looks taken\n" in said("study", "status")[1]
    assert "departs" not in said("study", "show", "pilot")[1]
    text = said("results", "methods")[1]
    assert f"(SHA-256 {digest})" in text
    assert "- **Deviations**: None that the program could see." in text

    # More trials than registered: said before they are trained, and after by every command.
    departure = "departs from its registration: trials registered 6, found 7\n"
    more = said("study", "run", "pilot", "--trials", "7", "--max-params", "1", *run)
    assert f"warning: study pilot {departure}" in more[2]
    assert departure in said("study", "status")[1]
    assert departure in said("results", "power")[2]
    assert departure in said("study", "register", "pilot.toml")[2]

    (tmp_path / path).write_text((tmp_path / path).read_text().replace('"alpha": 0.05', '"alpha": 0.5'))
    for words in (("study", "look", "pilot"), ("study", "run", "pilot", *run), ("results", "methods")):
        code, out, err = said(*words)
        assert (code, out) == (1, "")
        assert "design.json: changed since it was registered: its SHA-256 is " in err
    assert "changed since it was registered" in said("study", "status")[1]


def test_what_cannot_be_registered_is_told_in_a_line(said, tmp_path, file):
    assert said("study", "register", "pilot.toml")[0] == 0
    file.write_text(file.read_text().replace("seed", "").replace("trials = 6", "trials = 6\nseed = 3"))
    code, out, err = said("study", "register", "pilot.toml")
    assert (code, out) == (2, "")
    assert "registered with another design (seed registered 0, found 3; SHA-256" in err
    file.write_text(file.read_text().partition("[design]")[0])
    code, _, err = said("study", "register", "pilot.toml")
    assert (code, err.count("\n")) == (2, 1)
    assert "pilot.toml: has no part [design]" in err
    assert said("study", "look", "none")[2].startswith("psa: error: study none is not registered in results; psa study")
    assert said("study", "look", "pilot")[0] == 2


def test_registering_as_json_and_the_plan_of_looks(said, file):
    registered = json.loads(said("study", "register", "pilot.toml", "--json")[1])["registered"]
    assert [(one["study"], one["design"]["looks"]) for one in registered] == [("pilot", [3, 6])]
    planned = json.loads(said("study", "look", "pilot", "--plan", "--json")[1])
    assert [(one["trials"], round(one["boundary_z"], 3)) for one in planned["planned"]] == [(3, 3.553), (6, 2.397)]
    assert said("study", "look", "pilot", "--plan")[1].startswith(
        "study pilot: alpha 0.05, obrien-fleming spending, 2 l"
    )


def test_power_of_rates_and_means_and_of_the_published_study(said):
    code, out, _ = said("study", "power", "--control", "30", "--treatment", "60", "--json")
    answers = json.loads(out)["answers"]
    assert (code, answers["independent"]["n_by_formula"]) == (0, 42)
    assert answers["paired"]["simulated_power"] >= 0.8
    assert "a difference of 5 points" in said("study", "power", "--difference", "5", "--std", "10")[1]
    for words in (("--control", "30"), ("--control", "30", "--treatment", "60", "--std", "3")):
        code, _, err = said("study", "power", *words)
        assert (code, err.count("\n")) == (2, 1)
    code, out, _ = said("results", "power", "--source", "published", "--contrast", "output - none", "--json")
    (found,) = json.loads(out)["contrasts"]
    assert (found["n"], found["paired"], round(found["smallest"], 4)) == (980, False, 0.0106)
    assert said("results", "power", "--source", "published", "--by", "mode")[0] == 2
    assert "\\item[Data] mnist" in said("results", "methods", "--source", "published", "--format", "latex")[1]
