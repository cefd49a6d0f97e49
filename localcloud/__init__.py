"""The embedded cloud: MiniStack in our own process, its patches, and the stack in it."""
