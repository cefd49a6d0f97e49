"""The embedded cloud's error for users."""


class CloudError(Exception):
    """A problem that the user can fix; the message says what and how."""
