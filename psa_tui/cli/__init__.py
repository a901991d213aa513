"""The ``psa`` command: one module per subcommand, each parses, calls and presents."""

from psa_tui.cli.app import main

__all__ = ["main"]
