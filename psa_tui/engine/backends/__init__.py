"""What does the engine's arithmetic: one package for each backend (see ``psa_tui.engine.backend``)."""


class Lack(str):
    """A refusal of what it can do elsewhere: for want of a package or a processor, or on images of another kind."""
