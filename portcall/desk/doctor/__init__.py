"""`portcall doctor`: what commonly goes wrong before, at and after an install.

A check has two halves: `facts` asks, and changes nothing; a pure function judges what was found.
"""
