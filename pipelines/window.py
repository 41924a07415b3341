"""What a run is asked for in time: arguments, else what is landed, never the clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pipelines import engine
from pipelines.settings import Settings


class NothingLanded(Exception):
    """Nothing was received by the date asked for; str() is one clear line."""


@dataclass(frozen=True)
class RunWindow:
    """What a run is asked for: landing rows received up to `as_of`, service months up to `through` (its first day)."""

    as_of: date
    through: date

    def as_vars(self) -> dict[str, str]:
        return {"as_of": self.as_of.isoformat(), "through_month": self.through.isoformat()}


def window(settings: Settings, as_of: date | None, through: date | None) -> RunWindow:
    """The window of a run; what is not given comes from landing and never from the clock.

    `as_of` defaults to the newest delivery's date, `through` to the last enrolment month known by then that is not after
    `as_of`'s own month. Raises NothingLanded when nothing was received by `as_of`.
    """
    if not any(settings.landing.glob("batch-*/batch_files.parquet")):
        raise NothingLanded("nothing has been landed yet")
    con = engine.connect(settings)
    batches = f"{settings.landing}/batch-*"
    newest = con.execute(
        f"select max(received_date) from read_parquet('{batches}/batch_files.parquet')"
    ).fetchone()
    if newest is None or newest[0] is None:
        raise NothingLanded("nothing has been landed yet")
    chosen = as_of or newest[0]
    last = con.execute(
        f"select max(service_month) from read_parquet('{batches}/enrollment_months.parquet')"
        " where received_date <= $as_of and service_month <= $as_of",
        {"as_of": chosen},
    ).fetchone()
    con.close()
    if last is None or last[0] is None:
        raise NothingLanded(f"no enrolment months were received by {chosen}")
    return RunWindow(as_of=chosen, through=through or last[0])
