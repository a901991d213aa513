"""Networks that are PyTorch modules of the user's own: ``--network package.module:factory`` or ``file.py:factory``."""
