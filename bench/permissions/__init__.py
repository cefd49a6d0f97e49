"""Finds the permissions that no test needs: `python -m bench.permissions`."""
