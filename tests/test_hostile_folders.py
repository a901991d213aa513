"""A folder one stands in is not trusted: nothing in it is executed, and nothing outside it is changed."""

import os
import sys

import platformdirs
import pytest

from tests import program

pytestmark = pytest.mark.slow

START = "import sys; del sys.path[0]; sys.argv[0] = 'psa'; from psa_tui.cli import main; main()"
"""As the installed script does, which has its own folder first on the path, not the current one."""
RUN = ("--dataset", "mnist5k", "--meta-loops", "1", "--threads", "1", "--plain")
STUDY = ("--grid", "1*2", "--modes", "none", "--trials", "1", "--meta-loops", "1")
COMMANDS = {
    "train": ("train", "--arch", "1*2", *RUN),
    "resume": ("resume", "--meta-loops", "1", "--plain"),
    "status": ("status", "--json"),
    "probe": ("probe", "--draws", "1", "--out", "probe.svg"),
    "clean": ("clean", "--dry-run"),
    "dataset": ("dataset", "--dataset", "mnist5k"),
    "device": ("device", "--json"),
    "config": ("config",),
    "plan": ("reproduce", "plan", *STUDY),
    "run": ("reproduce", "run", *STUDY, "--study", "tiny", "--dataset", "mnist5k", "--workers", "1", "--plain"),
    "runs": ("results", "runs"),
    "plot": ("results", "plot", "regimes", "--source", "published", "--format", "svg"),
    "report": ("results", "report", "--source", "published"),
}
MODULES = """
    argparse json pickle random rich torch numpy typing typer pydantic sqlite3 struct signal logging pathlib hashlib
    subprocess multiprocessing safetensors psa_tui pandas matplotlib tomllib dotenv psutil sitecustomize usercustomize
"""
CODE = "import os; open(os.environ['MARKER'], 'w').close()\n"
SETTINGS = 'save_svg = "{0}/x.svg"\n', 'model_dir = "{0}"\n', 'results_dir = "../outside"\n', "lr = [[1]]\n", "\0\1\2"


def code(folder, outside):
    """Files that Python looks for when it starts or imports, and some that libraries look for."""
    for name in MODULES.split():
        (folder / f"{name}.py").write_text(CODE)
    (folder / "encodings").mkdir()
    (folder / "encodings" / "__init__.py").write_text(CODE)
    (folder / "psa.pth").write_text(CODE.replace("\n", ";"))
    (folder / "matplotlibrc").write_text("backend: module://argparse\n")
    (folder / "pyproject.toml").write_text("[tool.psa]\n")
    (folder / ".env").write_text(
        "PYTHONPATH=.\nPYTHONSTARTUP=argparse.py\nLD_PRELOAD=./x.so\nMPLBACKEND=module://json\n"
    )


def links(folder, outside):
    """Links with the names of our temporary and lock files, to a file of somebody else's."""
    for path in (
        "models/.mnist_lkg.safetensors.tmp",
        "models/.mnist_lkg.previous.safetensors.tmp",
        "models/.mnist_lkg.safetensors.lock",
        "results/studies/tiny/.study.lock",
        "results/studies/tiny/.1x2-1-1.safetensors.tmp",
        "results/figures/.regimes.svg.tmp",
        "results/.report.html.tmp",
        "results/report.html",
        "dataset/.psa-download.lock",
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).symlink_to(outside / "diary")


def places(folder, outside):
    """Folders and pipes where files are expected, and files where folders are."""
    (folder / "models").mkdir()
    os.mkfifo(folder / "models" / "mnist_lkg.safetensors")
    os.mkfifo(folder / ".env")
    (folder / "psa.toml").mkdir()
    (folder / "results").mkdir()
    (folder / "results" / "history.sqlite").mkdir()
    (folder / "dataset").write_text("")


def settings(text):
    def fill(folder, outside):
        (folder / "psa.toml").write_text(text.format(outside))

    return fill


def variables(folder, outside):
    """Variables with paths that lead away, and with one of somebody else's."""
    lines = ["PSA_MODEL_DIR=~", "PSA_LR=${HOME}", f"PSA_SAVE_SVG={outside}/x.svg", f"PSA_TENSORBOARD={outside}"]
    (folder / ".env").write_text("\n".join(lines))


FOLDERS = {
    "links": links,
    "places": places,
    "variables": variables,
    **{f"settings {number}": settings(text) for number, text in enumerate(SETTINGS, start=1)},
}


CACHE = platformdirs.user_cache_path()


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """Make the current folder a hostile one; at the end nothing of it was executed, and nothing outside it changed."""
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "diary").write_text("dear diary")
    for name in [name for name in os.environ if name.startswith(("PSA_", "AWS_", "S3_"))]:
        monkeypatch.delenv(name)
    for name, place in {
        "HOME": "outside",
        "MARKER": "marker",
        "MPLCONFIGDIR": "cache",
    }.items():
        monkeypatch.setenv(name, str(tmp_path / place))
    # Kernels are compiled once for all tests.
    monkeypatch.setenv("XDG_CACHE_HOME", str(CACHE))

    def fill(kind):
        kind(folder, outside)
        monkeypatch.chdir(folder)

    yield fill
    assert not (tmp_path / "marker").exists(), "code of the folder was executed"
    assert [path.name for path in outside.iterdir()] == ["diary"]
    assert (outside / "diary").read_text() == "dear diary"


@pytest.mark.parametrize("command", COMMANDS)
def test_no_code_of_the_current_folder_is_executed(hostile, command):
    hostile(code)
    done = program.run([sys.executable, "-c", START, *COMMANDS[command]], capture_output=True, text=True, timeout=60)
    assert done.returncode == (2 if command in ("resume", "probe") else 0), done.stderr


ASKED = {"links": COMMANDS, "places": [name for name in COMMANDS if name not in ("plan", "plot", "report")]}
"""Settings are read at one place for all commands."""
CASES = [(kind, command) for kind in FOLDERS for command in ASKED.get(kind, ("train", "clean", "config"))]


@pytest.mark.parametrize(("kind", "command"), CASES)
def test_no_file_link_or_setting_of_the_current_folder_leads_out_of_it(psa, hostile, command, kind):
    hostile(FOLDERS[kind])
    done = psa(*COMMANDS[command])
    assert done.returncode in (0, 1, 2)
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    assert "No such option" not in done.stderr
