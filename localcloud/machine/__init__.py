"""The machine that the embedded cloud runs on: its Docker engine, its Debian packages, its CPU."""
