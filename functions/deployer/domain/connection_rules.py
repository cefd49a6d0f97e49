"""Rules for log lines about a server that the app could not reach: databases, caches and other services.

`server` is the name or address, with the port if the log has it.
"""

from deployer.domain.stop_rules import AS_A_SETTING, Rule

# A name without a dot is not a DNS name; most often it is a service of a compose file.
SHORT = r"(?P<server>(?<![\w.-])(?!localhost\b)[a-z0-9_][\w-]{0,62})(?![\w.-])"
LONG = r"(?P<server>(?<![\w.-])[\w-]{1,63}(?:\.[\w-]{1,63})+)"
# A file name with a line number must not match as a host with a port.
WITH_PORT = (
    r"(?P<server>(?<![\w./-])(?:[a-z][\w-]{0,62}(?:\.[\w-]{1,63}){0,9}|\d{1,3}(?:\.\d{1,3}){3})(?<!\.py)(?<!\.[jt]s)(?<!\.[cm]js)(?<!\.rb)"
    r"(?<!\.go)(?<!\.java)(?<!\.php)(?<!\.rs):\d{2,5}(?!\d))"
)
ITSELF = r"(?P<server>(?:127\.0\.0\.1|localhost|\[?::1\]?)(?::\d{1,5})?)"
UNKNOWN = r"(?:name or service not known|temporary failure|no address|nodename nor servname|not known)"


def _unknown(name: str) -> tuple[str, ...]:
    """The words with which programs say that they cannot resolve a host."""
    return (
        rf"(?:ENOTFOUND|EAI_AGAIN) {name}",
        rf"could not translate host name [\"']{name}",
        rf"host not found in upstream [\"']{name}",
        rf"lookup {name}(?: on [\d.:\[\]a-f]{{1,60}})?: (?:no such host|.{{0,60}}(?:misbehaving|temporary))",
        rf"UnknownHostException: {name}",
        rf"unknown (?:\w{{1,20}} )?(?:server )?host:? [\"'(]?{name}",
        rf"connecting to {name}(?::\d{{1,5}})?\. {UNKNOWN}",
        rf"getaddrinfo for (?:host )?[\"']?{name}",
        rf"{UNKNOWN}[^()]{{0,40}} \((?:\w{{1,20}}://)?(?:[^@\s()]{{0,100}}@)?{name}",
        rf"resolve (?:host|hostname|server|address):? [\"']?{name}",
        rf"bad address [\"']{name}",
        rf"{name}:\d{{1,5}}: \[errno -[235]\]",
        rf"server (?:on|at) [\"']{name}(?::\d{{1,5}})?[\"'] \(\[?(?:errno )?-[235]",
        rf"[\"']{name}[\"'].{{0,40}}{UNKNOWN}",
    )


# Servers that an app must reach before it can work; the log does not name the last of them.
RULES = (
    Rule(
        "crashed: it looks for host.docker.internal",
        "That name only exists in Docker Desktop, for the machine that it runs on. Run that service "
        f"where the app can reach it, and set its host name {AS_A_SETTING}",
        log=(r"(?P<server>(?:host|gateway)\.docker\.internal)",),
    ),
    Rule(
        "crashed: there is no host {server}",
        f"{{server}} looks like a service of a compose file. Each app runs in a single container and "
        f"cannot reach other containers by name. Run {{server}} elsewhere (RDS, ElastiCache, another "
        f"app) and set its host name {AS_A_SETTING}",
        log=_unknown(SHORT),
    ),
    Rule(
        "crashed: it cannot resolve the host {server}",
        "Check the name. Names in a private hosted zone only resolve in the VPCs of that zone: "
        f"deploy Portcall into one of them, with VpcId. Or set another host name {AS_A_SETTING}",
        log=_unknown(LONG),
    ),
    Rule(
        "crashed: nothing answers at {server}",
        "That address is the app's own container, and nothing else runs there. Run the database or "
        f"service elsewhere, and set its host name {AS_A_SETTING}",
        log=(
            rf"{ITSELF}(?!\d).{{0,60}}?(?:refused|\b111\b)",
            rf"(?:refused|ECONNREFUSED).{{0,60}}?{ITSELF}(?!\d)",
            rf"running on host \"{ITSELF}\"",
            r"server through socket '(?P<server>[^']{1,100})'",
            r"server on socket \"(?P<server>[^\"]{1,100})\" failed",
        ),
    ),
    Rule(
        "crashed: {server} refused its connection",
        "The host exists, but nothing accepted a connection on that port. Check that the service "
        f"runs and uses that port. Set another host or port {AS_A_SETTING}",
        log=(
            rf"{WITH_PORT}[^.]{{0,40}}?(?:connection|connect:)? ?refused",
            rf"(?:ECONNREFUSED|refused to|refused:|refused) {WITH_PORT}",
            r"server at \"(?P<server>[^\"]{1,100})\".{0,60}connection refused",
        ),
    ),
    Rule(
        "crashed: {server} did not answer",
        "Most often its security group does not allow the app, or there is no route to it. Apps run "
        "in Portcall's own VPC, or in the one in the parameter VpcId.",
        log=(
            rf"ETIMEDOUT {WITH_PORT}",
            rf"{WITH_PORT}.{{0,40}}?(?:timed out|timeout)",
            rf"(?:timed out|timeout)\b.{{0,40}}?{WITH_PORT}",
            r"server at \"(?P<server>[^\"]{1,100})\".{0,60}(?:timed out|timeout)",
        ),
    ),
    Rule(
        "crashed: its login was refused",
        f"A database or cache rejected its user or password. Set the right ones {AS_A_SETTING}",
        log=(
            "password authentication failed for|access denied for user|authentication failed|"
            r"\bWRONGPASS\b|\bNOAUTH\b|login failed for user",
        ),
    ),
    Rule(
        "crashed: its database requires an encrypted connection",
        f"For PostgreSQL, add `?sslmode=require` to the URL of the database. Set it {AS_A_SETTING}",
        log=(r"no pg_hba\.conf entry .{0,200}(?:no encryption|SSL off)",),
    ),
    Rule(
        "crashed: it cannot resolve a host name",
        "Its log may say which. Each app runs in a single container, so the service names of a "
        f"compose file (db, redis, ...) do not exist here. Set another host name {AS_A_SETTING}",
        log=("name or service not known|temporary failure in name resolution|no address associated with",),
    ),
    Rule(
        "crashed: it could not connect to another server",
        "Its log may say to which. 127.0.0.1 and localhost are the app's own container, and nothing "
        "else runs there. A server elsewhere may have a security group that does not allow the app. "
        f"Set its host name {AS_A_SETTING}",
        log=("connection refused|ECONNREFUSED|connect(?:ion)? (?:timed out|timeout)|timeout connecting to",),
    ),
)
