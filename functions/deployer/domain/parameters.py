"""Where the parameters of an app are kept in Parameter Store."""


def paths(repository: str, *, is_preview: bool, previews_read_production: bool) -> list[str]:
    """The paths that an app's parameters lie right below; of two with one name the later path's counts.

    Previews have a tree beside the other, not below it, where a repository's own name could lead to it.
    """
    production, previews = f"/portcall/{repository}/", f"/portcall-previews/{repository}/"
    if not is_preview:
        return [production]
    return [production, previews] if previews_read_production else [previews]
