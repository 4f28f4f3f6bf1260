"""Ask PyPI's vulnerability service about every version in constraints.txt; exit 0 where it knows of nothing.

Exit 1: a version has a known vulnerability, named with the version that mends it. Exit 2: the service could not be
reached, or does not know a package, so that nothing can be said; that is never taken for "none known".
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"
ASK = ("-m", "pip_audit", "--no-deps", "--disable-pip", "--progress-spinner=off", "--format=json", "-r")


def main() -> int:
    """Ask, print what is known, return the exit code."""
    argparse.ArgumentParser(description=__doc__, epilog="example: python scripts/check_deps.py").parse_args()
    command = [sys.executable, *ASK, str(CONSTRAINTS)]
    asked = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    try:
        packages = json.loads(asked.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = (asked.stderr.strip().splitlines() or ["no answer"])[-1]
        print(f"error: the vulnerability service could not be reached: {last[:300]}", file=sys.stderr)
        return 2
    unknown = [one["name"] for one in packages if "skip_reason" in one]
    found = [(one, fault) for one in packages for fault in one.get("vulns", ())]
    for one, fault in found:
        mended = ", ".join(fault["fix_versions"]) or "no version yet"
        print(f"{one['name']} {one['version']}: {fault['id']}, mended in {mended}", file=sys.stderr)
    if unknown:
        print(
            f"error: the vulnerability service told nothing of {len(unknown)} of {len(packages)} packages, such as "
            f"{unknown[0]}: it cannot be reached, or does not know them; nothing is said of these",
            file=sys.stderr,
        )
    if not found and not unknown:
        print(f"{len(packages)} packages, no known vulnerability")
    return 2 if unknown else int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
