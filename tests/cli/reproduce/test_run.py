import pytest

from psa_tui.storage.study_store import read_store

SMALL = ("--grid", "1*2,[1*2,1*3]", "--modes", "none,output+strict", "--trials", "1", "--meta-loops", "2")
RUN = ("reproduce", "run", "--study", "small", *SMALL, "--dataset", "mnist5k", "--workers", "1", "--quiet")


def test_any_network_variant_and_backend_trains_and_shows_its_trials_command(psa, tmp_path):
    done = psa(*RUN, "--backend", "module", "--lr", "0.003")
    assert done.returncode == 0, done.stderr
    with read_store(tmp_path / "results") as store:
        trials = {(row.architecture, row.mode): row.state for row in store.trials("small")}
        assert store.sessions("small")[0].versions["backend"] == "module"
    assert trials == {(shape, mode): "complete" for shape in ("1*2", "[1*2,1*3]") for mode in ("none", "output+strict")}
    shown = psa("reproduce", "show", "[1*2, 1*3]", "output+strict", "1", "--study", "small")
    assert (
        psa("reproduce", "show", "[1*2, 1*3]", "output+strict", "1").stdout == shown.stdout
    )  # The only study there is.
    assert shown.stdout.startswith("psa train --arch '[1*2, 1*3]' --mode output+strict --meta-loops 2 --seed ")
    assert "--dataset mnist5k --lr 0.003 --model-dir models/small/1x2-1x3-output+strict-1" in shown.stdout
    assert "in study small: complete, 2 of 2 meta-loops" in shown.stderr
    other = psa(*RUN, "--dropout", "0.5")
    assert (other.returncode, "begun with learning rate" in other.stderr, "dropout 0.1, not 0.5" in other.stderr) == (
        2,
        False,
        True,
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--backend", "abacus"), "--backend: expected one of auto, numba, torch, module, found 'abacus'"),
        (
            ("--network", "cathedral"),
            "--network: expected one of mlp, resmlp, resmlp-published, convnet, found 'cathedral'",
        ),
        (("--on", "mars"), "--on 'mars': expected local or ray"),
        (("--address", "here:1"), "--address names a Ray cluster; say --on ray with it"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line_before_anything_is_begun(psa, tmp_path, options, said):
    done = psa(*RUN, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert not (tmp_path / "results").exists()
