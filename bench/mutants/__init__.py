"""Changes the functions in small ways, and looks whether a test notices: `python -m bench.mutants`."""
