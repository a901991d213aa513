import json
import os
import signal

import pytest

from psa_tui.outside import decode_json, is_plain_name, open_outside, outside_json, outside_text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("[1, NaN]", "the number NaN"),
        ('{"a": -Infinity}', "the number -Infinity"),
        ("1e999", "the number 1e999"),
        ("9" * 5000, "the number 99999999999999999999"),
        (str(2**63), "the number 9223372036854775808"),
        ("{", "Expecting property name"),
        ("", "Expecting value"),
    ],
    ids=lambda text: text[:12],
)
@pytest.mark.parametrize("decode", [decode_json, outside_json])
def test_json_that_no_file_of_ours_holds_is_one_short_complaint(decode, text, complaint):
    with pytest.raises(ValueError, match=complaint) as caught:
        decode(text)
    assert len(str(caught.value)) < 100


def test_numbers_and_texts_of_our_files_are_read_as_they_were_written():
    values = {"a": [1, -(2**63) + 1, 2**63 - 1, 0.1, 1e-300, True, None, "x y\u4e2d\u00a0"]}
    assert outside_json(json.dumps(values)) == decode_json(json.dumps(values).encode()) == values


def test_keys_and_texts_are_clean_however_deep_they_lie():
    assert outside_json('{"a\\u001b": [{"b": "\\r\\n\\u2028"}]}') == {"a\ufffd": [{"b": "\ufffd\ufffd\ufffd"}]}
    assert outside_text(b"a\xff\x1b[2J") == "a\ufffd\ufffd[2J"


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "a b", "-x", "a\n", "\u00e4", "x" * 65])
def test_a_name_that_leads_elsewhere_is_not_plain(name):
    assert not is_plain_name(name)
    assert is_plain_name("20260101-000000-abcd1234")


def test_only_a_file_is_opened_and_nothing_is_waited_for(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    signal.alarm(20)
    for path in (pipe, tmp_path):
        with pytest.raises(OSError, match="it is no file"):
            open_outside(path)
    signal.alarm(0)
    (tmp_path / "file").write_bytes(b"content")
    with open_outside(tmp_path / "file") as file:
        assert file.read() == b"content"
