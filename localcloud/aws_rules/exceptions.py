"""Members of which botocore's model, or its documentation, says something that is not so.

Each stands here by name, (service, structure, member), with what is wrong. What AWS does ask of it may stand in
`by_hand` instead.
"""

WRONG = {
    # The documentation's characters leave `$default` out, the stage that each HTTP API may have.
    ("apigatewayv2", "DeleteAccessLogSettingsRequest", "StageName"): "leaves $default out",
    ("apigatewayv2", "DeleteRouteSettingsRequest", "StageName"): "leaves $default out",
    ("apigatewayv2", "DeleteStageRequest", "StageName"): "leaves $default out",
    ("apigatewayv2", "GetStageRequest", "StageName"): "leaves $default out",
    # The documentation's characters leave the `.fifo` of FIFO queues out, though it says that they end so.
    ("sqs", "CreateQueueRequest", "QueueName"): "leaves .fifo out; see by_hand",
    ("sqs", "GetQueueUrlRequest", "QueueName"): "leaves .fifo out; see by_hand",
    ("sns", "CreateTopicInput", "Name"): "leaves .fifo out; see by_hand",
}
