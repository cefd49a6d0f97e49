"""Callers with only one managed policy of a stack, with SDKs and the command line."""

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from localcloud import root_key
from tests.local.conftest import ACCOUNT, Cloud


@dataclass
class Caller:
    """A caller with the keys of an assumed role; `folder` is the command line's cache."""

    cloud: Cloud
    keys: dict[str, str]
    folder: Path
    stack: str = "portcall"
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.cloud.endpoint,
                region_name=self.cloud.region,
                aws_access_key_id=self.keys["AccessKeyId"],
                aws_secret_access_key=self.keys["SecretAccessKey"],
                aws_session_token=self.keys["SessionToken"],
            )
        return self._clients[service]

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "XDG_CACHE_HOME": str(self.folder),
            "AWS_ENDPOINT_URL": self.cloud.endpoint,
            "AWS_REGION": self.cloud.region,
            "AWS_ACCESS_KEY_ID": self.keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": self.keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": self.keys["SessionToken"],
            # The stack is named, so that no embedded cloud of this folder is used instead.
            "PORTCALL_STACK": self.stack,
            **more,
        }

    def portcall(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).with_name("portcall")), *words],
            env=self.environment(**environment),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def push(self, repository: str, command: list[str], tag: str) -> str:
        """Push with the API calls into which ECR translates `docker push`; the embedded registry needs no
        permissions.
        """
        ecr = self.client("ecr")
        assert ecr.get_authorization_token()["authorizationData"]
        pushed = self.cloud.push(repository, command)
        manifest = self.cloud.manifest(repository, pushed)
        digests = [manifest["config"]["digest"], *(each["digest"] for each in manifest["layers"])]
        ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=digests)
        upload = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
        ecr.upload_layer_part(
            repositoryName=repository, uploadId=upload, partFirstByte=0, partLastByte=3, layerPartBlob=b"part"
        )
        ecr.complete_layer_upload(repositoryName=repository, uploadId=upload, layerDigests=digests[:1])
        image = ecr.put_image(
            repositoryName=repository,
            imageManifest=json.dumps(manifest),
            imageManifestMediaType=manifest["mediaType"],
            imageTag=tag,
        )["image"]
        # Docker checks whether a layer exists; a pull fetches it.
        assert ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": tag}])["images"]
        assert ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digests[0])["downloadUrl"]
        return str(image["imageId"]["imageDigest"])


def holder(cloud: Cloud, policy: str, folder: Path, stack: str = "portcall") -> Caller:
    """A caller with the managed policy of a stack's output, `Pusher` for PusherPolicyArn."""
    (found,) = cloud.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    arn = {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}[f"{policy}PolicyArn"]
    root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    trust = {"Effect": "Allow", "Principal": root, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    # The report of needed permissions takes the policy's logical id from the name.
    iam, name = cloud.client("iam"), f"{stack}-{policy}PolicyRole-tests"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    keys = cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="tests")["Credentials"]
    return Caller(cloud, keys, folder, stack)


def job_of(cloud: Cloud, role: str, host: str, folder: Path, **claims: str) -> Caller:
    """A job of GitHub or GitLab that has assumed a role with its token.

    The call is signed by the root user, because the embedded cloud accepts no unsigned call; only the token
    decides.
    """
    payload = base64.urlsafe_b64encode(json.dumps({"iss": f"https://{host}", **claims}).encode()).decode()
    sts = boto3.client(
        "sts",
        endpoint_url=cloud.endpoint,
        region_name=cloud.region,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key=root_key.read(cloud.state_dir),
    )
    sts.meta.events.register_first("choose-signer.sts.AssumeRoleWithWebIdentity", lambda **_: "v4")
    token = f"e30.{payload.rstrip('=')}.none"
    answer = sts.assume_role_with_web_identity(RoleArn=role, RoleSessionName="job", WebIdentityToken=token)
    return Caller(cloud, answer["Credentials"], folder)


def forget(cloud: Cloud, policy: str, stack: str = "portcall") -> None:
    """Remove a caller's role, which the deletion of the stack does not remove."""
    iam, name = cloud.client("iam"), f"{stack}-{policy}PolicyRole-tests"
    for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=attached["PolicyArn"])
    iam.delete_role(RoleName=name)
