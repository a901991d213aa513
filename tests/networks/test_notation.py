import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_tui.errors import ConfigError
from psa_tui.formatting import caret
from psa_tui.networks.mlp import Mlp, MlpFamily
from psa_tui.networks.notation import Group, groups_of_widths

groups = st.lists(st.builds(Group, st.integers(1, 10**11), st.integers(1, 10**11)), min_size=1, max_size=8)
small_groups = st.lists(st.builds(Group, st.integers(1, 5), st.integers(1, 9)), min_size=1, max_size=4)


def parse(text):
    return MlpFamily().parse(text, (1, 28, 28), 10)


def mlp(parts):
    return Mlp.of_groups(parts, (1, 28, 28), 10)


@given(groups.map(mlp))
def test_parsing_the_canonical_notation_gives_the_network_back(network):
    assert parse(str(network)) == network
    assert hash(parse(str(network))) == hash(network)


@given(groups.map(mlp))
def test_parsing_the_short_name_gives_the_network_back(network):
    assert " " not in network.short_name
    assert parse(network.short_name) == network


@given(small_groups, st.lists(st.sampled_from(["", " ", "  "]), min_size=60, max_size=60), st.booleans())
def test_spaces_between_symbols_and_missing_brackets_change_nothing(parts, spaces, bracketed):
    pause = iter(spaces)
    inside = ",".join(f"{next(pause)}{g.count}{next(pause)}*{next(pause)}{g.width}{next(pause)}" for g in parts)
    text = f"{next(pause)}[{inside}]{next(pause)}" if bracketed else inside
    assert parse(text) == mlp(parts)


@given(st.text(alphabet="[]*, 0123456789٣４x-+.\n", max_size=14))
def test_any_text_is_read_exactly_or_refused_with_a_caret(text):
    try:
        network = parse(text)
    except ConfigError as error:
        assert error.detail.splitlines()[1].strip() == "^"
    else:
        assert parse(str(network)) == network
        assert text.replace(" ", "").strip("[]").isascii()


@pytest.mark.parametrize(
    ("text", "reason", "column"),
    [
        ("", "expected a number of layers", 0),
        ("[]", "expected a number of layers", 1),
        ("[4*4", "expected ',' or ']'", 4),
        ("4*4]", "nothing more was expected", 3),
        ("[4*4] x", "nothing more was expected", 6),
        ("[4*4,]", "expected a number of layers", 5),
        ("[0*4]", "a number of layers starts at 1, with no leading zero", 1),
        ("[4*04]", "a number of neurons starts at 1, with no leading zero", 3),
        ("[4*-4]", "expected a number of neurons", 3),
        ("[4x4]", "expected '*'", 2),
        ("[4*٣]", "expected a number of neurons", 3),
        ("[4*1234567890123]", "a number of neurons has at most 12 digits", 3),
        ("[4 4*4]", "expected '*'", 3),
    ],
)
def test_a_faulty_architecture_is_refused_with_a_caret_under_the_fault(text, reason, column):
    with pytest.raises(ConfigError) as caught:
        parse(text)
    shown, pointer = caught.value.detail.split("\n")
    assert str(caught.value).startswith(f"architecture: {reason}; write groups like [4*4, 2*8] (layers*neurons)")
    assert shown == "  " + text
    assert pointer == "  " + " " * column + "^"


def test_the_caret_of_a_long_hostile_text_stays_in_a_window_without_control_characters():
    with pytest.raises(ConfigError) as caught:
        parse("[" + "4*4," * 500 + "\x1b[31m]")
    shown, pointer = caught.value.detail.split("\n")
    assert len(shown) <= 62
    assert "\x1b" not in shown
    assert shown[pointer.index("^")] == "\N{REPLACEMENT CHARACTER}"


def test_the_caret_stands_under_the_fault_behind_wide_characters():
    assert caret("４x", 1) == "  ４x\n    ^"


def test_neighbouring_groups_of_one_width_are_one_group():
    assert str(parse("[1*4, 2*4, 1*8]")) == "[3*4, 1*8]"
    assert groups_of_widths("512, 512,256") == "[1*512, 1*512, 1*256]"
    assert parse(groups_of_widths("512, 512,256")) == parse("[2*512, 1*256]")


@pytest.mark.parametrize("text", ["", "512,", "0", "-1", "512;256", "[512]", "1e3"])
def test_a_faulty_list_of_widths_is_refused(text):
    with pytest.raises(ConfigError, match="hidden layers: "):
        groups_of_widths(text)
