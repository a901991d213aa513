"""What must never be shown: credentials, ARNs and account numbers, wherever they come up in a text."""

from __future__ import annotations

import os
import re

from psa_tui.formatting import printable

_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
_SHORTEST_SECRET = 8
"""Shorter values are placeholders, and would blacken words of ordinary messages."""
_ARN = re.compile(r"\barn:aws[a-z0-9-]*:[^\s'\"<>()]*", re.IGNORECASE)
_KEY_ID = re.compile(r"(?<![A-Za-z0-9])A[A-Z]{3}[A-Z0-9]{12,124}(?![A-Za-z0-9])")
_ACCOUNT = re.compile(r"(?<![0-9])[0-9]{4}-?[0-9]{4}-?[0-9]{4}(?![0-9])")
_LONG_RUN = re.compile(r"[A-Za-z0-9/+=]{40,}")
_NAMED = re.compile(r"(?i)(secret[_-]?access[_-]?key|session[_-]?token|security[_-]?token|signature)(\W{1,3})[^\s&,;]+")
_known: set[str] = set()


def remember_secret(value: str | None) -> None:
    """Never let ``value``, a credential this process uses, through ``redact`` from now on."""
    if value and len(value) >= _SHORTEST_SECRET:
        _known.add(value)


def redact(text: object) -> str:
    """Return ``text`` without credentials, ARNs and account numbers; each leaves a word in brackets for what it was.

    Known credentials go by their value, all else by its form: access key ids, runs of 40 and more characters as
    in secret keys and session tokens (upper and lower case and digits), what follows the name of a secret
    (``Security-Token=...``), ``arn:aws...``, 12 digits by themselves.
    The default SageMaker bucket's name ends in the account's number, so bucket names are not safe either.
    """
    shown = str(text)
    known = _known.union(filter(None, map(os.environ.get, _VARIABLES)))
    for value in sorted(known, key=len, reverse=True):
        if len(value) >= _SHORTEST_SECRET:
            shown = shown.replace(value, "[secret]")
    shown = _NAMED.sub(r"\1\2[secret]", shown)
    shown = _ARN.sub("[ARN]", shown)
    shown = _KEY_ID.sub("[key id]", shown)
    shown = _LONG_RUN.sub(lambda run: "[secret]" if _looks_random(run[0]) else run[0], shown)
    return _ACCOUNT.sub("[account]", shown)


def safe(text: object, most: int = 200) -> str:
    """Return ``text`` from AWS as it may be shown: redacted, in one line, without control characters, ``most`` long."""
    shown = " ".join(printable(redact(text)).split())
    return shown if len(shown) <= most else shown[: most - 3] + "..."


def _looks_random(run: str) -> bool:
    return any(c.isupper() for c in run) and any(c.islower() for c in run) and any(c.isdigit() for c in run)
