"""Text files: what is read, what is set aside, and which line each row came from."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.extracts.delimited import open_delimited
from pipelines.extracts.delivery import SourceFile, UnreadableExtract


def read(
    folder: Path, content: bytes, name: str = "file.csv", delimiter: str = ",", required: tuple = ("a",)
) -> tuple[SourceFile, list[tuple], list[tuple]]:
    """The file's facts, its rows as (values..., line), and its unreadable lines as (line, reason, text)."""
    path = folder / name
    path.write_bytes(content)
    con = duckdb.connect()
    source = open_delimited(con, path, delimiter=delimiter, required=required, view="v")
    rows = con.execute("select * exclude (source_file) from v order by source_row").fetchall()
    rejects = con.execute(
        "select source_row, reason, source_text from unreadable_lines order by all"
    ).fetchall()
    return source, rows, rejects


def message(folder: Path, content: bytes, **options: object) -> str:
    with pytest.raises(UnreadableExtract) as caught:
        read(folder, content, **options)  # type: ignore[arg-type]
    return str(caught.value)


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    source, rows, _ = read(tmp_path, b"\xef\xbb\xbfa,b\n1,2\n")
    assert source.columns == ("a", "b")
    assert rows == [("1", "2", 2)]


def test_carriage_returns_are_no_part_of_the_last_column(tmp_path: Path) -> None:
    source, rows, _ = read(tmp_path, b"a,b\r\n1,2\r\n3,4\r\n")
    assert source.columns == ("a", "b")
    assert rows == [("1", "2", 2), ("3", "4", 3)]


def test_line_ends_may_be_mixed(tmp_path: Path) -> None:
    _, rows, rejects = read(tmp_path, b"a,b\r\n1,2\n3\n4,5\r\n6,7\r8,9")
    assert rows == [("1", "2", 2), ("4", "5", 4), ("6", "7", 5), ("8", "9", 6)]
    assert rejects == [(3, "too_few_columns", "3")]


def test_latin_1_names_keep_their_letters(tmp_path: Path) -> None:
    source, rows, _ = read(tmp_path, "a,b\n1,Muñoz\n2,Ibáñez\n".encode("latin-1"))
    assert source.encoding == "latin-1"
    assert rows == [("1", "Muñoz", 2), ("2", "Ibáñez", 3)]


def test_a_latin_1_letter_far_into_the_file_is_found(tmp_path: Path) -> None:
    lines = b"".join(b"%d,plain\n" % number for number in range(700_000))
    source, rows, _ = read(tmp_path, b"a,b\n" + lines + b"x,Mu\xf1oz\n")
    assert source.encoding == "latin-1"
    assert rows[-1] == ("x", "Muñoz", 700_002)


def test_blanks_and_spaces_of_every_kind_are_null_and_values_are_trimmed(tmp_path: Path) -> None:
    _, rows, _ = read(tmp_path, 'a,b,c\n , x ,""\n\t,\u00a0y\u00a0,\n'.encode())
    assert rows == [(None, "x", None, 2), (None, "y", None, 3)]


def test_quoted_values_hold_delimiters_quotes_and_line_ends(tmp_path: Path) -> None:
    _, rows, rejects = read(tmp_path, b'"a","b"\n"1,5","say ""x"""\n"2","two\nlines"\n3,4\n')
    assert rows == [("1,5", 'say "x"', 2), ("2", "two lines", 3), ("3", "4", 5)]
    assert rejects == []


def test_a_quote_that_never_closes_takes_no_other_line_with_it(tmp_path: Path) -> None:
    source, rows, rejects = read(tmp_path, b'a,b\n1,"open\n2,x\n3,y\n')
    assert rows == [("2", "x", 3), ("3", "y", 4)]
    assert rejects == [(2, "broken_quoting", '1,"open')]
    assert (source.rows_in, source.rows_rejected) == (3, 1)


def test_two_stray_quotes_on_one_line_take_no_other_line_with_them(tmp_path: Path) -> None:
    _, rows, rejects = read(tmp_path, b'a,b,c\n1,x"y,"z\n4,5,6\n\n7,8,9\n')
    assert rows == [("4", "5", "6", 3), ("7", "8", "9", 5)]
    assert rejects == [(2, "broken_quoting", '1,x"y,"z')]


def test_a_space_before_a_quoted_value_means_the_same_beside_a_broken_line(tmp_path: Path) -> None:
    _, alone, _ = read(tmp_path, b'a,b\n1, "x,y"\n')
    _, beside, rejects = read(tmp_path, b'a,b\n1, "x,y"\n2,x"y,"z\n3,z\n')
    assert alone == [("1", "x,y", 2)]
    assert beside == [("1", "x,y", 2), ("3", "z", 4)]
    assert [(line, reason) for line, reason, _ in rejects] == [(3, "broken_quoting")]


def test_a_quote_inside_an_unquoted_name_is_part_of_the_name(tmp_path: Path) -> None:
    _, rows, rejects = read(tmp_path, b'a,b\n1,O"Brien\n2,x\n')
    assert rows == [("1", 'O"Brien', 2), ("2", "x", 3)]
    assert rejects == []


def test_ragged_lines_are_set_aside_and_later_rows_keep_their_line(tmp_path: Path) -> None:
    source, rows, rejects = read(tmp_path, b"a,b,c\n1,2,3\n4,5\n\n6,7,8,9\n10,11,12\n   \n13,14,15\n")
    assert rows == [("1", "2", "3", 2), ("10", "11", "12", 6), ("13", "14", "15", 8)]
    assert rejects == [
        (3, "too_few_columns", "4,5"),
        (5, "too_many_columns", "6,7,8,9"),
        (7, "too_few_columns", "   "),
    ]
    assert (source.rows_in, source.rows_rejected) == (6, 3)


def test_lines_are_numbered_right_far_into_a_large_file(tmp_path: Path) -> None:
    lines = ["a,b,c"]
    for number in range(2, 600_000):
        lines.append(
            "" if number % 50_021 == 0 else f"{number},short" if number % 40_009 == 0 else f"{number},x,y"
        )
    path = tmp_path / "large.csv"
    path.write_text("\n".join(lines))
    con = duckdb.connect(config={"threads": 4})
    source = open_delimited(con, path, delimiter=",", required=["a"], view="v")
    wrong = con.execute("select count(*) from v where a::bigint <> source_row").fetchall()
    assert wrong == [(0,)]
    short = con.execute("select source_row, source_text from unreadable_lines order by 1").fetchall()
    assert short == [(n, f"{n},short") for n in range(40_009, 600_000, 40_009)]
    assert source.rows_in == sum(1 for line in lines[1:] if line)


def test_a_file_of_one_column_keeps_its_rows_apart_from_blank_lines(tmp_path: Path) -> None:
    _, rows, rejects = read(tmp_path, b"a\n1\n\n2\n3,4\n")
    assert rows == [("1", 2), ("2", 4)]
    assert [(line, reason) for line, reason, _ in rejects] == [(5, "too_many_columns")]


def test_a_header_without_rows_is_an_empty_table(tmp_path: Path) -> None:
    source, rows, _ = read(tmp_path, b"a,b")
    assert (source.rows_in, rows) == (0, [])


def test_gzip_is_read_where_it_lies(tmp_path: Path) -> None:
    source, rows, _ = read(tmp_path, gzip.compress(b"a,b\r\n1,2\r\n"), name="file.csv.gz")
    assert rows == [("1", "2", 2)]
    assert source.rows_in == 1


def test_a_path_with_wildcard_characters_is_one_file(tmp_path: Path) -> None:
    folder = tmp_path / "de[l]ivery*"
    folder.mkdir()
    _, rows, _ = read(folder, b"a,b\n1,2\n", name="odd?[1].csv")
    assert rows == [("1", "2", 2)]


def test_only_the_columns_asked_for_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text("A,b,c\n1,2,3\n")
    con = duckdb.connect()
    open_delimited(con, path, delimiter=",", required=["a"], view="v", columns=["a", "c", "absent"])
    assert con.execute("select * from v").fetchall() == [("1", "3", "wide.csv", 2)]


def test_a_truncated_gzip_is_named(tmp_path: Path) -> None:
    whole = gzip.compress(b"a,b\n" + b"1,2\n" * 1000)
    assert message(tmp_path, whole[:-9], name="file.csv.gz") == (
        "file.csv.gz: the gzip file is truncated or damaged; expected a complete gzip file"
    )


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"PK\x03\x04rest", "; found a zip archive or Excel workbook"),
        (b"PAR1rest", "; found a Parquet file"),
        ("a,b\n1,2\n".encode("utf-16"), "; found UTF-16 text"),
        (b"a,b\n1,\x00\n", ""),
        (b"\x01\x02\x03,b\n", ""),
    ],
)
def test_a_binary_file_is_named(tmp_path: Path, content: bytes, found: str) -> None:
    assert message(tmp_path, content) == (f"file.csv: this is a binary file; expected delimited text{found}")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_named(tmp_path: Path, content: bytes) -> None:
    assert message(tmp_path, content) == (
        "file.csv: the file is empty; expected a header line with column names"
    )


def test_a_wrong_delimiter_is_named(tmp_path: Path) -> None:
    assert message(tmp_path, b"a|b\n1|2\n") == (
        "file.csv, line 1: wrong delimiter; expected a comma between columns; found a pipe"
    )


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    assert message(tmp_path, b"a,b\n1,2\n", required=("a", "c", "d")) == (
        "file.csv, line 1, column c, d: a required column is missing; "
        "expected a header with a, c, d; found 2 columns"
    )


def test_a_header_name_that_stands_twice_is_named(tmp_path: Path) -> None:
    assert message(tmp_path, b"a,b,A\n1,2,3\n") == (
        "file.csv, line 1, column A: the header names this column twice"
    )


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableExtract, match=r"^gone\.csv: cannot be opened"):
        open_delimited(duckdb.connect(), tmp_path / "gone.csv", delimiter=",", required=["a"], view="v")


CELLS = st.text(alphabet=st.sampled_from(list('ab,"ñ .\n')), max_size=6)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=8),
    line_end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "latin-1"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_a_csv_writer_wrote_is_read_back_with_its_lines(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str, str]],
    line_end: str,
    encoding: str,
    quoting: int,
) -> None:
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, lineterminator="\n", quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(["a", "b", "c"])
    expected = []
    for row in rows:
        line = sink.getvalue().count("\n") + 1
        writer.writerow(row)
        cleaned = tuple(cell.replace("\n", " ").strip(" ") or None for cell in row)
        expected.append((*cleaned, line))
    content = sink.getvalue().replace("\n", line_end).encode(encoding)
    _, found, rejects = read(tmp_path_factory.mktemp("csv"), content)
    assert rejects == []
    assert found == expected


@settings(max_examples=150, deadline=None)
@given(body=st.lists(st.text(alphabet=st.sampled_from(list('ab,"ñ ')), max_size=9), max_size=12))
def test_every_line_of_any_text_is_either_a_row_or_set_aside(
    tmp_path_factory: pytest.TempPathFactory, body: list[str]
) -> None:
    content = ("\n".join(["a,b", *body]) + "\n").encode()
    source, rows, rejects = read(tmp_path_factory.mktemp("any"), content)
    lines = [row[-1] for row in rows] + [line for line, _, _ in rejects]
    assert len(lines) == len(set(lines)) == source.rows_in
    assert source.rows_rejected == len(rejects)
    # A line that is missing is blank or the continuation of a quoted value that began above it.
    for number, line in enumerate(body, 2):
        if line and number not in lines:
            assert any('"' in above for above in body[: number - 2])
