"""This machine: its devices, its memory, its speed, its signals, and which optional packages it has."""
