"""Plans as files: read one that somebody wrote, write what a preview leads to.

The scripts are for people: nothing in the kit runs them. They begin with a dry run, check the
account, stop for a yes before each window, note what they did, and roll back just that.
"""

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_type_hints

from auditlib import words
from auditlib.changes import (
    CHANGES,
    AddAuthorizationRule,
    ApplySecurityGroups,
    AuthorizeRule,
    Change,
    CreateSecurityGroup,
    ModifyLogging,
    RevokeRule,
    hcl,
    is_blank,
    is_new,
)
from auditlib.changes.preview import Preview, Step
from auditlib.config import text_in
from auditlib.errors import AuditError, ParameterError
from auditlib.export import records
from auditlib.language import marked, tr, tr_as
from auditlib.tables import nearest

__all__ = [
    "SPOKEN",
    "apply_script",
    "before_points",
    "cli_text",
    "plan_of",
    "preview_json",
    "rollback_script",
    "step_lines",
    "terraform_text",
    "undo_line",
    "verify_points",
    "window_title",
    "windows",
    "written",
]


# -- reading --------------------------------------------------------------------------------------


def plan_of(path: Path) -> tuple[Change, ...]:
    """Return the changes of a plan file, YAML or JSON.

    A plan is ``account``, ``region`` and ``changes``, a list; each has ``change`` (one of
    ``CHANGES``) and that change's own fields, and may name another account or region.

    Raises
    ------
    ParameterError
        When it is no such plan; names the entry and what is wrong with it.
    """
    try:
        text = text_in(path)
    except OSError as error:
        raise ParameterError(
            tr("{path} cannot be read: {error}.", path=path, error=error.strerror or error)
        ) from None
    except UnicodeDecodeError as error:
        raise ParameterError(
            tr("{path} cannot be read: {error}.", path=path, error=error)
        ) from None
    if path.suffix == ".json":
        try:
            plan = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ParameterError(
                tr("{path} is no JSON: {error}.", path=path, error=error)
            ) from None
    else:
        import yaml

        try:
            plan = yaml.safe_load(text)
        except Exception as error:
            # The library raises many kinds of errors for what nobody should have written.
            raise ParameterError(
                tr("{path} is no YAML: {error}.", path=path, error=error)
            ) from None
    if not isinstance(plan, dict) or not isinstance(plan.get("changes"), list):
        raise ParameterError(tr("{path} is no plan: it needs a list called changes.", path=path))
    if strange := set(plan) - {"account", "region", "changes"}:
        raise ParameterError(
            tr(
                "{path}: {keys} is not part of a plan.",
                path=path,
                keys=words.listed(sorted(map(str, strange))),
            )
        )
    place = {name: plan[name] for name in ("account", "region") if name in plan}
    return tuple(
        _change(tr("{file}, change {number}", file=path.name, number=number), place, entry)
        for number, entry in enumerate(plan["changes"], start=1)
    )


def _change(where: str, place: Mapping[str, Any], entry: Any) -> Change:
    if not isinstance(entry, dict) or "change" not in entry:
        raise ParameterError(
            tr(
                "{where}: an entry needs the key change, one of {kinds}.",
                where=where,
                kinds=tr_as("list", ", ").join(CHANGES),
            )
        )
    kind = entry["change"]
    if not isinstance(kind, str) or kind not in CHANGES:
        said = kind if isinstance(kind, str) else ""  # a list of lists may be without end
        raise ParameterError(f"{where}: {nearest(said, CHANGES, noun=marked('change'))}")
    made = CHANGES[kind]
    given = {**place, **{name: value for name, value in entry.items() if name != "change"}}
    known = {field.name: field for field in fields(made)}
    for name in given:
        if name not in known:
            noun = tr("field of {kind}", kind=kind)
            raise ParameterError(f"{where}: {nearest(str(name), known, noun=noun)}")
    for name, field in known.items():
        if name not in given and field.default is MISSING:
            raise ParameterError(
                tr("{where}: {kind} needs {name}.", where=where, kind=kind, name=name)
            )
    hints = get_type_hints(made)
    return made(**{name: _typed(f"{where}: {name}", hints[name], v) for name, v in given.items()})


def _typed(where: str, wanted: Any, value: Any) -> Any:
    kinds = get_args(wanted) if isinstance(wanted, UnionType) else (wanted,)
    if value is None and type(None) in kinds:
        return None
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        if any(str(kind).startswith("tuple") for kind in kinds):
            for item in value:
                _refuse_half_characters(where, item)
            return tuple(value)
    elif type(value) in kinds:
        _refuse_half_characters(where, value)
        return value
    if str in kinds and isinstance(value, int) and not isinstance(value, bool):
        raise ParameterError(
            tr('{where} must be text: put quotes around it, "{value}".', where=where, value=value)
        )
    names = {str: tr("text"), int: tr("a whole number"), bool: tr("true or false")}
    wants = words.listed(names.get(k, tr("a list of texts")) for k in kinds if k is not type(None))
    raise ParameterError(tr("{where} must be {wants}.", where=where, wants=wants))


def _refuse_half_characters(where: str, value: object) -> None:
    """Refuse what JSON can say and no script can hold."""
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ParameterError(
                tr("{where} holds half a character (a lone surrogate).", where=where)
            ) from None


# -- shell ----------------------------------------------------------------------------------------


def _variable(placeholder: str) -> str:
    name = re.sub(r"[^A-Z0-9]+", "_", placeholder.upper()).strip("_")
    return name if is_blank(placeholder) else f"ID_OF_{name}"


def _quoted(text: str) -> str:
    r"""Return a word for bash; what a terminal would obey, or a reader not see, is written out.

    >>> print(_quoted("it's"), _quoted("a" + chr(27) + "[31m'"))
    'it'"'"'s' $'a\x1b[31m\x27'
    """
    if text.isprintable():
        return shlex.quote(text)
    plain = (
        c if c.isprintable() and c not in "'\\" else "".join(f"\\x{b:02x}" for b in c.encode())
        for c in text
    )
    return f"$'{''.join(plain)}'"


def _word(word: str, placeholders: Iterable[str]) -> str:
    """Return a word of a command, quoted; a placeholder becomes its variable."""
    for one in placeholders:
        if word == one:
            return f'"{_value_of(one)}"'
        # In JSON a quotation mark inside a text is escaped, so this can be nothing but the value.
        for key in ("GroupId", "CloudwatchLogGroup"):
            told = f'"{key}": "{one}"'
            if word.startswith(("[", "{")) and told in word:
                before, after = word.split(told, 1)
                return (
                    shlex.quote(f'{before}"{key}": "')
                    + f'"{_value_of(one)}"'
                    + shlex.quote(f'"{after}')
                )
    return _quoted(word)


def _value_of(placeholder: str) -> str:
    """Return how a command reads a placeholder; one that has no value yet stops the shell."""
    return f"${{{_variable(placeholder)}:?}}"


def _command(change: Change) -> str:
    placeholders = change.uses
    return " ".join(_word(word, placeholders) for word in change.cli())


def step_lines(preview: Preview, step: Step) -> list[str]:
    """Return the AWS CLI text of a step; what a later step or the rollback needs is kept."""
    change = step.change
    used = {use for s in preview.steps for c in (s.change, s.inverse) for use in c.uses}
    call = f"aws {_command(change)}"
    if change.creates in used:
        call = f"{_variable(change.creates)}=$({call} --output text)"
    if isinstance(change, CreateSecurityGroup) and not change.open_egress:
        return [call, *_without_egress(change)]
    if isinstance(change, AddAuthorizationRule):
        return [call, f"# {tr('go on once this says active of the rule:')}", _look(change)]
    return [call]


def _look(change: AddAuthorizationRule) -> str:
    """Return the AWS CLI text that shows the authorization rules of a network, and which are active."""
    return (
        "aws ec2 describe-client-vpn-authorization-rules --client-vpn-endpoint-id "
        f"{_quoted(change.endpoint_id)} --region {_quoted(change.region)} --output text --filters "
        f"{_quoted(f'Name=destination-cidr,Values={change.destination_cidr}')} "
        "--query 'AuthorizationRules[].[Status.Code,AccessAll,GroupId]'"
    )


def undo_line(step: Step) -> str:
    """Return the AWS CLI text that undoes a step."""
    return f"aws {_command(step.inverse)}"


def cli_text(preview: Preview) -> str:
    """Return the steps as AWS CLI calls to read, window by window, and the rollback."""
    lines = [f"# {tr('Verdict: {verdict}', verdict=words.clean(preview.verdict, 2000))}"]
    for window in windows(preview.steps):
        lines += ["", f"# {window_title(window)}"]
        lines += [
            f"# {tr('Before: {text}', text=words.clean(text, 1000))}"
            for text in before_points(preview, window)
        ]
        for step in window:
            lines.append(f"# {step.number}. {words.clean(step.change.words(), 500)}")
            lines += step_lines(preview, step)
        lines += [
            f"# {tr('Verify: {text}', text=words.clean(text, 1000))}"
            for text in verify_points(window)
        ]
    lines += ["", f"# {tr('Rollback, if needed, in this order')}"]
    for step in reversed(preview.steps):
        inverse = step.inverse
        lines.append(f"# {step.number}. {words.clean(inverse.words(), 500)}")
        lines += [f"#    {inverse.waits_for}"] if inverse.waits_for else []
        lines.append(f"# {undo_line(step)}")
    return "\n".join(lines) + "\n"


def windows(steps: Iterable[Step]) -> list[list[Step]]:
    """Return the steps window by window."""
    found: list[list[Step]] = []
    for step in steps:
        if not found or found[-1][0].window != step.window:
            found.append([])
        found[-1].append(step)
    return found


def window_title(window: list[Step]) -> str:
    """Return what to call a window: how many steps, and whether sessions end.

    Under split tunnel a route that is added or removed ends sessions; otherwise it need not.
    """
    return tr(
        "{window}: {steps}; live sessions end"
        if any(step.change.resets_sessions for step in window)
        else "{window}: {steps}",
        window=tr(window[0].window),
        steps=words.count(len(window), "step"),
    )


def before_points(preview: Preview, window: list[Step]) -> list[str]:
    """Return what people settle before a window: what its switch of groups takes from users, for good."""
    lost = preview.access["change"].eq("lost") & preview.access["part"].ne("own_interface")
    losing = set(preview.access.loc[lost, "endpoint_id"])
    told = []
    for step in window:
        change, before = step.change, step.inverse
        if not isinstance(change, ApplySecurityGroups) or change.endpoint_id not in losing:
            continue
        held = before.group_ids if isinstance(before, ApplySecurityGroups) else ()
        group = next((id for id in change.group_ids if id not in held), change.group_ids[0])
        call = (
            'aws ec2 authorize-security-group-ingress --group-id "${RECEIVER_GROUP:?}" --protocol tcp '
            f'--port "${{PORT:?}}" --source-group {_word(group, change.uses)} '
            f"--region {_quoted(change.region)}"
        )
        told.append(
            tr(
                "stop here until it is decided what users of {endpoint} still need of what these changes close: "
                "no step keeps it. For each such receiver's group and port: {call}",
                endpoint=change.endpoint_id,
                call=call,
            )
        )
    return told


def verify_points(window: list[Step]) -> list[str]:
    """Return what to look at before the next window."""
    told = []
    made = [step.change for step in window]
    groups = {
        (c.group_id, c.region): None for c in made if isinstance(c, AuthorizeRule | RevokeRule)
    }
    for id, region in groups:
        if not is_new(id):
            call = (
                f"aws ec2 describe-security-group-rules --filters {shlex.quote(f'Name=group-id,Values={id}')} "
                f"--region {shlex.quote(region)}"
            )
            told.append(
                tr("{call} shows the rules of {group} as the steps say", call=call, group=id)
            )
    for change in made:
        if isinstance(change, ApplySecurityGroups):
            call = (
                "aws ec2 describe-client-vpn-target-networks --client-vpn-endpoint-id "
                f"{shlex.quote(change.endpoint_id)} --region {shlex.quote(change.region)} "
                "--query 'ClientVpnTargetNetworks[].SecurityGroups'"
            )
            told.append(
                tr(
                    "{call} shows these groups; so do the endpoint's interfaces; a test user "
                    "connects and reaches what they need",
                    call=call,
                )
            )
        if isinstance(change, ModifyLogging):
            call = (
                "aws ec2 describe-client-vpn-endpoints --client-vpn-endpoint-ids "
                f"{shlex.quote(change.endpoint_id)} --region {shlex.quote(change.region)} "
                "--query 'ClientVpnEndpoints[].ConnectionLogOptions'"
            )
            told.append(
                tr(
                    "{call} shows the log; a test user connects, and an entry appears in it",
                    call=call,
                )
            )
    if any(step.change.resets_sessions for step in window):
        told.append(tr("users connect again and reach what they need"))
    return told


SPOKEN = (
    marked("what follows; goes on only after a yes"),
    marked('the id that a step noted; "none" where it was not made'),
    marked("only ask AWS whether it would be allowed"),
    marked("These are credentials of account $account; this is for $expected_account."),
    marked("Type yes to go on: "),
    marked("Stopped; nothing of this window was changed."),
    marked("step $step cannot be tried before the steps it builds on are made"),
    marked("would be allowed"),
    marked("would fail: $answer"),
    marked("done before"),
    marked("not made, nothing to undo"),
    marked("AWS will likely refuse it: $hopeless"),
    marked("undone all the same"),
    marked("not undone; step $step stays as applied"),
    marked("Nothing was changed. Run with --apply to make the changes."),
    marked("until the rule is active; gives up after a while"),
    marked("waiting until the rule of $network is active"),
    marked("AWS could not make the rule of $network active: nothing further was changed."),
    marked(
        "The rule of $network is not active yet: nothing further was changed. See what it is, and run this again."
    ),
)
"""What the shell code below says to people, within quotation marks or a comment: each variable stays,
with a blank after it, and no language may add what a shell obeys."""


def _spoken(code: str) -> str:
    """Return shell code that speaks the language spoken."""
    for text in SPOKEN:
        code = code.replace(text, tr(text))
    return code


_HEAD = r"""
set -euo pipefail
export AWS_PAGER=''

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
journal="$here/applied.txt"
mode=dry-run
case "${1:---dry-run}" in
  --dry-run) ;;
  --apply) mode=apply ;;
  *) echo "usage: ${BASH_SOURCE[0]} [--dry-run|--apply]" >&2; exit 2 ;;
esac

account=$(aws sts get-caller-identity --query Account --output text)
if [[ "$account" != "$expected_account" ]]; then
  echo "These are credentials of account $account; this is for $expected_account." >&2
  exit 2
fi

confirm() {  # WINDOW: what follows; goes on only after a yes
  echo
  echo "== $1"
  if [[ "$mode" == apply ]]; then
    local answer=''
    read -r -p 'Type yes to go on: ' answer || true
    if [[ "$answer" != yes ]]; then
      echo 'Stopped; nothing of this window was changed.' >&2
      exit 1
    fi
  fi
}

is_done() { [[ -f "$journal" ]] && cut -f 1 "$journal" | grep -qx -- "$1"; }

id_of() {  # STEP: the id that a step noted; "none" where it was not made
  local id=''
  if [[ -f "$journal" ]]; then
    id=$(awk -F '\t' -v step="$1" '$1 == step { print $2 }' "$journal")
  fi
  if [[ "$id" =~ ^sgr?-[0-9a-z]+$ ]]; then echo "$id"; else echo none; fi
}

failed=0
try() {  # STEP arguments: only ask AWS whether it would be allowed
  local step=$1 answer=''
  shift
  if [[ " $* " == *'none'* && "$later" == yes ]]; then
    echo "   step $step cannot be tried before the steps it builds on are made"
    return
  fi
  answer=$(aws "$@" --dry-run 2>&1) || true
  if [[ "$answer" == *DryRunOperation* ]]; then
    echo '   would be allowed'
  else
    echo "   would fail: $answer" >&2
    failed=1
  fi
}
"""

_WAIT = r"""
wait_active() {  # ENDPOINT REGION NETWORK FILTERS QUERY: until the rule is active; gives up after a while
  local endpoint=$1 region=$2 network=$3 filters=$4 query=$5 state='' tries=0
  if [[ "$mode" != apply ]]; then return; fi
  echo "   waiting until the rule of $network is active"
  for ((tries = 1; tries <= 60; tries++)); do
    state=$(aws ec2 describe-client-vpn-authorization-rules --client-vpn-endpoint-id "$endpoint" \
      --region "$region" --filters "$filters" --query "$query" --output text)
    if [[ "$state" =~ ^active([[:space:]]+active)*$ ]]; then return; fi
    if [[ "$state" == *failed* ]]; then
      echo "AWS could not make the rule of $network active: nothing further was changed." >&2
      exit 1
    fi
    sleep "${POLL_SECONDS:-10}"
  done
  echo "The rule of $network is not active yet: nothing further was changed. See what it is, and run this again." >&2
  exit 1
}
"""

_APPLY = r"""
step() {  # STEP LATER WORDS arguments
  local step=$1 later=$2 what=$3 answer=''
  shift 3
  echo "-- $step. $what"
  if is_done "$step"; then
    echo '   done before'
  elif [[ "$mode" == dry-run ]]; then
    try "$step" "$@"
  else
    answer=$(aws "$@" --output text)
    printf '%s\t%s\n' "$step" "$answer" >> "$journal"
  fi
}
"""

_UNDO = r"""
undo() {  # STEP LATER WORDS arguments
  local step=$1 later=$2 what=$3
  shift 3
  if ! is_done "$step"; then
    echo "-- $step. not made, nothing to undo"
    return
  fi
  echo "-- $step. $what"
  if [[ -n "${hopeless:-}" ]]; then
    echo "   AWS will likely refuse it: $hopeless"
    if [[ "$mode" == apply ]] && aws "$@" --output text > /dev/null; then
      echo '   undone all the same'
    elif [[ "$mode" == apply ]]; then
      echo "   not undone; step $step stays as applied" >&2
      return
    else
      return
    fi
  elif [[ "$mode" == dry-run ]]; then
    try "$step" "$@"
  else
    aws "$@" --output text > /dev/null
  fi
  if [[ "$mode" == apply ]]; then
    awk -F '\t' -v step="$step" '$1 != step && $1 != step ".1"' "$journal" > "$journal.new"
    mv -- "$journal.new" "$journal"
  fi
}
"""

_FOOT = r"""
if [[ "$mode" == dry-run ]]; then
  echo
  echo "Nothing was changed. Run with --apply to make the changes."
fi
exit "$failed"
"""


def _actions(changes: Iterable[Change]) -> set[str]:
    """Return the IAM actions that changes need."""
    needed = set()
    for change in changes:
        needed.add(change.iam_action)
        if isinstance(change, CreateSecurityGroup) and not change.open_egress:
            needed |= {"ec2:DescribeSecurityGroupRules", "ec2:RevokeSecurityGroupEgress"}
        if isinstance(change, AddAuthorizationRule):
            needed.add("ec2:DescribeClientVpnAuthorizationRules")
    return needed


def _script(
    preview: Preview, about: str, actions: set[str], functions: str, body: list[str]
) -> str:
    accounts = {step.change.account for step in preview.steps}
    lines = [
        "#!/usr/bin/env bash",
        *_comment(about),
        *_comment(
            tr("Verdict of the preview: {verdict}", verdict=words.clean(preview.verdict, 2000))
        ),
        *_comment(
            tr(
                "Made by auditlib. Read it before you run it; without --apply it only asks AWS whether each\n"
                "call would be allowed, and changes nothing. With --apply it asks for a yes before each window.\n"
                "Needs the AWS CLI, credentials of account {account}, and these IAM actions:\n"
                "sts:GetCallerIdentity, {actions}\n"
                "Names may hold what looks like an expansion; in single quotes they stay as they are.",
                account=words.clean(min(accounts)),
                actions=", ".join(sorted(actions)),
            )
        ),
        "# shellcheck disable=SC2016,SC2317",
        _spoken(_HEAD)
        .strip("\n")
        .replace(
            "export AWS_PAGER=''",
            f"export AWS_PAGER=''\nexpected_account={shlex.quote(min(accounts))}",
            1,
        ),
    ]
    for blank in preview.blanks:
        name = _variable(blank)
        why = tr("set {name} first: only you know it", name=name)
        lines.append(f': "${{{name}:?{why}}}"')
    waits = any("wait_active" in line for line in body)
    functions = f"{functions}{_WAIT}" if waits else functions
    code = [_spoken(functions).rstrip("\n"), "", *body, _spoken(_FOOT).strip("\n")]
    return "\n".join([*lines, *code]) + "\n"


def _comment(text: str) -> list[str]:
    """Return text as comments: whatever it holds, nothing of it is obeyed."""
    return [f"# {line}" for line in text.splitlines()]


def _ids(step: Step) -> list[str]:
    made = step.change.creates
    return [f"{_variable(made)}=$(id_of {step.number})"] if made else []


def apply_script(preview: Preview) -> str:
    """Return the shell script that makes the changes, in windows, once somebody says yes."""
    body = []
    created = {step.change.creates: step.number for step in preview.steps if step.change.creates}
    used = {use for step in preview.steps for use in step.change.uses}
    for window in windows(preview.steps):
        body += [
            f"echo {shlex.quote(tr('Before: {text}', text=words.clean(text, 1000)))}"
            for text in before_points(preview, window)
        ]
        body.append(f"confirm {shlex.quote(window_title(window))}")
        for step in window:
            later = "yes" if any(use in created for use in step.change.uses) else "no"
            what = shlex.quote(words.clean(step.change.words(), 500))
            body.append(f"step {step.number} {later} {what} {_command(step.change)}")
            if step.change.creates in used:
                body += _ids(step)
            body += _waiting(step.change)
            if isinstance(step.change, CreateSecurityGroup) and not step.change.open_egress:
                note = f"{step.number}.1"
                body += [
                    f'if [[ "$mode" == apply ]] && ! is_done {note}; then',
                    *(f"  {line}" for line in _without_egress(step.change)),
                    f"  printf '%s\\t\\n' {note} >> \"$journal\"",
                    "fi",
                ]
        body += [
            f"echo {shlex.quote('   ' + tr('verify: {text}', text=words.clean(text, 1000)))}"
            for text in verify_points(window)
        ]
        body.append("")
    about = tr(
        "Makes the changes of a preview, step by step. What is done is noted in applied.txt beside\n"
        "this file: run it again to go on where it stopped, or rollback.sh to undo what was done."
    )
    return _script(preview, about, _actions(s.change for s in preview.steps), _APPLY, body)


def _waiting(change: Change) -> list[str]:
    """Return what waits until an authorization rule is active: what comes next may rest on it."""
    if not isinstance(change, AddAuthorizationRule):
        return []
    filters = [{"Name": "destination-cidr", "Values": [change.destination_cidr]}]
    query = "AuthorizationRules[?AccessAll].Status.Code"
    if change.group_id is not None:
        filters.append({"Name": "group-id", "Values": [change.group_id]})
        query = "AuthorizationRules[].Status.Code"
    asked = _quoted(json.dumps(filters))
    if is_blank(change.group_id):
        before, _, after = json.dumps(filters).partition(str(change.group_id))
        asked = f'{shlex.quote(before)}"{_value_of(str(change.group_id))}"{shlex.quote(after)}'
    told = (change.endpoint_id, change.region, change.destination_cidr)
    return [" ".join(["wait_active", *map(_quoted, told), asked, shlex.quote(query)])]


def _without_egress(change: CreateSecurityGroup) -> list[str]:
    """Return what takes AWS's outbound rules from a new group: they have ids only then."""
    variable, region = _variable(change.group_id), shlex.quote(change.region)
    return [
        f'rules=$(aws ec2 describe-security-group-rules --filters "Name=group-id,Values=${{{variable}}}" '
        "--query 'SecurityGroupRules[?IsEgress].SecurityGroupRuleId' "
        f"--output text --region {region})",
        'read -r -a rules <<< "$rules"',
        f'aws ec2 revoke-security-group-egress --group-id "${{{variable}}}" '
        f'--security-group-rule-ids "${{rules[@]}}" --output text --region {region} > /dev/null',
    ]


def rollback_script(preview: Preview) -> str:
    """Return the shell script that undoes what the other one noted as done, the last step first."""
    created = {step.change.creates for step in preview.steps if step.change.creates}
    used = {use for step in preview.steps for use in step.inverse.uses}
    body = [line for step in preview.steps if step.change.creates in used for line in _ids(step)]
    for window in reversed(windows(preview.steps)):
        body += ["", f"confirm {shlex.quote(tr('Undo {window}', window=window_title(window)))}"]
        for step in reversed(window):
            later = "yes" if any(use in created for use in step.inverse.uses) else "no"
            what = shlex.quote(words.clean(step.inverse.words(), 500))
            undo = f"undo {step.number} {later} {what} {_command(step.inverse)}"
            if step.refused:
                # It does not stop the steps that can be undone.
                undo = f"hopeless={shlex.quote(words.listed(step.refused))} {undo}"
            waiting = _waiting(step.inverse)
            if waiting:
                body.append(f"made=no; if is_done {step.number}; then made=yes; fi")
            body.append(undo)
            undone = f'[[ "$made" == yes ]] && ! is_done {step.number}'
            body += [f"if {undone}; then {line}; fi" for line in waiting]
    body.append("")
    about = tr(
        "Undoes the changes that apply.sh noted in applied.txt beside it, the last one first."
    )
    return _script(preview, about, _actions(s.inverse for s in preview.steps), _UNDO, body)


# -- Terraform and JSON ---------------------------------------------------------------------------


def terraform_text(preview: Preview) -> str:
    """Return the changes as Terraform text; what belongs into other resources is a comment."""
    verdict = tr("Verdict of the preview: {verdict}", verdict=words.clean(preview.verdict, 2000))
    parts = [
        hcl.comment(
            *tr(
                "Made by auditlib from a preview. What Terraform manages already is changed where it is\n"
                "written: see the comments. Add nothing here that AWS holds already without importing it."
            ).split("\n")
        )
        + f"# {verdict}\n"
    ]
    parts += [
        f"# {step.number}. {words.clean(step.change.words(), 500)}\n{step.change.terraform()}"
        for step in preview.steps
    ]
    return "\n".join(parts)


def preview_json(preview: Preview) -> dict[str, Any]:
    """Return a preview as JSON values."""
    return {
        "checks": list(preview.checks),
        "verdict": preview.verdict,
        "doubts": list(preview.doubts),
        "warnings": list(preview.warnings),
        "decisions": list(preview.decisions),
        "blanks": list(preview.blanks),
        "steps": [
            {
                "number": step.number,
                "window": step.window,
                "what": step.change.words(),
                "change": step.change.to_dict(),
                "cli": ["aws", *step.change.cli()],
                "inverse": step.inverse.to_dict(),
                "resets_sessions": step.change.resets_sessions,
                "iam_action": step.change.iam_action,
                "cuts_off": step.cuts_off,
            }
            for step in preview.steps
        ],
        "access": records(preview.access),
        "findings": records(preview.findings),
    }


def written(preview: Preview, out: Path) -> tuple[Path, ...]:
    """Write ``apply.sh``, ``rollback.sh``, ``main.tf`` and ``preview.json`` into a folder.

    Raises
    ------
    AuditError
        When there is nothing to apply, or the folder cannot be written.
    """
    from auditlib.export import json_text

    if not preview.steps:
        raise ParameterError(tr("There is no change to write: see what needs a human decision."))
    if len({step.change.account for step in preview.steps}) > 1:
        raise ParameterError(tr("The changes concern several accounts: make a plan for each."))
    texts = {
        "apply.sh": apply_script(preview),
        "rollback.sh": rollback_script(preview),
        "main.tf": terraform_text(preview),
        "preview.json": json_text(preview_json(preview)),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        if (out / "applied.txt").exists():
            raise ParameterError(
                tr(
                    "{out} holds the notes of an applied plan: choose another folder, or roll back first.",
                    out=out,
                )
            )
        for name, text in texts.items():
            (out / name).write_text(text, encoding="utf-8")
            (out / name).chmod(0o755 if name.endswith(".sh") else 0o644)
    except OSError as error:
        raise AuditError(
            tr("{out} cannot be written: {error}.", out=out, error=error.strerror or error)
        ) from None
    return tuple(out / name for name in texts)
