"""Installs, upgrades and removes the stack with nothing but AWS's APIs."""
