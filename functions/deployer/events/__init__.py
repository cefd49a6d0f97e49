"""Handlers of AWS's events, of the schedule and of people."""
