"""Changes the functions in small ways, and checks whether a test notices: `python -m bench.mutants`."""
