"""Each kind of failure has its own words and its own hint."""

import json
import re

import pytest
from deployer.domain import no_answer
from deployer.domain.errors import PermanentError, TransientError
from deployer.domain.failure import OTHERS, explain, read_error
from deployer.domain.stop_reasons import EXIT_CODES, RULES
from deployer.domain.stop_rules import LINE_LIMIT
from deployer.domain.task import Task


def why(error, message="", *, log=(), **task):
    stopped = Task("arn", "STOPPED", "STOPPED", 5, **task) if task else None
    return explain(
        error=error,
        message=message,
        task=stopped,
        log=list(log),
        port=3000,
        memory="512",
        architecture="X86_64",
    )


RUNC = "CannotStartContainerError: Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "
PULL = "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
ASM = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-Ab12Cd from secrets manager: "
SSM = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): "
AUTH = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: service call has been retried 3 time(s): "
STOPPED = [
    # AWS's reason, the log, the exit code; what the summary and the hint say
    ("", ["exec /app: exec format error"], 255, "wrong CPU architecture", "--platform linux/amd64"),
    ("", ["standard_init_linux.go:228: exec user process caused: exec format error"], 1, "wrong CPU architecture", "--platform"),
    ("", ["/start.sh: line 3: ./app: cannot execute binary file: Exec format error"], 126, "wrong CPU architecture", "--platform"),
    (PULL + "image Manifest does not contain descriptor matching platform 'linux/amd64'", [], None, "wrong CPU architecture", "--platform"),
    ("", ["exec /start.sh: exec format error"], 1, "/start.sh cannot be run", "#!/bin/sh"),
    ("", ["exec /start.sh: no such file or directory"], 1, "the shell of /start.sh was not found", "CRLF"),
    ("", ["exec /usr/local/bin/server: no such file or directory"], 1, "/usr/local/bin/server was built for another Linux", "Alpine"),
    ("", ["python: error while loading shared libraries: libssl.so.3: cannot open shared object file: No such file or directory"], 127, "a shared library is missing", "libssl.so.3 is not in the image"),
    ("", ["Error loading shared library libstdc++.so.6: No such file or directory (needed by /app)"], 127, "a shared library is missing", "libstdc++.so.6"),
    ("", ["ImportError: libGL.so.1: cannot open shared object file: No such file or directory"], 1, "a shared library is missing", "libGL.so.1"),
    (RUNC + 'exec: "/start.sh": permission denied: unknown', [], None, "/start.sh is not executable", "chmod +x /start.sh"),
    ("", ["/bin/sh: 1: ./run: Permission denied"], 126, "./run is not executable", "chmod +x ./run"),
    (RUNC + 'exec: "gunicorn": executable file not found in $PATH: unknown', [], None, "gunicorn is not in the image", "PATH"),
    (RUNC + 'exec: "/app/nope": stat /app/nope: no such file or directory: unknown', [], None, "/app/nope is not in the image", "COPY"),
    ("", ["sh: 1: nope: not found"], 127, "nope is not in the image", "CMD"),
    ("", ["/start.sh: line 2: nope: command not found"], 127, "nope is not in the image", "CMD"),
    ("", [], 127, "command cannot be run", "CMD"),
    ("CannotCreateContainerError: unable to find user app: no matching entries in passwd file", [], None, "command cannot be run", "USER"),
    ("OutOfMemoryError: Container killed due to memory usage", [], 137, "out of memory", "512 MiB"),
    ("", ["java.lang.OutOfMemoryError: Java heap space"], 3, "exit code 3", "log"),
    (ASM + "ResourceNotFoundException: Secrets Manager can't find the specified secret.", [], None, "a secret is missing", "Create it"),
    (ASM + "AccessDeniedException: User: arn:aws:sts::1:assumed-role/x is not authorized to perform: secretsmanager:GetSecretValue", [], None, "no permission to read a secret", "ExecutionRole"),
    (SSM + "invalid ssm parameters: /flask-app/key", [], None, "a secret is missing", "Create it"),
    (SSM + "AccessDeniedException: not authorized to perform: ssm:GetParameters", [], None, "no permission to read a secret", "ExecutionRole"),
    (AUTH + "RequestError: send request failed caused by: Post https://api.ecr: dial tcp: i/o timeout", [], None, "could not be pulled", "drift"),
    (PULL + "failed to resolve ref registry/app@sha256:ab: registry/app@sha256:ab: not found", [], None, "the image is gone", "Push it again"),
    (PULL + "httpReadSeeker: failed open: unexpected status code https://x: 404 Not Found", [], None, "the image is gone", "Push it again"),
    (PULL + "failed to do request: Head registry/app@sha256:ab403cd404ef: dial tcp: lookup registry: no such host", [], None, "could not be pulled", "drift"),
    (PULL + "manifest unknown", [], None, "the image is gone", "Push it again"),
    (PULL + "Error response from daemon: unknown blob", [], None, "the image is gone", "Push it again"),
    (PULL + "httpReadSeeker: failed open: unexpected status code https://x: 403 Forbidden", [], None, "no permission to pull the image", "drift"),
    (PULL + "failed to copy: write /var/lib/containerd/x: no space left on device", [], None, "the image is too large", "20 GiB"),
    (PULL + "dial tcp 10.0.0.1:443: i/o timeout", [], None, "could not be pulled", "drift"),
    ("Capacity is unavailable at this time. Please try again later or in a different availability zone", [], None, "AWS has no capacity", "Service Quotas"),
    ("ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: The specified log group does not exist", [], None, "AWS could not set it up", "log group"),
    ("Timeout waiting for network interface provisioning to complete", [], None, "AWS could not set it up", "Nothing is wrong"),
    ("DockerTimeoutError: Could not transition to started; timed out after waiting 3m0s", [], None, "AWS could not set it up", "Nothing is wrong"),
    ("Your Spot Task was interrupted.", [], None, "AWS stopped the task", "Nothing is wrong"),
    ("", ["OSError: [Errno 98] Address already in use"], 1, "its port is in use", "one of them"),
    ("", ["Error: listen EADDRINUSE: address already in use :::3000"], 1, "its port is in use", "one of them"),
    ("", ["bye"], 0, "it exited", "foreground"),
    ("", ["Traceback"], 3, "exit code 3", "may say why"),
    ("", [], 3, "exit code 3", "docker run"),
    ("", [], 137, "was killed", "more than 512 MiB"),
    ("", [], 139, "segmentation fault", "linux/amd64"),
    ("", [], 132, "illegal instruction", "-march"),
    ("", [], 143, "received SIGTERM", "exec"),
    ("", [], None, "failed to start", "AWS's error message"),
]  # fmt: skip


FLASK_TRACE = [
    "Traceback (most recent call last):",
    '  File "/app/app.py", line 3, in <module>',
    "    key = os.environ['DATABASE_URL']",
    "KeyError: 'DATABASE_URL'",
]
GUNICORN_ENDS = [
    "[2024-05-01 10:00:00 +0000] [7] [INFO] Worker exiting (pid: 7)",
    "[2024-05-01 10:00:00 +0000] [1] [ERROR] Worker (pid:7) exited with code 3",
    "[2024-05-01 10:00:00 +0000] [1] [ERROR] Shutting down: Master",
    "[2024-05-01 10:00:00 +0000] [1] [ERROR] Reason: Worker failed to boot.",
]
NODE_ENDS = ["    at node:internal/main/run_main_module:28:49 {", "  code: 'X'", "}", "", "Node.js v20.11.0"]
NPM_ENDS = [
    "npm ERR! Lifecycle script `start` failed with error:",
    "npm ERR! Error: command failed",
    "npm notice New minor version of npm available! 7.18.1 -> 7.20.0",
]
CRLF, BOM = "Windows line endings", "byte order mark"
# What is reported again and again of containers that do not start: the log, the exit code; summary and hint.
REPORTED = [
    # Scripts from Windows
    (["/usr/bin/env: \u2018bash\\r\u2019: No such file or directory", "/usr/bin/env: use -[v]S to pass options in shebang lines"], 127, CRLF, "LF"),
    (["env: 'bash\\r': No such file or directory"], 127, CRLF, "LF"),
    (["env: can't execute 'bash\r': No such file or directory"], 127, CRLF, "LF"),
    (["/start.sh: 1: set: Illegal option -\r"], 2, CRLF, "LF"),
    (["/start.sh: 1: set: Illegal option -"], 2, CRLF, "LF"),
    (["/start.sh: line 1: set: -\r: invalid option", "set: usage: set [-abefhkmnptuvxBCEHPT] [-o option-name] [--] [-] [arg ...]", "/start.sh: line 2: $'foo\\r': command not found"], 127, CRLF, "LF"),
    (["/start.sh: 2: gunicorn\r: not found"], 127, CRLF, "LF"),
    (["python: can't open file '/app/app.py\\r': [Errno 2] No such file or directory"], 2, CRLF, "LF"),
    (["Unknown option: -\r", "usage: python [option] ... [-c cmd | -m mod | file | -] [arg] ...", "Try `python -h' for more information."], 2, CRLF, "LF"),
    (["/start.sh: 1: \ufeff#!/bin/sh: not found"], 127, BOM, "without BOM"),
    (["/start.sh: line 1: \ufeff#!/bin/bash: No such file or directory"], 1, BOM, "without BOM"),
    (["exec /start.sh: exec format error"], 1, "/start.sh cannot be run", "BOM"),
    (["exec /docker-entrypoint: exec format error"], 1, "perhaps the wrong CPU architecture", "BOM"),
    # What is not executable, and what may not be opened
    (["/start.sh: line 3: /run/app.pid: Permission denied"], 1, "no permission for /run/app.pid", "chown"),
    (["sh: 1: cannot create /run/app.pid: Permission denied"], 2, "no permission for /run/app.pid", "chown"),
    (["bash: line 1: exec: /app: cannot execute: Permission denied"], 126, "/app is not executable", "chmod +x /app"),
    (["exec /app: permission denied"], 1, "/app is not executable", "chmod +x /app"),
    (["[FATAL tini (7)] exec /start.sh failed: Permission denied"], 126, "/start.sh is not executable", "chmod +x /start.sh"),
    (["[FATAL tini (7)] exec node failed: No such file or directory"], 127, "node is not in the image", "PATH"),
    (["Error: EACCES: permission denied, open '/app/data/db.sqlite'", *NODE_ENDS], 1, "no permission for /app/data/db.sqlite", "USER"),
    (["PermissionError: [Errno 13] Permission denied: '/var/log/app.log'"], 1, "no permission for /var/log/app.log", "USER"),
    (['nginx: [emerg] mkdir() "/var/cache/nginx/client_temp" failed (13: Permission denied)'], 1, "no permission for /var/cache/nginx/client_temp", "USER"),
    (["mkdir: cannot create directory \u2018/data\u2019: Permission denied"], 1, "no permission for /data", "USER"),
    # Ports
    (["2024/05/01 nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)"], 1, "no permission for its port", "EXPOSE 8080"),
    (["Error: listen EACCES: permission denied 0.0.0.0:80", *NODE_ENDS], 1, "no permission for its port", "below 1024"),
    (["2024/05/01 listen tcp :80: bind: permission denied", "exit status 1"], 1, "no permission for its port", "root"),
    (["(13)Permission denied: AH00072: make_sock: could not bind to address [::]:80"], 1, "no permission for its port", "root"),
    (["[Errno 13] error while attempting to bind on address ('0.0.0.0', 80): permission denied"], 1, "no permission for its port", "root"),
    (["[ERROR] Connection in use: ('0.0.0.0', 8000)"], 1, "its port is in use", "one of them"),
    # Hosts of a compose file, and others
    (["Error: getaddrinfo ENOTFOUND redis", "    at GetAddrInfoReqWrap.onlookup [as oncomplete] (node:dns:107:26) {", "  code: 'ENOTFOUND',", "  hostname: 'redis'", "}", "", "Node.js v20.11.0"], 1, "there is no host redis", "in a single container"),
    (["Error: getaddrinfo EAI_AGAIN db", *NODE_ENDS, *NPM_ENDS], 1, "there is no host db", "portcall.env"),
    (['psycopg2.OperationalError: could not translate host name "db" to address: Name or service not known', *GUNICORN_ENDS], 3, "there is no host db", "compose"),
    (["psycopg.OperationalError: failed to resolve host 'db': [Errno -2] Name or service not known"], 1, "there is no host db", "compose"),
    (['nginx: [emerg] host not found in upstream "api:3000" in /etc/nginx/conf.d/default.conf:3'], 1, "there is no host api", "compose"),
    (["panic: dial tcp: lookup db on 10.0.0.2:53: no such host", "", "goroutine 1 [running]:", "main.main()", "\t/app/main.go:12 +0x1d", "exit status 2"], 2, "there is no host db", "compose"),
    (["redis.exceptions.ConnectionError: Error -2 connecting to redis:6379. Name or service not known."], 1, "there is no host redis", "compose"),
    (["java.net.UnknownHostException: mysql", "\tat java.base/java.net.InetAddress.getAllByName0(InetAddress.java:1508)"], 1, "there is no host mysql", "compose"),
    (["PHP Fatal error: PDO::__construct(): php_network_getaddresses: getaddrinfo for db failed: Name or service not known"], 255, "there is no host db", "compose"),
    (["pymongo.errors.ServerSelectionTimeoutError: mongo:27017: [Errno -2] Name or service not known"], 1, "there is no host mongo", "compose"),
    (["Error: getaddrinfo ENOTFOUND db.internal.example", *NODE_ENDS], 1, "cannot resolve the host db.internal.example", "VpcId"),
    (["Error: getaddrinfo ENOTFOUND host.docker.internal", *NODE_ENDS], 1, "host.docker.internal", "Docker Desktop"),
    (["Error: connect ECONNREFUSED 127.0.0.1:5432", *NODE_ENDS], 1, "nothing answers at 127.0.0.1:5432", "app's own container"),
    (["Error: connect ECONNREFUSED ::1:6379", *NODE_ENDS], 1, "nothing answers at ::1:6379", "app's own container"),
    (['psycopg2.OperationalError: connection to server at "localhost" (127.0.0.1), port 5432 failed: Connection refused', "\tIs the server running on that host and accepting TCP/IP connections?"], 1, "nothing answers at", "app's own container"),
    (["django.db.utils.OperationalError: (2002, \"Can't connect to local MySQL server through socket '/run/mysqld/mysqld.sock' (2)\")"], 1, "nothing answers at /run/mysqld/mysqld.sock", "app's own container"),
    (["Caused by: org.postgresql.util.PSQLException: Connection to localhost:5432 refused. Check that the hostname and port are correct", "\t... 43 more"], 1, "nothing answers at localhost:5432", "app's own container"),
    (["dial tcp 10.0.3.7:5432: connect: connection refused"], 1, "10.0.3.7:5432 refused its connection", "accepted a connection"),
    (["Error: connect ETIMEDOUT 10.0.3.7:5432", *NODE_ENDS], 1, "10.0.3.7:5432 did not answer", "security group"),
    (["dial tcp 10.0.3.7:5432: i/o timeout"], 1, "10.0.3.7:5432 did not answer", "security group"),
    (['FATAL:  password authentication failed for user "app"'], 1, "its login was refused", "password"),
    (['FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "app", database "app", no encryption'], 1, "encrypted", "sslmode=require"),
    # Settings
    ([*FLASK_TRACE, *GUNICORN_ENDS], 3, "DATABASE_URL is missing", "LABEL portcall.env.DATABASE_URL="),
    (["django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty."], 1, "SECRET_KEY is missing", "/portcall/<repository>/SECRET_KEY"),
    (["django.core.exceptions.ImproperlyConfigured: Set the SECRET_KEY environment variable"], 1, "SECRET_KEY is missing", "portcall.env"),
    (["decouple.UndefinedValueError: SECRET_KEY not found. Declare it as envvar or define a default value."], 1, "SECRET_KEY is missing", "portcall.env"),
    (["rails aborted!", "ArgumentError: Missing `secret_key_base` for 'production' environment, set this string with `bin/rails credentials:edit`"], 1, "SECRET_KEY_BASE is missing", "portcall.env.SECRET_KEY_BASE"),
    (['config/database.rb:3:in `fetch\': key not found: "DATABASE_URL" (KeyError)', "\tfrom config/environment.rb:2:in `require'"], 1, "DATABASE_URL is missing", "portcall.env"),
    (["Error: Missing required environment variable: JWT_SECRET", *NODE_ENDS], 1, "JWT_SECRET is missing", "portcall.env"),
    (["error: Environment variable not found: DATABASE_URL."], 1, "DATABASE_URL is missing", "portcall.env"),
    (["Error: DATABASE_URL is not defined"], 1, "DATABASE_URL is missing", "portcall.env"),
    (["/start.sh: line 4: API_KEY: unbound variable"], 1, "API_KEY is missing", "portcall.env"),
    (["panic: required key API_KEY missing value"], 2, "API_KEY is missing", "portcall.env"),
    (["       You must specify POSTGRES_PASSWORD to a non-empty value for the"], 1, "POSTGRES_PASSWORD is missing", "portcall.env"),
    (["java.lang.IllegalArgumentException: Could not resolve placeholder 'db.url' in value \"${db.url}\""], 1, "the setting db.url is missing", "capitals"),
    (["1 validation error for Settings", "database_url", "  Field required [type=missing, input_value={}, input_type=dict]", "    For further information visit https://errors.pydantic.dev/2.5/v/missing"], 1, "a setting is missing", "Set it with `LABEL portcall.env"),
    # What is not in the image
    (["ModuleNotFoundError: No module named 'flask'", *GUNICORN_ENDS], 3, "flask is not in the image", "dependencies"),
    (["Error: Cannot find module 'express'", "Require stack:", "- /app/server.js", *NODE_ENDS], 1, "express is not in the image", "dependencies"),
    (["Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'express' imported from /app/server.js", *NODE_ENDS], 1, "express is not in the image", "dependencies"),
    (["cannot load such file -- bundler/setup (LoadError)"], 1, "bundler/setup is not in the image", "dependencies"),
    (["Error: Could not find or load main class com.example.Main", "Caused by: java.lang.ClassNotFoundException: com.example.Main"], 1, "com.example.Main is not in the image", "dependencies"),
    (["Error: Unable to access jarfile app.jar"], 1, "app.jar is not in the image", "WORKDIR"),
    (["python: can't open file '/app/app.py': [Errno 2] No such file or directory"], 2, "/app/app.py is not in the image", "COPY"),
    (["Could not open input file: artisan"], 1, "artisan is not in the image", "COPY"),
    (["PHP Fatal error:  Uncaught Error: Failed opening required '/app/vendor/autoload.php' (include_path='.:/usr/share/php')"], 255, "/app/vendor/autoload.php is not in the image", "COPY"),
    (['ERROR:    Error loading ASGI app. Could not import module "main".'], 1, "main is not in the image", "WORKDIR"),
    (["/app/server: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by /app/server)"], 1, "newer Linux", "GLIBC_2.34"),
    (["Error relocating /app/server: __fprintf_chk: symbol not found"], 127, "another Linux", "Alpine"),
    (["exec /bin/sh: argument list too long"], 1, "arguments and environment are too large", "128 KiB"),
    (["/start.sh: line 2: /usr/bin/ls: Argument list too long"], 126, "arguments and environment are too large", "128 KiB"),
    # Limits
    (["<--- Last few GCs --->", "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"], 134, "out of memory (exit code 134)", "512 MiB"),
    (["RuntimeError: Click will abort further execution because Python was configured to use ASCII as encoding for the environment."], 1, "not UTF-8", "LANG=C.UTF-8"),
    (["sysctl: setting key \"vm.max_map_count\": Read-only file system"], 1, "read-only file system", "sysctl"),
    (["docker: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"], 1, "needs Docker", "Fargate"),
    (["iptables v1.8.7 (nf_tables): Could not fetch rule set generation id: Operation not permitted"], 4, "operation not permitted", "does not give to containers"),
    (["botocore.exceptions.NoCredentialsError: Unable to locate credentials"], 1, "no AWS credentials", "no IAM role"),
    (["Exception in thread \"main\" java.lang.UnsupportedClassVersionError: Main has been compiled by a more recent version of the Java Runtime (class file version 61.0)", "\tat java.lang.ClassLoader.defineClass1(Native Method)"], 1, "newer Java", "same version"),
    (["Error: error:0308010C:digital envelope routines::unsupported", *NODE_ENDS], 1, "too old for its Node.js", "legacy-provider"),
    (["Error: ENOSPC: System limit for number of file watchers reached, watch '/app'", *NODE_ENDS], 1, "watches too many files", "production server"),
    # The last words count, before any line further up
    (["/start.sh: line 2: ps: command not found", "Starting", *FLASK_TRACE], 1, "DATABASE_URL is missing", "portcall.env"),
    (["/start.sh: line 2: ps: command not found", "Starting", "Something else broke"], 1, "exit code 1", "may say why"),
    (["/start.sh: line 2: ps: command not found", "Starting"], 127, "command cannot be run", "If that is the cause: CMD, ENTRYPOINT or a start script starts ps"),
    (["retrying: connect ECONNREFUSED 127.0.0.1:5432", "connected", "Something else broke"], 1, "exit code 1", "Before it exited, its log says: retrying: connect ECONNREFUSED 127.0.0.1:5432"),
    (["retrying: connect ECONNREFUSED 127.0.0.1:5432", "connected", "serving"], 137, "was killed", "request more than 512 MiB"),
    (["10-listen-on-ipv6-by-default.sh: info: can not modify /etc/nginx/conf.d/default.conf (read-only file system?)", "2024/05/01 [emerg] unknown directive \"foo\""], 1, "exit code 1", "may say why"),
    # Neither an address, nor a host, nor a permission of its user
    (["socket.gaierror: [Errno -2] Name or service not known"], 1, "cannot resolve a host name", "compose"),
    (["redis.exceptions.TimeoutError: Timeout connecting to server"], 1, "could not connect to another server", "security group"),
    (["/app/app.py:12: TimeoutError: timed out"], 1, "exit code 1", "may say why"),
    (["[2024-05-01 10:00:00 +0000] [1] [CRITICAL] WORKER TIMEOUT (pid:8)"], 1, "exit code 1", "may say why"),
    (["npm ERR! Could not resolve dependency: react"], 1, "exit code 1", "may say why"),
    (["ERROR:  permission denied for table users"], 1, "exit code 1", "may say why"),
    (['npm ERR! Missing script: "start"', "npm ERR!", "npm ERR! To see a list of scripts, run:"], 1, "package.json has no script start", "npm"),
    (["TypeError: Cannot read properties of undefined (reading 'replace')", *NODE_ENDS], 1, "exit code 1", "may say why"),
    (["bash: warning: setlocale: LC_ALL: cannot change locale (en_US.UTF-8)", "boom"], 1, "exit code 1", "may say why"),
]  # fmt: skip


@pytest.mark.parametrize(("log", "code", "summary", "hint"), REPORTED)
def test_common_container_errors_are_explained(log, code, summary, hint):
    failure = why(
        "TaskStoppedError", f"exit code {code}", log=log, exit_code=code, stop_code="EssentialContainerExited"
    )
    assert summary in failure.summary
    assert hint in failure.hint


def test_a_hint_names_only_what_each_pattern_of_its_rule_finds():
    given = {"platform", "memory", "code"}
    for rule in RULES:
        named = set(re.findall(r"{(\w+)}", rule.summary + rule.hint)) - given
        # All the patterns for AWS's reason must match, of those for the log any.
        for patterns in ("".join(rule.reason), *rule.log):
            if patterns:
                assert named <= set(re.findall(r"\(\?P<(\w+)>", patterns)), (rule.summary, patterns)


def test_a_line_from_further_up_is_reported_without_its_secrets():
    log = ["connect ECONNREFUSED 127.0.0.1:5432 password=hunter2", "Something else broke"]
    hint = why("TaskStoppedError", "exit code 1", log=log, exit_code=1, stop_code="any").hint
    assert "127.0.0.1:5432" in hint
    assert "hunter2" not in hint


def test_of_a_line_that_is_too_long_for_a_message_only_the_beginning_is_read():
    words, rest = "connect ECONNREFUSED 127.0.0.1:5432", "x" * LINE_LIMIT
    for line, read in ((f"{words} {rest}", True), (f"{rest} {words}", False)):
        summary = why("TaskStoppedError", "exit code 1", log=[line], exit_code=1, stop_code="any").summary
        assert ("127.0.0.1:5432" in summary) is read


def test_no_hint_has_the_same_image_pushed_again_or_trusts_a_deployment_of_the_stack_to_undo_changes():
    """AWS sends no event of a push that changes nothing; and CloudFormation does not look at what has drifted."""
    # Its tag is gone with it, so a push of the same image is one.
    hints = [rule.hint for rule in (*RULES, *EXIT_CODES.values()) if "image is gone" not in rule.summary]
    for hint in [*hints, *(words.hint for words in OTHERS.values())]:
        assert not re.search(r"push (?:it |that |the image )?again|restores", hint, re.IGNORECASE), hint


@pytest.mark.parametrize(
    "error",
    [
        "NoCapacityError",
        "ThrottledError",
        "AwsUnavailableError",
        "States.Timeout",
        "AddressNotReadyError",
        "ContendedError",
        "MailLimitError",
        "ScanPendingError",
        "AbortedError",
        "Lambda.Unknown",
        "Sandbox.Timedout",
    ],
)
def test_a_failure_outside_the_image_counts_as_temporary(error):
    assert why(error, "said").passing


@pytest.mark.parametrize("error", ["NoAnswerError", "BadLabelError", "UnsupportedImageError", "FindingsError"])
def test_a_fault_of_the_image_does_not_count_as_temporary(error):
    assert not why(error, "said").passing


@pytest.mark.parametrize(("reason", "log", "code", "summary", "hint"), STOPPED)
def test_a_stopped_task_is_explained(reason, log, code, summary, hint):
    stopped = Task("arn", "STOPPED", "STOPPED", 5, exit_code=code, stopped_reason=reason)
    failure = why("TaskStoppedError", stopped.why_stopped(), log=log, exit_code=code, stop_code="any")
    assert summary in failure.summary
    assert hint in failure.hint


def test_a_task_that_somebody_stopped_is_reported_as_that():
    failure = why("TaskStoppedError", "exit code 137", exit_code=137, stop_code="UserInitiated")
    assert failure.summary == "failed: somebody stopped its task"


def test_braces_in_an_apps_log_do_not_break_the_explanation():
    log = ["sh: 1: {memory}{0}{nope}: not found", "{}", "exec {platform}: exec format error"]
    assert "wrong CPU" in why("TaskStoppedError", "{}", log=log, exit_code=1, stop_code="any").summary


def test_a_time_out_of_a_task_that_stopped_is_reported_as_the_stop():
    failure = why("States.Timeout", "", exit_code=1, stopped_reason="Essential container in task exited")
    assert failure.error == "TaskStoppedError"
    assert "exit code 1" in failure.summary


def test_an_app_that_never_answered_is_reported_with_the_port_that_was_asked():
    assert "port 3000" in why("NoAnswerError").hint


def test_an_error_that_nobody_foresaw_is_reported_as_it_is():
    failure = why("KeyError", "'boom'")
    assert failure.reason == "'boom'"
    assert "report" in failure.hint


def test_every_error_class_has_words_of_its_own():
    leaves = {each.__name__ for parent in (PermanentError, TransientError) for each in parent.__subclasses__()}
    # Their words depend on the log.
    assert leaves - {"TaskStoppedError", "NoAnswerError"} <= set(OTHERS)


def test_reads_the_cause_of_a_failed_lambda():
    cause = json.dumps({"errorType": "NoAnswerError", "errorMessage": "It did not answer.", "stackTrace": []})
    assert read_error({"Error": "NoAnswerError", "Cause": cause}) == ("NoAnswerError", "It did not answer.")


@pytest.mark.parametrize("cause", ["Task timed out", "[1, 2]", '"text"', "{", "{}"])
def test_reads_any_cause(cause):
    error, message = read_error({"Error": "States.Timeout", "Cause": cause})
    assert error == "States.Timeout"
    assert message


def test_reads_a_caught_error_without_a_cause():
    assert read_error({}) == ("Unknown", "AWS gave no reason.")


@pytest.mark.parametrize(
    "line",
    [
        "[INFO] Listening at: http://0.0.0.0:8080 (1)",
        "Serving HTTP on 0.0.0.0 port 8080 (http://0.0.0.0:8080/) ...",
        "Server listening on port 8080",
        "  * Running on http://127.0.0.1:8080",
        "Started server process on [::]:8080",
    ],
)
def test_an_app_that_listens_elsewhere_is_reported_with_the_port(line):
    failure = why("NoAnswerError", log=[line])
    assert failure.summary == "never answered: its log says port 8080, not 3000"
    assert "Its log says that it listens on port 8080, but Portcall checked 3000" in failure.hint


REFUSED = "nothing accepted a connection on port 3000"
SLOW = "port 3000 accepted a connection but gave no answer within 10 seconds"
CLOSED = "port 3000 closed each connection without an answer"
METRICS = "Serving metrics on 0.0.0.0:9090"
SEEN = [
    (REFUSED, [], "no connection on port 3000", "0.0.0.0"),
    ("connections to port 3000 timed out", [], "port 3000 timed out", "portcall.timeout"),
    ("port 3000 accepts connections but does not speak HTTP", [], "no HTTP on port 3000", "LABEL portcall.health=tcp"),
    ("it answered 503", [], "only errors (503)", "portcall.health"),
    (REFUSED, ["Running on http://127.0.0.1:3000"], "listens on 127.0.0.1 only", "--host"),
    (REFUSED, ["server started on localhost"], "listens on 127.0.0.1 only", "--host"),
    (REFUSED, ["  \u279c  Local:   http://localhost:3000/", "  \u279c  Network: use --host to expose"], "listens on 127.0.0.1 only", "--host"),
    (REFUSED, ["Now listening on: http://localhost:3000"], "listens on 127.0.0.1 only", "0.0.0.0"),
    (REFUSED, ["Running on http://127.0.0.1:5000"], "its log says port 5000, not 3000", "5000"),
    (REFUSED, ["Listening on 0.0.0.0:3000", "serving metrics on 127.0.0.1:3000"], "no connection", "0.0.0.0"),
    ("it answered 500", ["Listening on port 8080"], "only errors (500)", "log"),
    ("something else", [], "never answered", "0.0.0.0"),
    # A page that is slow, and a server that ends connections
    (SLOW, [], "no answer on port 3000 within 10 seconds", "portcall.health=/healthz"),
    (SLOW, ["Listening on port 8080"], "no answer on port 3000 within 10 seconds", "portcall.health=/healthz"),
    (CLOSED, [], "port 3000 closes each connection", "portcall.health=tcp"),
    (CLOSED, ["[01-May-2024 10:00:00] NOTICE: fpm is running, pid 1", "NOTICE: ready to handle connections"], "FastCGI, not HTTP", "nginx"),
    # It waits for something; a port for metrics is no port of the app's
    (REFUSED, [METRICS], "no connection on port 3000", "0.0.0.0"),
    (REFUSED, ["Starting metrics server on port 8081"], "no connection on port 3000", "0.0.0.0"),
    (REFUSED, ["Debugger listening on ws://127.0.0.1:9229/ab-cd"], "no connection on port 3000", "0.0.0.0"),
    (REFUSED, [METRICS, "Waiting for database db:5432 ..."], "it is waiting for database", "container"),
    (REFUSED, [METRICS, "waiting for db"], "it is waiting for db", "compose"),
    (REFUSED, ["wait-for-it.sh: waiting 15 seconds for db:5432"], "it is waiting for db", "compose"),
    (REFUSED, [METRICS, "Error: getaddrinfo ENOTFOUND db"], "there is no host db", "Its log says: Error: getaddrinfo ENOTFOUND db"),
    (REFUSED, ["connect ECONNREFUSED 127.0.0.1:5432, trying again"], "nothing answers at 127.0.0.1:5432", "app's own container"),
    (REFUSED, ["retrying: dial tcp 10.0.3.7:5432: i/o timeout"], "10.0.3.7:5432 did not answer", "security group"),
    (REFUSED, ["Waiting for db", "Listening on port 8080"], "its log says port 8080, not 3000", "EXPOSE 8080"),
    (REFUSED, [" [*] Waiting for messages. To exit press CTRL+C"], "no connection on port 3000", "0.0.0.0"),
    (REFUSED, ["connected to 10.0.0.5:5432, starting the pool for 10.0.0.5:5432"], "no connection on port 3000", "0.0.0.0"),
    ("it answered 503 on /", ["Error: getaddrinfo ENOTFOUND db"], "only errors (503)", "This may be the cause. Its log says: Error: getaddrinfo"),
    (SLOW, ["retrying: dial tcp 10.0.3.7:5432: i/o timeout"], "no answer on port 3000 within 10 seconds", "This may be the cause. Its log says: retrying"),
    # Several ports
    ("nothing accepted a connection on port 80; nothing accepted a connection on port 443", [], "no connection on port 80 or 443", "0.0.0.0"),
    ("nothing accepted a connection on port 80; port 443 closed each connection without an answer", [], "port 443 closes each connection", "tcp"),
    ("nothing accepted a connection on port 8080; port 9090 accepts connections but does not speak HTTP", [], "no connection on port 8080", "0.0.0.0"),
    ("nothing accepted a connection on port 80; nothing accepted a connection on port 443", ["Listening on port 8080"], "its log says port 8080, not 80 or 443", "EXPOSE 8080"),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "log", "summary", "hint"), SEEN)
def test_an_app_that_never_answered_is_reported_with_what_was_seen(seen, log, summary, hint):
    message = f"The app runs, but http://203.0.113.7:3000/ did not answer within 300 seconds: {seen}."
    failure = why("NoAnswerError", message, log=log)
    assert summary in failure.summary
    assert hint in failure.hint
    assert failure.reason == message


ELSEWHERE = "Server listening on port 8080"
CERTAIN = [
    (REFUSED, [ELSEWHERE], True),
    (REFUSED, ["Running on http://127.0.0.1:3000", "Press CTRL+C to quit"], True),
    (REFUSED, [ELSEWHERE, "", *["GET /healthz 200"] * 4], True),
    # It may have opened a port for something else first, and continues.
    (REFUSED, [ELSEWHERE, *["loading"] * 9], False),
    (REFUSED, [ELSEWHERE, "waiting for db"], False),
    (REFUSED, ["Listening on port 3000"], False),
    (REFUSED, [METRICS], False),
    (REFUSED, [], False),
    (SLOW, [ELSEWHERE], False),
    ("it answered 503 on /", [ELSEWHERE], False),
    (f"{REFUSED}; it answered 503 on /", [ELSEWHERE], False),
    (f"{REFUSED}; port 80 closed each connection without an answer", [ELSEWHERE], False),
    ("connections to port 3000 timed out", [ELSEWHERE], False),
]


@pytest.mark.parametrize(("seen", "log", "certain"), CERTAIN)
def test_that_no_answer_will_come_is_certain_only_where_the_last_words_are_that_it_listens_elsewhere(
    seen, log, certain
):
    assert (
        no_answer.is_certain(f"The app is running, but did not answer within 30 seconds: {seen}.", log)
        is certain
    )


def test_an_app_that_speaks_of_another_port_as_well_listens_on_the_one_that_was_asked():
    log = ["Listening on port 3000", "metrics: listening on port 9090"]
    assert "9090" not in why("NoAnswerError", log=log).summary


def test_a_size_that_fargate_does_not_sell_is_reported_as_that():
    message = "RegisterTaskDefinition: No Fargate configuration exists for given values: 256 CPU, 8192 memory."
    assert why("AwsRefusedError", message).summary == "failed: Fargate has no such size"


@pytest.mark.parametrize("error", ["Lambda.Unknown", "Sandbox.Timedout", "Runtime.ExitError"])
def test_a_function_that_does_not_end_is_not_a_fault_of_the_image(error):
    assert "one of Portcall's functions" in why(error, "RequestId: 1 Error: killed").summary


@pytest.mark.parametrize("line", ["Listening on 0.0.0.0:3000", "GET / 200 12:34:56", "started at 09:15", ""])
def test_a_number_that_is_not_another_port_is_not_taken_for_one(line):
    assert "says that it listens on port" not in why("NoAnswerError", log=[line]).hint


def test_a_task_that_we_stopped_ourselves_is_not_a_reason():
    stopped = {
        "stop_code": "UserInitiated",
        "exit_code": 137,
        "stopped_reason": "Portcall: deployment 1 failed",
    }
    assert why("NoAnswerError", "It did not answer.", **stopped).summary == "never answered"
