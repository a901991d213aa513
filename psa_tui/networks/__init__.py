"""Families of networks: each names its parameters, what can be ablated in it, its text form and its size."""
