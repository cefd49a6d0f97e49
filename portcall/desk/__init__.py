"""What the commands for an account and for the embedded cloud share: target, reading, states, verdicts."""
