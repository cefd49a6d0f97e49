"""A push is read from the event, and other events are refused."""

import copy
import itertools

import pytest
from deployer.domain.errors import BadEventError
from deployer.domain.push import Push, app_of
from hypothesis import given
from hypothesis import strategies as st

# Words with single separators between them, as ECR allows.
REPOSITORY_NAMES = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("._-/")), max_size=6).map(
    lambda pairs: "".join(word + separator for word, separator in pairs) + "a"
)
TAGS = st.text("abAB01._-", min_size=1, max_size=12)


def test_reads_a_tagged_push(event):
    push = Push.from_event(event("ecr-push-tagged"), by_tag=False)
    assert (push.app, push.tag) == ("flask-app", "latest")
    assert push.digest.startswith("sha256:aaaa")
    assert push.deployment == "6a1f6a2e-0c1b-4d0e-9c58-1f2a3b4c5d01"


def test_reads_a_tagged_index(event):
    push = Push.from_event(event("ecr-push-tagged-index"), by_tag=False)
    assert (push.app, push.tag) == ("team/flask-app", "v1.4.0")


@pytest.mark.parametrize(
    "name",
    ["ecr-delete", "ecr-push-untagged-child", "ecr-replication", "ecr-scan-complete", "ecr-storage-class"],
)
def test_refuses_what_is_not_a_tagged_push(event, name):
    with pytest.raises(BadEventError):
        Push.from_event(event(name), by_tag=False)


@pytest.mark.parametrize("digest", ["", "latest", "sha256:abc", "sha256:" + "A" * 64, "sha512:" + "a" * 64])
def test_refuses_a_digest_that_is_none(event, digest):
    document = copy.deepcopy(event("ecr-push-tagged"))
    document["detail"]["image-digest"] = digest
    with pytest.raises(BadEventError, match="digest"):
        Push.from_event(document, by_tag=False)


@given(st.lists(REPOSITORY_NAMES, min_size=2, max_size=6, unique=True))
def test_no_two_repositories_share_a_family(names):
    families = [Push("id", "", name, "latest", "").family("portcall") for name in names]
    assert all(one != other for one, other in itertools.combinations(families, 2))
    assert all(set(family) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_") for family in families)


@given(st.tuples(REPOSITORY_NAMES, TAGS).map(":".join) | REPOSITORY_NAMES)
def test_the_app_is_read_back_from_its_family(app):
    family = Push("id", "", app, "latest", "").family("my-stack")
    assert app_of(f"arn:aws:ecs:eu-west-1:1:task-definition/{family}:12", stack="my-stack") == app


def test_a_family_of_another_stack_names_no_app_of_ours():
    assert app_of("arn:aws:ecs:eu-west-1:1:task-definition/another_flask-app:1", stack="portcall") == ""


def test_a_family_is_never_too_long_for_ecs():
    long = Push("id", "", "a" * 200 + ":" + "t" * 128, "latest", "")
    other = Push("id", "", "a" * 200 + ":" + "t" * 127 + "u", "latest", "")
    assert len(long.family("portcall")) == 255
    assert long.family("portcall") != other.family("portcall")


def test_the_tag_is_part_of_the_apps_name_if_each_tag_is_an_app(event):
    push = Push.from_event(event("ecr-push-tagged"), by_tag=True)
    assert (push.app, push.repository, push.tag) == ("flask-app:latest", "flask-app", "latest")
