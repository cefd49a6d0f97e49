"""The command line and the page that users of Portcall run."""
