"""From the name of a study, of a recipe or of a study file to the studies that are meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from psa_tui.errors import ConfigError
from psa_tui.formatting import did_you_mean
from psa_tui.settings import Settings
from psa_tui.storage.study_store import study_names
from psa_tui.studies.request import agreed, known_study, with_data
from psa_tui.studies.spec import StudySpec, check_name
from psa_tui.studies.study_file import load_recipe, load_study_file, recipe_names
from psa_tui.studies.study_parsing import StudyFile


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenStudies:
    """What was said on the command line; None is not said."""

    study: str | None
    """A study file, or the name of a study that was begun."""
    recipe: str | None
    name: str | None
    """The study's name, in place of the file's."""
    trials: int | None
    meta_loops: int | None

    def load(self, results_dir: Path, *, to_show: bool = False) -> tuple[StudySpec, ...]:
        """Return the studies as they are written, with what was said of them in place of what is there.

        What is only ``to_show`` may have networks of code that nobody named (``StudySpec.from_settings``).

        Raises:
            ConfigError: there is no such file, recipe or study, or the file has faults.
        """
        found = self._found(results_dir, to_show=to_show)
        changes: dict[str, Any] = {
            name: value for name in ("trials", "meta_loops") if (value := getattr(self, name)) is not None
        }
        studies = []
        for spec in found.studies:
            name = (
                spec.name
                if self.name is None
                else check_name(self.name + spec.name.removeprefix(found.name), "--name ")
            )
            studies.append(replace(spec, name=name, **changes))
        return tuple(studies)

    def resolve(self, settings: Settings, say: Callable[[str], None]) -> Sequence[StudySpec]:
        """Return the studies as they are to be run: each is new, or the one of its name, which may gain trials.

        Raises:
            ConfigError: as ``load``, or a study of this name is another one; its differences are named.
            DataError, RetryableError: a data set is damaged, or cannot be downloaded.
        """
        studies = []
        for spec in self.load(settings.get("results_dir")):
            known = known_study(settings.get("results_dir"), spec.name)
            if known is not None and self.trials is None:
                # Trials that were added from the command line stay, although the file knows nothing of them.
                spec = replace(spec, trials=max(spec.trials, known.trials))
            studies.append(agreed(known, with_data(spec, settings, say)))
        return studies

    def _found(self, results_dir: Path, *, to_show: bool) -> StudyFile:
        if (self.study is None) == (self.recipe is None):
            raise ConfigError("expected one of: a study file, the name of a study that was begun, --recipe NAME")
        if self.recipe is not None:
            return load_recipe(self.recipe)
        assert self.study is not None
        path = Path(self.study)
        if path.suffix == ".toml" or len(path.parts) > 1:
            return load_study_file(path)
        known = known_study(results_dir, check_name(self.study, "STUDY "), to_show=to_show)
        if known is None:
            hint = f"; --recipe {self.study} is a recipe" if self.study in recipe_names() else ""
            hint = hint or did_you_mean(self.study, study_names(results_dir))
            raise ConfigError(
                f"no study {self.study} was begun in {results_dir}{hint} (psa study list shows those that were; "
                "a study file ends in .toml)"
            )
        return StudyFile(known.name, "", (known,))
