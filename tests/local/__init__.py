"""The embedded cloud: one test for each thing that MiniStack lacks."""
