"""Social Security Administration state codes, which Medicare files use, as postal abbreviations."""

from __future__ import annotations

from pipelines.extracts.delivery import sql_text

_IN_ORDER = (
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC "
    "ND OH OK OR PA PR RI SC SD TN TX UT VT VI VA WA WV WI WY"
)
# 01 to 53 are numbered alphabetically by name; later codes are second ranges of states that ran out of
# county numbers, and the territories.
POSTAL = {f"{place:02}": state for place, state in enumerate(_IN_ORDER.split(), 1)} | {
    "55": "CA",
    "64": "AS",
    "65": "GU",
    "66": "MP",
    "67": "TX",
    "68": "FL",
    "69": "FL",
}
# Africa, Canada, Central America, Europe, Mexico, Oceania, the Philippines, South America, other possessions,
# not known. DE-SynPUF uses 54 for every place that is not a state.
NO_POSTAL_STATE = ("54", "56", "57", "58", "59", "60", "61", "62", "63", "99")


def postal_state(code: str) -> str:
    """SQL for the postal state of `code` (SQL of an SSA code or of a postal abbreviation).

    Places without a postal state become null; a code that is not known stays as it is, for validation.
    """
    padded = f"case when length({code}) < 2 then '0' || {code} else {code} end"
    known = " ".join(f"when {sql_text(ssa)} then {sql_text(postal)}" for ssa, postal in POSTAL.items())
    nowhere = ", ".join(sql_text(ssa) for ssa in NO_POSTAL_STATE)
    return f"case when {padded} in ({nowhere}) then null else case {padded} {known} else {code} end end"
