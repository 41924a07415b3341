"""dbt's documentation as one file: filled from what dbt left, with nothing of this machine in it and nothing to load."""

from __future__ import annotations

import json
import re
import threading
import urllib.request
from pathlib import Path

import duckdb
import pytest

from pipelines.publish import model_docs
from pipelines.publish.serve import server
from pipelines.settings import Settings

PERSON = "person-of-the-warehouse"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(out=tmp_path / "out")
    made.dbt_target.mkdir(parents=True)
    node = {
        "name": "capture_months", "alias": "capture_months", "schema": "marts", "package_name": "ccm", "columns": {},
        "compiled_code": f"select 1 from '{made.out}/landing'", "raw_code": "select '</script>'",
        "config": {"meta": {"external_location": f"{made.out}/landing"}},
    }  # fmt: skip
    macro = {"package_name": "dbt", "macro_sql": "of a package"}
    manifest = {
        "metadata": {"project_name": "ccm", "user_id": "somebody", "send_anonymous_usage_stats": True},
        "nodes": {"model.ccm.capture_months": node}, "sources": {}, "macros": {"macro.dbt.one": macro},
        "unit_tests": {"one": {}}, "disabled": {}, "selectors": {},
    }  # fmt: skip
    (made.dbt_target / "manifest.json").write_text(json.dumps(manifest))
    with duckdb.connect(str(made.warehouse)) as con:
        con.execute("create schema marts")
        con.execute(f"create table marts.capture_months as select '{PERSON}' as beneficiary_id")
    made.reports.mkdir()
    return made


def test_the_page_holds_models_and_columns_and_no_row_and_no_path(settings: Settings) -> None:
    path = model_docs.write(settings, settings.reports)
    assert path is not None
    page = path.read_text()
    assert '"name":"beneficiary_id"' in page and "model.ccm.capture_months" in page
    for absent in (PERSON, str(settings.out), "of a package", "somebody", model_docs.MANIFEST, "</script>'"):
        assert absent not in page


def test_the_page_may_load_and_send_nothing(settings: Settings) -> None:
    path = model_docs.write(settings, settings.reports)
    assert path is not None
    page = path.read_text()
    policy = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    assert policy == [model_docs.POLICY]
    assert "default-src 'none'" in policy[0] and "http" not in policy[0] and "connect-src" not in policy[0]
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=[\"']https?:", page[:20_000])
    with server(settings.reports, 0) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{running.server_address[1]}"
        served = [
            urllib.request.urlopen(f"{address}/{name}").headers["Content-Security-Policy"]  # noqa: S310 - loopback
            for name in (model_docs.FILE, "")
        ]
        running.shutdown()
    assert "'unsafe-eval'" in served[0] and "'unsafe-eval'" not in served[1]
    assert all("default-src 'none'" in one for one in served)


def test_without_dbt_there_is_no_page(settings: Settings) -> None:
    (settings.dbt_target / "manifest.json").unlink()
    assert model_docs.write(settings, settings.reports) is None
