"""List the licence of every distribution the kit needs, and exit 1 where one is not known to be free.

Follows the dependencies of the installed kit, so that tools installed beside it do not count.
"""

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution

# What these licences ask (keep the notice, publish changes to the library itself) the kit fulfils
# by installing the packages unchanged.
FREE = re.compile(
    r"\b(MIT(-0|-CMU)?|BSD(-[0-9]-Clause)?|0BSD|Apache|ISC|ISCL|PSF|Python Software Foundation|MPL|"
    r"Mozilla Public License|Unlicense|HPND|Zlib|LGPL|CC0|Public Domain)\b",
    re.IGNORECASE,
)
# What binds what it is used with, beside a licence that does not, too.
BINDING = re.compile(
    r"\b(A?GPL(v?[0-9.]+\+?)?|GNU (Affero )?General Public License|SSPL|Proprietary)\b",
    re.IGNORECASE,
)


def is_free(licence: str) -> bool:
    """Tell whether a licence, or one of those there is a choice of, is known to be free to use."""
    choices = licence.split(" OR ")
    return any(FREE.search(one) and not BINDING.search(one) for one in choices)


def licence_of(found: Distribution) -> str:
    """Return what a distribution says of its licence: expression, classifiers, or text's first line."""
    told = found.metadata
    classified = [
        classifier.rpartition(":: ")[2]
        for classifier in told.get_all("Classifier") or ()
        if classifier.startswith("License ::")
    ]
    text = (told.get("License") or "").strip().splitlines()
    for file in found.files or ():
        if not text and "licen" in file.name.lower():
            text = str(file.read_text()).split("\n\n")[0].split()
            text = [" ".join(text)[:60]]
    return told.get("License-Expression") or ", ".join(classified) or (text[0] if text else "")


def needed(name: str) -> dict[str, str]:
    """Return the licences of a distribution and of all it needs, by name."""
    licences: dict[str, str] = {}
    waiting = [name]
    while waiting:
        one = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if one in licences:
            continue
        try:
            found = distribution(one)
        except PackageNotFoundError:
            continue  # for another system or Python
        licences[one] = licence_of(found)
        waiting += [
            re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
            for requirement in found.requires or ()
            if "extra ==" not in requirement
        ]
    return licences


def main() -> int:
    """Print the list."""
    licences = needed("auditlib")
    unknown = {name for name, licence in licences.items() if not is_free(licence)}
    for name, licence in sorted(licences.items()):
        print(f"{'?' if name in unknown else ' '} {name}: {licence or 'says nothing'}")
    print(f"{len(licences)} distributions, {len(unknown)} to look at")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
