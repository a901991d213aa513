import tomllib

from hypothesis import given
from hypothesis import strategies as st

from psa_tui.studies.toml_lines import value_lines

KEYS = st.sampled_from(["a", "b-c", "d_e", '"f g"', "'h.i'"])
SCALARS = st.sampled_from(
    ["1", "-2.5e3", "true", '"x # [ = y"', "'it]s'", '"\\""', "2026-01-02 10:00:00", '"""a\nb"""']
)
BREAKS = st.sampled_from(["", " ", "\n", "\n  # , [ note\n  "])


@st.composite
def arrays(draw, depth=2):
    """The text of an array that may go over lines and hold arrays and tables."""
    entries = draw(st.lists(SCALARS | (arrays(depth - 1) if depth else SCALARS) | inline_tables(), max_size=4))
    return "[" + "".join(f"{draw(BREAKS)}{entry}{draw(BREAKS)}," for entry in entries) + draw(BREAKS) + "]"


@st.composite
def inline_tables(draw):
    keys = draw(st.lists(KEYS, unique=True, max_size=3))
    return "{" + ", ".join(f"{key} = {draw(SCALARS.filter(lambda text: chr(10) not in text))}" for key in keys) + "}"


@st.composite
def documents(draw):
    def pairs():
        keys = draw(st.lists(KEYS, unique=True, max_size=3))
        return [f"{key} = {draw(SCALARS | arrays() | inline_tables())}" for key in keys]

    lines = pairs()
    for header in draw(st.lists(st.sampled_from(["[[t]]", "# a note", ""]), max_size=4)):
        lines += [header, *(pairs() if header.startswith("[") else ())]
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines) + "\n"


def paths(value, path=()):
    """Every path in a parsed document."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield (*path, key)
        yield from paths(inner, (*path, key))


@given(documents())
def test_every_value_has_a_line_and_none_is_made_up(text):
    found = value_lines(text)
    assert set(found) == set(paths(tomllib.loads(text)))
    assert all(1 <= line <= text.count("\n") + 1 for line in found.values())


def test_lines_are_those_that_an_editor_shows():
    text = '# one\nname = """\nx = 1\n"""\ngrid = [ "a",\n  # "z",\n  ["b",\n   "c"]]\n'
    text += "[[t]]\nk = {p = 1, q = [2,\n3]}\n[[t]]\n"
    assert value_lines(text) == {
        ("name",): 2,
        ("grid",): 5,
        ("grid", 0): 5,
        ("grid", 1): 7,
        ("grid", 1, 0): 7,
        ("grid", 1, 1): 8,
        ("t",): 9,
        ("t", 0): 9,
        ("t", 0, "k"): 10,
        ("t", 0, "k", "p"): 10,
        ("t", 0, "k", "q"): 10,
        ("t", 0, "k", "q", 0): 10,
        ("t", 0, "k", "q", 1): 11,
        ("t", 1): 12,
    }
