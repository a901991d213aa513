"""The study: grids of shapes, modes and trials; plans; execution on local workers and on clusters."""
