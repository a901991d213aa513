"""Study files: a study's design as TOML, checked whole before anything of it runs.

::

    name = "mine"                      # by default the name of the file
    grid = ["8*8", "[4*4, 2*8]"]       # or "published", "first", "8*8,18*18"
    variants = ["none", "output", {mode = "output", promote = "patience:5"}]
    trials = 20
    meta_loops = 100
    seed = 0
    seeding = "paired"                 # or "independent", "separate"
    dataset = "mnist"
    network = "mlp"
    init = "he"                        # of every variant that names none
    lr = 1e-3                          # and every other hyperparameter

A list in place of a hyperparameter or of the data set makes several studies, one for each value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

from psa_tui.errors import ConfigError, UnknownNameError
from psa_tui.method.hyperparameters import HYPERPARAMETERS
from psa_tui.studies.spec import StudySpec
from psa_tui.studies.study_parsing import StudyFile, parse_study_file

_LARGEST_BYTES = 1_000_000


def load_study_file(path: Path) -> StudyFile:
    """Read the study file at ``path``.

    Raises:
        ConfigError: it cannot be read, or has faults; all of them are in its detail, with their lines.
    """
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise ConfigError(f"{path}: larger than any study file ({_LARGEST_BYTES:,} bytes); name the right file")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no text in UTF-8"
        raise ConfigError(
            f"{path}: cannot be read ({reason}); name a study file, --recipe NAME (psa study recipes lists them) or a "
            "study that was begun (psa study list)"
        ) from None
    return parse_study_file(text, str(path), path.stem)


def recipe_names() -> tuple[str, ...]:
    """Return the names of the study files that come with the package."""
    folder = resources.files("psa_tui.studies").joinpath("recipes")
    return tuple(sorted(found.name.removesuffix(".toml") for found in folder.iterdir() if found.name.endswith(".toml")))


def recipe_text(name: str) -> str:
    """Return the text of a study file that comes with the package.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in recipe_names():
        raise ConfigError(f"--recipe: {UnknownNameError(name, recipe_names())}")
    return resources.files("psa_tui.studies").joinpath("recipes", f"{name}.toml").read_text(encoding="utf-8")


def load_recipe(name: str) -> StudyFile:
    """Read a study file that comes with the package.

    Raises:
        ConfigError: there is none of that name.
    """
    return parse_study_file(recipe_text(name), f"recipe {name}", name)


def format_study_file(spec: StudySpec) -> Iterator[str]:
    """Return a study's design as the lines of a study file."""
    yield f"name = {_quoted(spec.name)}"
    yield from _list("grid", [network.short_name for network in spec.networks])
    yield from _list("variants", [variant.name for variant in spec.variants])
    yield f"trials = {spec.trials}"
    yield f"meta_loops = {spec.meta_loops}"
    yield f"seed = {spec.seed}"
    yield f"seeding = {_quoted(spec.seeding)}"
    yield f"dataset = {_quoted(spec.data_source)}"
    yield f"network = {_quoted(spec.family)}"
    for one in HYPERPARAMETERS:
        yield f"{one.option} = {one.format(getattr(spec.hyperparameters, one.name))}"


def _list(key: str, texts: Sequence[str]) -> Iterator[str]:
    if len(texts) <= 6:
        yield f"{key} = [{', '.join(map(_quoted, texts))}]"
        return
    yield f"{key} = ["
    for start in range(0, len(texts), 8):
        yield "  " + " ".join(f"{_quoted(text)}," for text in texts[start : start + 8])
    yield "]"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
