"""Lambda handlers: one module per state of the workflow, and one per event or schedule."""
