"""The report of a study: one HTML page that needs nothing but itself, and its figures as SVG files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import polars as pl
import vl_convert

from pipelines.impact import figures
from pipelines.impact.designs import DESIGNS
from pipelines.notebooks import reporting, show

if TYPE_CHECKING:
    from pipelines.impact.study import Study

TEMPLATE = Path(__file__).with_name("report.html.j2")
UNITS = {"usd": "US dollars a person-month", "count": "a person-month"}


def unit_of(outcome: str) -> str:
    return UNITS["usd" if outcome.endswith("_usd") else "count"]


def write(made: Study, folder: Path) -> Path:
    """`report.html` and `figures/` in `folder`; the page's path."""
    charts = figures.of_study(made.tables, made.protocol.design, made.protocol.primary)
    drawn = {name: str(vl_convert.vegalite_to_svg(chart.to_json())) for name, chart in charts.items()}
    (folder / "figures").mkdir(exist_ok=True, mode=0o700)
    for name, svg in drawn.items():
        (folder / "figures" / f"{name}.svg").write_text(svg, encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        study=made, facts=made.facts, sentence=estimand(made), headline=headline(made), warnings=warnings(made),
        tables={name: table._repr_html_() for name, table in tables_of(made).items()}, figures=drawn,
        design=DESIGNS[made.protocol.design], unit=unit_of(made.protocol.primary),
    )  # fmt: skip
    target = folder / "report.html"
    target.write_text(page, encoding="utf-8")
    return target


def estimand(made: Study) -> str:
    """What is estimated, in one sentence."""
    one, facts = made.protocol, made.facts
    first, last = facts["index_months"]
    return (
        f"The mean difference that starting CCM made to {words(one.primary)} ({unit_of(one.primary)}) over the {one.follow_up_months} months"
        f" after the first month of CCM, whatever care followed, among people who started between {first} and {last} with"
        f" {one.observed_months_before} observed months before, compared with eligible people of practices that never billed CCM in the"
        " data, from an index month drawn from those of the users (effect on the treated, intention to treat)."
    )


def words(outcome: str) -> str:
    return outcome.replace("_usd", "").replace("_", " ") + (" spending" if outcome.endswith("_usd") else "")


def _main(made: Study) -> dict[str, Any] | None:
    rows = made.tables["impact_estimates"].filter(
        (pl.col("design") == made.protocol.design)
        & (pl.col("outcome") == made.protocol.primary)
        & (pl.col("term") == "att")
        & (pl.col("group_kind") == "everybody")
    )
    row = rows.to_dicts()[0] if rows.height else None
    return row if row and not row["is_suppressed"] and row["estimate"] is not None else None


def headline(made: Study) -> str:
    row = _main(made)
    if row is None:
        return "The main estimate is hidden: it stands on too few people, or could not be made."
    return (
        f"{row['estimate']:+,.2f} {unit_of(made.protocol.primary)} (95 % interval {_number(row['lower'])} to {_number(row['upper'])}), from"
        f" {row['n_treated']:,} users and {row['n_comparison']:,} comparison people."
    )


def _number(value: float | None) -> str:
    return "unbounded" if value is None else f"{value:+,.2f}"


def warnings(made: Study) -> list[str]:
    """What a reader must know before the number: bias where the truth is known, power, pre-trend, balance, negative controls."""
    found = []
    row = _main(made)
    bias = made.tables["validation"].filter(pl.col("what") == f"design {made.protocol.design}").to_dicts()
    if row is not None and made.protocol.primary.endswith("_usd"):
        if not bias or bias[0]["null_bias"] is None:
            found.append(
                "The bias of this design where there is no effect was not measured in this installation."
            )
        elif abs(bias[0]["null_bias"]) > row["std_error"]:
            found.append(
                f"Where there was no effect, this design found {bias[0]['null_bias']:+,.0f} USD on average: more than one standard error here."
            )
        told = made.tables["impact_estimates"].filter(
            (pl.col("term") == "minimal_detectable") & (pl.col("outcome") == made.protocol.primary)
        )
        if told.height and told["estimate"][0] is not None:
            found.append(
                f"With these numbers only an effect of {told['estimate'][0]:,.0f} USD a person-month or more would be found with 80 % power."
            )
    p = made.facts["pre_trend"]["p_value"]
    if p is not None and p < 0.05:
        found.append(
            f"Users and comparison people moved apart before the index month (joint test of the quarters before it, p = {p:.3f})."
        )
    balance = made.tables["balance"].filter(~pl.col("is_suppressed") & (pl.col("smd").abs() > 0.1))
    if balance.height:
        found.append(
            f"{balance.height} covariates still differ by more than 0.1 standard deviations after weighting."
        )
    controls = made.tables["impact_estimates"].filter(
        (pl.col("term") == "negative_control") & (pl.col("p_value") < 0.05)
    )
    if controls.height:
        found.append(
            f"Negative controls that should show nothing differ: {', '.join(words(one) for one in controls['outcome'])}."
        )
    return found


def tables_of(made: Study) -> dict[str, show.Table]:
    """The page's tables, in order."""
    estimates = made.tables["impact_estimates"]
    everybody = estimates.filter(pl.col("group_kind") == "everybody")
    own = everybody.filter(pl.col("design") == made.protocol.design)
    numbers = {
        "estimate": "Estimate", "std_error": "Standard error", "lower": "Lower", "upper": "Upper", "p_value": "p",
        "n_treated": "Users", "n_comparison": "Comparison",
    }  # fmt: skip
    main = own.filter(
        pl.col("term").is_in(["att", "att_adjusted", "rate_ratio", "e_value", "minimal_detectable"])
    )
    designs = everybody.filter(
        (pl.col("term") == "att") & (pl.col("outcome") == made.protocol.primary)
    ).with_columns(
        says=pl.col("diagnostics").map_elements(_says, return_dtype=pl.String),
        standing=pl.col("diagnostics").map_elements(_standing, return_dtype=pl.String),
    )
    groups = estimates.filter(pl.col("group_kind") != "everybody")
    practice = everybody.filter((pl.col("design") == "practice_itt") & pl.col("term").str.starts_with("att"))
    return {
        "flow": show.Table(made.tables["flow"], "People at each step", {"arm": "Arm", "step": "Step", "people": "People left"}),
        "main": show.Table(main, "Main outcomes", {"outcome": "Outcome", "term": "Term", **numbers}, digits=4),
        "designs": show.Table(
            designs, "The primary outcome by design", {"design": "Design", "says": "What it is", "standing": "Standing", **numbers}
        ),
        "subgroups": show.Table(
            groups, "Effects within groups, and their difference to the largest group (triple difference; q over all of them)",
            {"group_kind": "Kind", "group_value": "Group", "term": "Term", **numbers, "q_value": "q"},
        ),
        "controls": show.Table(
            own.filter(pl.col("term") == "negative_control"), "Negative controls: nothing should show",
            {"outcome": "Outcome", **numbers}, digits=5,
        ),
        "sensitivity": show.Table(
            own.filter(
                (pl.col("outcome") == made.protocol.primary)
                & (pl.col("term").str.starts_with("att_") | pl.col("term").str.starts_with("honest_") | (pl.col("term") == "pre_trend"))
            ),
            "The primary design with one choice changed, and if trends were not parallel", {"term": "Term", **numbers},
        ),
        "practices": show.Table(practice, "Practices, whoever was reached there (intention to treat)", {"term": "Term", **numbers}),
        "balance": show.Table(
            made.tables["balance"], "Baseline of users and comparison people (means, weighted as said)",
            {
                "covariate": "Covariate", "level": "Level", "treated_mean": "Users", "comparison_mean_before": "Comparison before",
                "comparison_mean": "Comparison after", "smd_before": "SMD before", "smd": "SMD after", "variance_ratio": "Variance ratio",
                "treated_p95": "Users, 95th percentile", "comparison_p95": "Comparison after, 95th percentile",
            },
            digits=3,
        ),
        "validation": show.Table(
            made.tables["validation"], "What designs do where the truth is known (simulated; dollars a person-month)",
            {"what": "Design", "seeds": "Seeds", "null_bias": "Estimate without an effect", "bias_mc_se": "Monte Carlo error", "coverage": "Coverage of 95 % intervals"},
        ),
        "reporting": reporting.reported(answers(made)),
        "code_lists": show.Table(made.tables["code_lists"], "Code lists", {"code_list": "List", "sha256": "Checksum"}),
    }  # fmt: skip


def _says(text: str) -> str:
    told = json.loads(text)
    return str(told.get("says") or told.get("estimator") or "")


def _standing(text: str) -> str:
    return str(json.loads(text).get("standing", ""))


def answers(made: Study) -> dict[str, str]:
    """Each item of STROBE and RECORD, with the study's answer or where it stands."""
    one, facts = made.protocol, made.facts
    first, last = facts["index_months"]
    return {
        "1": f"{one.question} {headline(made)}",
        "1.1": "Medicare claims and enrolment as landed in this warehouse (run.json names the deliveries).",
        "1.2": f"The extract's beneficiaries; claims complete through {facts['data_through']}.",
        "2-3": one.question,
        "4": f"Retrospective cohort of new users with a comparison group; {DESIGNS[one.design].says}; difference in differences.",
        "5": f"Index months {first} to {last}; follow-up {one.follow_up_months} months from the month after the index month.",
        "6": "Section People; comparison people draw their index month from those of the users and are asked the same at it.",
        "6.1": "Section Code lists.",
        "7": f"Exposure: first paid base bill of CCM. Outcomes: {', '.join(words(name) for name in one.outcomes)}. Confounders: table Baseline."
        f" Effect modifiers: {', '.join(one.subgroups) or 'none'}.",
        "7.1": "Section Code lists.",
        "8": "Claims at final action; definitions in the data dictionary and docs/impact.md.",
        "9": "New users, follow-up after the index month in both arms, weights on what was before it only, negative controls, E-values,"
        " intention to treat of practices; section Known truth says what remains.",
        "10": "All users of the extract; the minimal detectable effect stands with the main outcomes.",
        "11": "Windows of months -12 to -7, -6 to -4 and -3 to -1; groups as in the policy seeds.",
        "12": "Intervals clustered on the practice, by wild bootstrap where fewer than 40 practices are in an arm; subgroups balanced anew,"
        " Benjamini-Hochberg over their differences; claims are never imputed, unknown groups stay a level of their own.",
        "12.1": "The whole warehouse; rows that broke the contract are counted in quarantine_summary.",
        "12.3": "Persons by the payer's identifier with its cross-reference; no other linkage.",
        "13": "Section People.",
        "14": "Table Baseline; what is missing is the level unknown.",
        "15": "Table Main outcomes; counts of 1 to 10 people are hidden.",
        "16": "Tables Main outcomes and Designs (C2 is the crude difference in differences where it was asked for).",
        "17": "Sections Subgroups, Sensitivity and Practices.",
        "18": headline(made),
        "19": " ".join(warnings(made))
        or "No warning was raised; confounding by what claims do not show remains possible.",
        "19.1": "Claims record what was billed: severity, consent and motives are not in them, and CCM itself raises coding.",
        "20-21": "To be written by the analyst; the results speak of people like the users at practices like theirs.",
        "22": "To be filled in by the analyst.",
        "22.1": f"protocol.yml beside this page (checksum {facts['protocol_hash']}); code lists and code version below.",
    }
