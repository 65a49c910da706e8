"""Make the bundled sample snapshot: ``python -m tests.standin.sample [FOLDER]``.

Builds the sample's world in the stand-in and collects it as anyone would, over HTTP, with the
kit's own collector. Ids come from a seed and the clocks of both sides stand still, so the same
code gives the same bytes.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

import auditlib
from auditlib.aws.collect import collect
from tests.standin import StandIn, earlier
from tests.standin.sample_world import NOW, REGIONS, build

__all__ = ["SAMPLE", "collect_sample"]

SAMPLE = Path(auditlib.__file__).parent / "sample"


def collect_sample(aws: StandIn, folder: Path) -> None:
    """Collect the sample from an empty stand-in into a folder that is not there yet."""
    build(aws)
    with patch.dict(os.environ, aws.environment):
        collect(folder, regions=REGIONS, endpoint_url=aws.url, clock=lambda: NOW)


def main() -> None:
    """Replace the sample, or the folder named on the command line, once the new one is complete."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLE
    target.parent.mkdir(parents=True, exist_ok=True)
    with StandIn() as aws, tempfile.TemporaryDirectory(dir=target.parent) as near:
        made = Path(near) / "sample"
        collect_sample(aws, made)
        for path in (made, *made.rglob("*")):
            # A snapshot is its owner's alone; the sample is everyone's.
            path.chmod(0o755 if path.is_dir() else 0o644)
        if target.exists():
            shutil.rmtree(target)
        made.rename(target)
    if target == SAMPLE:
        earlier.write(SAMPLE)
    files = sum(1 for path in target.rglob("*.json"))
    sys.stdout.write(f"{target}: {files} files\n")


if __name__ == "__main__":
    main()
