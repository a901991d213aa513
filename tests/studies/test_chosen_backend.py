import pytest

from psa_tui.settings import load_settings
from psa_tui.storage.study_rows import LOCAL
from psa_tui.storage.study_store import open_store
from psa_tui.studies.chosen_backend import OF_EACH_NODE, study_backend


def record(folder, spec, versions):
    with open_store(folder) as store:
        store.enter(spec.name, LOCAL, spec.as_settings(), spec.quick, spec.seed, spec.meta_loops, spec.trials)
        store.begin_session(spec.name, 1, "here", versions)


def chosen(folder, spec, device="cpu", **said):
    return study_backend(spec, load_settings({"results_dir": str(folder), **said}), device)


def test_a_new_study_is_trained_by_the_fastest_and_another_kind_of_device_is_no_notice(tmp_path, small_study):
    assert chosen(tmp_path, small_study) == ("numba", ())
    assert chosen(tmp_path, small_study, "cuda:0") == ("torch", ())


@pytest.mark.parametrize(
    ("recorded", "name"),
    [
        ({}, "torch"),
        ({"backend": "auto"}, "torch"),
        ({"backend": "torch"}, "torch"),
        ({"backend": "module"}, "module"),
        ({"backend": "numba"}, "numba"),
        ({"backend": OF_EACH_NODE}, "numba"),
    ],
)
def test_a_study_goes_on_with_what_its_last_session_recorded(tmp_path, small_study, recorded, name):
    record(tmp_path, small_study, {"backend": "numba"})
    record(tmp_path, small_study, recorded)
    assert chosen(tmp_path, small_study) == (name, ())


def test_another_backend_than_before_is_announced(tmp_path, small_study, monkeypatch):
    record(tmp_path, small_study, {"backend": "auto"})
    told = "study small was trained by torch so far, goes on with numba: the last bits differ"
    assert chosen(tmp_path, small_study, backend="numba") == ("numba", (told,))
    record(tmp_path, small_study, {"backend": "numba"})
    monkeypatch.setattr("psa_tui.engine.backends.numba.find_spec", lambda name: None)
    assert chosen(tmp_path, small_study) == (
        "torch",
        (
            "--backend auto takes torch here, not numba: numba is not installed",
            "study small was trained by numba so far, goes on with torch: the last bits differ",
        ),
    )
