"""What SageMaker gets to run: an archive of named kinds of files, the same bytes for the same sources.

An allow-list: the modules and grids of the package, the entry script, its requirements and pyproject.toml; beside
them the one file that ``--network FILE.py:FACTORY`` named, if it did. Nothing hidden, no link and no folder outside the
package is ever read, so neither settings nor results nor data can slip in.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

from psa_tui.errors import ConfigError

ENTRY_SCRIPT = "aws/sagemaker/train.py"
REQUIREMENTS = "aws/sagemaker/requirements.txt"
USER_CODE = "user_code/network.py"
"""Where the user's file is, whatever it was called."""
_SINGLE_FILES = (ENTRY_SCRIPT, REQUIREMENTS, "pyproject.toml")
_PACKAGE_PATTERNS = ("**/*.py", "studies/recipes/*.txt")


def source_root() -> Path:
    """Return the folder that has the package and the entry script side by side.

    Raises:
        ConfigError: psa-tui was installed without its source tree, which has the entry script.
    """
    root = Path(__file__).resolve().parents[2]
    missing = [name for name in _SINGLE_FILES if not (root / name).is_file()]
    if missing:
        raise ConfigError(f"{root}: no {missing[0]}; launching needs psa-tui's source tree: install from a clone")
    return root


def source_files(root: Path) -> list[str]:
    """Return the names, relative to ``root``, of what the archive holds, sorted."""
    package = root / "psa_tui"
    found = {path.relative_to(root).as_posix() for pattern in _PACKAGE_PATTERNS for path in package.glob(pattern)}
    return sorted(name for name in found | set(_SINGLE_FILES) if _is_plain(root, name))


def _is_plain(root: Path, name: str) -> bool:
    """Whether ``name`` is a regular file, and neither it nor a folder on the way to it is hidden or a link."""
    path = root
    for part in name.split("/"):
        path /= part
        if part.startswith(".") or path.is_symlink():
            return False
    return path.is_file()


def build_source_archive(root: Path, code: bytes | None = None) -> bytes:
    """Return a gzipped tar of ``source_files`` and ``code``, without times, owners or anything of this machine."""
    files = {name: (root / name).read_bytes() for name in source_files(root)}
    files |= {} if code is None else {USER_CODE: code}
    content = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=content, mode="wb", compresslevel=6, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            member.mode = 0o644
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()
