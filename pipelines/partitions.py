"""Months as Dagster's partitions: one a calendar month that has ended."""

from __future__ import annotations

import datetime

import dagster as dg

from pipelines.settings import Timetable

FORMAT = "%Y-%m"


def months(timetable: Timetable) -> dg.MonthlyPartitionsDefinition:
    """From the timetable's first month on; the newest is the last month that is over."""
    return dg.MonthlyPartitionsDefinition(
        start_date=timetable.first_month, fmt=FORMAT, timezone=timetable.timezone
    )


def month_before(day: datetime.date) -> str:
    """The calendar month before that of `day`, as a partition's key."""
    return (day.replace(day=1) - datetime.timedelta(days=1)).strftime(FORMAT)
