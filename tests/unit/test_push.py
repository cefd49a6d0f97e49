"""A push is read from the event, and nothing else is taken for one."""

import copy
import itertools

import pytest
from deployer.domain.errors import BadEventError
from deployer.domain.push import Push
from hypothesis import given
from hypothesis import strategies as st

# Words with single separators between them, as ECR allows.
REPOSITORY_NAMES = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("._-/")), max_size=6).map(
    lambda pairs: "".join(word + separator for word, separator in pairs) + "a"
)


def test_reads_a_tagged_push(event):
    push = Push.from_event(event("ecr-push-tagged"))
    assert (push.app, push.tag) == ("flask-app", "latest")
    assert push.digest.startswith("sha256:aaaa")
    assert push.deployment == "6a1f6a2e-0c1b-4d0e-9c58-1f2a3b4c5d01"


def test_reads_a_tagged_index(event):
    push = Push.from_event(event("ecr-push-tagged-index"))
    assert (push.app, push.tag) == ("team/flask-app", "v1.4.0")


@pytest.mark.parametrize(
    "name",
    ["ecr-delete", "ecr-push-untagged-child", "ecr-replication", "ecr-scan-complete", "ecr-storage-class"],
)
def test_refuses_what_is_not_a_tagged_push(event, name):
    with pytest.raises(BadEventError):
        Push.from_event(event(name))


@pytest.mark.parametrize("digest", ["", "latest", "sha256:abc", "sha256:" + "A" * 64, "sha512:" + "a" * 64])
def test_refuses_a_digest_that_is_none(event, digest):
    document = copy.deepcopy(event("ecr-push-tagged"))
    document["detail"]["image-digest"] = digest
    with pytest.raises(BadEventError, match="digest"):
        Push.from_event(document)


def test_names_the_image_by_digest_and_never_by_tag(event):
    push = Push.from_event(event("ecr-push-tagged"))
    assert push.image("registry.example") == f"registry.example/flask-app@{push.digest}"


@given(st.lists(REPOSITORY_NAMES, min_size=2, max_size=6, unique=True))
def test_no_two_repositories_share_a_family(names):
    families = [Push("id", "", name, "latest", "").family("portcall") for name in names]
    assert all(one != other for one, other in itertools.combinations(families, 2))
    assert all(set(family) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_") for family in families)
