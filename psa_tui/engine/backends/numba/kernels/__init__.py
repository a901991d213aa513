"""The arithmetic, compiled by Numba."""
