import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

pytest.importorskip("jinja2")


def test_the_page_of_the_published_study_is_written(psa, tmp_path):
    done = psa("results", "report", "--source", "published")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "psa: wrote results/report.html\n"
    text = (tmp_path / "results" / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "5,880 complete trials" in text


def test_without_a_study_one_line_says_what_makes_one(psa, tmp_path):
    done = psa("results", "report")
    assert done.returncode == 2
    assert done.stderr.startswith("psa: error: ")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("command", "package"), [("plot", "matplotlib"), ("report", "jinja2"), ("plot", "pandas")])
def test_a_missing_package_of_the_extra_is_named_in_one_line(psa, command, package):
    code = (
        "import sys, importlib.util as u; found = u.find_spec;"
        f"u.find_spec = lambda name, *rest: None if name == {package!r} else found(name, *rest);"
        f"sys.argv = ['psa', 'results', {command!r}, '--source', 'published'];"
        "from psa_tui.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    expected = f'psa: error: {package} not installed, this command needs it: pip install "psa-tui[results]"\n'
    assert done.stderr.splitlines(keepends=True)[-1] == expected
