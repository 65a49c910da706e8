"""A shell script of AWS CLI calls that makes the same folder as ``collect``.

For a client who gives no credentials: they read the script, run it in CloudShell, and send the
zip. Made from the same table of reads; runs in any POSIX shell, with the AWS CLI and nothing else.
"""

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Any

from auditlib import __version__
from auditlib.aws.outcomes import UNKNOWN_TO_THE_CLI
from auditlib.aws.reads import READS, Read
from auditlib.snapshot import ERROR_SUFFIX, NOTES

__all__ = ["script_of"]

_HEAD = r"""#!/bin/sh
# Reads what an audit of AWS Client VPN endpoints needs, with the AWS CLI, into a folder.
# Made by auditlib @VERSION@. It only reads: every AWS call stands in this file.
#
#   sh collect.sh [-o FOLDER] [REGION ...]
#
# Credentials, profile and address are those of the AWS CLI (AWS_PROFILE and so on). A call that
# is refused leaves its error beside the place of its answer, and the rest goes on. Run again with
# the same folder, it reads only what is missing. Exits 0 when everything was read, 3 when part
# was refused or is not known to this AWS CLI, 2 when nothing could be read at all.
set -u
umask 077
LC_ALL=C AWS_PAGER='' AWS_CLI_AUTO_PROMPT=off
: "${AWS_RETRY_MODE:=standard}" "${AWS_MAX_ATTEMPTS:=5}"
export LC_ALL AWS_PAGER AWS_CLI_AUTO_PROMPT AWS_RETRY_MODE AWS_MAX_ATTEMPTS
@ENVIRONMENT@
out=snapshot
while getopts o:h option; do
  case $option in
  o) out=$OPTARG ;;
  *) echo "usage: sh $0 [-o FOLDER] [REGION ...]" >&2; exit 2 ;;
  esac
done
shift $((OPTIND - 1))
case $out in -*) out=./$out ;; esac

stop() {
  echo "collect: $1" >&2
  exit 2
}

command -v aws >/dev/null 2>&1 || stop "the AWS CLI (aws) is not installed"
identity=$(aws sts get-caller-identity --query '[Account,Arn]' --output text) ||
  stop "AWS does not say who is calling: sign in, or set AWS_PROFILE"
account=${identity%%[!0-9]*}
caller=${identity#"$account"}
case $account in
[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]) ;;
*) stop "AWS gave no account id" ;;
esac
@REGIONS@

mkdir -p "$out" || stop "$out cannot be made"
part=$out/.collect.part
trap 'rm -f "$part" "$part.error" "$part.names" "$part.refused" "$part.unknown"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
started=$(date -u +%Y-%m-%dT%H:%M:%SZ)
read_well=0
refused=0
unknown=0
seen=' '

# keep FILE COMMAND...: the answer in FILE.json, whole or not at all; else why not, beside it.
# An error that matches $none says "there is none", which is an answer too.
none=
keep() {
  file=$1
  shift
  if [ -f "$file.json" ]; then
    read_well=$((read_well + 1))
    return 0
  fi
  mkdir -p "${file%/*}" || stop "${file%/*} cannot be made"
  [ -t 2 ] && printf '%s\n' "${file#"$out"/}" >&2
  if "$@" --output json >"$part" 2>"$part.error" </dev/null; then
    mv "$part" "$file.json" || stop "$file.json cannot be written"
    rm -f "$file@ERROR@"
    read_well=$((read_well + 1))
  else
    [ -s "$part.error" ] || echo "no answer" >"$part.error"
    mv "$part.error" "$file@ERROR@" || stop "$file@ERROR@ cannot be written"
    if [ -n "$none" ] && grep -Eq "$none" "$file@ERROR@"; then
      read_well=$((read_well + 1))
    elif ! grep -q 'An error occurred (' "$file@ERROR@" && grep -Eq '@UNKNOWN@' "$file@ERROR@"; then
      unknown=$((unknown + 1))
      printf '%s\n' "$file@ERROR@" >>"$part.unknown"
    else
      refused=$((refused + 1))
      printf '%s\n' "$file@ERROR@" >>"$part.refused"
    fi
  fi
}

# named KEY FILE...: the texts that stand under a key, one a line. The AWS CLI prints one member
# a line, and a quote inside a text as \": nothing a text says can look like a key. What has a
# backslash or looks like the address of a file is left out.
named() {
  key=$1
  shift
  for answer in "$@"; do
    [ -f "$answer" ] && sed -n "s|^ *\"$key\": \"\([^\"\\\\]\{1,\}\)\",\{0,1\}\$|\1|p" "$answer"
  done | grep -v '://' | sort -u
}

# encoded TEXT: percent-encoded, in pieces that fit a file name.
encoded() {
  printf '%s' "$1" | od -An -v -tx1 | tr -s ' ' '\n' | awk '
    BEGIN {
      digits = "0123456789abcdef"
      for (code = 33; code < 127; code++) {
        char = sprintf("%c", code)
        if (char ~ /[A-Za-z0-9_.~-]/) plain[code] = char
      }
    }
    length($0) == 2 {
      code = (index(digits, substr($0, 1, 1)) - 1) * 16 + index(digits, substr($0, 2, 1)) - 1
      text = text ((code in plain) ? plain[code] : "%" toupper($0))
    }
    END {
      while (length(text) > 200) {
        printf "%s/", substr(text, 1, 200)
        text = substr(text, 201)
      }
      printf "%s", text
    }'
}

collect_region() {
  region=$1
  at=$out/$account/$region
"""

_TAIL = r"""}

for region in "$@"; do
  case $region in
  *[!a-z0-9-]* | '' | -*) stop "$region is no region" ;;
  esac
done
for region in "$@"; do
  echo "reading $region ..." >&2
  collect_region "$region"
done

{
  echo "kit: auditlib @VERSION@"
  echo "aws-cli: $(aws --version 2>&1)"
  echo "caller: ${caller#?}"
  echo "started: $started"
  echo "finished: $(date -u +%Y-%m-%dT%H:%M:%SZ)"
} >"$part"
mv "$part" "$out/@NOTES@" || stop "$out/@NOTES@ cannot be written"

echo "$read_well answers in $out, $refused refused, $unknown not known to this AWS CLI"
if [ "$refused" -gt 0 ]; then
  echo "refused (why stands in each file):"
  sed 's/^/  /' "$part.refused"
fi
if [ "$unknown" -gt 0 ]; then
  echo "this AWS CLI does not know these calls; update it and run again with -o '$out':"
  sed 's/^/  /' "$part.unknown"
fi
echo "to send it: zip -qr '$out.zip' '$out'"
[ "$((refused + unknown))" -eq 0 ] || exit 3
"""


def script_of(
    *,
    regions: Iterable[str] = (),
    all_regions: bool = False,
    profile: str | None = None,
    endpoint_url: str | None = None,
) -> str:
    """Return the script; regions given to it when it runs take the place of these."""
    environment = [
        f"# shellcheck disable=SC2016 # as given\nexport {name}={shlex.quote(value)}"
        for name, value in (("AWS_PROFILE", profile), ("AWS_ENDPOINT_URL", endpoint_url))
        if value
    ]
    text = "".join((_HEAD, *_calls(), _TAIL))
    for mark, value in {
        "@ENVIRONMENT@\n": "".join(f"{line}\n" for line in environment),
        "@REGIONS@": _regions(tuple(regions), all_regions),
        "@VERSION@": __version__,
        "@UNKNOWN@": UNKNOWN_TO_THE_CLI,
        "@ERROR@": ERROR_SUFFIX,
        "@NOTES@": NOTES,
    }.items():
        text = text.replace(mark, value)
    return text


def _regions(regions: tuple[str, ...], all_regions: bool) -> str:
    if regions:
        return f"[ $# -gt 0 ] || set -- {shlex.join(regions)}"
    if all_regions:
        # The region asked does not matter; one must be named where none is configured.
        found = (
            '$(aws ec2 describe-regions --region "${AWS_REGION:-${AWS_DEFAULT_REGION:-us-east-1}}"'
            " --query 'Regions[].RegionName' --output text)"
        )
        return f"""if [ $# -eq 0 ]; then
  regions={found} || stop "the regions are not told: name them"
  # shellcheck disable=SC2086 # one word each
  set -- $regions
fi"""
    return """if [ $# -eq 0 ]; then
  set -- "${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region)}}"
  [ -n "$1" ] || stop "no region: name one or more"
fi"""


def _calls() -> Iterator[str]:
    """Yield the lines that make the calls of one region, parents before what they name."""
    for read in READS:
        if not read.resource_paths:
            yield f'  keep "$at/{read.id}" \\\n    {_command(read)}\n'
    named: dict[tuple[Any, ...], list[Read]] = {}
    for read in READS:
        if read.resource_paths:
            named.setdefault((read.resource_paths, read.resources_there), []).append(read)
    for (paths, there), reads in named.items():
        yield from _loop(paths, there, reads)


def _loop(
    paths: tuple[tuple[str, str], ...], there: tuple[str, ...], reads: list[Read]
) -> Iterator[str]:
    """Yield the lines that make these reads for every resource named at the paths."""
    yield "  {\n"
    for parent, path in paths:
        yield f'    named {path.rsplit(".", 1)[-1]} "$at/{parent}.json"\n'
    # The names go through a file descriptor of their own: a pipe would run the loop in a subshell,
    # and its counts would be lost.
    yield '  } >"$part.names"\n'
    if there:
        yield f'  [ -s "$part.names" ] && printf \'%s\\n\' {shlex.join(there)} >"$part.names"\n'
    yield '  while IFS= read -r resource <&3; do\n    name=$(encoded "$resource")\n'
    for read in reads:
        yield from _one_call(read)
    yield '  done 3<"$part.names"\n'


def _one_call(read: Read) -> Iterator[str]:
    """Yield the lines that make one read for ``$resource``, which ``$name`` is the file name of."""
    indent, at = "    ", '"$at"'
    if read.region:
        # The same in every region, so once is enough.
        at = f'"$out/$account/{read.region}"'
        yield f'    case $seen in *" {read.id}/$name "*) ;; *)\n'
        yield f'      seen="${{seen}}{read.id}/$name "\n'
        indent = "      "
    none = ""
    if read.absent_codes:
        codes = "|".join(re.escape(c).replace(r"\*", "[^()]*") for c in read.absent_codes)
        none = f"An error occurred \\(({codes})\\)"
        yield f"{indent}none={shlex.quote(none)}\n"
    yield f'{indent}keep {at[:-1]}/{read.id}/$name" \\\n{indent}  {_command(read)} '
    yield f'{_option(str(read.resource_parameter))}="$resource"\n'
    if none:
        yield f"{indent}none=\n"
    if read.region:
        yield "    esac\n"


def _command(read: Read) -> str:
    return " ".join(_words(read))


def _words(read: Read) -> Iterator[str]:
    yield from ("aws", read.service, read.operation, '--region "$region"')
    for name, value in read.parameters.items():
        yield from _argument(name, value)
    if read.page_size:
        yield f"--page-size {read.page_size}"
    if read.most:
        yield f"--max-items {read.most}"
    if read.members:
        yield f"--query {shlex.quote(_kept(read))}"


def _kept(read: Read) -> str:
    """Return what is kept of an answer, as the AWS CLI is told it."""
    members = "{" + ", ".join(f"{member}: {member}" for member in read.members) + "}"
    key = read.result_key
    return members if key is None else f"{{{key}: {key}[].{members}}}"


def _argument(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, bool):
        yield _option(name) if value else _option(name).replace("--", "--no-", 1)
    elif isinstance(value, str):
        yield f"{_option(name)} {shlex.quote(value)}"
    else:
        yield f"{_option(name)} {shlex.quote(json.dumps(value))}"


def _option(parameter: str) -> str:
    """Return a request parameter as the AWS CLI spells it.

    >>> _option("ClientVpnEndpointId"), _option("logGroupNamePrefix"), _option("SAMLProviderArn")
    ('--client-vpn-endpoint-id', '--log-group-name-prefix', '--saml-provider-arn')
    """
    return "--" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", parameter).lower()
