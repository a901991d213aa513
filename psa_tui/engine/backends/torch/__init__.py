"""Batched products for populations of fully connected networks, written by hand, on any device PyTorch has."""
