"""`portcall console`: a page on loopback that shows the apps, with the user's own credentials."""
