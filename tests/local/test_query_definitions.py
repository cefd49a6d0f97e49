"""Saved queries of CloudWatch Logs Insights can be stored, found and deleted."""

import pytest

from tests.local.conftest import Cloud


def test_a_saved_query_is_kept_until_it_is_deleted(cloud: Cloud) -> None:
    logs = cloud.client("logs")
    kept = logs.put_query_definition(name="ours/failures", queryString="fields @message", logGroupNames=["one"])
    id = kept["queryDefinitionId"]
    logs.put_query_definition(name="ours/failures", queryString="fields app", queryDefinitionId=id)
    (found,) = logs.describe_query_definitions(queryDefinitionNamePrefix="ours/")["queryDefinitions"]
    assert (found["queryDefinitionId"], found["queryString"]) == (id, "fields app")
    assert logs.delete_query_definition(queryDefinitionId=id)["success"]
    assert logs.describe_query_definitions(queryDefinitionNamePrefix="ours/")["queryDefinitions"] == []
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.delete_query_definition(queryDefinitionId=id)
