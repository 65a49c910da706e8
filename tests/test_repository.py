"""What holds for the repository as a whole."""

import ast
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_environment_yml_lists_what_pyproject_lists():
    wanted = set(PROJECT["dependencies"])
    for extra in PROJECT["optional-dependencies"].values():
        wanted |= set(extra)
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    listed = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    *by_pip, itself = environment["dependencies"][-1]["pip"]
    assert {*listed, *by_pip} - {"pip", "python" + PROJECT["requires-python"]} == wanted
    assert "python" + PROJECT["requires-python"] in listed
    assert by_pip == ["matplotlib-fontja>=1.1"]  # the only one that is not known to be elsewhere
    assert itself == "-e ."


def locked(name: str) -> dict[str, set[str]]:
    text = (ROOT / name).read_text("utf-8")
    versions: dict[str, set[str]] = {}
    for package, version in re.findall(
        r"^([a-z0-9._-]+)(?:\[[a-z0-9, _-]+\])?==([^ ;\\]+)", text, re.MULTILINE
    ):
        versions.setdefault(package, set()).add(version)
    return versions


def test_the_lock_holds_every_dependency_with_hashes():
    base = locked("requirements.lock")
    names = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    assert names <= set(base)
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text("utf-8")
        entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
        assert len(entries) >= len(locked(name))
        for entry in entries:
            assert re.match(r"[^\n]+==\S+ .*--hash=sha256:[0-9a-f]{64}$", entry, re.DOTALL), entry


@pytest.mark.parametrize(
    ("licence", "free"),
    [
        ("MIT", True),
        ("BSD-3-Clause", True),
        ("Apache-2.0 AND CNRI-Python", True),
        ("GNU Lesser General Public License v3 (LGPLv3), LGPL", True),
        ("GPL-3.0-or-later OR MIT", True),
        ("AGPL-3.0-or-later", False),
        ("GPL-3.0-only", False),
        ("GPL-2.0-or-later AND MIT", False),
        ("Proprietary, see LICENSE", False),
        ("", False),
    ],
)
def test_a_licence_that_is_not_known_to_be_free_is_looked_at(licence, free):
    is_free = runpy.run_path(str(ROOT / ".ci" / "licences.py"))["is_free"]
    assert is_free(licence) is free


def test_a_package_asked_for_with_an_extra_is_locked_with_it():
    # pip, told to require hashes, refuses "coverage[toml]" where only "coverage" is pinned, once a
    # newer coverage is out.
    lock = (ROOT / "requirements-dev.lock").read_text("utf-8")
    extras = {
        (canonicalize_name(requirement.name), extra)
        for name in locked("requirements-dev.lock")
        if is_installed(name)
        for requirement in map(Requirement, metadata.requires(name) or ())
        for extra in requirement.extras
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    }
    pinned = {
        (name, extra)
        for name, held in re.findall(r"^([a-z0-9._-]+)\[([a-z0-9, _-]+)\]==", lock, re.MULTILINE)
        for extra in held.split(", ")
    }
    assert ("coverage", "toml") in extras
    assert extras <= pinned


def is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def test_both_locks_agree():
    base, dev = locked("requirements.lock"), locked("requirements-dev.lock")
    assert {name: dev.get(name) for name in base} == base


def test_the_tree_gives_nothing_away():
    scan = subprocess.run(
        [sys.executable, ROOT / ".ci" / "leaks.py"], capture_output=True, text=True, check=False
    )
    assert scan.returncode == 0, scan.stdout


@pytest.mark.parametrize(
    "secret",
    [
        "key = AKIA" + "ABCDEFGHIJKLMNOP",
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        "see /" + "home/someone/notes",
        "owner 210987" + "654321 of it",
    ],
)
def test_the_leak_scan_finds_what_it_looks_for(secret, tmp_path):
    sys.path.insert(0, str(ROOT / ".ci"))
    try:
        import leaks
    finally:
        sys.path.pop(0)
    path = tmp_path / "file.txt"
    path.write_text(secret, "utf-8")
    leaks.ROOT = tmp_path
    assert len(leaks.leaks(path)) == 1


def test_only_the_collecting_side_imports_boto3():
    importers = {
        path.relative_to(ROOT).parts[:2]
        for path in (ROOT / "auditlib").rglob("*.py")
        if re.search(
            r"^\s*(?:import|from) (?:boto3|botocore)\b", path.read_text("utf-8"), re.MULTILINE
        )
    }
    assert importers <= {("auditlib", "aws")}


def test_no_module_does_work_at_import():
    """Importing the library alone loads neither pandas nor boto3."""
    code = "import sys, auditlib, auditlib.cli; print(sorted({'pandas', 'boto3', 'matplotlib', 'nbconvert'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def claims_of_security() -> list[str]:
    """Return each line of the security sections that claims something."""
    page = (ROOT / "SECURITY.md").read_text("utf-8").partition("## What is not defended")[0]
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    rows = [row for row in rows if not row.endswith("| shown by |")]
    for name, heading in (("README.md", "### Security"), ("README.ja.md", "### セキュリティ")):
        section = re.split(r"\n##", (ROOT / name).read_text("utf-8").partition(f"\n{heading}")[2])[
            0
        ]
        bullets = re.findall(r"^- .*?(?=^- |^$|\Z)", section, re.MULTILINE | re.DOTALL)
        assert len(bullets) == 7, name
        rows += bullets
    return rows


def test_each_line_on_security_names_tests_and_they_are_there():
    claims = claims_of_security()
    assert len(claims) > 40
    tests: dict[str, set[str]] = {}
    for claim in claims:
        named = NAMED.findall(claim)
        assert named, claim
        for file, name in named:
            if file not in tests:
                tree = ast.parse((ROOT / file).read_text("utf-8"))
                tests[file] = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
            assert name in tests[file], f"{file}::{name}"


def test_both_readmes_name_the_same_tests():
    both = [
        set(NAMED.findall((ROOT / n).read_text("utf-8"))) for n in ("README.md", "README.ja.md")
    ]
    assert both[0] == both[1] != set()


def test_both_readmes_show_the_same_commands():
    """What a reader types is the same in both; comments and the language chosen are not."""

    def typed(name: str) -> list[str]:
        text = (ROOT / name).read_text("utf-8")
        lines = [
            line
            for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
            for line in block.splitlines()
        ]
        bare = (re.sub(r"\s*#.*", "", line).rstrip() for line in lines)
        return [line for line in bare if line and not line.startswith("language:")]

    assert typed("README.md") == typed("README.ja.md")


KNOWN = {"name": "a", "version": "1", "vulns": []}
BAD = {**KNOWN, "vulns": [{"id": "PYSEC-0", "fix_versions": ["2"]}]}
SKIPPED = {"name": "b", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([KNOWN], 0, "1 of 1 locked packages were asked about"),
        ([KNOWN, BAD], 1, "a 1: PYSEC-0, fixed in 2"),
        ([BAD, SKIPPED], 1, "1 of 2 locked packages were asked about"),
        ([KNOWN, SKIPPED], 3, "not assessed"),
        ([], 3, "not assessed"),
        (None, 3, "not assessed"),
    ],
)
def test_an_advisory_service_that_does_not_answer_finds_nothing_fine(packages, status, said):
    told = runpy.run_path(str(ROOT / ".ci" / "advisories.py"))["told"]
    answer = "" if packages is None else json.dumps({"dependencies": packages, "fixes": []})
    found, lines = told(answer)
    assert found == status
    assert any(said in line for line in lines)


def test_a_build_gives_the_same_bytes_wherever_and_whenever_it_is_made(tmp_path):
    made = []
    for place, umask, age in (("here", 0o022, 0), ("over/there", 0o077, 10**8)):
        tree = tmp_path / place
        before = os.umask(umask)
        try:
            for name in ("auditlib", "notebooks"):
                shutil.copytree(ROOT / name, tree / name, copy_function=shutil.copyfile)
        finally:
            os.umask(before)
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copyfile(ROOT / name, tree / name)
        for file in tree.rglob("*"):
            os.utime(file, (10**9 + age, 10**9 + age))
        build = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path / f"{age}")]
        subprocess.run(build, cwd=tree, check=True, capture_output=True)
        made.append({p.name: p.read_bytes() for p in (tmp_path / f"{age}").iterdir()})
    assert {name.rpartition(".")[2] for name in made[0]} == {"whl", "gz"}
    assert made[0] == made[1]
