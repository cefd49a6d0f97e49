"""Members about which botocore's model or its documentation is wrong.

Each is listed as (service, structure, member), with the reason. AWS's real rule may be in `by_hand`.
"""

WRONG = {
    # The documented characters exclude `$default`, a valid stage of an HTTP API.
    ("apigatewayv2", "DeleteAccessLogSettingsRequest", "StageName"): "leaves $default out",
    ("apigatewayv2", "DeleteRouteSettingsRequest", "StageName"): "leaves $default out",
    ("apigatewayv2", "DeleteStageRequest", "StageName"): "leaves $default out",
    ("apigatewayv2", "GetStageRequest", "StageName"): "leaves $default out",
    # The documented characters exclude the `.` of FIFO queues, whose names must end with `.fifo`.
    ("sqs", "CreateQueueRequest", "QueueName"): "leaves .fifo out; see by_hand",
    ("sqs", "GetQueueUrlRequest", "QueueName"): "leaves .fifo out; see by_hand",
    ("sns", "CreateTopicInput", "Name"): "leaves .fifo out; see by_hand",
}
