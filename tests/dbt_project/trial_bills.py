"""Bills that follow what the warehouse recommends, written as one more delivery of the practice format."""

from __future__ import annotations

import csv
import datetime as dt
import re
from pathlib import Path
from typing import Any

MARK = "TRIAL"
_ITEM = re.compile(r"(?P<code>[0-9A-Z]{5})x(?P<units>\d+)")


def units_by_code(codes: list[str]) -> dict[str, int]:
    """`["99490x1", "99439x2"]` as units a code."""
    parsed = [_ITEM.fullmatch(item) for item in codes]
    assert all(parsed), codes
    return {item["code"]: int(item["units"]) for item in parsed if item}


def write_trial_bills(
    folder: Path, months: list[tuple[Any, ...]], received: dt.date
) -> dict[str, tuple[str, dt.date, str]]:
    """
    One claim a recommended month, and a line a code with the units that are not billed yet.

    `months` are rows of beneficiary, service month, practitioner, practice, codes recommended and codes billed, and the day
    of the bill. Returns the new lines: their identifier, with person, month and practitioner.
    """
    claims: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    told: dict[str, tuple[str, dt.date, str]] = {}
    for number, (person, month, npi, practice, recommended, billed, day) in enumerate(months):
        claim = f"{MARK}{number:06}"
        claims.append(
            {
                "claim_id": claim,
                "claim_version": 1,
                "beneficiary_id": person,
                "claim_type": "carrier",
                "from_date": day,
                "through_date": day,
                "billing_npi": npi,
                "billing_tin": practice,
                "action": "original",
                "processed_date": received,
                "is_denied": "false",
            }
        )
        already = units_by_code(billed)
        missing = {code: units - already.get(code, 0) for code, units in units_by_code(recommended).items()}
        for line, (code, units) in enumerate(((c, u) for c, u in missing.items() if u > 0), start=1):
            told[f"{claim}-{line}"] = (person, month, npi)
            lines.append(
                {
                    "claim_id": claim,
                    "claim_version": 1,
                    "line_number": line,
                    "from_date": day,
                    "through_date": day,
                    "hcpcs_code": code,
                    "units": units,
                    "place_of_service_code": "11",
                    "rendering_npi": npi,
                    "billing_tin": practice,
                    "paid_usd": 10 * units,
                    "coinsurance_usd": 2 * units,
                    "is_denied": "false",
                }
            )
    folder.mkdir(parents=True)
    for table, rows in {"claims": claims, "claim_lines": lines}.items():
        with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return told
