"""One of each thing that can be added to psa-tui from outside: one file each, and its line of entry_points.txt."""
