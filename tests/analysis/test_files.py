import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psa_tui import load_meta_loops, load_trials
from psa_tui.errors import ConfigError, DataError, PsaError

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
    with pytest.raises(DataError, match="cannot be read"):
        load_trials(tmp_path / "absent.csv")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no parquet")
    with pytest.raises(DataError, match=r"not a \.parquet table"):
        load_trials(tmp_path / "broken.parquet")


def test_a_file_of_several_studies_needs_a_name(csv):
    path = csv("study," + HEADER + "a,8*8,none,1,50\nb,8*8,none,1,60\n")
    with pytest.raises(ConfigError, match="has a, b; name one with --study"):
        load_trials(path)
    assert load_trials(path, "b")["best_validation_accuracy"].tolist() == [0.6]


@given(text=st.text(alphabet="8*,none1\n.-e\"'\x00\x1b é", max_size=80))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
