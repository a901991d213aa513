"""How large a study must be, how often it may be looked at, what a look finds, and how all of it is written down."""
