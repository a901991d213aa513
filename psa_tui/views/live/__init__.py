"""The live screens of runs and studies, on Textual: they run in the drawing process, and are fed with events."""
