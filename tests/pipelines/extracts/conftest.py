"""A delivery of a few valid rows a table, which each test spoils in one place."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from pipelines.extracts.landing import LandedBatch, land
from pipelines.settings import Settings

RECEIVED = datetime.date(2024, 6, 30)
SAMPLE: dict[str, list[str]] = {}
SAMPLE["claims"] = [
    "claim_id,claim_version,beneficiary_id,claim_type,from_date,through_date,action",
    "C1,1,B1,carrier,2024-01-05,2024-01-05,original",
    "C2,1,B2,outpatient,2024-02-01,2024-02-03,original",
    "C2,2,B2,outpatient,2024-02-01,2024-02-04,replacement",
]
SAMPLE["claim_lines"] = [
    "claim_id,claim_version,line_number,from_date,hcpcs_code,units,paid_usd",
    "C1,1,1,2024-01-05,99490,1,42.10",
    "C1,1,2,2024-01-05,99439,2,63.00",
    "C2,1,1,2024-02-01,80053,,0",
]
SAMPLE["claim_diagnoses"] = [
    "claim_id,claim_version,line_number,role,position,diagnosis_code,icd_version",
    "C1,1,0,principal,1,E119,10",
    "C1,1,0,other,2,I10,10",
]
SAMPLE["providers"] = [
    "npi,practice_tin,provider_name,credential",
    "1234567890,T1,Ana Muñoz,MD",
    "1234567891,T1,José Ibáñez,NP",
]


SAMPLE["care_management_time"] = [
    "activity_id,beneficiary_id,practitioner_npi,practice_tin,started_at,seconds,programme,is_voided",
    "A1,B1,1234567890,T1,2024-01-31 23:50:00,600,CCM,false",
]
SAMPLE["enrollment_months"] = [
    "beneficiary_id,service_month,has_part_b,coverage_grain",
    "B1,2024-01-01,true,month",
    "B1,2024-02-01,,month",
]


class Delivery:
    """A folder to fill and land; `rows` and `quarantined` read what became of it."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "extracts"
        self.folder.mkdir()
        self.settings = Settings(out=root / "out", memory_limit="1GB", threads=1)

    def write(self, name: str, content: str | bytes) -> Path:
        """A file of the delivery, as UTF-8 unless bytes are given."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def give(self, table: str, *more: str, name: str | None = None) -> None:
        """The valid rows of `table` and the rows `more`, as a CSV file."""
        lines = [*SAMPLE[table], *more]
        self.write(name or f"{table}.csv", "".join(f"{line}\n" for line in lines))

    def spoil(self, table: str, **values: str) -> str:
        """A row of `table` like its last valid one, but with these values."""
        header, row = SAMPLE[table][0].split(","), SAMPLE[table][-1].split(",")
        return ",".join((dict(zip(header, row, strict=True)) | values).values())

    def land(self, **options: object) -> LandedBatch:
        """Land the folder as received on 30 June 2024."""
        return land(self.folder, self.settings, **{"received": RECEIVED, **options})  # type: ignore[arg-type]

    def rows(self, batch: LandedBatch, table: str, columns: str = "*") -> list[tuple]:
        """Landed rows of `table`, ordered by their content."""
        path = self.settings.landing / batch.batch_id / f"{table}.parquet"
        return duckdb.sql(f"select {columns} from read_parquet('{path}') order by all").fetchall()

    def quarantined(
        self, batch: LandedBatch, columns: str = "source_file, source_row, column_name, reason"
    ) -> list[tuple]:
        """Quarantined rows of the batch, ordered by their content."""
        path = self.settings.quarantine / f"{batch.batch_id}.parquet"
        return duckdb.sql(f"select {columns} from read_parquet('{path}') order by all").fetchall()


@pytest.fixture
def new_delivery(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Delivery]:
    """Makes empty deliveries."""
    return lambda: Delivery(tmp_path_factory.mktemp("delivery"))


@pytest.fixture
def delivery(tmp_path: Path) -> Delivery:
    """An empty delivery."""
    return Delivery(tmp_path)
