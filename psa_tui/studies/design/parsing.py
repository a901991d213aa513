"""The tables ``[design]`` and ``[analysis]`` of a study file.

::

    [design]
    hypotheses = [
      "output - none",                 # they differ, at the first of the endpoints
      {contrast = "output - sham", direction = "greater", endpoint = "test", margin = 2},
    ]
    endpoints = ["escape", "test"]     # and "validation", "gain", "harm"
    escape_above = 26.0                # percent; by default 15 points above the majority class
    looks = [20, 40]                   # trials of each cell at each look; a number is so many, evenly spaced

    [analysis]
    alpha = 0.05
    spending = "obrien-fleming"        # or "pocock"
    correction = "holm"                # or "none"
    pooled = true                      # all networks together, each a stratum
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any, TypeVar

from psa_tui.errors import ConfigError, UnknownNameError
from psa_tui.method.variants import Variant, find_variant
from psa_tui.studies.design.plan import Correction, Design, Direction, Endpoint, Hypothesis, Spending
from psa_tui.studies.toml_lines import Path

_KEYS: dict[str, tuple[str, ...]] = {
    "design": ("hypotheses", "endpoints", "escape_above", "looks"),
    "analysis": ("alpha", "spending", "correction", "pooled"),
}
TABLES = tuple(_KEYS)
_OF_HYPOTHESIS = ("contrast", "direction", "endpoint", "margin")
_MOST = 20
"""Hypotheses, and looks."""
Named = Callable[[Sequence[Variant]], Mapping[str, Variant]]
Fault = Callable[[Path, str], None]
_Kind = TypeVar("_Kind", bound=StrEnum)


def read_design(values: dict[str, Any], trials: int, names: Sequence[str], named: Named, fault: Fault) -> Design | None:
    """Return the design that a study file's ``values`` have, None where they have none; each fault is told.

    Args:
        trials: of each network and variant.
        names: of the study's variants.
        named: returns variants by the names that they have in this study.
        fault: is told where something is wrong, and what.
    """
    if not _KEYS.keys() & values.keys():
        return None
    return _Reader(values, trials, names, named, fault).read()


class _Reader:
    def __init__(self, values: dict[str, Any], trials: int, names: Sequence[str], named: Named, fault: Fault) -> None:
        self._values = values
        self._trials = trials
        self._names = names
        self._named = named
        self._fault = fault

    def read(self) -> Design:
        for table, keys in _KEYS.items():
            found = self._values.get(table, {})
            if not isinstance(found, dict):
                self._fault((table,), f"{table}: expected a table, [{table}]")
                self._values = self._values | {table: {}}
                continue
            for key in found:
                if key not in keys:
                    self._fault((table, key), f"no key of [{table}]: {UnknownNameError(key, keys)}")
        endpoints = tuple(self._endpoints())
        return Design(
            hypotheses=tuple(self._hypotheses(endpoints or tuple(Endpoint))),
            endpoints=endpoints,
            escape_above=self._one("design", "escape_above", _number(0, 100, "percent", 100), None),
            looks=self._looks(),
            alpha=self._one("analysis", "alpha", _number(1e-6, 0.5, "the risk of a false positive"), 0.05),
            spending=self._one("analysis", "spending", _one_of(Spending), Spending.OBRIEN_FLEMING),
            correction=self._one("analysis", "correction", _one_of(Correction), Correction.HOLM),
            pooled=self._one("analysis", "pooled", _flag, True),
        )

    def _one(self, table: str, key: str, kind: Callable[[Any], Any], default: Any) -> Any:
        value = self._values.get(table, {}).get(key)
        return default if value is None else self._parsed((table, key), kind, value, default)

    def _parsed(self, place: Path, kind: Callable[[Any], Any], value: Any, default: Any) -> Any:
        try:
            return kind(value)
        except ConfigError as error:
            self._fault(place, f"{'.'.join(part for part in place if isinstance(part, str))}: {error}")
            return default

    def _endpoints(self) -> Iterator[Endpoint]:
        said = self._values.get("design", {}).get("endpoints", [Endpoint.ESCAPE])
        if not isinstance(said, list) or not said or len(said) != len({str(one) for one in said}):
            self._fault(("design", "endpoints"), f"design.endpoints: expected some of {', '.join(Endpoint)}, each once")
            return
        for index, one in enumerate(said):
            if (found := self._parsed(("design", "endpoints", index), _one_of(Endpoint), one, None)) is not None:
                yield found

    def _hypotheses(self, endpoints: Sequence[Endpoint]) -> Iterator[Hypothesis]:
        said = self._values.get("design", {}).get("hypotheses")
        if not isinstance(said, list) or not 1 <= len(said) <= _MOST:
            place: Path = ("design",) if said is None else ("design", "hypotheses")
            self._fault(place, f'design.hypotheses: expected a list of 1 to {_MOST}, such as ["output - none"]')
            return
        known = set()
        for index, one in enumerate(said):
            found = self._parsed(
                ("design", "hypotheses", index), lambda value: self._hypothesis(value, endpoints), one, None
            )
            if found in known:
                self._fault(("design", "hypotheses", index), f"design.hypotheses: {found} is there twice")
            elif found is not None:
                known.add(found)
                yield found

    def _hypothesis(self, value: Any, endpoints: Sequence[Endpoint]) -> Hypothesis:
        table = {"contrast": value} if isinstance(value, str) else value
        if not isinstance(table, dict) or not isinstance(table.get("contrast"), str):
            raise ConfigError('expected "VARIANT - VARIANT", or a table with such a contrast')
        for key in table:
            if key not in _OF_HYPOTHESIS:
                raise UnknownNameError(key, _OF_HYPOTHESIS)
        sides = [side.strip() for side in table["contrast"].split(" - ")]
        if len(sides) != 2:
            raise ConfigError(f"expected two variants with ' - ' between, found {table['contrast'][:60]!r}")
        treatment, control = map(self._variant, sides)
        if treatment == control:
            raise ConfigError(f"{treatment} - {control}: expected two variants")
        direction = _one_of(Direction)(table.get("direction", Direction.DIFFERENT))
        margin = _number(-100, 100, "points", 100)(table.get("margin", 0))
        if direction is Direction.EQUIVALENT and margin <= 0:
            raise ConfigError('"equivalent" needs a margin in points, such as margin = 2')
        if direction is Direction.DIFFERENT and margin:
            raise ConfigError('"different" takes no margin; say "greater", "less" or "equivalent"')
        if (endpoint := table.get("endpoint", endpoints[0])) not in endpoints:
            raise UnknownNameError(str(endpoint), endpoints)
        return Hypothesis(
            treatment=treatment,
            control=control,
            direction=direction,
            endpoint=Endpoint(endpoint),
            margin=margin,
        )

    def _variant(self, text: str) -> str:
        """Return the name of the variant that ``text`` means, in any of its spellings."""
        with suppress(ConfigError):
            (text,) = self._named([find_variant(text)])
        if text not in self._names:
            raise UnknownNameError(text, self._names)
        return text

    def _looks(self) -> tuple[int, ...]:
        last = self._trials
        said = self._values.get("design", {}).get("looks", [last])
        if _is_whole(said) and 1 <= said <= min(_MOST, last):
            return tuple(round(last * look / said) for look in range(1, said + 1))
        if isinstance(said, list) and 1 <= len(said) <= _MOST and all(map(_is_whole, said)):
            ascending = all(before < after for before, after in zip([0, *said], said, strict=False))
            if ascending and said[-1] == last:
                return tuple(said)
        expected = f"expected ascending numbers of trials that end with {last}, all of them, or how many looks"
        self._fault(("design", "looks"), f"design.looks: {expected} (at most {_MOST}), found {str(said)[:60]}")
        return (last,)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _one_of(kind: type[_Kind]) -> Callable[[Any], _Kind]:
    def parse(value: Any) -> _Kind:
        names: Sequence[str] = tuple(kind)
        if value not in names:
            raise UnknownNameError(str(value), names)
        return kind(value)

    return parse


def _number(least: float, most: float, what: str, divided_by: float = 1) -> Callable[[Any], float]:
    def parse(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise ConfigError(f"expected {what}, a number from {least:g} to {most:g}, found {str(value)[:40]!r}")
        return float(value) / divided_by

    return parse


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"expected true or false, found {str(value)[:40]!r}")
    return value
