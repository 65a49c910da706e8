"""Run the stand-in by hand: ``python -m tests.standin [--world sample] [--port N]``."""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from tests.standin import StandIn
from tests.standin.sample_world import REGIONS, build


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tests.standin", description=__doc__)
    parser.add_argument("--world", choices=("empty", "sample"), default="empty")
    parser.add_argument("--port", type=int, default=0, help="default: any free port")
    asked = parser.parse_args()
    # Shells start what runs in the background with this one ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with StandIn(port=asked.port) as aws:
        if asked.world == "sample":
            build(aws)
        regions = " ".join(f"--region {region}" for region in REGIONS)
        shown = {
            name: value for name, value in aws.environment.items() if name != "AWS_ENDPOINT_URL"
        }
        beside = Path(sys.executable).with_name("auditlib")
        command = os.path.relpath(beside) if beside.is_file() else "auditlib"
        exports = "\n".join(f"export {name}={value}" for name, value in shown.items())
        sys.stdout.write(
            f"A stand-in for AWS listens on {aws.url} ({asked.world} world). In another shell:\n\n"
            f"{exports}\n{command} collect --endpoint-url {aws.url} {regions} --out snapshot\n\n"
            "Ctrl-C ends it.\n"
        )
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            sys.stdout.write("\n")


if __name__ == "__main__":
    main()
