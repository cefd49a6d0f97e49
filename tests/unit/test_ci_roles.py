"""The trust policies of CI's roles, evaluated by an IAM engine for jobs of GitHub and GitLab."""

import pytest
from ministack.core.iam_evaluator import EvalContext, evaluate_trust_policy

from tests.templates import ACCOUNT, REGION, resolved, template

GITHUB, GITLAB = "token.actions.githubusercontent.com", "gitlab.com"
AUDIENCE = {GITHUB: "sts.amazonaws.com", GITLAB: "https://gitlab.com"}
IDS = {"GitHubOrgId": "12", "GitHubRepoId": "34"}
PROVIDERS = {"CreateGitHubProvider": "no", "CreateGitLabProvider": "no"}


def roles(**parameters):
    """The kind and the properties of what there is for CI, by logical id."""
    found = resolved(template(), parameters)
    return {name: each for name, each in found.items() if name.startswith(("GitHub", "GitLab"))}


def trusts(subject, *, host=GITHUB, audience="", issuer="", **parameters):
    """Whether a job that its provider names so may assume the role."""
    kind = "GitHub" if host == GITHUB else "GitLab"
    own = {"GitHubRepository": "my-org/my-app"} if host == GITHUB else {"GitLabProject": "my-group/my-app"}
    trust = roles(**own | PROVIDERS | parameters)[f"{kind}Role"][1]["AssumeRolePolicyDocument"]
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer or host}"
    context = EvalContext(
        principal_arn=provider,
        principal_type="WebIdentityUser",
        principal_account=ACCOUNT,
        action="sts:AssumeRoleWithWebIdentity",
        resource_arn="any",
        region=REGION,
        service_context={f"{host}:aud": audience or AUDIENCE[host], f"{host}:sub": subject},
    )
    return evaluate_trust_policy(trust, provider, context)


def test_without_parameters_there_is_no_role_and_no_provider():
    assert roles() == {}
    assert roles(**IDS, **PROVIDERS) == {}


def test_a_role_comes_with_its_provider_or_names_the_one_that_is_there():
    both = {"GitHubRepository": "my-org/my-app", "GitLabProject": "my-group/my-app"}
    assert sorted(roles(**both)) == ["GitHubProvider", "GitHubRole", "GitLabProvider", "GitLabRole"]
    assert sorted(roles(**both, **PROVIDERS)) == ["GitHubRole", "GitLabRole"]
    assert sorted(roles(GitHubRepository="my-org/my-app")) == ["GitHubProvider", "GitHubRole"]


def test_the_roles_may_push_and_wait_and_nothing_else():
    for kind, properties in roles(GitHubRepository="my-org/my-app", GitLabProject="my-group/my-app").values():
        if kind == "AWS::IAM::Role":
            assert len(properties["ManagedPolicyArns"]) == 1
            assert "Policies" not in properties
    source = template()["Resources"]
    for name in ("GitHubRole", "GitLabRole"):
        assert source[name]["Properties"]["ManagedPolicyArns"] == [{"Ref": "PusherPolicy"}]


BY_NAME = ["repo:my-org/my-app:ref:refs/heads/main", "repo:my-org/my-app:pull_request", "repo:my-org/my-app:environment:production"]  # fmt: skip
BY_IDS = ["repo:my-org@12/my-app@34:ref:refs/heads/main", "repo:my-org@12/my-app@34:pull_request"]
OTHERS = [
    "repo:my-org/my-app-2:ref:refs/heads/main",
    "repo:my-org/other:ref:refs/heads/main",
    "repo:other/my-app:ref:refs/heads/main",
    "repo:my-org/other:environment:x/my-app:ref:refs/heads/main",
    "repo:my-org@99/my-app@34:ref:refs/heads/main",
    "repo:my-org@12/my-app@99:ref:refs/heads/main",
    "repo:my-org@12/other@99:environment:/my-app@34:ref:refs/heads/main",
    "repo:my-org@12/my-app@341:ref:refs/heads/main",
    "",
]


@pytest.mark.parametrize("subject", BY_NAME)
def test_jobs_of_the_repository_are_trusted_by_name(subject):
    assert trusts(subject)
    assert trusts(subject, **IDS)


@pytest.mark.parametrize("subject", BY_IDS)
def test_jobs_of_a_repository_that_has_its_ids_in_its_tokens_are_trusted_where_the_ids_are_given(subject):
    assert trusts(subject, **IDS)
    assert not trusts(subject)


@pytest.mark.parametrize("subject", OTHERS)
@pytest.mark.parametrize("ids", [{}, IDS])
def test_no_job_of_another_repository_is_trusted(subject, ids):
    assert not trusts(subject, **ids)


def test_with_an_environment_no_other_job_is_trusted():
    only = {**IDS, "GitHubEnvironment": "production"}
    for repository in ("my-org/my-app", "my-org@12/my-app@34"):
        assert trusts(f"repo:{repository}:environment:production", **only)
        for job in ("environment:production-2", "environment:pr-7", "ref:refs/heads/main", "pull_request"):
            assert not trusts(f"repo:{repository}:{job}", **only)


@pytest.mark.parametrize("subject", [*BY_NAME, *BY_IDS])
def test_another_audience_or_provider_is_not_trusted(subject):
    assert not trusts(subject, audience="https://github.com/my-org", **IDS)
    assert not trusts(subject, issuer="token.example.com", **IDS)


def test_jobs_of_the_branch_of_the_gitlab_project_are_trusted_and_no_others():
    main, feature = (f"project_path:my-group/my-app:ref_type:branch:ref:{each}" for each in ("main", "feature"))
    assert trusts(main, host=GITLAB)
    assert not trusts(feature, host=GITLAB)
    assert trusts(feature, host=GITLAB, GitLabBranch="*")
    for other in ("project_path:my-group/my-app:ref_type:tag:ref:main", "project_path:my-group/other:ref_type:branch:ref:main"):  # fmt: skip
        assert not trusts(other, host=GITLAB, GitLabBranch="*")
    assert not trusts(main, host=GITLAB, audience="sts.amazonaws.com")
