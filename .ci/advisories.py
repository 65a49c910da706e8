"""Tell which locked versions have published advisories; never take silence for an answer.

advisories.py PIP-AUDIT

Exit status: 0 none has, and all were asked about; 1 some have; 3 some could not be asked about (the
service cannot be reached, or does not know them).
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parent.parent / "requirements.lock"
WORDS = ("--requirement", str(LOCK), "--require-hashes", "--disable-pip", "--format", "json")


def told(answer: str) -> tuple[int, list[str]]:
    """Return the exit status that pip-audit's JSON stands for, and what to say."""
    try:
        packages: list[dict[str, Any]] = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return 3, ["not assessed: the advisory service gave no answer"]
    known = [one for one in packages if "vulns" in one]
    lines = [
        f"{one['name']} {one['version']}: {found['id']}, fixed in "
        f"{', '.join(found.get('fix_versions', ())) or 'no version yet'}"
        for one in known
        for found in one["vulns"]
    ]
    lines.append(f"{len(known)} of {len(packages)} locked packages were asked about")
    if len(lines) > 1:
        return 1, lines
    if len(known) < len(packages) or not packages:
        return 3, ["not assessed: the advisory service does not know them", *lines]
    return 0, lines


def main(pip_audit: str) -> int:
    """Ask, print, and return the exit status."""
    asked = subprocess.run([pip_audit, *WORDS], stdout=subprocess.PIPE, text=True, check=False)
    status, lines = told(asked.stdout)
    print("\n".join(lines))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
