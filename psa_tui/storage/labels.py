"""What people call a run: its name, which its folder has too, its tags, and a note."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psa_tui.errors import ConfigError
from psa_tui.formatting import printable
from psa_tui.outside import is_plain_name, outside_json
from psa_tui.storage.statements import named, update

if TYPE_CHECKING:
    import sqlite3

LATEST = "latest"
"""What stands for the run that was worked on last, and so names none."""
_MOST_OF_A_TAG, _MOST_OF_A_NOTE, _MOST_TAGS = 64, 1000, 50


@dataclass(frozen=True, slots=True)
class Labels:
    """What is said of a run; None and no tags say nothing."""

    name: str | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None


NO_LABELS = Labels()


def check_run_name(text: str) -> str:
    """Return ``text``, if it can name a run and its folder.

    Raises:
        ConfigError: it cannot.
    """
    if not is_plain_name(text) or text == LATEST or text.endswith(".safetensors"):
        raise ConfigError(
            "expected a name of letters, digits, dots, dashes and underscores, 64 at most, a letter or digit first "
            f"(neither {LATEST} nor a checkpoint file's)"
        )
    return text


def check_labels(tags: Collection[str], note: str | None) -> Labels:
    """Return the tags and the note that a person gave.

    Raises:
        ConfigError: one of them cannot be it.
    """
    for tag in tags:
        if not tag.isprintable() or not tag or len(tag) > _MOST_OF_A_TAG or " " in tag or "," in tag:
            raise ConfigError(
                f"--tag {printable(tag)[:80]!r}: expected one word of at most {_MOST_OF_A_TAG} characters, no comma"
            )
    if note is not None and (not note.isprintable() or len(note) > _MOST_OF_A_NOTE):
        raise ConfigError(f"--note: expected one line of at most {_MOST_OF_A_NOTE} characters")
    return Labels(tags=tuple(dict.fromkeys(tags)), note=note)


def write_labels(connection: sqlite3.Connection, run: str, labels: Labels, removed: Collection[str] = ()) -> None:
    """Add ``labels`` to those of ``run``, within a transaction, without the tags ``removed``; an empty note is none.

    Raises:
        ConfigError: the run would have too many tags.
    """
    changing: dict[str, Any] = {}
    if labels.name is not None:
        changing["name"] = labels.name
    if labels.note is not None:
        changing["note"] = labels.note or None
    if labels.tags or removed:
        (text,) = connection.execute(f"SELECT tags FROM runs WHERE {named('run', run)}", (run,)).fetchone()
        tags = [tag for tag in dict.fromkeys((*decode_tags(text), *labels.tags)) if tag not in removed]
        if len(tags) > _MOST_TAGS:
            raise ConfigError(f"run {run} would have {len(tags)} tags, expected at most {_MOST_TAGS}")
        changing["tags"] = json.dumps(tags, ensure_ascii=False) if tags else None
    if changing:
        update(connection, "runs", changing, {"run": run})


def decode_tags(text: str | None) -> tuple[str, ...]:
    """Return the tags of the column that ``write_labels`` writes.

    Raises:
        TypeError, ValueError: it is none of its texts.
    """
    found = [] if text is None else outside_json(text)
    if not isinstance(found, list) or not all(isinstance(tag, str) for tag in found):
        raise TypeError("tags are no list of words")
    return tuple(found)
