"""What the embedded cloud cannot do, in words for a person."""


class CloudError(Exception):
    """Something that a person has to know and can act on; the message says both."""
