"""A process that has loaded boto3, and forks for each Lambda function: `python -P function_parent.py <bootstrap> <socket>`.

`tests/forked_functions.py` starts it, with the functions' own Python. So it imports nothing of this project but the
bootstrap. A request is a function's arguments, folder and environment, and comes with its three standard streams.
"""

import functools
import gc
import importlib.util
import json
import os
import socket
import sys
import time
from types import ModuleType
from typing import Any

import boto3
import botocore.loaders

# Larger than any environment of Lambda's.
LARGEST_REQUEST = 1 << 17
# Nearly each function has a client of these; the model of the last takes long to read.
USED = ("dynamodb", "ecs", "ec2")


def main() -> None:
    bootstrap, cloud = module(sys.argv[1]), socket.socket(fileno=int(sys.argv[2]))
    load()
    while True:
        request, streams, _, _ = socket.recv_fds(cloud, LARGEST_REQUEST, 3)
        if not request:
            return
        if function := fork(cloud):
            cloud.send(str(function).encode())
        else:
            become(streams, **json.loads(request))
            bootstrap.main()
            return
        for stream in streams:
            os.close(stream)


def fork(cloud: socket.socket) -> int:
    """The process id of the function, 0 in the function itself. Its parent has ended, so that the cloud has adopted it."""
    reads, writes = os.pipe()
    if parent := os.fork():
        os.waitpid(parent, 0)
        function = int(os.read(reads, 32))
        os.close(reads)
        os.close(writes)
        return function
    if function := os.fork():
        os.write(writes, str(function).encode())
        os._exit(0)
    os.close(reads)
    os.close(writes)
    cloud.close()
    return 0


def module(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("lambda_bootstrap", path)
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def load() -> None:
    """All that a function loads besides its own code: boto3, what its clients import, and the models of AWS's APIs."""
    files: Any = botocore.loaders.JSONFileLoader
    read = functools.cache(functools.partial(files.load_file, files()))
    files.load_file = lambda _self, path: read(path)
    session = boto3.Session("key", "secret", region_name="us-east-1")
    for service in USED:
        session.client(service)  # type: ignore[call-overload]
    gc.collect()
    gc.freeze()


def become(streams: list[int], arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv = arguments


if __name__ == "__main__":
    main()
