"""The pages under `reports/`: self-contained files that ask nothing of the network, publishable ones apart from person-level ones."""

from __future__ import annotations

import base64
import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from pipelines import engine
from pipelines.publish.formatting import FILTERS
from pipelines.publish.pages import (
    capture,
    catalogue,
    compliance,
    definitions,
    disparities,
    impact,
    outreach,
    overview,
    quality,
    restatement,
)
from pipelines.publish.people import audit, findings, person, practices, proposals, worklist
from pipelines.publish.sources import Sources
from pipelines.publish.spreadsheets import harmless
from pipelines.publish.vocabulary import STATES, STATUSES
from pipelines.settings import Settings

TEMPLATES = Path(__file__).parent / "templates"
PERSONAL = "person-level"


@dataclass(frozen=True)
class Page:
    """One file: its place under `reports/`, its heading, its name in the menu, what it shows, and the tables it offers as CSV."""

    path: str
    title: str
    label: str
    view: Callable[[Sources], Mapping[str, Any]]
    downloads: tuple[str, ...] = ()

    @property
    def is_personal(self) -> bool:
        return self.path.startswith(PERSONAL)

    @property
    def template(self) -> str:
        return Path(self.path).stem.replace("-", "_") + ".html.j2"


PAGES = (
    Page("index.html", "The month", "Overview", overview.view, ("rpt_funnel",)),
    Page(
        "capture.html",
        "Capture gap",
        "Capture gap",
        capture.view,
        (
            "rpt_capture_by_month",
            "rpt_capture_by_year",
            "rpt_eligibility_attrition",
            "rpt_condition_prevalence",
        ),
    ),
    Page(
        "compliance.html",
        "Compliance flags",
        "Compliance",
        compliance.view,
        ("rpt_flags_by_rule", "rpt_findings_total"),
    ),
    Page(
        "disparities.html",
        "Reach by group",
        "Disparities",
        disparities.view,
        ("disparity_measures", "disparity_gradients", "disparity_parts", "disparity_places"),
    ),
    Page("impact.html", "Effect of care management", "Impact", impact.view),
    Page(
        "outreach.html",
        "How the worklist is ranked",
        "Outreach",
        outreach.view,
        ("outreach_tests", "outreach_fairness"),
    ),
    Page("restatement.html", "What was restated", "Restatement", restatement.view, restatement.TABLES),
    Page(
        "quality.html",
        "Data quality",
        "Data quality",
        quality.view,
        ("rpt_load_summary", "quarantine_summary"),
    ),
    Page("rules.html", "Rule catalogue", "Rules", catalogue.view),
    Page("definitions.html", "Definitions", "Definitions", definitions.view),
    Page(f"{PERSONAL}/worklist.html", "Worklist", "Worklist", worklist.view),
    Page(f"{PERSONAL}/person.html", "Why is this person (not) eligible?", "Person look-up", person.view),
    Page(f"{PERSONAL}/proposals.html", "Months to bill", "Months to bill", proposals.view),
    Page(f"{PERSONAL}/practices.html", "Capture gap by practice", "Practices", practices.view),
    Page(f"{PERSONAL}/findings.html", "Findings and their evidence", "Findings", findings.view),
    Page(f"{PERSONAL}/audit.html", "What the OIG would question", "OIG audits", audit.view),
)


def build(settings: Settings, window: Any, outcomes: Sequence[Any]) -> Path:
    """Write every page and CSV under `reports/`, all or none; returns the first page.

    `window` has `as_of` and `through` (dates). Publishable pages are made of suppressed tables only and hidden cells stay hidden;
    person-level ones lie in a folder that only its owner can open.
    """
    fresh = settings.reports.with_name("reports.incoming")
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / PERSONAL).mkdir(parents=True, mode=0o700)
    (fresh / "data").mkdir()
    fresh.chmod(0o700)
    with engine.connect(settings, settings.warehouse, read_only=True) as con:
        sources = Sources(con, settings, window, outcomes)
        facts = run_facts()
        for page in PAGES:
            path = fresh / page.path
            path.write_text(render(page, page.view(sources), window, facts), encoding="utf-8")
            if page.is_personal:
                path.chmod(0o600)
            for table in page.downloads:
                # parts of the reports can be left out of a run
                if not sources.has(f"reports.{table}"):
                    continue
                rows = harmless(sources.frame(f"from reports.{table} order by all"))
                rows.write_csv(fresh / "data" / f"{table}.csv")
    shutil.rmtree(settings.reports, ignore_errors=True)
    fresh.rename(settings.reports)
    return settings.reports / "index.html"


def render(page: Page, view: Mapping[str, Any], window: Any, facts: Mapping[str, str]) -> str:
    """One page's text. Its scripts are named by their hashes in the page's own content-security policy."""
    scripts = [script(name) for name in (("grid.js",) if page.is_personal else ("narrow.js",))]
    return (
        environment()
        .get_template(page.template)
        .render(
            page=page,
            pages=PAGES,
            up="../" if page.is_personal else "",
            window=window,
            facts=facts,
            states=STATES,
            statuses=STATUSES,
            scripts=scripts,
            script_hashes=Markup(" ".join(source_hash(text) for text in scripts)),  # noqa: S704 - base64
            **view,
        )
    )


def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html", "j2"]),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters.update(FILTERS)
    return made


def script(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704 - the project's own script


def source_hash(text: str) -> str:
    """The text of an inline script as a content-security policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def run_facts() -> dict[str, str]:
    """What was run: policy, code and tool versions."""
    from importlib.metadata import version

    from pipelines.lineage import code_version, policy_version
    from pipelines.run_outcome import TOOLS

    return {
        "policy": policy_version(),
        "code": code_version()[:12],
        **{tool: version(tool) for tool in TOOLS},
    }
