"""What the locked packages are (a CycloneDX bill of materials) and which of them have known vulnerabilities (pip-audit)."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pipelines.settings import REPOSITORY

LOCK = REPOSITORY / "requirements.lock"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    bill = commands.add_parser("sbom")
    bill.add_argument("--to", type=Path, required=True)
    found = commands.add_parser("audit")
    found.add_argument("--lock", type=Path, default=LOCK)
    chosen = parser.parse_args(arguments)
    return sbom(chosen.to) if chosen.command == "sbom" else audit(chosen.lock)


def sbom(place: Path) -> int:
    """Write the bill of materials of the lock file; the same lock gives the same file. Asks nothing of the network."""
    place.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", str(LOCK), "--pyproject",
               str(REPOSITORY / "pyproject.toml"), "--output-reproducible", "-o", str(place)]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        print(
            f"sbom: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'failed'}",
            file=sys.stderr,
        )
        return 1
    print(f"{place}: {len(json.loads(place.read_text())['components'])} packages")
    return 0


def audit(lock: Path) -> int:
    """Ask the advisory service about every locked package; 1 where it knows of vulnerabilities, 0 where it does not or is away."""
    command = [sys.executable, "-m", "pip_audit", "-r", str(lock), "--require-hashes", "--disable-pip",
               "--progress-spinner", "off", "-f", "json"]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    try:
        dependencies: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        print("audit: not done, the advisory service gave no answer from here", file=sys.stderr)
        return 0
    passed_over = [one for one in dependencies if "skip_reason" in one]
    if len(passed_over) == len(dependencies):
        print(
            f"audit: not done, the advisory service knows none of the {len(passed_over)} packages from here",
            file=sys.stderr,
        )
        return 0
    known = {
        f"{one['name']} {one['version']}": [each["id"] for each in one["vulns"]]
        for one in dependencies
        if one.get("vulns")
    }
    for package, advisories in sorted(known.items()):
        print(f"audit: {package}: {', '.join(advisories)}")
    print(
        f"audit: {len(dependencies) - len(passed_over)} packages asked about, {len(known)} with known vulnerabilities,"
        f" {len(passed_over)} that the service does not know"
    )
    return 1 if known else 0


if __name__ == "__main__":
    sys.exit(main())
