"""`portcall doctor`: checks for common problems before, during and after an install.

A check has two halves: `facts` reads and changes nothing; a pure function judges the result.
"""
