"""Implementations of the engine's backend protocol, one package each."""
