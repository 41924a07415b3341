"""dbt's own documentation of the models as one file, made from what the run's dbt left and the warehouse's columns.

dbt's page is taken as it ships and filled as `dbt docs generate --static` fills it, without starting dbt again. Columns, types and
numbers of columns are told, never a row or a count of rows; the page's policy forbids it to load or send anything.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pipelines import engine
from pipelines.settings import Settings

FILE = "models.html"
# What dbt's page holds where `dbt docs generate --static` puts its two files.
MANIFEST, CATALOGUE = '"MANIFEST.JSON INLINE DATA"', '"CATALOG.JSON INLINE DATA"'
# Links of the page to files that do not go with it.
LINKS = re.compile(r'<link rel="(?:canonical|shortcut icon)"[^>]*>')
# Angular compiles its expressions as it runs, which browsers call eval.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'; img-src data:; font-src data:;"
    " base-uri 'none'; form-action 'none'"
)
# What the page has no use for: SQL with the paths of this machine in it, and code of dbt's own packages.
LEFT_OUT = ("compiled_code", "compiled_path", "root_path", "build_path", "relation_name", "extra_ctes")


def write(settings: Settings, folder: Path) -> Path | None:
    """Write the page into `folder`; None where dbt has left no manifest (a run without dbt)."""
    made = settings.dbt_target / "manifest.json"
    if not made.exists():
        return None
    from dbt.task.docs import DOCS_INDEX_FILE_PATH

    manifest = json.loads(made.read_text())
    page = Path(DOCS_INDEX_FILE_PATH).read_text(encoding="utf-8")
    if not all(mark in page for mark in (MANIFEST, CATALOGUE, "<head>")):
        raise ValueError("dbt's documentation page is of a version that cannot be filled")
    page = LINKS.sub("", page).replace(
        "<head>", f'<head><meta http-equiv="Content-Security-Policy" content="{POLICY}">', 1
    )
    for mark, data in ((MANIFEST, slim(manifest)), (CATALOGUE, catalogue(settings, manifest))):
        page = page.replace(mark, _script(data).replace(str(settings.out), "OUT"), 1)
    path = folder / FILE
    path.write_text(page, encoding="utf-8")
    return path


def slim(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest without this machine's paths, and without the macros of dbt's packages."""
    kept = {
        name: part for name, part in manifest.items() if name not in {"disabled", "unit_tests", "selectors"}
    }
    own = manifest["metadata"]["project_name"]
    kept["macros"] = {key: one for key, one in manifest["macros"].items() if one["package_name"] == own}
    for part in ("nodes", "sources"):
        kept[part] = {
            key: {name: value for name, value in node.items() if name not in LEFT_OUT}
            for key, node in manifest[part].items()
        }
    # says whether dbt's page may report its use
    kept["metadata"] = {
        **manifest["metadata"],
        "send_anonymous_usage_stats": False,
        "user_id": None,
        "invocation_id": None,
        "env": {},
    }
    kept["disabled"], kept["unit_tests"], kept["selectors"] = {}, {}, {}
    return kept


def catalogue(settings: Settings, manifest: dict[str, Any]) -> dict[str, Any]:
    """What dbt's catalogue holds of each node: its columns and their types, from the warehouse."""
    with engine.connect(settings, settings.warehouse, read_only=True) as con:
        columns: dict[tuple[str, str], dict[str, Any]] = {}
        for schema, table, name, kind, index in con.execute(
            "select schema_name, table_name, column_name, data_type, column_index from duckdb_columns() where not internal"
            " order by all"
        ).fetchall():
            columns.setdefault((schema, table), {})[name] = {
                "type": kind,
                "index": index,
                "name": name,
                "comment": None,
            }
    found: dict[str, dict[str, Any]] = {"nodes": {}, "sources": {}}
    for part in found:
        for key, node in manifest[part].items():
            place = (node["schema"], node.get("alias") or node.get("identifier") or node["name"])
            if place in columns:
                found[part][key] = {
                    "metadata": {
                        "type": "BASE TABLE",
                        "schema": place[0],
                        "name": place[1],
                        "database": None,
                        "comment": None,
                        "owner": None,
                    },
                    "columns": columns[place],
                    "stats": {},
                    "unique_id": key,
                }
    return {"metadata": {}, **found, "errors": None}


def _script(value: Any) -> str:
    """JSON that cannot end the script that it stands in."""
    return json.dumps(value, separators=(",", ":")).replace("</", "<\\/").replace("<!--", "<\\!--")
