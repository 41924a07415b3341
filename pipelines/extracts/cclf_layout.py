"""Where the fields of Claim and Claim Line Feed records lie, and the record lengths that were in use.

Positions stand in `cclf_layout.csv` (file, field, first and last position from 1), as in the information
packets 36 and 38, where they are the same. An older record is an exact beginning of the newer one.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from pipelines.extracts.delivery import UnreadableExtract

LAYOUT = Path(__file__).with_name("cclf_layout.csv")
# Record lengths of packets before the current one, by file.
EARLIER_LENGTHS = {
    "1": (292,),
    "2": (179,),
    "3": (94,),
    "4": (92,),
    "5": (363,),
    "6": (227,),
    "A": (101,),
    "B": (93,),
}


@cache
def positions(number: str) -> dict[str, tuple[int, int]]:
    """Field -> first and last position (from 1) of CCLF file `number` (1 to 9, A or B)."""
    with LAYOUT.open(encoding="utf-8", newline="") as content:
        return {
            row["field"]: (int(row["first"]), int(row["last"]))
            for row in csv.DictReader(content)
            if row["file"] == number
        }


def current_length(number: str) -> int:
    """Length of a record of file `number` in the current layout."""
    return max(last for _, last in positions(number).values())


def known_length(number: str, stated: int, where: str) -> int:
    """`stated` where it is a length that file `number` has had; raises `UnreadableExtract` otherwise."""
    lengths = (current_length(number), *EARLIER_LENGTHS.get(number, ()))
    if stated not in lengths:
        raise UnreadableExtract(
            where,
            f"states a record length of file {number} that no known layout has",
            column="Record Length",
            expected=" or ".join(str(length) for length in lengths),
            actual=str(stated),
        )
    return stated
