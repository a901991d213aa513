"""What lies on the disk: checkpoints, the results database, atomic writes, locks, cleaning."""
