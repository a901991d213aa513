"""What shows a study; like all views these only read events."""
