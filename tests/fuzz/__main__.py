"""Fuzz one door, or all in turn, steered by coverage: ``make fuzz``, ``make fuzz DOORS=cedar SECONDS=600``.

Each way in which something else than the kit's own errors comes out is written once to
``cases/<door>/``: mend it and commit the file with the mending.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

CASES = Path(__file__).parent / "cases"
WORDS = """
    !!int !!float !!bool !!null !!timestamp !!binary !!set !!omap !!pairs !!str !!map !!seq !!merge
    !!python/name:os !x << *a &a %YAML %TAG --- ... ? : - | > >- "" '' 0x 0b 0o _ .inf .nan ~ true null
    2026-11-02 0001-01-01T00:00:00+14:00 9999-12-31T23:59:59-14:00 1e999 -1 \\ud800 \\x00 \\0
    changes account region group_id rule_id accepted check resource reason owner until reference
    output accounts regions all_regions role_arn organization ous tags without trail branding logo
    permit forbid when unless principal action resource context has like in is if then else ip( decimal(
    .contains( .containsAny( .isInRange( @id( == != <= && || ?principal ::" <!DOCTYPE <!ENTITY <![CDATA[
    validUntil= entityID= md: ds: KeyDescriptor X509Certificate use="encryption" &#x202e; <?xml encoding=
    "format_version" "calls" "places" "status" "seconds" "file" "NextToken" NaN Infinity {"Vpcs": []}
    111122223333/ap-northeast-1/ec2-describe-vpcs.json PK botocore/ aws-cli/1. started: caller: (AccessDenied)
"""
"""What the formats are made of, for libFuzzer to put together."""


def main() -> int:
    """Return how many finds there are."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("doors", nargs="*", metavar="DOOR", help="all of them where none is named")
    asked.add_argument("--seconds", type=int, default=120, help="how long to push at each door")
    asked.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.one:
        fuzz(given.doors[0], given.seconds)
    from tests.fuzz.readers import READERS

    before = set(CASES.rglob("*"))
    broken = []
    for door in given.doors or READERS:
        tell(f"== {door}: {given.seconds} s")
        command = [sys.executable, "-m", "tests.fuzz", door, "--one"]
        if subprocess.run([*command, "--seconds", str(given.seconds)], check=False).returncode:
            broken.append(door)
    found = sorted(path for path in set(CASES.rglob("*")) - before if path.is_file())
    for path in found:
        tell(f"found: {path}")
    tell(f"{len(found)} finds; stopped early: {', '.join(broken) or 'none'}")
    return len(found) + len(broken)


def tell(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def fuzz(door: str, seconds: int) -> None:
    """Push at one door until the time is up; does not return."""
    import atheris

    # What the bytes steer by: the kit, and the parsers in Python that it hands them to.
    parsers = ["auditlib", "defusedxml", "ruamel", "yaml", "zipfile"]
    with atheris.instrument_imports(include=parsers, enable_loader_override=False):
        from tests.fuzz import readers

    seen: set[object] = set()

    def push(data: bytes) -> None:
        try:
            readers.run(door, data)
        except Exception as error:
            deepest = traceback.extract_tb(error.__traceback__)[-1]
            if (place := (type(error), deepest.filename, deepest.lineno)) in seen:
                return
            seen.add(place)
            traceback.print_exc()
            keep(door, data)

    with tempfile.TemporaryDirectory() as place:
        corpus = Path(place) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(readers.SEEDS()[door]):
            (corpus / f"seed-{number}").write_bytes(seed)
        words = Path(place) / "words"
        words.write_text("".join(f'"{escaped(word)}"\n' for word in WORDS.split()), "utf-8")
        limits = [
            f"-dict={words}",
            f"-max_total_time={seconds}",
            "-max_len=8192",
            "-timeout=60",
            # Slower than the parsers are by themselves: what counts is what does not end.
            "-report_slow_units=60",
            "-rss_limit_mb=4096",
        ]
        known = CASES / door
        known.mkdir(parents=True, exist_ok=True)
        told = [f"-artifact_prefix={known}/", "-print_final_stats=1", "-verbosity=0"]
        atheris.Setup([sys.argv[0], *limits, *told, str(corpus), str(known)], push)
        atheris.Fuzz()


def escaped(word: str) -> str:
    """Return a word as a dictionary of libFuzzer's has it."""
    return word.replace("\\", "\\\\").replace('"', '\\"')


def keep(door: str, data: bytes) -> None:
    """Write a find where the tests will try it from now on."""
    folder = CASES / door
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


if __name__ == "__main__":
    sys.exit(main())
