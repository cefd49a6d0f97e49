"""What is kept and printed of a measurement: bench/results/, tables for the docs, medians with their range."""
