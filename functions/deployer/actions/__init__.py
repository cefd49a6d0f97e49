"""What several steps and event handlers do."""
