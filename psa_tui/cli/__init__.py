"""The ``psa`` command: one module per subcommand, each parses, calls and presents."""


def main() -> None:
    """Run the command line."""
    try:
        from psa_tui.cli.app import main as run
    except KeyboardInterrupt:
        # While the program loads, nothing has begun that there were something to say of.
        raise SystemExit(130) from None
    run()
