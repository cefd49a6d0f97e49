"""The rules: plain functions that decide and build requests, without AWS, clock, environment or log."""
