"""Who does the work of a study: local processes, or a Ray cluster."""
