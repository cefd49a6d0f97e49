"""Logs and metrics: one logger for all steps, every line with the event's id."""

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric

logger = Logger()


def count(name: str) -> None:
    """Add one to a metric of the namespace in POWERTOOLS_METRICS_NAMESPACE."""
    with single_metric(name=name, unit=MetricUnit.Count, value=1):
        pass


def seconds(name: str, value: float) -> None:
    """Record a duration."""
    with single_metric(name=name, unit=MetricUnit.Seconds, value=value):
        pass
