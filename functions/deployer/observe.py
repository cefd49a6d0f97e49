"""Logs and metrics: one logger for all functions; every line has the event's id."""

from aws_lambda_powertools import Logger

logger = Logger()


def count(name: str) -> None:
    """Add one to a metric of the namespace in POWERTOOLS_METRICS_NAMESPACE."""
    _record(name, "Count", 1)


def seconds(name: str, value: float) -> None:
    """Record a duration."""
    _record(name, "Seconds", value)


def _record(name: str, unit: str, value: float) -> None:
    # Imported here: most steps record nothing, and the others have sent their mail by then.
    from aws_lambda_powertools.metrics import MetricUnit, single_metric

    with single_metric(name=name, unit=MetricUnit(unit), value=value):
        pass
