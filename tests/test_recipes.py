"""The recipes for scheduled runs: each file is looked at by a tool of its own kind."""

import ast
import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from auditlib.aws.bucket import ACTIONS
from auditlib.aws.policy import cloudformation
from auditlib.cli import main
from auditlib.prefix import Prefix
from auditlib.schedule import config_of

ROOT = Path(__file__).resolve().parent.parent
RECIPES = ROOT / "docs" / "recipes"
TEMPLATES = sorted(
    [*RECIPES.rglob("*.cloudformation.yaml"), ROOT / "docs/iam/read-only.cloudformation.json"]
)


def tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def ran(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as what they stand for."""


def _short(loader: yaml.Loader, suffix: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    return {suffix: loader.construct_sequence(node, deep=True)}


Loader.add_multi_constructor("!", _short)


def template(name: str) -> dict:
    return yaml.load((RECIPES / name).read_text("utf-8"), Loader=Loader)  # noqa: S506 # a SafeLoader


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_cfn_lint_finds_nothing(path):
    # W3037: its list of IAM actions may be older than the newest of EC2.
    done = ran(tool("cfn-lint"), "--ignore-checks", "W3037", "--", str(path))
    assert done.returncode == 0, done.stdout


def test_the_workflow_is_one_and_zizmor_finds_nothing(tmp_path):
    schema = "vendor.github-workflows"
    path = RECIPES / "github" / "audit.yml"
    done = ran(tool("check-jsonschema"), "--builtin-schema", schema, str(path))
    assert done.returncode == 0, done.stdout
    place = tmp_path / ".github" / "workflows" / "audit.yml"
    place.parent.mkdir(parents=True)
    shutil.copyfile(path, place)
    done = ran(tool("zizmor"), "--offline", "--no-progress", ".", cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_hadolint_finds_nothing():
    done = ran(tool("hadolint"), str(RECIPES / "container" / "Containerfile"))
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_systemd_takes_the_units(tmp_path):
    for name in ("auditlib-run.service", "auditlib-run.timer"):
        text = (RECIPES / name).read_text("utf-8")
        # The program is not installed where it would be.
        (tmp_path / name).write_text(text.replace("/opt/auditlib/bin/auditlib", sys.executable))
    done = ran(
        "systemd-analyze",
        "verify",
        *(str(tmp_path / n) for n in ("auditlib-run.service", "auditlib-run.timer")),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_the_crontab_has_a_time_a_user_and_a_command():
    lines = (RECIPES / "auditlib.cron").read_text("utf-8").splitlines()
    jobs = [
        line for line in lines if line and not line.startswith("#") and not re.match(r"\w+=", line)
    ]
    assert len(jobs) == 1
    minute, hour, day, month, weekday, user, command = jobs[0].split(maxsplit=6)
    assert (minute, hour, day, month, weekday) == ("17", "5", "*", "*", "1-5")
    assert user == "auditlib"
    assert "%" not in command  # cron would read it as a line break
    assert ran("sh", "-n", "-c", command).returncode == 0


@pytest.mark.parametrize(
    ("file", "command"),
    [
        ("auditlib.cron", "run"),
        ("auditlib-run.service", "run"),
        ("github/audit.yml", "run"),
        ("airflow/audit_dag.py", "collect"),
    ],
)
def test_what_a_recipe_starts_is_a_command_with_these_options(file, command):
    text = (RECIPES / file).read_text("utf-8")
    (options,) = set(re.findall(rf"auditlib {command}\b([^|>&\n`]*)(?=[|>&\n])", text))
    known = {option for param in main.commands[command].params for option in param.opts}
    assert set(re.findall(r"--[a-z-]+", options)) <= known
    if command == "run":
        assert options.split() == ["runs.yaml"]


def test_no_role_of_a_recipe_may_do_everything():
    for path in TEMPLATES:
        text = path.read_text("utf-8")
        assert "AdministratorAccess" not in text
        actions = re.findall(r'Action"?: *"?([a-z0-9]+:\*|\*)', text)
        assert actions == [], path.name


def test_what_is_assumed_is_the_role_that_is_made():
    made = cloudformation()
    assert made["Resources"]["Role"]["Properties"]["RoleName"] == {"Ref": "RoleName"}
    default = made["Parameters"]["RoleName"]["Default"]
    for name in ("github/oidc-role", "container/fargate"):
        asked = template(f"{name}.cloudformation.yaml")["Parameters"]["ReadingRoleName"]["Default"]
        assert asked == default
    assert f'"{default}"' in (ROOT / "docs/iam/read-only.tf").read_text("utf-8")


def test_the_stack_set_gives_the_role_what_it_asks_for():
    asked = cloudformation()["Parameters"]
    stack_set = template("member-roles.stackset.cloudformation.yaml")["Resources"]["ReadingRoles"]
    given = {p["ParameterKey"] for p in stack_set["Properties"]["Parameters"]}
    assert given <= set(asked)
    assert {name for name, one in asked.items() if "Default" not in one} <= given


def test_only_one_environment_of_one_repository_gets_the_role():
    role = template("github/oidc-role.cloudformation.yaml")["Resources"]["AuditRole"]["Properties"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    condition = statement["Condition"]
    assert set(condition) == {"StringEquals"}  # no pattern: nothing else is like it
    issuer = "token.actions.githubusercontent.com"
    assert condition["StringEquals"][f"{issuer}:aud"] == "sts.amazonaws.com"
    assert condition["StringEquals"][f"{issuer}:sub"] == {
        "Sub": "repo:${Repository}:environment:${Environment}"
    }


def test_the_container_is_not_root_and_writes_to_one_folder_and_a_bucket_only():
    task = template("container/fargate.cloudformation.yaml")["Resources"]["Task"]["Properties"]
    (container,) = task["ContainerDefinitions"]
    assert container["ReadonlyRootFilesystem"] is True
    assert container["User"] == "10001:10001"
    assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    assert [m["ContainerPath"] for m in container["MountPoints"]] == ["/scratch"]
    lines = (RECIPES / "container" / "Containerfile").read_text("utf-8").splitlines()
    assert (
        lines[[i for i, line in enumerate(lines) if line.startswith("USER")][-1]]
        == "USER 10001:10001"
    )
    assert all(re.search(r":\d+\.\d+\.\d+-", line) for line in lines if line.startswith("FROM"))


def test_the_task_may_do_in_its_bucket_what_the_run_in_the_image_needs():
    config = config_of(RECIPES / "container" / "runs.yaml")
    assert isinstance(config.output, Prefix)
    assert isinstance(config.history, Prefix)
    assert config.output.bucket == config.history.bucket
    task = template("container/fargate.cloudformation.yaml")["Resources"]["TaskRole"]["Properties"]
    (policy,) = task["Policies"]
    allowed = [
        action
        for statement in policy["PolicyDocument"]["Statement"]
        for action in (
            statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        )
    ]
    assert sorted(allowed) == sorted([*ACTIONS, "sts:AssumeRole"])


def test_the_dag_names_a_notebook_and_parameters_that_there_are():
    from auditlib.report import notebooks

    tree = ast.parse((RECIPES / "airflow" / "audit_dag.py").read_text("utf-8"))
    call = next(
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "PapermillOperator"
    )
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    assert "notebooks()['00-overview'].path" in ast.unparse(given["input_nb"])
    wanted = {key.value for key in given["parameters"].keys}
    assert wanted <= {p.name for p in notebooks()["00-overview"].parameters}


@pytest.mark.skipif(find_spec("airflow") is None, reason="Airflow is not installed here")
def test_the_dag_runs_against_the_sample(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(
        "import sys, json\n"
        f"sys.path.insert(0, {str(RECIPES / 'airflow')!r})\n"
        "import audit_dag\n"
        "task = audit_dag.dag.get_task('overview')\n"
        "task.parameters = {'snapshot': sys.argv[1]}\n"
        "task.output_nb = sys.argv[2]\n"
        "task.execute({})\n"
        "print(json.dumps([t.task_id for t in audit_dag.dag.topological_sort()]))\n"
    )
    out = tmp_path / "overview.ipynb"
    sample = ROOT / "auditlib" / "sample"
    done = ran(sys.executable, str(script), str(sample), str(out), cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == ["collect", "overview"]
    cells = json.loads(out.read_text("utf-8"))["cells"]
    assert any("outputs" in cell and cell["outputs"] for cell in cells)
