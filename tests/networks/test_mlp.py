import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_tui.errors import ConfigError
from psa_tui.networks.mlp import Architecture, Group, caret, parse_architecture, parse_hidden_layers

groups = st.lists(st.builds(Group, st.integers(1, 10**11), st.integers(1, 10**11)), min_size=1, max_size=8)
small_groups = st.lists(st.builds(Group, st.integers(1, 5), st.integers(1, 9)), min_size=1, max_size=4)


@given(groups.map(Architecture.of_groups))
def test_parsing_the_canonical_notation_gives_the_architecture_back(architecture):
    assert parse_architecture(str(architecture)) == architecture


@given(small_groups, st.lists(st.sampled_from(["", " ", "  "]), min_size=60, max_size=60), st.booleans())
def test_spaces_between_symbols_and_missing_brackets_change_nothing(parts, spaces, bracketed):
    pause = iter(spaces)
    inside = ",".join(f"{next(pause)}{g.count}{next(pause)}*{next(pause)}{g.width}{next(pause)}" for g in parts)
    text = f"{next(pause)}[{inside}]{next(pause)}" if bracketed else inside
    assert parse_architecture(text) == Architecture.of_groups(parts)


@given(small_groups)
def test_closed_form_sizes_equal_a_sum_over_the_layers(parts):
    architecture = Architecture.of_groups(parts)
    widths = [784, *architecture.hidden_widths(), 10]
    assert architecture.parameters == sum(i * o + o for i, o in itertools.pairwise(widths))
    assert architecture.depth == len(widths) - 2
    assert sum(architecture.group_parameters()) + architecture.head_parameters == architecture.parameters


@given(st.text(alphabet="[]*, 0123456789٣４x-+.\n", max_size=14))
def test_any_text_is_read_exactly_or_refused_with_a_caret(text):
    try:
        architecture = parse_architecture(text)
    except ConfigError as error:
        assert error.detail.splitlines()[1].strip() == "^"
    else:
        assert parse_architecture(str(architecture)) == architecture
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
        parse_architecture(text)
    shown, pointer = caught.value.detail.split("\n")
    assert str(caught.value) == f"architecture: {reason}; write groups like [4*4, 2*8] (layers*neurons)"
    assert shown == "  " + text
    assert pointer == "  " + " " * column + "^"


def test_the_caret_of_a_long_hostile_text_stays_in_a_window_without_control_characters():
    with pytest.raises(ConfigError) as caught:
        parse_architecture("[" + "4*4," * 500 + "\x1b[31m]")
    shown, pointer = caught.value.detail.split("\n")
    assert len(shown) <= 62
    assert "\x1b" not in shown
    assert shown[pointer.index("^")] == "\N{REPLACEMENT CHARACTER}"


def test_the_caret_stands_under_the_fault_behind_wide_characters():
    assert caret("４x", 1) == "  ４x\n    ^"


def test_neighbouring_groups_of_one_width_are_one_group():
    assert str(parse_architecture("[1*4, 2*4, 1*8]")) == "[3*4, 1*8]"
    assert parse_hidden_layers("512, 512,256") == parse_architecture("[2*512, 1*256]")


@pytest.mark.parametrize("text", ["", "512,", "0", "-1", "512;256", "[512]", "1e3"])
def test_a_faulty_list_of_widths_is_refused(text):
    with pytest.raises(ConfigError, match="hidden layers: "):
        parse_hidden_layers(text)


@pytest.mark.parametrize(("text", "parameters"), [("[1*2048]", 1628170), ("[18*18]", 20134), ("[2048*1]", 4899)])
def test_parameter_counts_are_the_published_ones(text, parameters):
    layers, width = (int(n) for n in text.strip("[]").split("*"))
    assert parameters == 784 * width + width + (layers - 1) * (width**2 + width) + 10 * width + 10
    assert parse_architecture(text).parameters == parameters


def test_the_memory_need_grows_with_parameters_and_batch():
    architecture = parse_architecture("[1*1024]")
    assert architecture.training_bytes(256) >= 6 * 4 * architecture.parameters
    assert architecture.training_bytes(5000) > architecture.training_bytes(256)
    assert architecture.training_bytes(10**6) == architecture.training_bytes(50_000)
    assert parse_architecture("[999999999*9]").training_bytes(256) > 10**12


def test_a_meta_loop_does_a_forward_pass_and_two_backward_products_but_never_a_gradient_of_the_pixels():
    # Weights and biases: 784 to 4, 4 to 3, 3 to 10.
    first, second, head = 784 * 4 + 4, 4 * 3 + 3, 3 * 10 + 10
    training = 2 * (first + second + head) + 2 * (first + second + head) + 2 * (4 + second + head)
    evaluation = 2 * (first + second + head)
    operations = parse_architecture("[1*4, 1*3]").meta_loop_operations(50_000, 10_000)
    assert operations == 50_000 * training + 10_000 * evaluation
    fewer = parse_architecture("[1*4, 1*3]").meta_loop_operations(50_000, 10_000, pixels=600)
    assert operations - fewer == 50_000 * 2 * 2 * 4 * 184
