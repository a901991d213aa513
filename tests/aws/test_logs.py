import os

from psa_tui.aws.logs import LogFile


def test_a_link_in_place_of_the_temporary_file_is_not_written_through(tmp_path):
    (tmp_path / "diary").write_text("dear diary")
    (tmp_path / f".job.log.{os.getpid()}.tmp").symlink_to(tmp_path / "diary")
    file = LogFile(tmp_path / "job.log")
    file.write("a line")
    assert file.close()
    assert (tmp_path / "diary").read_text() == "dear diary"
    assert (tmp_path / "job.log").read_text() == "a line\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["diary", "job.log"]


def test_an_error_of_the_disk_names_the_log(tmp_path, monkeypatch):
    file = LogFile(tmp_path / "job.log")
    monkeypatch.setattr(os, "fsync", lambda descriptor: os.read(-1, 1))
    try:
        file.close()
    except OSError as error:
        assert error.filename == str(tmp_path / "job.log")
    else:
        raise AssertionError("the error is hidden")
