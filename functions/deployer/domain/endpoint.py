"""Where an app answers."""


def url(public_ip: str, port: int) -> str:
    """`http://203.0.113.7:3000/`; port 80 goes without saying."""
    return f"http://{public_ip}/" if port == 80 else f"http://{public_ip}:{port}/"
