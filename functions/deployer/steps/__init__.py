"""Lambda handlers, one module per state of the workflow."""
