"""Builds the release: a wheel that contains the stack, so that an install needs no clone, SAM and Docker."""
