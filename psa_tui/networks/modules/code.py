"""Running the code that ``--network`` names. Only what the command line named gets here: see ``run_named_code``."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from psa_tui.errors import ConfigError
from psa_tui.formatting import printable
from psa_tui.networks.base import NETWORKS
from psa_tui.networks.modules.names import code_name
from psa_tui.outside import open_outside


@dataclass(frozen=True)
class Code:
    """A factory of modules: ``factory(architecture, input_shape, classes) -> torch.nn.Module``."""

    name: str
    """What commands, checkpoints and tables call it: ``file.py:factory`` without its folder."""
    source: str = field(compare=False)
    """As it is named to run it again: with the whole path of its file."""
    sha256: str = field(compare=False)
    """Of the file that was run."""
    factory: Callable[..., Any] = field(compare=False)
    content: bytes | None = field(compare=False, default=None)
    """Of that file, by which other processes of the command run the same; None of a module, which they import."""


def run_named_code(text: str) -> str:
    """Run the code that ``text`` names, make its factory known as a family of networks, and return its name.

    To be called only with what the user said in this very command; nothing that lies in a folder, in a checkpoint or
    in a database is enough.

    Raises:
        ConfigError: there is no such file, module or factory, or running it fails.
    """
    where, _, factory = text.rpartition(":")
    source = f"{Path(where).absolute() if where.endswith('.py') else where}:{factory}"
    return code_name(text) if _is_known(source) else run_again(source, _read(Path(where)))


def run_again(source: str, content: bytes | None) -> str:
    """Run code that this command named in another process, and return its name; ``content`` is ``Code.content``.

    Raises:
        ConfigError: running it fails, or the module it names is not installed.
    """
    from psa_tui.networks.modules.network import ModuleFamily

    name = code_name(source)
    if _is_known(source):
        return name
    where, _, factory = source.rpartition(":")
    module, sha256 = _from_module(where) if content is None else _from_content(Path(where), content)
    found = getattr(module, factory, None)
    if not callable(found):
        raise ConfigError(f"{printable(source)}: nothing in it can be called {factory}")
    NETWORKS.register(name, ModuleFamily(Code(name, source, sha256, found, content)))
    return name


def _is_known(source: str) -> bool:
    from psa_tui.networks.modules.network import ModuleFamily

    known = NETWORKS.get(code_name(source))
    return isinstance(known, ModuleFamily) and known.code.source == source


def _read(path: Path) -> bytes | None:
    """Return what the file at ``path`` holds; None where it is the name of a module."""
    if path.suffix != ".py":
        return None
    try:
        with open_outside(path) as file:
            return file.read()
    except OSError as error:
        raise ConfigError(f"{printable(str(path))}: cannot be read ({error.strerror or error})") from None


def _from_content(path: Path, content: bytes) -> tuple[ModuleType, str]:
    """Run what the file at ``path`` held: exactly the bytes whose digest is returned."""
    digest = hashlib.sha256(content).hexdigest()
    module = ModuleType(f"psa_network_{digest[:16]}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    with _running(str(path)), _beside(path.parent):
        exec(compile(content, str(path), "exec"), module.__dict__)
    return module, digest


def _from_module(name: str) -> tuple[ModuleType, str]:
    with _running(name):
        module = import_module(name)
    file = getattr(module, "__file__", None)
    return module, hashlib.sha256(Path(file).read_bytes() if file else b"").hexdigest()


@contextmanager
def _beside(folder: Path) -> Iterator[None]:
    """Let a file import what lies beside it, after all else, while it runs."""
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@contextmanager
def _running(what: str) -> Iterator[None]:
    """Say in one line what goes wrong in the user's code."""
    try:
        yield
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{printable(what)}: cannot be run ({in_a_line(error)})") from error


def in_a_line(error: BaseException) -> str:
    """Return an error of the user's code in a line, with the line of their file where it came up."""
    trace, places = error.__traceback__, []
    while trace is not None:
        places.append(f"line {trace.tb_lineno} of {Path(trace.tb_frame.f_code.co_filename).name}")
        trace = trace.tb_next
    told = " ".join(str(error).split())[:200]
    return printable(f"{type(error).__name__}: {told}; {places[-1]}" if places else f"{type(error).__name__}: {told}")
