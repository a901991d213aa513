"""Results from CSV and Parquet files, checked row by row: a file from outside may hold anything."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psa_tui.analysis.cells import read_cells
from psa_tui.analysis.frames import PUBLISHED_MODES, completed_frame, completed_loops
from psa_tui.analysis.loops import trials_of_loops
from psa_tui.analysis.shapes import is_installed, network_attr, parse_shape
from psa_tui.errors import ConfigError, DataError
from psa_tui.formatting import printable
from psa_tui.networks import Mlp
from psa_tui.outside import outside_text
from psa_tui.settings import LARGEST_SEED

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_MODE = re.compile(r"[A-Za-z][A-Za-z0-9_.+-]{0,63}", re.ASCII)
_SHAPE = re.compile(r"[!-~]{1,200}", re.ASCII)
"""An architecture of a family that is not installed here."""
_ABOUT = ("study", "dataset", "network", "quick", "architecture", "mode", "trial")
_TRIAL_COLUMNS = (
    *_ABOUT,
    *(f"{name}{unit}" for name in ("best_validation_accuracy", "test_accuracy") for unit in ("", "_pct")),
    *("seed", "meta_loops", "best_meta_loop", "parameters", "lkg_dead", "lkg_inactive"),
)
_COUNTS_OF_LOOPS = (
    "ablated_layer",
    "ablated_neuron",
    "ablated_units",
    "ablated_dead_units",
    "lkg_dead",
    "lkg_inactive",
)
"""Whole numbers, of which any may be lacking."""
_LOOP_COLUMNS = (
    *_ABOUT,
    *("meta_loop", "validation_accuracy", "validation_accuracy_pct", "verdict", "reason", "train_loss"),
    *("train_accuracy", "train_accuracy_pct"),
    *_COUNTS_OF_LOOPS,
)


def read_trials(path: Path, study: str | None) -> DataFrame:
    """Read the trials of a file with the columns architecture, mode, trial and best_validation_accuracy.

    Those of a file of meta-loops are what their loops came to.

    An accuracy may instead be a percentage, in a column whose name ends in ``_pct``; seed, meta_loops,
    best_meta_loop, parameters, test_accuracy, lkg_dead and lkg_inactive may be there too, network names the family of
    the architectures where it is not mlp, and other columns are left alone.

    Raises:
        DataError: the file cannot be read, or a row cannot be a trial; the message names the row.
    """
    table = _chosen_study(read_cells(path, (*_TRIAL_COLUMNS, "meta_loop")), path, study)
    if "meta_loop" in table and not {"best_validation_accuracy", "best_validation_accuracy_pct"} & set(table):
        return trials_of_loops(read_meta_loops(path, study))
    checked = _Checked(table, path, ("architecture", "mode", "trial"))
    checked.accuracy("best_validation_accuracy", required=True)
    checked.accuracy("test_accuracy", required=False)
    for name in ("meta_loops", "best_meta_loop", "parameters"):
        checked.whole(name, least=1)
    for name in ("seed", "lkg_dead", "lkg_inactive"):
        checked.whole(name, least=0)
    name, dataset = checked.single("study") or outside_text(path.stem), checked.single("dataset")
    return completed_frame(
        checked.rows,
        source=outside_text(str(path)),
        study=name,
        dataset=dataset,
        quick=checked.is_quick,
        network=checked.family,
    )


def read_meta_loops(path: Path, study: str | None) -> DataFrame:
    """Read the meta-loops of a file that ``psa results export`` wrote.

    Raises:
        DataError: the file cannot be read, or a row cannot be a meta-loop; the message names the row.
    """
    table = _chosen_study(read_cells(path, _LOOP_COLUMNS), path, study)
    checked = _Checked(table, path, ("architecture", "mode", "trial", "meta_loop"))
    checked.accuracy("validation_accuracy", required=True)
    checked.one_of("verdict", ("promoted", "rolled_back"))
    for name in _COUNTS_OF_LOOPS:
        checked.whole(name, least=0)
    checked.number("train_loss")
    checked.accuracy("train_accuracy", required=False)
    checked.words("reason")
    loops = completed_loops(checked.rows, architectures=[])
    loops.attrs = {
        "source": outside_text(str(path)),
        "study": checked.single("study") or outside_text(path.stem),
        "quick": checked.is_quick,
        "dataset": checked.single("dataset"),
    }
    loops.attrs |= network_attr(checked.family)
    return loops


def _chosen_study(table: DataFrame, path: Path, study: str | None) -> DataFrame:
    """Return the rows of one study, where the file says whose rows they are."""
    if "study" not in table:
        return table
    names = sorted(table["study"].dropna().unique())
    if study is None and len(names) <= 1:
        return table
    if study not in names:
        said = "which study?" if study is None else f"--study {study}: no such study;"
        shown = printable(", ".join(names[:8]))
        raise ConfigError(f"{said} {path} has {shown}; name one with --study")
    return table[table["study"] == study]


class _Checked:
    """A table of text, checked column by column; ``rows`` has the values found good."""

    def __init__(self, table: DataFrame, path: Path, key: tuple[str, ...]) -> None:
        import pandas as pd

        self._table = table
        self._path = path
        self._row = "row" if path.suffix == ".parquet" else "line"
        if missing := [name for name in key if name not in table]:
            raise DataError(f"{path}: no column {missing[0]}; expected at least {', '.join(key)} and an accuracy")
        self.rows = pd.DataFrame(index=table.index)
        self.family = self.single("network") or Mlp.family
        wanted = "a shape like 18*18" if self.family == Mlp.family else f"an architecture of network {self.family}"
        self._where("architecture", table["architecture"].isin(self._shapes()), wanted)
        self.rows["architecture"] = table["architecture"]
        known = ", ".join(PUBLISHED_MODES)
        modes = [mode for mode in table["mode"].dropna().unique() if _is_mode(mode)]
        self._where("mode", table["mode"].isin(modes), f"a mode such as {known}")
        self.rows["mode"] = table["mode"]
        for name in key[2:]:
            self.whole(name, least=1, required=True)
        again = self.rows.duplicated(list(key))
        if again.any():
            where = again.idxmax()
            shown = " ".join(str(self.rows.at[where, name]) for name in key)
            raise DataError(f"{path}: {self._row} {where}: {shown} is there twice; leave one out")

    def one_of(self, name: str, known: tuple[str, ...]) -> None:
        """Take a column of words from ``known``."""
        column = self._required(name)
        self._where(name, column.isin(known), f"one of {', '.join(known)}")
        self.rows[name] = column

    def whole(self, name: str, *, least: int, required: bool = False) -> None:
        """Take a column of whole numbers, empty cells allowed unless it is ``required``."""
        if name not in self._table and not required:
            return
        values = self._required(name).map(_whole, na_action="ignore").astype("Int64")
        good = values.ge(least).fillna(not required)
        self._where(name, good, f"a whole number of at least {least}")
        self.rows[name] = values.astype("int64") if required else values

    def accuracy(self, name: str, *, required: bool) -> None:
        """Take a column of fractions from 0 to 1, or of percentages under the same name with ``_pct``."""
        percent = f"{name}_pct"
        given = [column for column in (name, percent) if column in self._table]
        if len(given) != 1:
            if given or required:
                what = "both of" if given else "neither of"
                raise DataError(f"{self._path}: {what} the columns {name} and {percent}; expected one of them")
            return
        values = self._floats(given[0])
        most = 100 if given[0] == percent else 1
        empty = self._table[given[0]].isna()
        good = (values.ge(0) & values.le(most)) | (empty & (not required))
        self._where(given[0], good, f"a number from 0 to {most}")
        self.rows[name] = (values * 100).round(8) / 10000 if most == 100 else values

    def words(self, name: str) -> None:
        """Take a column of any text that can be shown."""
        if name in self._table:
            self.rows[name] = self._table[name]

    def number(self, name: str) -> None:
        """Take a column of numbers; what is not finite becomes NaN."""
        if name in self._table:
            values = self._floats(name)
            self.rows[name] = values.where(values.abs() < float("inf"))

    def single(self, name: str) -> str | None:
        """Return the one value of a column that says something of the whole table; None when it is absent or varies."""
        values = self._table[name].dropna().unique() if name in self._table else []
        return str(values[0]) if len(values) == 1 else None

    @property
    def is_quick(self) -> bool:
        """Whether the file says that its study is a quick one."""
        return self.single("quick") in ("True", "1")

    def _shapes(self) -> list[str]:
        """Return the architectures that are in the form in which tables have them."""
        texts = self._table["architecture"].dropna().unique()
        if not is_installed(self.family):
            return [text for text in texts if _SHAPE.fullmatch(text)]
        dataset = self.single("dataset")
        networks = {text: parse_shape(text, dataset, self.family) for text in texts}
        return [text for text, network in networks.items() if network is not None and network.short_name == text]

    def _required(self, name: str) -> Series[Any]:
        if name not in self._table:
            raise DataError(f"{self._path}: no column {name}")
        return self._table[name]

    def _floats(self, name: str) -> Series[float]:
        return self._table[name].map(_number, na_action="ignore").astype("float64")

    def _where(self, name: str, good: Series[Any], wanted: str) -> None:
        good = good.fillna(False).astype(bool)
        if not good.all():
            row = good.idxmin()
            found = self._table.at[row, name]
            shown = "nothing" if found is None else repr(printable(found)[:40])
            raise DataError(f"{self._path}: {self._row} {row}: {name} is {shown}, expected {wanted}")


def _is_mode(text: str) -> bool:
    """Whether ``text`` can name a mode, installed here or not; a published one in other letters does not."""
    other_case = text not in PUBLISHED_MODES and text.lower() in PUBLISHED_MODES
    return _MODE.fullmatch(text) is not None and not other_case


def _whole(text: str) -> int:
    """Return ``text`` as a whole number (Parquet may have made it "7.0"); -1 for any other text."""
    digits = text.removesuffix(".0")
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else -1
    return number if number <= LARGEST_SEED else -1


def _number(text: str) -> float:
    """Return ``text`` as a number, correctly rounded; NaN for any other text."""
    try:
        return float(text) if text.isascii() and "_" not in text else float("nan")
    except ValueError:
        return float("nan")
