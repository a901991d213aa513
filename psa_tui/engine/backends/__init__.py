"""What does the engine's arithmetic: one package for each backend (see ``psa_tui.engine.backend``)."""


class Lack(str):
    """A refusal for want of something that another machine may have, such as a package or a processor."""
