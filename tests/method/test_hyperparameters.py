import pytest

from psa_tui.errors import ConfigError
from psa_tui.method.hyperparameters import HYPERPARAMETERS, Hyperparameters

BY_NAME = {spec.name: spec for spec in HYPERPARAMETERS}


def test_the_defaults_are_the_published_ones():
    assert Hyperparameters().as_json() == {
        "learning_rate": 1e-4,
        "batch_size": 256,
        "weight_decay": 1e-4,
        "dropout": 0.1,
    }


def test_values_survive_json_whatever_else_is_there_and_one_that_lacks_takes_its_default():
    found = Hyperparameters(learning_rate=0.3, batch_size=7, weight_decay=0.0, dropout=0.25)
    assert Hyperparameters.from_json({**found.as_json(), "seed": 3}) == found
    assert Hyperparameters.from_json({"batch_size": 7}) == Hyperparameters(batch_size=7)


@pytest.mark.parametrize("name", list(BY_NAME))
def test_a_value_is_read_back_from_its_text_to_the_bit(name):
    spec = BY_NAME[name]
    for value in (spec.default, spec.kind(3) if spec.kind is int else 0.1 + 0.2):
        assert spec.parse(spec.format(value)) == value
        assert type(spec.parse(spec.format(value))) is spec.kind


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("learning_rate", ["0", "-1", "10.1", "nan", "inf", "much", "", "1_0", "１"]),
        ("batch_size", ["0", "1000001", "2.5", "1e3", ""]),
        ("weight_decay", ["-0.1", "1", "nan"]),
        ("dropout", ["-0.1", "1", "1.5"]),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_range(name, bad):
    for text in bad:
        with pytest.raises(ConfigError, match=BY_NAME[name].expected):
            BY_NAME[name].parse(text)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"batch_size": 2.5}, TypeError),
        ({"batch_size": True}, TypeError),
        ({"dropout": "0.1"}, TypeError),
        ({"dropout": 1}, ValueError),
        ({"learning_rate": 0.0}, ValueError),
    ],
)
def test_a_file_with_a_value_of_another_type_or_range_is_refused(values, error):
    with pytest.raises(error, match=next(iter(values))):
        Hyperparameters.from_json(values)


def test_the_edges_of_the_ranges_are_accepted():
    assert BY_NAME["learning_rate"].parse("10") == 10
    assert BY_NAME["batch_size"].parse("1000000") == 1_000_000
    assert BY_NAME["weight_decay"].parse("0") == 0


def test_columns_have_the_type_of_the_field():
    assert {spec.name: spec.sql_type for spec in HYPERPARAMETERS} == {
        "learning_rate": "REAL",
        "batch_size": "INTEGER",
        "weight_decay": "REAL",
        "dropout": "REAL",
    }
