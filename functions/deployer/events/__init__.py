"""Lambda handlers of AWS's events, of the schedule, and of operators' requests."""
