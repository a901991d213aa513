"""Finding what can be ablated in a PyTorch module, by running it once and following the units through every call.

``finding`` is the way in, ``psa_tui.units``; ``recorder`` sees the calls, ``operations`` knows what they do to units,
``units`` keeps what is known of them, ``check`` tries the result on the example.
"""
