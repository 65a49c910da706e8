"""Nothing of the auditor's machine or credentials is in anything the kit writes."""

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.accounts import REGION, small_account
from tests.standin import StandIn

MARK = "zqxmark"
KIT = [sys.executable, "-c", "from auditlib.cli import main; main()"]


@pytest.fixture(scope="module")
def outputs(_standin: StandIn, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return all that a whole audit wrote and printed, in a marked environment."""
    _standin.reset()
    small_account(_standin)
    _standin.deny("logs")  # so that an error text of AWS's is told too
    base = tmp_path_factory.mktemp(f"{MARK}-place")
    home = base / f"{MARK}-home"
    home.mkdir()
    environment = {
        **{name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ},
        **_standin.environment,
        "AWS_ENDPOINT_URL": "",
        # An account is told from a key's first letters; the rest is secret.
        "AWS_ACCESS_KEY_ID": f"{MARK}KEYID",
        "AWS_SECRET_ACCESS_KEY": f"{MARK}SECRET",
        "AWS_SESSION_TOKEN": f"{MARK}TOKEN",
        "HOME": str(home),
        "USER": f"{MARK}user",
        "LOGNAME": f"{MARK}user",
        "USERNAME": f"{MARK}user",
        "HOSTNAME": f"{MARK}host",
        "SOME_TOKEN": f"{MARK}environment",
        "TMPDIR": str(base),
    }
    environment.pop("AWS_ENDPOINT_URL")
    found: dict[str, bytes] = {}

    def run(*arguments: str) -> None:
        made = subprocess.run(
            [*KIT, *arguments], cwd=base, env=environment, capture_output=True, check=False
        )
        assert made.returncode in {0, 1, 3}, made.stderr.decode()
        # The terminal is the auditor's own: it may name the place that was asked for.
        printed = (made.stdout + made.stderr).replace(str(base).encode(), b"")
        found[f"{arguments[0]} printed"] = printed

    url = ("--endpoint-url", _standin.url)
    run("permissions", "--region", REGION, *url)
    run("collect", "--region", REGION, "--out", "snapshot", *url)
    run("check", "snapshot", "--format", "json")
    run("tables", "snapshot", "--export", "tables")
    run("preview", "snapshot", "--fix", "default-sg-has-rules", "--out", "plan")
    run("report", "snapshot", "--out", "out")
    for folder in ("snapshot", "tables", "plan", "out"):
        for path in (base / folder).rglob("*"):
            if path.is_file():
                found[path.relative_to(base).as_posix()] = path.read_bytes()
    return found


def test_no_credential_path_name_or_environment_value_is_in_any_output(outputs):
    assert any(name.endswith(".ipynb") for name in outputs)
    assert any(name.endswith(".html") for name in outputs)
    assert any(name.endswith("manifest.json") for name in outputs)
    mark = MARK.encode()
    # Inside a picture or a data: address too, whichever of three ways the letters fall.
    hidden = [base64.b64encode(b" " * shift + mark)[4:-4] for shift in range(3)]
    for name, data in outputs.items():
        low = data.lower()
        assert mark not in low, name
        assert not [one for one in hidden if len(one) > 3 and one in data], name


def test_no_path_of_the_interpreter_or_the_kit_is_in_any_file(outputs):
    traces = [sys.prefix.encode(), str(Path(__file__).resolve().parent.parent).encode()]
    for name, data in outputs.items():
        assert not [trace for trace in traces if trace in data], name
