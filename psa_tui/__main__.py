"""``python -m psa_tui`` is the same as ``psa``."""

from psa_tui.cli import main

if __name__ == "__main__":
    main()
