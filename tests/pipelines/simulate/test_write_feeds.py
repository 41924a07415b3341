"""The simulated population as RIF and as a claim feed: files as their readers and specifications expect them."""

from __future__ import annotations

import datetime
from pathlib import Path

import duckdb
import pytest

from pipelines.extracts import detect
from pipelines.extracts.cclf_layout import current_length
from pipelines.simulate import simulate, write_cclf, write_rif

RECEIVED = datetime.date(2026, 3, 31)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("feeds")
    folders = {}
    for name in ("practice", "rif", "cclf"):
        simulate(60, 12, 3, root / name, format=name)
        folders[name] = root / name / "extracts"
    return folders


@pytest.mark.parametrize("name", ["rif", "cclf"])
def test_a_format_is_recognised_and_the_rest_lies_beside_it(made: dict[str, Path], name: str) -> None:
    assert name == detect.choose(made[name]).NAME
    rest = made[name] / "practice"
    assert detect.choose(rest).NAME == "practice"
    tables = {path.stem for path in made["practice"].iterdir()}
    carried = {"rif": write_rif.CARRIED, "cclf": write_cclf.CARRIED}[name]
    assert {path.stem for path in rest.iterdir()} == tables - set(carried)
    assert not list(made[name].glob("*.parquet"))


def test_the_control_file_states_every_file_with_records_of_its_length(made: dict[str, Path]) -> None:
    (control,) = made["cclf"].glob("*ZC0*")
    stated = {}
    for line in control.read_text().splitlines()[1:]:
        number, _, records, length = (cell.strip() for cell in line.split("|"))
        stated[number.removeprefix("CCLF")] = (int(records), int(length))
    for number, (records, length) in stated.items():
        (path,) = made["cclf"].glob(f"*.ZC{number}Y26.*")
        lines = path.read_text(encoding="ascii").splitlines()
        assert (len(lines), length) == (records, current_length(number))
        assert {len(line) for line in lines} <= {length}
    assert {number for number, (records, _) in stated.items() if records} >= {"1", "2", "4", "5", "8", "A"}


def test_amounts_of_the_feed_have_no_sign(made: dict[str, Path]) -> None:
    first, last = 103, 117  # of the line's amount in file 5
    (path,) = made["cclf"].glob("*.ZC5Y26.*")
    amounts = [line[first - 1 : last].strip() for line in path.read_text().splitlines()]
    assert any(amounts) and not any(amount.startswith("-") for amount in amounts)


def test_an_identifier_that_is_too_long_stops_the_feed(made: dict[str, Path], tmp_path: Path) -> None:
    extracts = tmp_path / "extracts"
    extracts.mkdir()
    source, target = made["practice"] / "beneficiaries.parquet", extracts / "beneficiaries.parquet"
    duckdb.sql(f"""
        copy (select * replace ('twelve' || beneficiary_id as beneficiary_id) from '{source}')
        to '{target}' (format parquet)""")
    with pytest.raises(duckdb.Error, match="BENE_MBI_ID of file 8 has 11 places"):
        write_cclf.write(extracts, tmp_path / "out", received=RECEIVED)


@pytest.mark.parametrize("writer", [write_rif, write_cclf])
def test_a_folder_without_a_table_that_is_written_is_refused(writer: object, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds none of the tables"):
        writer.write(tmp_path, tmp_path / "out", received=RECEIVED)  # type: ignore[attr-defined]
    assert writer.rewrite(tmp_path, received=RECEIVED) == {}  # type: ignore[attr-defined]


@pytest.mark.parametrize("writer", [write_rif, write_cclf])
def test_the_same_tables_give_the_same_bytes(writer: object, made: dict[str, Path], tmp_path: Path) -> None:
    for name in ("one", "two"):
        writer.write(made["practice"], tmp_path / name, received=RECEIVED)  # type: ignore[attr-defined]
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(files) > 5
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.public_data
@pytest.mark.parametrize("kind", ["carrier", "outpatient", "inpatient", "snf", "beneficiary"])
def test_rif_columns_are_those_of_the_public_files(public_data: Path, kind: str) -> None:
    name = "beneficiary_2019" if kind == "beneficiary" else kind
    path = public_data / "rif_synthea_3benes" / f"{name}.csv"
    with path.open(encoding="utf-8-sig") as content:
        header = tuple(cell.strip('"') for cell in content.readline().rstrip("\n").split("|"))
    assert write_rif.columns(kind) == header
