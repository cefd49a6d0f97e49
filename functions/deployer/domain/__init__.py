"""Questions answered and requests built without AWS, clock, environment or log."""
