"""Where the parameters of an app are kept in Parameter Store."""


def paths(repository: str, *, is_preview: bool, previews_read_production: bool) -> list[str]:
    """The paths directly above an app's parameters. Of two with the same name, the later path's is used.

    The tree of previews is beside the other one, not below it, where it could be a repository's own path.
    """
    production, previews = f"/portcall/{repository}/", f"/portcall-previews/{repository}/"
    if not is_preview:
        return [production]
    return [production, previews] if previews_read_production else [previews]
