"""Where results come from: the history database, fetched cloud jobs, the published study, or a file.

Every source gives the same two tables, whose columns ``load_trials`` and ``load_meta_loops`` name. What is known
of a table as a whole is in its ``attrs``:

``source``     "local", "fetched", "published" or the file's path
``study``      the study's name
``quick``      whether it is a quick study, which is no reproduction
``expected``   None, or ``{"architectures": [...], "modes": [...], "trials": n}``: what the study set out to run
``dataset``    the data set's name, or None where the source does not say
``settings``   the study's recorded settings, or ``{}``
``network``    the family of its networks, where it is not "mlp"
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from psa_tui.errors import ConfigError, DataError
from psa_tui.formatting import did_you_mean

if TYPE_CHECKING:
    from pandas import DataFrame

LOCAL = "local"
FETCHED = "fetched"
PUBLISHED = "published"
SOURCES = (LOCAL, FETCHED, PUBLISHED)
_FILE_KINDS = (".csv", ".parquet")


def load_trials(
    source: str | Path = LOCAL, study: str | None = None, results_dir: str | Path | None = None
) -> DataFrame:
    """Load every complete trial of a study, one row a trial, in the order of the study's shapes, modes and trials.

    Columns: ``source``, ``study``, ``architecture`` ("18*18": depth*width; "[4*4,2*8]"), ``depth``, ``width`` (the
    layers' mean; both NaN where the architecture is of a family that is not installed), ``parameters``, ``mode``,
    ``trial`` (from 1), ``seed`` (Int64), ``meta_loops`` (Int64), ``best_validation_accuracy`` (fraction),
    ``best_meta_loop`` (Int64, where the best was reached), ``test_accuracy`` (fraction, NaN when not measured),
    ``lkg_dead`` and ``lkg_inactive`` (Int64: hidden units of the last LKG whose incoming weights and bias are all zero,
    and those that no validation image activates; missing where not known).

    Args:
        source: "local", "fetched", "published", or the path of a CSV, Parquet or SQLite file.
        study: which study of a database; None takes the only one, or the default of ``psa reproduce``.
        results_dir: the folder of the history database (default: "results").

    Raises:
        ConfigError: there is no such source or study.
        DataError: a file cannot be read or holds what no trial can be.
        HistoryError: the database cannot be read.
    """
    kind, path = _located(source)
    if kind == PUBLISHED:
        return _published_trials(study)
    if kind == "file" and path is not None:
        from psa_tui.analysis.files import read_trials

        return read_trials(path, study)
    from psa_tui.analysis.stored_studies import stored_trials

    return stored_trials(kind, _database(path, results_dir), study)


def load_meta_loops(
    source: str | Path = LOCAL, study: str | None = None, results_dir: str | Path | None = None
) -> DataFrame:
    """Load every recorded meta-loop of a study's complete trials, one row a meta-loop.

    Columns: ``architecture``, ``mode``, ``trial``, ``meta_loop`` (from 1), ``validation_accuracy`` (of the
    candidate), ``lkg_accuracy`` (after the loop; NaN until a first candidate was promoted), ``lkg_gain`` (what the
    loop added to the LKG's accuracy: 0 after a roll-back, negative where a rule promoted a worse candidate, NaN where
    there was no LKG to improve on), ``verdict`` ("promoted" or "rolled_back"), ``train_loss`` (NaN when not finite),
    ``train_accuracy`` (of the training images, as each step of the epoch saw them, with dropout where the mode has it),
    ``ablated_layer`` and ``ablated_neuron`` (Int64; of a loop that ablated exactly one unit), ``ablated_units`` (Int64:
    how many were ablated), ``ablated_dead_units`` (Int64: how many of those were dead already), ``reason`` (why the
    promotion rule decided so; empty where it was not recorded), ``lkg_dead`` and ``lkg_inactive`` (Int64: hidden units
    of the LKG after the loop that are dead, and that are never active). What was not recorded is missing. Accuracies
    and gains are fractions.

    Arguments and errors are those of ``load_trials``; a source without meta-loops is a ``DataError``.
    """
    kind, path = _located(source)
    if kind == PUBLISHED:
        raise DataError(
            "the published study has each trial's best accuracy only, no meta-loops; "
            "psa reproduce records every one of them (--source local)"
        )
    if kind == "file" and path is not None:
        from psa_tui.analysis.files import read_meta_loops

        return read_meta_loops(path, study)
    from psa_tui.analysis.stored_studies import stored_meta_loops

    return stored_meta_loops(kind, _database(path, results_dir), study)


def load_published_summary() -> DataFrame:
    """Load the published mean, std, min and max (percent) of every shape and mode, as they were printed."""
    return _published("summary.csv")


def load_published_cost() -> DataFrame:
    """Load the published jobs, billed hours and US dollars of every shape."""
    return _published("cost.csv")


def _located(source: str | Path) -> tuple[str, Path | None]:
    """Return the kind of ``source`` ("file" for a table, "database" for SQLite) and its path; None for a name."""
    if str(source) in SOURCES:
        return str(source), None
    path = Path(source)
    if path.suffix in (*_FILE_KINDS, ".sqlite") and not path.exists():
        raise ConfigError(f"--source {source}: there is no such file; check the name")
    if path.suffix == ".sqlite":
        if not path.is_file():
            raise DataError(f"--source {source}: it is no file; choose another")
        return "database", path
    if path.suffix in _FILE_KINDS:
        return "file", path
    hint = did_you_mean(str(source), SOURCES)
    raise ConfigError(
        f"--source {source}: expected local, fetched, published or a .csv, .parquet or .sqlite file{hint}"
    )


def _database(path: Path | None, results_dir: str | Path | None) -> Path:
    """Return the database file of ``--source FILE``, else the results folder."""
    return Path("results" if results_dir is None else results_dir) if path is None else path


def _published(name: str) -> DataFrame:
    import pandas as pd

    with files("psa_tui.analysis").joinpath("published", name).open("rb") as file:
        return pd.read_csv(file)


def _published_trials(study: str | None) -> DataFrame:
    from psa_tui.analysis.frames import completed_frame
    from psa_tui.analysis.shapes import PUBLISHED_DATASET

    if study not in (None, PUBLISHED):
        raise ConfigError(f"--study {study}: the published source has one study; leave --study out")
    raw = _published("trials.csv")
    raw["best_validation_accuracy"] = (raw.pop("best_validation_accuracy_pct") * 100).round() / 10000
    expected = {
        "architectures": list(dict.fromkeys(raw["architecture"])),
        "modes": list(dict.fromkeys(raw["mode"])),
        "trials": int(raw["trial"].max()),
    }
    raw["meta_loops"] = 100
    return completed_frame(raw, source=PUBLISHED, study=PUBLISHED, expected=expected, dataset=PUBLISHED_DATASET)
