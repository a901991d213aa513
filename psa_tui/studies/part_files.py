"""The files in which the parts under way are kept: one folder a study, one file a part."""

from __future__ import annotations

from pathlib import Path

from psa_tui.errors import CheckpointError
from psa_tui.outside import open_outside
from psa_tui.storage.atomic_write import atomic_write, make_folder
from psa_tui.studies.parts import Part


def study_folder(results_dir: Path, name: str) -> Path:
    """Return where the states of a study's parts under way are kept."""
    return results_dir / "studies" / name


def study_lock(results_dir: Path, name: str) -> Path:
    """Return the path whose lock the one process that works on the study holds."""
    return study_folder(results_dir, name) / "study"


class PartFiles:
    """The states of parts in one folder."""

    def __init__(self, folder: Path, resume_command: str) -> None:
        """Make ``folder`` if need be; ``resume_command`` is what to say once a write failed.

        Raises:
            CheckpointError: it cannot be made.
        """
        make_folder(folder, "--results-dir", CheckpointError)
        self._folder, self._resume_command = folder, resume_command

    def read(self, part: Part) -> bytes | None:
        """Return the part's state, or None when it has none.

        Raises:
            CheckpointError: it cannot be read.
        """
        path = self._folder / part.file_name
        try:
            with open_outside(path) as file:
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from None

    def write(self, part: Part, state: bytes | None) -> None:
        """Replace the part's state, or remove it where ``state`` is None.

        Raises:
            CheckpointError: the disk is full or read-only.
        """
        path = self._folder / part.file_name
        try:
            if state is None:
                path.unlink(missing_ok=True)
            else:
                atomic_write(path, state)
        except OSError as error:
            raise CheckpointError(
                f"{path}: cannot be written ({error.strerror}); what was recorded before is intact; "
                f"see to space and permissions, then {self._resume_command}"
            ) from None
