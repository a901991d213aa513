"""What does the engine's arithmetic: one package for each backend (see ``psa_tui.engine.backend``)."""
