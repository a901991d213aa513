"""Ways of showing a run. A view folds events into what it shows; it never touches the engine or a file."""
