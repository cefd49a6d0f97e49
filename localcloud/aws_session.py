"""A session of botocore for the embedded cloud, whatever the user's own AWS configuration says."""

import os

import botocore.session


def session() -> botocore.session.Session:
    """It reads no profile and no file of `~/.aws`: a profile may be unknown, or point elsewhere."""
    nowhere = (None, None, os.devnull, None)
    return botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": nowhere,
            "credentials_file": nowhere,
        }
    )
