"""Registries: what this package and installed plug-ins offer by name.

A plug-in is any installed distribution with an entry point in one of the groups below; the entry point's name is
the registered name, and what it loads is the object::

    [project.entry-points."psa_tui.ablations"]
    three = "my_package.three:ThreeUnits"

Entry points are looked for only when a name is not known yet or all names are asked for, so a command that uses
what the package brings pays nothing for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

from psa_tui.errors import ConfigError
from psa_tui.formatting import did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Item = TypeVar("Item")


class Registry(Generic[Item]):
    """Objects by name: those registered by code, and those of the entry point group ``group``."""

    def __init__(self, what: str, group: str) -> None:
        """``what`` names a member in messages ("ablation rule"); ``group`` is the entry point group."""
        self.what = what
        self.group = group
        self._items: dict[str, Item] = {}
        self._points: tuple[EntryPoint, ...] | None = None

    def register(self, name: str, item: Item) -> Item:
        """Make ``item`` known as ``name`` and return it.

        Raises:
            ConfigError: the name is taken by something else.
        """
        if self._items.setdefault(name, item) is not item:
            raise ConfigError(f"{self.what} {name!r} is registered twice; give one of them another name")
        return item

    def get(self, name: str) -> Item | None:
        """Return what ``name`` stands for, or None; a plug-in of that name is loaded now."""
        if name not in self._items:
            self._load(name)
        return self._items.get(name)

    def find(self, name: str) -> Item:
        """Return what ``name`` stands for.

        Raises:
            ConfigError: nothing does, or the plug-in that should cannot be loaded.
        """
        found = self.get(name)
        if found is None:
            names = self.names()
            raise ConfigError(
                f"no {self.what} {name[:80]!r}, expected one of {', '.join(names)}{did_you_mean(name, names)}"
            )
        return found

    def names(self) -> tuple[str, ...]:
        """Return every name: registered ones in their order, then those of plug-ins that were not loaded yet."""
        return tuple(self)

    def __contains__(self, name: str) -> bool:
        """Whether something has that name."""
        return self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        """Go through ``names``; plug-ins are looked for only when the registered ones are through."""
        known = tuple(self._items)
        yield from known
        yield from dict.fromkeys(point.name for point in self._entry_points() if point.name not in known)

    def _entry_points(self) -> tuple[EntryPoint, ...]:
        """The group's entry points, looked for once: reading what is installed takes tens of milliseconds."""
        if self._points is None:
            from importlib.metadata import entry_points

            # A name is typed, and goes to screens and tables; one that cannot be is none.
            self._points = tuple(point for point in entry_points(group=self.group) if point.name.isprintable())
        return self._points

    def _load(self, name: str) -> None:
        for point in self._entry_points():
            if point.name == name and name not in self._items:
                try:
                    item = point.load()
                except Exception as error:
                    raise ConfigError(
                        f"{self.what} {name!r}: the plug-in {point.value} cannot be loaded "
                        f"({type(error).__name__}: {error}); mend it or uninstall it"
                    ) from None
                self._items[name] = item() if isinstance(item, type) else item
