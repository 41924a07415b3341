"""Deliveries as zip archives: the same batch as the folder, and nothing that could do harm."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipelines.extracts import archive
from pipelines.extracts.delivery import UnreadableExtract
from pipelines.extracts.landing import land
from tests.pipelines.extracts.conftest import RECEIVED, SAMPLE

CLAIMS = "\n".join(SAMPLE["claims"]) + "\n"
LINES = "\n".join(SAMPLE["claim_lines"]) + "\n"


def zipped(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as content:
        for name, text in files.items():
            content.writestr(name, text)
    return path


def test_an_archive_a_folder_with_it_and_its_files_are_one_delivery(delivery: Any, tmp_path: Path) -> None:
    delivery.give("claims")
    delivery.give("claim_lines")
    batch = delivery.land()
    whole = zipped(tmp_path / "whole.zip", {"month/claims.csv": CLAIMS, "month/claim_lines.csv": LINES})
    assert land(whole, delivery.settings, received=RECEIVED).already_landed
    beside = tmp_path / "beside"
    beside.mkdir()
    zipped(beside / "claims.ZIP", {"claims.csv": CLAIMS, "__MACOSX/._claims.csv": "x"})
    (beside / "claim_lines.csv").write_text(LINES)
    again = land(beside, delivery.settings, received=RECEIVED)
    assert (again.already_landed, again.batch_id) == (True, batch.batch_id)
    assert not list(delivery.settings.landing.glob("incoming-*"))


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["../claims.csv"], "outside the archive"),
        (["/etc/claims.csv"], "outside the archive"),
        (["..\\claims.csv"], "outside the archive"),
        (["C:\\claims.csv"], "outside the archive"),
        (["a/claims.csv", "b/claims.csv"], "twice"),
    ],
)
def test_an_archive_whose_names_lead_elsewhere_is_refused(
    delivery: Any, tmp_path: Path, names: list[str], problem: str
) -> None:
    bad = zipped(tmp_path / "bad.zip", dict.fromkeys(names, CLAIMS))
    with pytest.raises(UnreadableExtract, match=problem):
        land(bad, delivery.settings, received=RECEIVED)
    assert not [path for path in delivery.settings.landing.iterdir() if path.name != ".lock"]
    assert not (tmp_path / "claims.csv").exists()


def test_a_link_in_an_archive_is_refused(delivery: Any, tmp_path: Path) -> None:
    link = zipfile.ZipInfo("claims.csv")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as content:
        content.writestr(link, "/etc/passwd")
    with pytest.raises(UnreadableExtract, match="a link"):
        land(tmp_path / "link.zip", delivery.settings, received=RECEIVED)


def test_an_archive_that_grows_without_bound_is_refused_before_it_is_unpacked(
    delivery: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "SMALL", 1 << 20)
    bomb = zipped(tmp_path / "bomb.zip", {"claims.csv": " " * (8 << 20)})
    with pytest.raises(UnreadableExtract, match="far more than an archive of extracts would"):
        land(bomb, delivery.settings, received=RECEIVED)
    monkeypatch.setattr(archive, "RESERVE", 1 << 62)
    with pytest.raises(UnreadableExtract, match="more than fits on the disk"):
        land(bomb, delivery.settings, received=RECEIVED)


@pytest.mark.parametrize("cut", [10, 200])
def test_a_truncated_archive_is_one_clear_message(delivery: Any, tmp_path: Path, cut: int) -> None:
    whole = zipped(tmp_path / "cut.zip", {"claims.csv": CLAIMS}).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:cut])
    with pytest.raises(UnreadableExtract, match="the archive is truncated or damaged"):
        land(tmp_path / "cut.zip", delivery.settings, received=RECEIVED)


def test_an_archive_whose_content_was_changed_is_refused(delivery: Any, tmp_path: Path) -> None:
    path = tmp_path / "changed.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as content:
        content.writestr("claims.csv", CLAIMS)
    path.write_bytes(path.read_bytes().replace(b"carrier", b"CARRIER", 1))
    with pytest.raises(UnreadableExtract, match="damaged"):
        land(path, delivery.settings, received=RECEIVED)


def test_an_archive_named_after_a_patient_is_told_of_by_a_number(delivery: Any, tmp_path: Path) -> None:
    named, plain = tmp_path / "Smith_John_19450203.zip", tmp_path / "claims_2026-03-15.zip"
    for path in (named, plain):
        path.write_bytes(b"no archive")
    for path, says in (
        (named, "numbered-0001.zip: the archive"),
        (plain, "claims_2026-03-15.zip: the archive"),
    ):
        with pytest.raises(UnreadableExtract, match=f"^{says}"):
            land(path, delivery.settings, received=RECEIVED)
    zipped(named, {"John Smith.txt": "nothing that a reader knows"})
    with pytest.raises(UnreadableExtract, match=r"^the delivery: no known format fits") as caught:
        land(named, delivery.settings, received=RECEIVED)
    assert "smith" not in str(caught.value).lower()
