"""Events to JSON and back: one codec for all event classes, of runs and of studies.

An event class is a frozen dataclass marked with ``event("its_name")``; the types of its fields are all the codec
needs. A field that holds hyperparameters is spread over the event's own keys.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import cache
from math import isfinite, nan
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.progress import Progress, decode_progress
from psa_tui.outside import outside_json

SCHEMA_VERSION = 2
Kind = TypeVar("Kind", bound=type)
AnyEvent = TypeVar("AnyEvent")
_CLASSES: dict[str, type] = {}
_NAMES: dict[type, str] = {}
_PLAIN = (int, bool, str)
"""What JSON has as it is; looked at first, because an event may hold thousands of numbers."""


def event(name: str) -> Callable[[Kind], Kind]:
    """Mark a frozen dataclass as the event ``name``."""

    def mark(kind: Kind) -> Kind:
        _CLASSES[name], _NAMES[kind] = kind, name
        return kind

    return mark


def encode_event(event: object) -> dict[str, Any]:
    """Return the event as JSON-ready values, ``schema`` and ``event`` (its name) first; what is not finite is null."""
    return {"schema": SCHEMA_VERSION, "event": _NAMES[type(event)], **_encode_fields(event)}


def decode_event(values: dict[str, Any]) -> Any:
    """Return the event of ``values``, after a trip through JSON text; null where a number is due becomes NaN.

    Raises:
        KeyError, TypeError, ValueError: ``values`` is no event of this schema.
    """
    if values["schema"] != SCHEMA_VERSION:
        raise ValueError("another schema version")
    content = {name: value for name, value in values.items() if name not in ("schema", "event")}
    return _decode_fields(_CLASSES[values["event"]], content)


def printable_event(event: AnyEvent) -> AnyEvent:
    """Return the event with texts that can be shown anywhere: what its view draws may hold names from outside."""
    values: AnyEvent = decode_event(outside_json(json.dumps(encode_event(event))))
    return values


def _encode_fields(record: Any) -> dict[str, Any]:
    encoded: dict[str, Any] = {}
    for one in fields(record):
        value = getattr(record, one.name)
        if isinstance(value, Hyperparameters):
            encoded |= value.as_json()
        else:
            encoded[one.name] = _encode(value)
    return encoded


def _encode(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, float):
        return value if isfinite(value) else None
    if is_dataclass(value):
        return _encode_fields(value)
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    return str(value) if isinstance(value, StrEnum) else value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _decode_fields(kind: type, values: dict[str, Any]) -> Any:
    hints = _hints(kind)
    content = dict(values)
    for name, hint in hints.items():
        if hint is Hyperparameters:
            own = {one.name: content.pop(one.name) for one in fields(Hyperparameters) if one.name in content}
            content[name] = Hyperparameters.from_json(own)
    if unknown := set(content) - set(hints):
        raise ValueError(f"unknown fields {sorted(unknown)}")
    return kind(**{name: _decode(hints[name], value) for name, value in content.items()})


@cache
def _choices(hint: Any) -> tuple[Any, ...]:
    """Return the types that a value of the type ``hint`` may have; none where JSON has all of them as they are."""
    choices = get_args(hint) if get_origin(hint) is UnionType else (hint,)
    return () if set(choices) <= {*_PLAIN, float, NoneType} else choices


def _decode(hint: Any, value: Any) -> Any:
    if value is None:
        return nan if hint is float else None
    for choice in _choices(hint):
        if choice is Progress:
            return decode_progress(value)
        if is_dataclass(choice) and isinstance(choice, type) and isinstance(value, dict):
            return _decode_fields(choice, value)
        if isinstance(choice, type) and issubclass(choice, StrEnum):
            return choice(value)
        if get_origin(choice) is tuple and isinstance(value, list):
            (item, *_) = get_args(choice)
            if item in _PLAIN or (item is float and None not in value):
                return tuple(value)
            return tuple(_decode(item, one) for one in value)
    return value
