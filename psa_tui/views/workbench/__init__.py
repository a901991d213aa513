"""The workbench, ``psa`` alone in a terminal: the runs and studies of this folder in a Textual application."""
