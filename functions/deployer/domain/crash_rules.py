"""Rules for the log lines with which languages, frameworks and servers explain a crash after the start."""

from deployer.domain.stop_rules import AS_A_SETTING, Rule

# Variables are in capitals; anything else may be a key of a mapping.
VARIABLE = r"(?P<variable>(?-i:[A-Z][A-Z0-9_]{2,63}))"
FILE = r"(?P<file>[^'\"\r\n:()]{1,200})"
MODULE = r"(?P<module>[\w@][\w.@/$-]{0,100})"

SET_IT = (
    "If {variable} is an environment variable, set it: `LABEL portcall.env.{variable}=...` in the Dockerfile. "
    "A secret belongs in Parameter Store instead, as /portcall/<repository>/{variable} (for previews "
    "/portcall-previews/<repository>/{variable})."
)


def _named(variable: str) -> str:
    return SET_IT.removeprefix("If {variable} is an environment variable, set it").replace(
        "{variable}", variable
    )


RULES = (
    Rule(
        "failed: its port is in use inside the container",
        "Two programs in the container use the same port: for example a start script or supervisor "
        "that starts the server twice, or a server and its reloader. Start only one of them.",
        log=(
            r"EADDRINUSE|address (?:is )?already in use|Connection in use: \(|"
            r"port \d+ (?:is|was) (?:already )?in use|stop the process that's listening on port",
        ),
    ),
    Rule(
        "failed: no permission for its port",
        "On Fargate only root may listen on ports below 1024. Listen on a port such as 8080, with "
        "`EXPOSE 8080` (nginx: the image nginxinc/nginx-unprivileged does that), or run as root, "
        "without USER.",
        log=(
            r"(?:\bbind|listen|make_sock|address).{0,80}(?:permission denied|EACCES)",
            r"listen EACCES|(?:Bind|Socket)Exception: Permission denied",
            r"permission denied.{0,60}(?:\bbind|make_sock)",
        ),
    ),
    Rule(
        "crashed: no permission for {file}",
        "The user that the app runs as has no permission to read or write {file}. If the Dockerfile has a "
        "USER, give that user the permission with `RUN chown ...` before it, or use another folder, such as "
        "/tmp.",
        log=(
            rf"EACCES: permission denied, \w+ '{FILE}'",
            rf"permission denied: '{FILE}'",
            rf"(?:open|mkdir|opendir|unlink)\(\) \"{FILE}\" failed \(13",
            rf"cannot (?:create|open|touch|remove)(?: directory| file)? ['‘]?{FILE}['’]?: permission denied",
            rf"\b(?:open|mkdir|stat|create|unlink|chmod) {FILE}: permission denied",
            rf": (?:line )?\d+: {FILE}: permission denied",
            rf"{FILE} \(permission denied\)",
            rf"{FILE}\): failed to open stream: permission denied",
        ),
    ),
    Rule(
        "crashed: permission denied",
        "The user that the app runs as (USER in the Dockerfile) has no permission for a file, or for a port "
        "below 1024. The end of its log, below, may say which.",
        log=("permission denied(?! for)|EACCES",),
    ),
    Rule(
        "crashed: SECRET_KEY_BASE is missing",
        "Rails needs it. Set it" + _named("SECRET_KEY_BASE"),
        log=("missing .?secret_key_base",),
    ),
    Rule(
        "crashed: RAILS_MASTER_KEY is missing",
        "Rails needs it to read its credentials. Set it" + _named("RAILS_MASTER_KEY"),
        log=("missing encryption key to decrypt",),
    ),
    Rule(
        "crashed: APP_KEY is missing",
        "Laravel needs it. Set it" + _named("APP_KEY"),
        log=("no application encryption key has been specified",),
    ),
    Rule(
        "crashed: {variable} is missing",
        SET_IT,
        log=(
            rf"KeyError: '{VARIABLE}'",
            rf"key not found: \"{VARIABLE}\"",
            r"env(?:ironment)? var(?:iable)?s?(?: is)?(?: not found| missing| required| not set)?:? [\"'`]?"
            rf"{VARIABLE}\b",
            rf"\b{VARIABLE}[\"'`]? env(?:ironment)? var",
            rf"missing (?:required )?env(?:ironment)? .{{0,30}}?\b{VARIABLE}\b",
            rf"\b{VARIABLE}[\"'`]?:? (?:is|was|are|must be) (?:not set|not defined|undefined|required|missing|"
            r"unset|empty|set|defined|provided)\b",
            rf"\b{VARIABLE} setting must not be empty",
            rf"\b{VARIABLE} not found\. Declare it as envvar",
            rf"\b{VARIABLE}: (?:unbound variable|parameter (?:null or )?not set)",
            rf"required key {VARIABLE} missing value",
            rf"you (?:must|need to) (?:specify|set) {VARIABLE}\b",
            rf"^\s*-? ?{VARIABLE} (?:is )?(?:required|missing)\b",
        ),
    ),
    Rule(
        "crashed: the setting {setting} is missing",
        f"Spring finds no value for {{setting}}. Give it one {AS_A_SETTING} Write the variable's name in "
        "capitals, with _ instead of dots and without dashes.",
        log=(r"could not resolve placeholder '(?P<setting>[\w.-]{1,64})",),
    ),
    Rule(
        "crashed: a setting is missing",
        f"The lines before say which. Set it {AS_A_SETTING}",
        log=(r"field required \[type=missing",),
    ),
    Rule(
        "crashed: {module} is not in the image",
        "The program starts, but does not find {module}. Check that the Dockerfile installs it (not "
        "only with the development dependencies). If it is your own file, check that it is COPYed, "
        "that .dockerignore does not exclude it, and that WORKDIR is right.",
        log=(
            rf"(?:ModuleNotFoundError|ImportError): No module named '?{MODULE}",
            rf"cannot find (?:module|package) '{MODULE}",
            rf"cannot load such file -- {MODULE}",
            rf"could not find {MODULE} in (?:any of|locally)",
            rf"(?:ClassNotFoundException|NoClassDefFoundError|find or load main class):? {MODULE}",
            rf"unable to access jarfile {MODULE}",
            r"can't open file '(?P<module>[^'\r\n]{1,100})'",
            rf"could not open input file: {MODULE}",
            r"failed opening required '(?P<module>[^'\r\n]{1,100})'",
            rf"could not import module \"{MODULE}\"",
            r"no such file or directory, (?:open|stat|lstat|scandir) '(?P<module>[^'\r\n]{1,100})'",
            r"no such file or directory: '(?P<module>[^'\r\n]{1,100})'",
            r"\b(?:open|stat) (?P<module>[\w./-]{1,100}): no such file or directory",
        ),
    ),
    Rule(
        "crashed: package.json has no script {script}",
        "CMD or ENTRYPOINT runs it with npm, yarn or pnpm. Check the package.json that is COPYed.",
        log=(
            r"missing script:? \"?(?P<script>[\w:-]{1,60})",
            r"command \"(?P<script>[\w:-]{1,60})\" not found",
        ),
    ),
    Rule(
        "crashed: out of memory (exit code {code})",
        "Its log says so. It has {memory} MiB, and many languages use only part of that for their "
        "heap. Request more with `LABEL portcall.memory=`, or raise the heap limit: "
        "-XX:MaxRAMPercentage=75 (Java), --max-old-space-size (Node.js).",
        log=(
            r"heap out of memory|OutOfMemoryError|^MemoryError|cannot allocate memory|runtime: out of memory",
        ),
    ),
    Rule(
        "crashed: its disk is full",
        "A task has 20 GiB of disk, including its image, and loses its data when it stops.",
        log=("ENOSPC: no space left|no space left on device",),
    ),
    Rule(
        "crashed: it watches too many files",
        "Development servers do that, to rebuild on each change. Start the production server in CMD instead.",
        log=("file watchers reached",),
    ),
    Rule(
        "crashed: it writes to a read-only file system",
        "No container on Fargate can write to /sys or to most of /proc, so sysctl does not work. All "
        "other files of the image can be written.",
        log=(r"EROFS|read-only file system(?!\?)",),
    ),
    Rule(
        "crashed: it needs Docker",
        "On Fargate no container can use a Docker engine or start containers. Run that part elsewhere.",
        log=(r"docker\.sock|cannot connect to the docker daemon",),
    ),
    Rule(
        "crashed: it has no AWS credentials",
        "Portcall gives apps no IAM role. If the app must call AWS, give it the keys of an IAM user "
        f"with only those permissions, {AS_A_SETTING}",
        log=(
            r"unable to locate credentials|NoCredentials|could not load credentials from any|"
            r"no EC2 IMDS role found|CredentialsProviderError|unable to load (?:AWS )?credentials",
        ),
    ),
    Rule(
        "crashed: operation not permitted",
        "Either it needs root, and the image sets another USER. Or it needs a privilege that Fargate "
        "does not give to containers: --privileged, --cap-add, mounts, iptables.",
        log=("operation not permitted|EPERM",),
    ),
    Rule(
        "crashed: its text is not UTF-8",
        "The image sets no locale, so the app assumes that text is ASCII. Add `ENV LANG=C.UTF-8` to "
        "the Dockerfile.",
        log=("configured to use ASCII as encoding|'ascii' codec can't",),
    ),
    Rule(
        "crashed: it was compiled for a newer Java",
        "The Java in the image is older than the one that compiled the app. Use the same version for "
        "both, for example the same base image in all stages.",
        log=("UnsupportedClassVersionError|compiled by a more recent version of the Java",),
    ),
    Rule(
        "crashed: its packages are too old for its Node.js",
        "They use an OpenSSL function that Node.js 17 and later do not support (webpack 4 is the "
        "usual cause). Update them, or add `ENV NODE_OPTIONS=--openssl-legacy-provider` to the "
        "Dockerfile.",
        log=("digital envelope routines::unsupported",),
    ),
)
