"""Runs security scanners on the template, as it is written and as CloudFormation gets it."""
