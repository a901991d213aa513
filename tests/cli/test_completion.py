import subprocess
import sys
from dataclasses import replace

import pytest

from psa_tui.cli.app import main
from psa_tui.cli.completion import NAMES, names_of
from psa_tui.method.progress import Progress
from psa_tui.storage.run_store import open_runs
from psa_tui.storage.study_rows import LOCAL
from psa_tui.storage.study_store import open_store
from tests.storage.test_run_store import SPLITS


@pytest.fixture
def offered(command, monkeypatch, capsys, tmp_path):
    """What bash is offered behind a command line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("psa_tui.cli.app.app", command)

    def run(line):
        monkeypatch.setenv("_PSA_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", f"psa {line}")
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" "))))
        with pytest.raises(SystemExit) as left:
            main()
        assert not left.value.code
        return capsys.readouterr().out.split()

    return run


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("train --mode fu", ["full"]),
        ("train --mode noi", ["noise"]),
        ("train --ablate dor", ["dormant"]),
        ("train --ablate no", ["none"]),
        ("train --arch [2*8] --ablate layer:", ["layer:0", "layer:1", "layer:2"]),
        ("train --arch 4x4 --ablate layer:", []),
        ("train --dataset m", ["mnist", "mnist5k"]),
        ("train --dataset a", ["auto"]),
        ("train --device cu", ["cuda"]),
        ("train --backend n", ["numba"]),
        ("train --promote st", ["strict"]),
        ("train --optimizer-state l", ["lkg"]),
        ("train --init o", ["orthogonal"]),
        ("train --with d", ["dropout", "decay"]),
        ("reproduce run --modes none,fu", ["none,full"]),
        ("reproduce run --grid pub", ["published"]),
        ("study run --recipe pub", ["published"]),
        ("study recipes con", ["controls"]),
        ("results plot reg", ["regimes"]),
        ("results plot --run latest lo", ["loss"]),
        ("results summary --source f", ["fetched"]),
        ("results table acc", ["accuracy"]),
        ("res", ["resume", "results"]),
    ],
)
def test_the_shell_is_offered_the_names_there_are(offered, line, names):
    assert sorted(offered(line)) == sorted(names)


def test_runs_and_studies_are_those_of_the_folder_that_is_meant(offered, checkpoint, tmp_path):
    record = replace(checkpoint.record, progress=Progress(validation_count=500))
    for folder, name in (("results", "20260101-aaaa"), ("other", "20260202-bbbb")):
        with open_runs(tmp_path / folder) as runs:
            runs.begin_session(replace(record, run=name), tmp_path / "lkg", SPLITS)
        with open_store(tmp_path / folder) as studies:
            studies.enter(f"study-{name}", LOCAL, {"shapes": ["8*8", f"1*{len(folder)}"]})
    for command in ("show", "diff", "follow", "plot --run"):
        assert offered(f"results {command} ") == ["latest", "20260101-aaaa"]
    assert offered("results show --results-dir other 2026") == ["20260202-bbbb"]
    for line in (
        "study status ",
        "study show ",
        "study delete ",
        "results summary --study ",
        "reproduce status --study ",
    ):
        assert offered(line) == ["study-20260101-aaaa"]
    for line in ("results curves --arch ", "results compare --arch ", "reproduce show ", "study show one "):
        assert offered(line) == ["8*8", "1*7"]
    assert offered("results curves --arch 8*8,") == ["8*8,8*8", "8*8,1*7"]
    (tmp_path / "results" / "history.sqlite").write_text("nonsense " * 1000)
    assert offered("results show ") == offered("study status ") == []


def test_checkpoints_are_those_of_the_folder_that_is_meant(offered, tmp_path):
    assert offered("clean ") == offered("probe ") == []
    for name in ("models/mnist_lkg.safetensors", "models/wide/mnist_lkg.safetensors", "other/.lock", "other/notes"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert offered("clean ") == ["mnist_lkg.safetensors"]
    assert offered("clean --model-dir other ") == ["notes"]
    assert offered("probe ") == ["models/wide", "models/mnist_lkg.safetensors"]


def test_offering_names_loads_neither_torch_nor_what_draws(tmp_path):
    script = (
        "import sys\nimport psa_tui.cli.app\nfrom psa_tui.cli import completion\n"
        "for what in completion.NAMES: list(completion._names(what, completion.load_settings({})))\n"
        "assert not {'torch', 'pandas', 'matplotlib', 'numba', 'boto3'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_has_no_names_completes_nothing():
    assert names_of("lr") is None
    assert all(names_of(what) for what in NAMES)
