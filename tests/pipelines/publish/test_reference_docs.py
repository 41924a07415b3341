"""The generated documents say what the code says, and leave nothing out."""

from __future__ import annotations

import pytest

from pipelines import rules
from pipelines.extracts.contract import load_contracts
from pipelines.publish import reference_docs
from pipelines.publish.tables import PUBLISHED


def test_the_documents_in_the_repository_are_not_stale() -> None:
    assert [path.name for path in reference_docs.stale()] == [], "run `make docs`"


def test_a_stale_document_is_named_and_ends_with_exit_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference_docs, "GENERATED", "another first line\n")
    assert reference_docs.main(["--check"]) == 1
    assert "stale: docs/data_dictionary.md" in capsys.readouterr().out


def test_every_contract_column_is_in_the_dictionary() -> None:
    text = reference_docs.data_dictionary()
    for contract in load_contracts().values():
        section = text.split(f"### {contract.table}\n")[1].split("\n##")[0]
        assert [column.name for column in contract.columns if f"| `{column.name}` |" not in section] == []


def test_every_published_table_is_in_the_dictionary_with_its_columns() -> None:
    text = reference_docs.data_dictionary()
    models = reference_docs.described_models()
    for name in PUBLISHED:
        section = text.split(f"### {name}\n")[1].split("\n##")[0]
        assert models[name]["columns"]
        assert [column for column in models[name]["columns"] if f"| `{column}` |" not in section] == []


def test_a_published_table_without_description_stops_the_dictionary(monkeypatch: pytest.MonkeyPatch) -> None:
    models = {**reference_docs.described_models()}
    del models["worklist"]
    monkeypatch.setattr(reference_docs, "described_models", lambda: models)
    with pytest.raises(reference_docs.Undescribed, match="worklist"):
        reference_docs.data_dictionary()


def test_every_rule_is_in_the_catalogue_with_its_source_and_limits() -> None:
    text = " ".join(reference_docs.rule_catalogue().split())
    found = rules.catalogue()
    assert len(found) >= 15
    for rule in found:
        for part in (rule.title, rule.citation, rule.does_not_cover):
            assert " ".join(part.split()).replace("|", "\\|") in text


def test_a_bar_in_a_cell_does_not_break_the_table() -> None:
    assert reference_docs.table(["a"], [["x|y\nz"]]).splitlines()[2] == "| x\\|y z |"
