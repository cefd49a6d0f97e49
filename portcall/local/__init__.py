"""The embedded cloud: MiniStack in our own process, and one small file for each thing that it lacks."""
