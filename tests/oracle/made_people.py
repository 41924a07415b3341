"""People made up for the oracle: dense, contrary months from 2015 to 2026, in the practice format.

Nothing here is likely; every edge of a ladder, a window or a policy date is. Drawn from one seed, so a failure can be repeated.
"""

from __future__ import annotations

import calendar
import csv
import datetime as dt
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

Row = dict[str, Any]
FIRST, LAST = dt.date(2014, 1, 1), dt.date(2026, 12, 1)
EDGES = [0, 1, 19, 20, 29, 30, 39, 40, 59, 60, 61, 89, 90, 119, 120, 149, 150, 200]
CREDENTIALS = ["RN", "RN", "LPN", "MA", "MD", "MD", "NP", "CNS", "QQ"]
LEVELS = ["", "", "straightforward", "low", "moderate", "high"]
BILLED = ["99490", "99490", "99490", "99487", "99491", "99439", "G2058", "99489", "99437"]
BESIDE = ["G0181", "G0182", "90960", "90970", "99495", "99496"]
VISITS = ["99213", "99214", "99203", "G0439", "99211", "99283"]
# Codes of conditions by the CCW lists, among them an exclusion (C61 does not exclude; D29.1 does), and codes of none.
DIAGNOSES = ["I10", "E119", "I5022", "N401", "D291", "J449", "H2513", "S72001A", "I214", "J189", "F0390", "I639", "S065X0A",
             "E1122", "R059", "Z0000"]  # fmt: skip
PRACTICES = {
    "T1": ("physician", ["1000000001", "1000000002"]),
    "T2": ("physician", ["1000000003"]),
    "T3": ("rhc", ["1000000004"]),
    "T4": ("hospital_outpatient", ["1000000005"]),
}


class Maker:
    """Rows of every contract table for `people` people."""

    def __init__(self, people: int, seed: int) -> None:
        self.draw = random.Random(seed)
        self.rows: dict[str, list[Row]] = defaultdict(list)
        self.number = 0
        for tin, (kind, npis) in PRACTICES.items():
            self.rows["practices"].append({"practice_tin": tin, "practice_name": tin, "practice_type": kind})
            for npi in npis:
                self.rows["providers"].append({"npi": npi, "practice_tin": tin, "credential": "MD"})
        for person in range(people):
            self.person(f"M{seed}_{person:04d}")

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True)
        for table, rows in self.rows.items():
            names = list(dict.fromkeys(name for row in rows for name in row))
            with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, names, restval="")
                writer.writeheader()
                writer.writerows(rows)
        return folder

    def next(self, kind: str) -> str:
        self.number += 1
        return f"{kind}{self.number:07d}"

    def chance(self, share: float) -> bool:
        return self.draw.random() < share

    def day(self, month: dt.date) -> dt.date:
        """A day of the month, its edges more often than not."""
        last = calendar.monthrange(month.year, month.month)[1]
        return month.replace(day=self.draw.choice([1, 2, last - 1, last, self.draw.randint(1, last)]))

    def person(self, who: str) -> None:
        months = [
            dt.date(year, month, 1) for year in range(FIRST.year, LAST.year + 1) for month in range(1, 13)
        ]
        death = self.day(self.draw.choice(months[24:])) if self.chance(0.3) else None
        self.rows["beneficiaries"].append(
            {
                "beneficiary_id": who,
                "reference_date": "2026-12-31",
                "birth_date": "1940-02-29",
                "death_date": death or "",
                "sex": "female",
            }
        )
        steady = self.chance(0.7)
        for month in months:
            if not steady and self.chance(0.1):
                continue
            odd = self.chance(0.04 if steady else 0.15)
            self.rows["enrollment_months"].append(
                {
                    "beneficiary_id": who,
                    "service_month": month,
                    "has_part_a": "true",
                    "has_part_b": self.draw.choice(["false", "", "true"]) if odd else "true",
                    "is_medicare_advantage": self.draw.choice(["true", "", "false"]) if odd else "false",
                    "has_hospice_election": "true" if odd and self.chance(0.2) else "false",
                    "coverage_grain": "month",
                }
            )
        for month in months:
            self.illness(who, month)
            if self.chance(0.06):
                self.stay(who, month)
            if month.year >= 2015 and self.chance(0.45):
                self.care(who, month)
        for _ in range(self.draw.randint(0, 4)):
            self.papers(who, self.draw.choice(months[12:]))

    def claim(self, who: str, kind: str, day: dt.date, *, through: dt.date | None = None, **more: Any) -> str:
        claim = self.next("C")
        late = self.draw.choice([10, 10, 20, 40])
        self.rows["claims"].append(
            {
                "claim_id": claim,
                "claim_version": 1,
                "beneficiary_id": who,
                "claim_type": kind,
                "nch_claim_type_code": {
                    "carrier": "71",
                    "outpatient": "40",
                    "inpatient": "60",
                    "snf": "20",
                }.get(kind, ""),
                "from_date": day,
                "through_date": through or day,
                "action": "original",
                "is_denied": "true" if self.chance(0.03) else "false",
                "processed_date": "" if self.chance(0.05) else (through or day) + dt.timedelta(days=late),
                **more,
            }
        )
        return claim

    def line(
        self, claim: str, number: int, day: dt.date, hcpcs: str, tin: str, npi: str, **more: Any
    ) -> None:
        self.rows["claim_lines"].append(
            {
                "claim_id": claim,
                "claim_version": 1,
                "line_number": number,
                "from_date": day,
                "hcpcs_code": hcpcs,
                "units": self.draw.choice([1, 1, 1, 2]),
                "place_of_service_code": "11",
                "rendering_npi": npi,
                "billing_tin": tin,
                "allowed_usd": "50.00",
                "paid_usd": "40.00",
                "coinsurance_usd": "10.00",
                "is_denied": "true" if self.chance(0.05) else "false",
                **more,
            }
        )

    def biller(self, clinics: bool = False) -> tuple[str, str]:
        tin = self.draw.choice(["T1", "T1", "T1", "T2", "T3", "T4"] if clinics else ["T1", "T1", "T1", "T2"])
        return tin, self.draw.choice(PRACTICES[tin][1])

    def illness(self, who: str, month: dt.date) -> None:
        if self.chance(0.25):
            tin, npi = self.biller()
            day = self.day(month)
            claim = self.claim(who, "carrier", day)
            self.line(
                claim,
                1,
                day,
                self.draw.choice(VISITS),
                tin,
                npi,
                betos_code="D1A" if self.chance(0.1) else "M1B",
            )
            self.diagnose(claim)
        if self.chance(0.06):
            day = self.day(month)
            claim = self.claim(who, "outpatient", day, bill_type_code="131")
            self.line(claim, 1, day, "36415", "T4", "1000000005")
            self.diagnose(claim)

    def diagnose(self, claim: str) -> None:
        for position, diagnosis in enumerate(self.draw.sample(DIAGNOSES, self.draw.randint(1, 3)), 1):
            self.rows["claim_diagnoses"].append(
                {
                    "claim_id": claim,
                    "claim_version": 1,
                    "line_number": 0,
                    "role": "principal" if position == 1 else "other",
                    "position": position,
                    "diagnosis_code": diagnosis,
                    "icd_version": 10,
                }
            )

    def stay(self, who: str, month: dt.date) -> None:
        start = self.day(month)
        end = start + dt.timedelta(days=self.draw.choice([0, 1, 4, 5, 29, 30, 62]))
        kind = self.draw.choice(["inpatient", "inpatient", "snf"])
        self.claim(who, kind, start, through=end, admission_date=start, discharge_date=end)
        claim = self.rows["claims"][-1]["claim_id"]
        self.diagnose(claim)
        if self.chance(0.5):
            tin, npi = self.biller()
            day = end + dt.timedelta(days=self.draw.choice([0, 1, 13, 28, 29, 30, 31]))
            if day <= dt.date(2026, 12, 31):
                self.line(
                    self.claim(who, "carrier", day), 1, day, self.draw.choice(["99495", "99496"]), tin, npi
                )

    def care(self, who: str, month: dt.date) -> None:
        tin, npi = self.biller()
        if self.chance(0.75):
            minutes = self.draw.choice(EDGES)
            left = max(0, minutes * 60 - self.draw.choice([0, 0, 1, -1]))
            one_credential = self.draw.choice(CREDENTIALS) if self.chance(0.5) else None
            while True:
                part = left if self.chance(0.4) else self.draw.randint(0, left)
                self.rows["care_management_time"].append(
                    {
                        "activity_id": self.next("A"),
                        "beneficiary_id": who,
                        "practitioner_npi": npi,
                        "practice_tin": tin,
                        "staff_credential": one_credential or self.draw.choice(CREDENTIALS),
                        "started_at": f"{self.day(month)} {self.draw.randint(7, 22):02d}:00:00",
                        "seconds": part,
                        "programme": "TCM" if self.chance(0.04) else "CCM",
                        "decision_making_level": self.draw.choice(LEVELS),
                        "is_voided": "true" if self.chance(0.05) else "false",
                    }
                )
                left -= part
                if left <= 0:
                    break
        for _ in range(self.draw.choice([0, 1, 1, 1, 2, 3])):
            other = self.biller(clinics=True) if self.chance(0.3) else (tin, npi)
            facility = other[0] in ("T3", "T4") or self.chance(0.08)
            day = self.day(month)
            bill = {"bill_type_code": self.draw.choice(["131", "711", "0771"])} if facility else {}
            claim = self.claim(who, "outpatient" if facility else "carrier", day, **bill)
            for number in range(1, self.draw.choice([2, 2, 3, 4])):
                self.line(claim, number, day, self.draw.choice(BILLED), *other)
        if self.chance(0.15):
            day = self.day(month)
            self.line(self.claim(who, "carrier", day), 1, day, self.draw.choice(BESIDE), tin, npi)

    def papers(self, who: str, month: dt.date) -> None:
        tin, npi = self.biller()
        given = self.day(month)
        withdrawn = given + dt.timedelta(days=self.draw.choice([0, 10, 400])) if self.chance(0.3) else ""
        self.rows["consents"].append(
            {
                "consent_id": self.next("K"),
                "beneficiary_id": who,
                "practice_tin": tin,
                "practitioner_npi": npi,
                "consent_date": given,
                "consent_mode": self.draw.choice(["written", "verbal"]),
                "revoked_date": withdrawn,
            }
        )
        made = self.day(month)
        revised = made + dt.timedelta(days=self.draw.choice([0, 100, 365, 366])) if self.chance(0.4) else ""
        self.rows["care_plans"].append(
            {
                "care_plan_id": self.next("P"),
                "beneficiary_id": who,
                "practice_tin": tin,
                "created_date": made,
                "last_revised_date": revised,
            }
        )
        if self.chance(0.5):
            self.rows["encounters"].append(
                {
                    "encounter_id": self.next("E"),
                    "beneficiary_id": who,
                    "encounter_class": "office",
                    "start_date": self.day(month),
                    "practitioner_npi": npi,
                    "practice_tin": tin,
                    "visit_code": self.draw.choice(VISITS),
                }
            )
