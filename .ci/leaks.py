"""Look for what must never be committed: credentials, real account data, machine paths, hosts.

Prints each place and exits 1 when there is any. Invented accounts and documentation ranges are
listed here; anything else that looks like an account id in a sample is reported.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INVENTED_ACCOUNTS = {
    "111122223333",
    "123456789012",
    "222233334444",
    "333344445555",
    "444455556666",
    "555566667777",
    "666677778888",
    "777788889999",
    "888899990000",
    "999900001111",
    "000000000000",
    "999999999999",
}
# Hosts and paths are put together here so that this file does not report itself.
PATTERNS = {
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)(?!IOSFODNN7EXAMPLE)[A-Z0-9]{16}\b"),
    "a secret access key": re.compile(
        r"(?i)aws_secret_access_key\s*[=:]\s*['\"]?(?!testing|wJalrXUtnFEMI)[A-Za-z0-9/+]{40}"
    ),
    "a private key": re.compile("-----BEGIN (?:[A-Z]+ )?" + "PRIVATE KEY-----"),
    "a machine path": re.compile(
        r"(?<![A-Za-z0-9._$}-])/(?:"
        + "|".join(("work", "farm", "root", "home", "Users"))
        + r")/(?!<)"
    ),
    "a package host": re.compile(
        "|".join(
            (r"pypi\.", "python" + "hosted", "index-" + "url", "extra-" + "index", "npmjs" + r"\.")
        ),
        re.IGNORECASE,
    ),
    "a temporary path": re.compile(r"(?<![A-Za-z0-9._$}-])/" + "tmp" + r"/(?!x\b)[a-z]*[0-9_.-]"),
}
ACCOUNT = re.compile(r"(?<![0-9A-Za-z.-])[0-9]{12}(?![0-9A-Za-z])")
# Long numbers that are no accounts stand in lock files (hashes) and compiled figures.
NO_ACCOUNTS = (".lock", ".svg", ".png")


def tracked() -> list[Path]:
    """Return the files git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def leaks(path: Path) -> list[str]:
    """Return what a file gives away, one line each."""
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        return []
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{path.relative_to(ROOT)}:{number}"
        found += [f"{where}: {what}" for what, pattern in PATTERNS.items() if pattern.search(line)]
        if path.suffix not in NO_ACCOUNTS and path != Path(__file__):
            found += [
                f"{where}: account id {number} is not one of the invented ones"
                for number in ACCOUNT.findall(line)
                if number not in INVENTED_ACCOUNTS
            ]
    return found


def main() -> int:
    """Scan the tree."""
    found = [leak for path in tracked() if path != Path(__file__) for leak in leaks(path)]
    print("\n".join(found[:100]) if found else "no leaks found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
