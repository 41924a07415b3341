"""What the files of a delivery are called wherever they are told of, where their names may be patients' names.

FHIR is often sent as a file or an archive a patient, called after the patient. Names made of the words of FHIR and of how it is sent stay; every
other file is numbered in the order of the names. Which one a number means is found by its checksum, which stands beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

KNOWN = frozenset(
    re.findall(
        r"\w+",
        """
        explanation of benefit benefits explanationofbenefit eob eobs patient patients coverage coverages claim claims
        response claimresponse condition conditions encounter encounters observation observations procedure procedures
        practitioner practitioners organization organizations operation outcome operationoutcome medication request
        bundle bundles resource resources export bulk data part page file batch again fhir r stu dpc bcda bluebutton
        error errors readme manifest json ndjson jsonl gz txt md zip
        delivery deliveries extract extracts medicare month monthly cclf rif synpuf synthea tuva archive
        """,
    )
)
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_]+")
# Of numbers only days and what counts a few parts: more digits may be a record's number.
DAY = re.compile(r"(?<!\d)20\d\d-?[01]\d-?[0-3]\d(?!\d)")


def names_nobody(name: str) -> bool:
    """Whether a file's name consists of known words, parts' numbers and days."""
    words = WORD.findall(name)
    numbers = re.findall(r"\d+", DAY.sub("", name))
    return (
        bool(words)
        and all(word.lower() in KNOWN for word in words)
        and all(len(number) <= 3 for number in numbers)
    )


def called(folder: Path, paths: Iterable[Path]) -> dict[Path, str]:
    """What each of `paths` under `folder` is called: its name from there, or a number in the order of the names."""
    shown: dict[Path, str] = {}
    numbered = 0
    for path in sorted(paths):
        name = str(path.relative_to(folder))
        if not names_nobody(name):
            numbered += 1
            name = f"numbered-{numbered:04d}{''.join(part for part in path.suffixes if names_nobody(part))}"
        shown[path] = name
    return shown
