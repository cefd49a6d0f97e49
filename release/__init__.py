"""What is released: a wheel that carries the stack, so that an install needs no clone, no SAM and no Docker."""
