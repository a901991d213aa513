import os
import signal
import sqlite3
import time
import tracemalloc

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psa_tui import load_meta_loops, load_trials
from psa_tui.errors import ConfigError, DataError, HistoryError, PsaError
from psa_tui.storage.study_rows import TrialRow
from psa_tui.storage.study_store import open_store

HEADER = "architecture,mode,trial,best_validation_accuracy_pct\n"


@pytest.fixture
def csv(tmp_path):
    def write(text, name="trials.csv"):
        path = tmp_path / name
        path.write_text(text) if isinstance(text, str) else path.write_bytes(text)
        return path

    return write


def test_percentages_become_exact_fractions(csv):
    trials = load_trials(csv(HEADER + "8*8,none,1,98.22\n8*8,none,2,11.02\n"))
    assert trials["best_validation_accuracy"].tolist() == [0.9822, 0.1102]
    assert trials["parameters"].tolist() == [6874, 6874]
    assert trials.attrs["study"] == "trials"


def test_fractions_and_optional_columns_are_read(csv):
    header = "trial,mode,architecture,best_validation_accuracy,seed,test_accuracy,remark\n"
    row = load_trials(csv(header + "1,full,2*4,0.5,9007199254740993,,x\n")).iloc[0]
    assert row["seed"] == 9007199254740993
    assert (row["best_validation_accuracy"], row["test_accuracy"]) == (0.5, pytest.approx(float("nan"), nan_ok=True))


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(csv):
    text = "\ufeff" + HEADER + "8*8,none,1,50.00\n"
    trials = load_trials(csv(text.replace("\n", "\r\n").encode("utf-8")))
    assert trials["best_validation_accuracy"].tolist() == [0.5]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("8*8,none,1,nan", "line 3: best_validation_accuracy_pct is 'nan', expected a number from 0 to 100"),
        ("8*8,none,1,inf", "line 3: best_validation_accuracy_pct is 'inf'"),
        ("8*8,none,1,100.01", "line 3: best_validation_accuracy_pct is '100.01'"),
        ("8*8,none,1,-1", "line 3: best_validation_accuracy_pct is '-1'"),
        ("8*8,none,1,", "line 3: best_validation_accuracy_pct is nothing"),
        ("8*8,none,1,1_0", "line 3: best_validation_accuracy_pct is '1_0'"),
        ("8*8,some times,1,50", "line 3: mode is 'some times', expected a mode such as none, decay"),
        ("8*8,None,1,50", "line 3: mode is 'None', expected a mode such as none, decay"),
        ("8*8,,1,50", "line 3: mode is nothing, expected a mode such as none, decay"),
        ("8*8,none,0,50", "line 3: trial is '0', expected a whole number of at least 1"),
        ("8*8,none,1.5,50", "line 3: trial is '1.5'"),
        ("8x8,none,1,50", "line 3: architecture is '8x8', expected a shape like 18"),
        ("[8*8],none,1,50", r"line 3: architecture is '\[8\*8\]'"),
        ('"[4*4,2*4]",none,1,50', r"line 3: architecture is '\[4\*4,2\*4\]'"),
        ("1*1,none,1,50", r"line 3: 1\*1 none 1 is there twice"),
        ("\x1b[31m8*8,none,1,50", r"line 3: architecture is '.\[31m8\*8'"),
    ],
)
def test_a_row_that_cannot_be_a_trial_is_named_in_one_line(csv, row, complaint):
    with pytest.raises(DataError, match=complaint) as caught:
        load_trials(csv(HEADER + "1*1,none,1,10\n" + row + "\n"))
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not a .csv table"),
        ("a,b\n1,2\n", "no column architecture"),
        (HEADER.replace("_pct", "_x") + "8*8,none,1,50\n", "neither of the columns best_validation_accuracy and"),
        (HEADER.strip() + ",best_validation_accuracy\n8*8,none,1,50,0.5\n", "both of the columns"),
        (HEADER + "8*8,none,1,50,1,2\n8*8,none,2\n", "line 2 has 6 cells, the header 4"),
        ("mode,mode\nnone,none\n", "the column 'mode' is there twice"),
        (b"\xff\xfe\x00\x01", "not a .csv table"),
    ],
)
def test_a_file_that_is_no_table_of_trials_is_refused(csv, text, complaint):
    with pytest.raises(DataError, match=complaint):
        load_trials(csv(text))


def test_a_missing_file_is_an_error(tmp_path):
    for name in ("absent.csv", "absent.sqlite"):
        with pytest.raises(ConfigError, match="there is no such file"):
            load_trials(tmp_path / name)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no parquet")
    with pytest.raises(DataError, match=r"not a \.parquet table"):
        load_trials(tmp_path / "broken.parquet")


def test_a_file_of_several_studies_needs_a_name(csv):
    path = csv("study," + HEADER + "a,8*8,none,1,50\nb,8*8,none,1,60\n")
    with pytest.raises(ConfigError, match="has a, b; name one with --study"):
        load_trials(path)
    assert load_trials(path, "b")["best_validation_accuracy"].tolist() == [0.6]


@given(text=st.text(alphabet="8*,none1\n.-e\"'\x00\x1b é", max_size=80))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_file_holds_it_is_read_or_refused_in_one_line(csv, text):
    for content in (text, HEADER + text, HEADER + "8*8,none,1,50\n" + text):
        try:
            trials = load_trials(csv(content.encode()))
        except PsaError as error:
            assert "\n" not in str(error)
        else:
            assert trials["best_validation_accuracy"].between(0, 1).all()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_exported_tables_read_back_as_they_were(make_study, tmp_path, suffix):
    from psa_tui.analysis.export import data_bytes

    folder = make_study(quick=True, dataset="mnist5k")
    for load, extra in ((load_trials, ["dataset", "quick"]), (load_meta_loops, ["quick"])):
        table = load("local", results_dir=folder)
        path = tmp_path / f"{load.__name__}{suffix}"
        path.write_bytes(data_bytes(table.assign(**{name: table.attrs[name] for name in extra}), suffix))
        again = load(path)
        assert again.attrs["quick"]
        left_out = ["source", "study"] if load is load_trials else []
        columns = [name for name in table.columns if name not in left_out]
        assert again[columns].astype("object").fillna("-").values.tolist() == (
            table[columns].astype("object").fillna("-").values.tolist()
        )


@pytest.mark.campaign
def test_a_date_for_the_number_of_a_trial_makes_no_table_of_millions(csv, psa):
    path = csv(HEADER + "8*8,none,20250801,50.00\n")
    tracemalloc.start()
    with pytest.raises(
        DataError, match=r"trials up to 20,250,801 make a table of [0-9,]+ cells, expected at most 5,000"
    ):
        load_trials(path)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
    done = psa("results", "table", "accuracy", "--source", path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def test_a_parquet_file_of_sixty_million_rows_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "trials.parquet"
    million = pyarrow.table({"trial": pyarrow.array([1]).take(pyarrow.array(np.zeros(1_000_000, dtype=np.int8)))})
    with pyarrow.parquet.ParquetWriter(path, million.schema) as writer:
        for _ in range(60):
            writer.write_table(million)
    began = time.process_time()
    with pytest.raises(DataError, match=r"it has 60,000,000 rows, at most 2,000,000 are read"):
        load_trials(path)
    assert time.process_time() - began < 1


def test_a_csv_file_of_too_many_rows_is_refused_while_it_is_read(csv, monkeypatch):
    monkeypatch.setattr("psa_tui.analysis.cells.MOST_ROWS", 3)
    rows = [f"8*8,none,{trial},50.00\n" for trial in range(1, 5)]
    assert len(load_trials(csv(HEADER + "".join(rows[:3])))) == 3
    with pytest.raises(DataError, match="it has more than 3 rows"):
        load_trials(csv(HEADER + "".join(rows)))


def test_a_csv_file_without_end_of_line_or_beyond_any_size_is_not_read_to_its_end(csv):
    path = csv(HEADER)
    with path.open("r+b") as file:
        file.truncate(2**29)
    with pytest.raises(DataError, match="a line has more than 1,048,576 bytes"):
        load_trials(path)
    with path.open("r+b") as file:
        file.truncate(2**40)
    with pytest.raises(DataError, match=r"it has 1,099,511,627,776 bytes, at most"):
        load_trials(path)


@pytest.mark.parametrize("name", ["trials.csv", "trials.parquet", "trials.sqlite"])
def test_a_pipe_or_a_device_is_refused_and_never_waited_for(tmp_path, name):
    pipe, device = tmp_path / name, tmp_path / f"device-{name}"
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    signal.alarm(20)
    for path in (pipe, device):
        with pytest.raises(DataError, match="it is no file"):
            load_trials(path)
    signal.alarm(0)


def test_reading_a_database_of_another_folder_leaves_nothing_beside_it(tmp_path):
    with open_store(tmp_path) as store:
        store.enter("some", "local", {})
        store.put("some", [TrialRow(architecture="8*8", mode="none", trial=1, parameters=6874, bounty=0.5)])
    before = sorted(path.name for path in tmp_path.iterdir())
    assert len(load_trials(tmp_path / "history.sqlite")) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before == ["history.sqlite"]


def test_a_database_whose_tables_are_views_is_not_queried(tmp_path):
    with open_store(tmp_path) as store:
        store.enter("some", "local", {})
    path = tmp_path / "history.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE trials")
        endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
        connection.execute(f"CREATE VIEW trials AS {endless}")
    connection.close()
    with pytest.raises(HistoryError, match="not a psa-tui history"):
        load_trials(path)
