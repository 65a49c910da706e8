"""The command line: thin commands over the library, imported only when they run.

Exit status, for every command: 0 done and nothing to report; 1 findings, or problems in what was
verified; 2 wrong usage or unreadable input, told in one line; 3 part could not be read or
assessed; 70 a bug in the kit (the only case that shows a traceback); 130 interrupted.
"""

import errno
import os
import sys
import traceback
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditlib import __version__
from auditlib.characters import visible
from auditlib.commands import Group
from auditlib.errors import AuditError, ParameterError
from auditlib.language import tr
from auditlib.own import own_process
from auditlib.prefix import SCHEME, prefix_of

if TYPE_CHECKING:
    from auditlib.check import Finding
    from auditlib.comparison import Comparison
    from auditlib.pseudonyms import Pseudonyms

__all__ = ["main"]

NOT_ALL_READ = 3
A_BUG = 70
INTERRUPTED = 130
_CANNOT_WRITE = {errno.ENOSPC, errno.EFBIG, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)}

SEVERITY = click.Choice(["info", "low", "medium", "high", "critical"])
ACCEPTED = "YAML file of accepted risks: they stay visible, and do not count."
REDACT = "Replace every name, id, address and account by a pseudonym (docs/redaction.md)."
REDACT_KEY = (
    "File of the key that pseudonyms are worked out with, made where there is none; without "
    "it the key is new and not kept."
)
FAIL_ON = "Exit 1 on a finding of this severity or worse."
_REPORT_EXITS = " Else 3 when something was not or only partly assessed. Without it, 0 once made."


_DIFF_EXITS = (
    "Exit 1 on a finding of this severity or worse that was not there before. Else 3 when "
    "not all could be compared. Without it, 0."
)
_TRAIL = (
    "Ask CloudTrail, too, who changed what within so many days (at most 90), for `auditlib diff`; "
    "some half a minute a region."
)
_HISTORY = "Folder of a history, for the age of findings and those that came back."


def one_line(text: object) -> str:
    """Return the text on one line, what a terminal would obey written out.

    >>> one_line("a  b" + chr(10) + chr(27) + "[31m")
    'a b [U+001B][31m'
    """
    return visible(" ".join(str(text).split()))


class _Place(click.Path):
    """A path, or a place in S3: what lies there is fetched for as long as the command runs."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a path."""
        if not isinstance(value, str) or not value.startswith(SCHEME) or ctx is None:
            return super().convert(value, param, ctx)
        from auditlib.mirror import fetched

        place = prefix_of(value)
        path = ctx.with_resource(fetched(place))
        ctx.meta.setdefault(_FETCHED, {})[path] = str(place)
        return path


class _Here(click.Path):
    """A path on this machine."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a path."""
        if isinstance(value, str) and value.startswith(SCHEME):
            self.fail(
                tr("{value} lies in S3, and this must be a path on this machine", value=value),
                param,
                ctx,
            )
        return super().convert(value, param, ctx)


_FETCHED = "auditlib.fetched"


def _as_given(text: object, ctx: click.Context | None = None) -> str:
    """Return what is said of a folder that was fetched as said of its place in S3."""
    told = str(text)
    for path, place in (ctx or click.get_current_context()).meta.get(_FETCHED, {}).items():
        told = told.replace(str(path), place)
    return told


_BRIEF = {"check", "controls", "explain", "find", "preview", "reach"}
"""Commands that neither read nor write Parquet nor run another program; see :func:`own_process`."""

PLACE = _Place(path_type=Path)
HERE = _Here(path_type=Path)


class _Refusal(click.ClickException):
    """An error the kit raises on purpose: one line, exit 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        click.echo(f"auditlib: {one_line(self.message)}", err=True)


class _Commands(Group):
    """Turns every way a command can end badly into a line and an exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()  # a full disk shows now, not when Python has gone
        except AuditError as error:
            raise _Refusal(_as_given(error, ctx)) from error
        except KeyboardInterrupt:
            click.echo(tr("auditlib: interrupted"), err=True)
            ctx.exit(INTERRUPTED)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise
        except OSError as error:
            if error.errno not in _CANNOT_WRITE:
                _tell_of_a_bug()
                ctx.exit(A_BUG)
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            what = error.filename or tr("the output")
            raise _Refusal(
                tr("{what} cannot be written ({error.strerror}): make room", what=what, error=error)
            ) from error
        except Exception:
            # Not 1, which would read as "findings".
            _tell_of_a_bug()
            ctx.exit(A_BUG)


def _tell_of_a_bug() -> None:
    traceback.print_exc()
    click.echo(tr("auditlib: this is a bug in the kit; nothing was concluded"), err=True)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="auditlib")
def main() -> None:
    """Audit the security groups around AWS Client VPN endpoints.

    A snapshot that is read, or a history, may also lie in S3: s3://BUCKET/PREFIX.
    """
    context = click.get_current_context()
    context.with_resource(own_process(brief=context.invoked_subcommand in _BRIEF))


@main.command()
@click.option("--out", type=HERE, help="Folder (or .zip) to write.")
@click.option("--profile", help="Profile of your AWS configuration.")
@click.option("--region", "regions", multiple=True, help="Region to read; may be repeated.")
@click.option("--all-regions", is_flag=True, help="Read every region enabled for the account.")
@click.option("--role-arn", help="Role to assume for reading.")
@click.option("--external-id", help="External id the role asks for.")
@click.option(
    "--session-name",
    default="auditlib",
    show_default=True,
    help="Name of the role session, as CloudTrail shows it.",
)
@click.option("--endpoint-url", help="Address to call instead of AWS.")
@click.option("--resume", is_flag=True, help="Read only what the folder lacks.")
@click.option("--trail", type=click.IntRange(1, 90), metavar="DAYS", help=_TRAIL)
@click.option("--script", is_flag=True, help="Print a shell script of AWS CLI calls instead.")
def collect(  # noqa: PLR0917 # click calls it by keyword
    out: Path | None,
    profile: str | None,
    regions: tuple[str, ...],
    all_regions: bool,
    role_arn: str | None,
    external_id: str | None,
    session_name: str,
    endpoint_url: str | None,
    resume: bool,
    trail: int | None,
    script: bool,
) -> None:
    """Read an account and keep the answers as a snapshot.

    Only reads. Credentials come from your AWS configuration (environment, profile, SSO); none is
    taken as an option. Exits 3 when part could not be read, 130 after Ctrl-C; the snapshot is
    valid either way and says what is missing.
    """
    if regions and all_regions:
        raise click.UsageError(tr("give --region or --all-regions, not both"))
    if script:
        if out or role_arn or external_id or resume:
            raise click.UsageError(
                tr("--script goes with --profile, --region, --all-regions and --endpoint-url only")
            )
        if trail:
            raise click.UsageError(
                tr(
                    "--script does not go with --trail: an event of CloudTrail holds more than is to be "
                    "kept, and the AWS CLI cannot take it out"
                )
            )
        from auditlib.aws.script import script_of

        click.echo(
            script_of(
                regions=regions,
                all_regions=all_regions,
                profile=profile,
                endpoint_url=endpoint_url,
            ),
            nl=False,
        )
        return
    if out is None:
        raise click.UsageError(tr("missing option '--out': where to write the snapshot"))
    if external_id and not role_arn:
        raise click.UsageError(tr("--external-id goes with --role-arn"))
    from auditlib.aws.collect import collect as run
    from auditlib.aws.collect import summary_of

    with _progress() as progress:
        collected = run(
            out,
            profile=profile,
            regions=regions,
            all_regions=all_regions,
            role_arn=role_arn,
            external_id=external_id,
            session_name=session_name,
            endpoint_url=endpoint_url,
            resume=resume,
            trail=trail,
            progress=progress,
        )
    if resume:
        click.echo(
            tr("kept: {collected.kept} answers of the earlier collection", collected=collected)
        )
    for line in summary_of(collected.manifest):
        click.echo(one_line(line))
    click.echo(tr("snapshot: {out}", out=one_line(out)))
    if collected.interrupted:
        click.echo(tr("interrupted: run again with --resume to read the rest"), err=True)
        _leave(INTERRUPTED)
    if any(call.status != "ok" for call in collected.manifest.calls):
        sys.exit(NOT_ALL_READ)


@main.command()
@click.option("--profile", help="Profile of your AWS configuration.")
@click.option("--region", "regions", multiple=True, help="Region to ask in; may be repeated.")
@click.option("--all-regions", is_flag=True, help="Ask in every region enabled for the account.")
@click.option("--role-arn", help="Role to assume for reading.")
@click.option("--external-id", help="External id the role asks for.")
@click.option("--endpoint-url", help="Address to call instead of AWS.")
@click.option("--trail", is_flag=True, help="Ask for CloudTrail's events too.")
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="table for people, json for programs.",
)
def permissions(  # noqa: PLR0917 # click calls it by keyword
    profile: str | None,
    regions: tuple[str, ...],
    all_regions: bool,
    role_arn: str | None,
    external_id: str | None,
    endpoint_url: str | None,
    trail: bool,
    style: str,
) -> None:
    """Tell which reads AWS would refuse, and what that costs the report, before collecting.

    Asks AWS itself: EC2 with DryRun, which reads nothing; other services, and the calls that name
    what others ask about, for their first page, of which nothing is kept. Of reads made per
    resource one is tried. Exits 3 when a read would be refused or it cannot be told.
    """
    if regions and all_regions:
        raise click.UsageError(tr("give --region or --all-regions, not both"))
    if external_id and not role_arn:
        raise click.UsageError(tr("--external-id goes with --role-arn"))
    from auditlib.aws.permissions import permissions as asked
    from auditlib.summary import cost_of

    found = asked(
        profile=profile,
        regions=regions,
        all_regions=all_regions,
        role_arn=role_arn,
        external_id=external_id,
        endpoint_url=endpoint_url,
        trail=trail,
    )
    rows: list[dict[str, Any]] = [
        {
            "account": one.account,
            "region": one.region,
            "service": one.read.service,
            "operation": one.read.operation,
            "iam_action": one.read.iam_action,
            "state": one.state,
            "why": one.why,
            "leaves_open": list(cost_of(one.read)) if one.state in {"refused", "unknown"} else [],
        }
        for one in found
    ]
    if style == "json":
        from auditlib import export

        click.echo(export.json_text(rows), nl=False)
    else:
        from auditlib.terminal import print_permissions

        print_permissions(rows)
    if any(row["state"] in {"refused", "unknown"} for row in rows):
        sys.exit(NOT_ALL_READ)


def _leave(status: int) -> None:
    """Leave at once: a request still waiting for its answer must not hold up the one who left."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


@main.command()
@click.argument("snapshot", type=PLACE)
def verify(snapshot: Path) -> None:
    """Check a snapshot: every file is there, whole, and unchanged since it was collected.

    Exits 0 when it is, 1 when something differs (each on a line), 3 when there is no manifest to
    check against.
    """
    from auditlib.snapshot import load
    from auditlib.snapshot import verify as problems_of

    problems = problems_of(snapshot)
    for problem in problems:
        click.echo(one_line(_as_given(problem)))
    if problems:
        sys.exit(1)
    loaded = load(snapshot)
    answered = sum(call.file is not None for call in loaded.calls)
    if not loaded.has_manifest:
        click.echo(
            tr(
                "{answered} answers can be read; no manifest.json to check them against",
                answered=answered,
            )
        )
        sys.exit(NOT_ALL_READ)
    # AWS answers some calls by an error that says there is nothing: they are read, and have no file.
    empty = sum(call.status == "ok" and call.file is None for call in loaded.calls)
    about = {"answers": answered + empty, "files": answered, "digest": loaded.digest}
    click.echo(
        tr(
            "{answers} answers: {files} files, all as collected, "
            "and {empty} that said there is nothing; sha256 {digest}",
            **about,
            empty=empty,
        )
        if empty
        else tr("{answers} answers: {files} files, all as collected; sha256 {digest}", **about)
    )


@main.command()
@click.argument("snapshot", type=PLACE)
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "json", "csv", "ocsf", "asff", "junit"]),
    default="table",
    show_default=True,
    help="table for people, json and csv for programs, ocsf for security lakes, asff for Security "
    "Hub, junit for CI.",
)
@click.option("--accepted", type=HERE, help=ACCEPTED)
@click.option("--fail-on", type=SEVERITY, default="low", show_default=True, help=FAIL_ON)
def check(snapshot: Path, style: str, accepted: Path | None, fail_on: str) -> None:
    """Judge a snapshot and print what was found.

    Exits 1 when something at or above --fail-on was found and not accepted. Else 3 when any check,
    even one that found something milder, could not be assessed or only in part: there may be more.
    Else 0.
    """
    from auditlib.audit import open_audit

    audit = open_audit(snapshot, accepted)
    if style == "table":
        from auditlib.terminal import print_audit, print_lines

        print_audit(audit)
        print_lines(
            [
                tr(
                    "As pages with all evidence: auditlib report {snapshot} --out DIR",
                    snapshot=_as_given(snapshot),
                )
            ]
        )
    else:
        from auditlib import export

        click.echo(export.text_of(audit, style), nl=False)
        if audit.accepted is not None:
            for notice in audit.accepted.notices(audit.findings):
                click.echo(f"auditlib: {one_line(notice)}", err=True)
    sys.exit(_exit_status(audit.findings, fail_on))


@main.command()
@click.argument("snapshot", type=PLACE)
@click.option("--out", type=HERE, required=True, help="Folder to write.")
@click.option(
    "--format",
    "formats",
    type=click.Choice(["xlsx", "csv", "json", "ocsf", "asff", "junit"]),
    multiple=True,
    help="Only this format; may be repeated.",
)
@click.option("--accepted", type=HERE, help=ACCEPTED)
@click.option("--redact", is_flag=True, help=REDACT)
@click.option("--redact-key", type=HERE, help=REDACT_KEY)
def export(  # noqa: PLR0917 # click calls it by keyword
    snapshot: Path,
    out: Path,
    formats: tuple[str, ...],
    accepted: Path | None,
    redact: bool,
    redact_key: Path | None,
) -> None:
    """Write the findings for the places where clients keep theirs.

    A workbook, CSV (a file per sheet and per table), JSON, OCSF, Security Hub's ASFF (a file per
    call of BatchImportFindings) and JUnit XML; all of them say the same.
    """
    from auditlib.audit import open_audit
    from auditlib.export import FORMATS, export_audit

    audit = open_audit(snapshot, accepted)
    names = _pseudonyms(redact, redact_key)
    if names is not None:
        from auditlib.redaction import redacted_audit

        audit = redacted_audit(audit, names)
    written = export_audit(audit, out, formats or FORMATS)
    click.echo(tr("{number} files in {out}", number=len(written), out=one_line(out)))


def _pseudonyms(redact: bool, key_file: Path | None) -> "Pseudonyms | None":
    """Return the pseudonyms to redact with, if that was asked for; naming a key file asks for it."""
    if not redact and key_file is None:
        return None
    from auditlib.pseudonyms import Pseudonyms
    from auditlib.redaction import key_in

    return Pseudonyms(key_in(key_file))


@main.command()
@click.argument("snapshot", type=PLACE)
@click.option("--out", type=HERE, required=True, help="Folder (or .zip) to write.")
@click.option("--redact-key", type=HERE, help=REDACT_KEY)
def redact(snapshot: Path, out: Path, redact_key: Path | None) -> None:
    """Write a snapshot in which every name, id, address and account is a pseudonym.

    Every command takes it as it takes any snapshot, and finds the same: a client can hand it to
    an auditor who is not to know more. Refused where a check would find something else in it.
    """
    from auditlib.audit import open_audit
    from auditlib.redaction import redacted_audit
    from auditlib.snapshot import refuse_to_overwrite, save

    refuse_to_overwrite(out)
    names = _pseudonyms(True, redact_key)
    if names is not None:
        save(redacted_audit(open_audit(snapshot), names).snapshot, out)
        click.echo(tr("snapshot: {out}", out=one_line(out)))


@main.command()
@click.argument("snapshot", type=PLACE)
@click.argument("check")
@click.argument("resource")
@click.option("--reason", required=True, help="Why it is accepted.")
@click.option("--owner", required=True, help="Who answers for it.")
@click.option("--until", required=True, metavar="YYYY-MM-DD", help="The last day it holds.")
@click.option("--reference", default="", help="A ticket or document.")
@click.option(
    "--file",
    type=HERE,
    default=Path("accepted.yaml"),
    show_default=True,
    help="File to add it to; made where there is none.",
)
@click.option("--unmatched", is_flag=True, help="Add it even though no evidence matches it.")
def accept(  # noqa: PLR0917 # click calls it by keyword
    snapshot: Path,
    check: str,
    resource: str,
    reason: str,
    owner: str,
    until: str,
    reference: str,
    file: Path,
    unmatched: bool,
) -> None:
    """Accept a risk: evidence of CHECK about RESOURCE, until a day.

    RESOURCE is an id in the evidence, or a pattern with * and ?; account/region/id narrows it to a
    place. The entry is added to a file that check and report take by --accepted; the file keeps
    its comments and its order. Refused where nothing matches.
    """
    from auditlib.accepted import accept as add
    from auditlib.accepted import day_of
    from auditlib.audit import open_audit
    from auditlib.words import count

    rows = add(
        open_audit(snapshot),
        file,
        check=check,
        resource=resource,
        reason=reason,
        owner=owner,
        until=day_of(until),
        reference=reference,
        unmatched=unmatched,
    )
    click.echo(
        tr(
            "{file}: accepts {rows} of evidence until {until}",
            file=one_line(file),
            rows=count(rows, "piece"),
            until=until,
        )
    )


@main.command()
@click.argument("snapshot", type=PLACE)
@click.option("--framework", default="", help='Only this framework, as "CIS AWS 7.0.0".')
@click.option("--accepted", type=HERE, help=ACCEPTED)
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="table for people, json and csv for programs.",
)
def controls(snapshot: Path, framework: str, accepted: Path | None, style: str) -> None:
    """Answer published controls for the account: met or not, where a check asks the very same thing.

    Of wider controls it says whether findings bear on them. Exits 1 when evidence that nobody
    accepted speaks against a control, else 3 when one could not be assessed, else 0.
    """
    from auditlib.audit import open_audit
    from auditlib.controls import answers

    audit = open_audit(snapshot, accepted)
    frame = answers(audit, framework)
    if style == "table":
        from auditlib.terminal import print_controls

        print_controls(audit, frame)
    else:
        from auditlib import export

        text = (
            export.json_text(export.records(frame)) if style == "json" else export.csv_text(frame)
        )
        click.echo(text, nl=False)
    counted = frame["answer"].isin(["not_met", "findings_bear"]) & frame["evidence"].gt(0)
    if counted.any():
        sys.exit(1)
    sys.exit(NOT_ALL_READ if frame["answer"].eq("not_assessed").any() else 0)


@main.command()
@click.argument("id", required=False)
def checks(id: str | None) -> None:
    """List the checks, or explain one: why, what to do, what it reads, which controls."""
    from auditlib.catalogue import check_called, explanation
    from auditlib.terminal import print_checks, print_lines

    if id is None:
        print_checks()
    else:
        print_lines(explanation(check_called(id)))


def _exit_status(findings: tuple["Finding", ...], fail_on: str) -> int:
    """Return 1 on findings at or above a severity, 3 when something was not assessed, else 0."""
    from auditlib.check import Severity, Status

    worst = Severity(fail_on).rank
    failed = [f for f in findings if f.status is Status.FAIL]
    if any(finding.check.severity.rank >= worst for finding in failed):
        return 1
    return NOT_ALL_READ if any(len(finding.gaps) for finding in findings) else 0


@main.command()
@click.argument("snapshot", type=PLACE)
@click.option("--export", "out", type=HERE, help="Folder to write them to.")
@click.option(
    "--format",
    "style",
    type=click.Choice(["csv", "parquet"]),
    default="csv",
    show_default=True,
    help="Format of the export.",
)
def tables(snapshot: Path, out: Path | None, style: str) -> None:
    """List the tables of a snapshot with their sizes and gaps, or export them."""
    from auditlib.audit import open_audit, tables_overview

    audit = open_audit(snapshot)
    if out is not None:
        from auditlib.export import export_tables

        written = export_tables(audit, out, "parquet" if style == "parquet" else "csv")
        click.echo(tr("{number} files in {out}", number=len(written), out=one_line(out)))
        return
    from auditlib.terminal import print_frame

    print_frame(tables_overview(audit))


@main.command()
@click.argument("snapshot", type=PLACE)
@click.option("--endpoint", help="Endpoint id or Name tag; every endpoint when not given.")
@click.option("--group", help="Group id of an authorization rule, or * for a user in no group.")
@click.option("--to", metavar="ENI-OR-IP", help="Interface id or address.")
@click.option("--port", type=int, help="Port (ICMP: type).")
@click.option("--protocol", help="tcp, udp, icmp, icmpv6 or an IANA number.")
@click.option("--summary", is_flag=True, help="One row for all associations of an endpoint.")
@click.option("--via", is_flag=True, help="Show every hop in the table (json and csv always do).")
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="table for people, json and csv for programs.",
)
def reach(  # noqa: PLR0917 # click calls it by keyword
    snapshot: Path,
    endpoint: str | None,
    group: str | None,
    to: str | None,
    port: int | None,
    protocol: str | None,
    summary: bool,
    via: bool,
    style: str,
) -> None:
    """Tell who reaches what through the VPN, on which ports, by which rules.

    Exits 3 when part of the paths could not be read: what is missing from the answer may still be
    reachable. A Cedar policy can only take away from the answer; one that could not be read also
    makes it exit 3.
    """
    from auditlib.access import BOUNDS, TABLES, endpoint_of, nobody_at
    from auditlib.audit import open_audit

    audit = open_audit(snapshot)
    if endpoint is not None:
        endpoint = endpoint_of(audit.tables, endpoint)
    frame = audit.reach(
        endpoint=endpoint, group=group, to=to, port=port, protocol=protocol, summary=summary
    )
    gaps = audit.tables.gaps(*TABLES, *BOUNDS)
    if endpoint is not None:
        endpoints = audit.tables["client_vpn_endpoints"]
        region = endpoints.loc[endpoints["endpoint_id"] == endpoint, "region"].iloc[0]
        other = gaps["resource"].isin(set(endpoints["endpoint_id"]) - {endpoint})
        gaps = gaps[(gaps["region"] == region) & ~other]
    if style == "table":
        from auditlib.terminal import print_gaps, print_lines, print_reach

        print_reach(frame, via=via)
        if to is not None and (nobody := nobody_at(audit.tables, to)):
            print_lines([nobody])
        print_gaps(gaps, file=sys.stderr)
    else:
        from auditlib import export

        text = (
            export.json_text(export.records(frame))
            if style == "json"
            else export.csv_text(frame.assign(via=frame["via"].str.join("; ").astype("str")))
        )
        click.echo(text, nl=False)
    sys.exit(NOT_ALL_READ if len(gaps) else 0)


@main.command()
@click.argument("snapshot", type=PLACE)
@click.option("--endpoint", required=True, help="Endpoint id or Name tag.")
@click.option("--to", required=True, metavar="ENI-OR-IP", help="Address or interface id.")
@click.option("--port", type=int, help="Port (ICMP: type).")
@click.option("--protocol", default="tcp", show_default=True, help="tcp, udp, icmp, icmpv6 …")
@click.option("--group", help="Group id; a user in no group when not given.")
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text for people, json for programs.",
)
def explain(  # noqa: PLR0917 # click calls it by keyword
    snapshot: Path,
    endpoint: str,
    to: str,
    port: int | None,
    protocol: str,
    group: str | None,
    style: str,
) -> None:
    """Explain, hop by hop, why an address is reached on a port, or everything that blocks it.

    Exits 0 when it can be told either way, 3 when part of the path could not be read.
    """
    from auditlib.audit import open_audit

    found = open_audit(snapshot).explain(
        endpoint=endpoint, to=to, port=port, protocol=protocol, group=group
    )
    if style == "text":
        from auditlib.terminal import print_lines

        print_lines(str(found).splitlines())
    else:
        from auditlib import export

        click.echo(export.json_text(found.to_dict()), nl=False)
    sys.exit(NOT_ALL_READ if found.reachable == "unknown" else 0)


@main.command()
@click.argument("snapshot", type=PLACE)
@click.argument("text")
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="table for people, json for programs.",
)
def find(snapshot: Path, text: str, style: str) -> None:
    """Tell all that is known about TEXT: an id, an address, a network or part of a name.

    What it is, what names or contains it, who reaches it and which findings are about it. Exits 3
    when part could not be read.
    """
    from auditlib.audit import open_audit

    found = open_audit(snapshot).find(text)
    if style == "table":
        from auditlib.terminal import print_found

        print_found(found)
    else:
        from auditlib import export

        parts = ("things", "mentions", "reached", "findings", "gaps")
        told = {part: export.records(getattr(found, part)) for part in parts}
        click.echo(export.json_text({"text": found.text, **told}), nl=False)
    sys.exit(NOT_ALL_READ if len(found.gaps) else 0)


@main.command()
@click.argument("snapshot", type=PLACE)
@click.option(
    "--fix", "fixes", multiple=True, metavar="CHECK-ID", help="Finding to fix; may be repeated."
)
@click.option("--endpoint", help="Fix only what concerns this endpoint (id or Name tag).")
@click.option(
    "--earlier",
    type=PLACE,
    help="Earlier snapshot: where a log that --fix switches on went then is filled in.",
)
@click.option("--plan", type=HERE, help="YAML or JSON file of changes.")
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "cli", "terraform", "json"]),
    default="table",
    show_default=True,
    help="table for people, cli and terraform to apply, json for programs.",
)
@click.option(
    "--out",
    type=HERE,
    help="Folder for apply.sh, rollback.sh, main.tf and preview.json.",
)
def preview(  # noqa: PLR0917 # click calls it by keyword
    snapshot: Path,
    fixes: tuple[str, ...],
    endpoint: str | None,
    earlier: Path | None,
    plan: Path | None,
    style: str,
    out: Path | None,
) -> None:
    """Try changes on a snapshot: what they open, close and leave. AWS is not touched.

    Exits 3 when it cannot be judged.
    """
    from auditlib.access import endpoint_of
    from auditlib.audit import open_audit
    from auditlib.changes.plans import cli_text, plan_of, preview_json, terraform_text, written
    from auditlib.changes.preview import preview as preview_of
    from auditlib.changes.preview import proposal

    if bool(fixes) == (plan is not None):
        raise click.UsageError(tr("give --fix or --plan, one of the two"))
    if endpoint and plan:
        raise click.UsageError(tr("--endpoint goes with --fix only"))
    if earlier and plan:
        raise click.UsageError(tr("--earlier goes with --fix only"))
    audited = open_audit(snapshot)
    tables = audited.tables
    if endpoint:
        endpoint = endpoint_of(tables, endpoint)
    found = preview_of(tables, plan_of(plan)) if plan else proposal(tables, fixes, endpoint)
    if earlier:
        from auditlib.former import with_former_logs

        audited.earlier = open_audit(earlier).tables
        found = with_former_logs(audited, found)
    paths: tuple[Path, ...] = () if out is None else written(found, out)
    if style == "table":
        from auditlib.terminal import print_preview, print_written

        if out is None:
            print_preview(found)
        else:
            print_written(found, paths)
    elif style == "json":
        from auditlib import export

        click.echo(export.json_text(preview_json(found)), nl=False)
    else:
        click.echo(cli_text(found) if style == "cli" else terraform_text(found), nl=False)
    if style != "table":
        for path in paths:
            click.echo(one_line(path), err=True)
    sys.exit(NOT_ALL_READ if found.doubts else 0)


@main.command()
@click.argument("old", type=PLACE)
@click.argument("new", type=PLACE)
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="table for people, json for programs.",
)
@click.option("--fail-on", type=SEVERITY, help=_DIFF_EXITS)
@click.option("--history", type=PLACE, help=_HISTORY)
def diff(old: Path, new: Path, style: str, fail_on: str | None, history: Path | None) -> None:
    """Tell what changed from OLD to NEW: findings, access through the VPN, configuration.

    What only one of the two snapshots could see is never told as a change; it is listed apart,
    with the calls that gave no answer. Exits 0 unless --fail-on is given.
    """
    from auditlib.audit import open_audit
    from auditlib.comparison import compare

    found = compare(open_audit(new), old, history)
    if style == "table":
        from auditlib.terminal import print_comparison

        print_comparison(found)
    else:
        from auditlib import export

        click.echo(export.json_text(export.comparison_json(found)), nl=False)
    if fail_on is not None:
        sys.exit(_diff_status(found, fail_on))


def _diff_status(found: "Comparison", fail_on: str) -> int:
    """Return 1 on findings that were not there before, 3 when not all could be compared, else 0."""
    from auditlib.check import Severity

    if found.drift is None:
        return NOT_ALL_READ
    worst = Severity(fail_on).rank
    told = found.drift.findings
    fresh = told[told["state"].isin(["worsened", "new", "reappeared", "first_seen"])]
    if any(Severity(severity).rank >= worst for severity in fresh["severity"]):
        return 1
    return 0 if found.drift.is_whole else NOT_ALL_READ


@main.command()
@click.argument("client")
@click.option("--out", type=HERE, help="Folder; else one called like CLIENT.")
def new(client: str, out: Path | None) -> None:
    """Lay out a folder for CLIENT: config, notebooks, snapshots, reports, accepted risks."""
    from auditlib.engagement import lay_out

    folder = lay_out(client, out)
    click.echo(tr("{folder}: begin with its README.md", folder=folder))


@main.command()
@click.argument("snapshot", type=HERE, required=False)
@click.option(
    "--notebooks",
    type=HERE,
    default=Path("notebooks"),
    show_default=True,
    help="Folder for the copies; notebooks that are there are kept.",
)
@click.option("--no-browser", is_flag=True, help="Print the address instead of opening it.")
def lab(snapshot: Path | None, notebooks: Path, no_browser: bool) -> None:
    """Open JupyterLab on working copies of the notebooks, with SNAPSHOT set in them.

    The kit's own notebooks are never worked in. Without SNAPSHOT the copies audit the bundled
    sample.
    """
    import subprocess

    from auditlib.engagement import lab_command, working_copies
    from auditlib.snapshot import load

    if snapshot is not None:
        load(snapshot)  # what is wrong with it is better told here
    working_copies(notebooks, snapshot)
    click.echo(tr("working copies in {notebooks}", notebooks=notebooks))
    sys.exit(subprocess.run(lab_command(notebooks, browser=not no_browser), check=False).returncode)  # noqa: S603 # our own words


@main.command()
@click.argument("config", type=HERE)
@click.option("--endpoint-url", help="Address to call instead of AWS.")
@click.option("--check-only", is_flag=True, help="Only tell whether CONFIG is right.")
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    help="Processes that judge and report; as many as there are cores without it.",
)
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Work on the Dask cluster with this scheduler, such as tcp://10.0.0.5:8786 (the extra "
    "dask); its workers need the same folders, and credentials.",
)
def run(
    config: Path,
    endpoint_url: str | None,
    check_only: bool,
    processes: int | None,
    dask: str | None,
) -> None:
    """Read, report on and compare every account of CONFIG, a YAML file.

    Prints one line of JSON per account, in the order of CONFIG; logs, JSON too, go to standard
    error. A run that was killed goes on when started again the same day. Exits 1 on findings at or
    above fail_on in any account, else 3 when an account or part of one was not read or assessed,
    else 0.
    """
    import json

    from auditlib.fleet import Interrupted
    from auditlib.fleet import run as fleet_run
    from auditlib.schedule import config_of

    if dask and processes:
        raise click.UsageError(tr("give --dask or --processes, not both"))
    known = config_of(config)
    if check_only:
        click.echo(
            tr(
                "{config}: {number} accounts named, nothing wrong",
                config=one_line(config),
                number=len(known.accounts),
            )
        )
        return
    _log_as_json()
    try:
        status = fleet_run(
            known,
            endpoint_url=endpoint_url,
            told=lambda summary: click.echo(json.dumps(summary)),
            processes=processes,
            dask=dask,
        )
    except Interrupted:
        click.echo(tr("interrupted: run again to go on"), err=True)
        _leave(INTERRUPTED)
    sys.exit(status)


def _log_as_json() -> None:
    """Write the logs of a scheduled run to standard error, an object a line."""
    import json
    import logging
    from datetime import UTC, datetime

    class Lines(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            told = {
                "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="seconds"),
                "level": record.levelname.lower(),
                "event": record.getMessage(),
            }
            more = {
                n: getattr(record, n) for n in ("account", "date", "error") if hasattr(record, n)
            }
            if record.exc_info:
                more["traceback"] = self.formatException(record.exc_info)
            return json.dumps(told | more)

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    log = logging.getLogger("auditlib.fleet")
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


@main.command()
@click.argument("folder", type=PLACE)
@click.argument("snapshots", nargs=-1, type=HERE)
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="table for people, json and csv for programs.",
)
def history(folder: Path, snapshots: tuple[Path, ...], style: str) -> None:
    """Keep the findings of SNAPSHOTS in the history in FOLDER, and show its runs.

    Each snapshot is kept once, however often it is given. Needs pyarrow.
    """
    from auditlib import history as past
    from auditlib.audit import open_audit

    if snapshots and folder in click.get_current_context().meta.get(_FETCHED, ()):
        raise ParameterError(
            tr("a history in S3 is added to by auditlib run alone: give a folder, or no snapshot")
        )
    for snapshot in snapshots:
        added = past.append(folder, open_audit(snapshot))
        known = tr("kept") if added else tr("known already")
        click.echo(f"{known}: {one_line(snapshot)}", err=True)
    runs = past.runs(folder)
    if style == "table":
        from auditlib.terminal import print_frame

        print_frame(runs.assign(run=runs["run"].str[:16]))
    else:
        from auditlib import export

        text = export.json_text(export.records(runs)) if style == "json" else export.csv_text(runs)
        click.echo(text, nl=False)


@main.command()
@click.option(
    "--out",
    type=HERE,
    default=Path("reports/demo"),
    show_default=True,
    help="Folder to write.",
)
def demo(out: Path) -> None:
    """Make the report on the bundled sample; no AWS needed."""
    _report(None, out)


@main.command()
@click.argument("snapshot", type=PLACE)
@click.option("--out", type=HERE, required=True, help="Folder to write.")
@click.option("--notebook", "notebooks", multiple=True, help="Only this notebook; may be repeated.")
@click.option(
    "--parameter",
    "-p",
    "parameters",
    type=(str, str),
    multiple=True,
    metavar="NAME VALUE",
    help="A parameter of the notebooks; may be repeated.",
)
@click.option("--accepted", type=HERE, help=ACCEPTED)
@click.option("--earlier", type=PLACE, help="Earlier snapshot to compare with.")
@click.option(
    "--history",
    type=HERE,
    help="Folder of a history; the findings are added to it once the report is there.",
)
@click.option("--pdf", is_flag=True, help="Make report.pdf of all pages too (the extra pdf).")
@click.option(
    "--paper",
    type=click.Choice(["a4", "letter"]),
    default="a4",
    show_default=True,
    help="Paper of the PDF.",
)
@click.option("--redact", is_flag=True, help=REDACT)
@click.option("--redact-key", type=HERE, help=REDACT_KEY)
@click.option(
    "--config",
    type=HERE,
    help="YAML file with a section branding: whose report it is, and for whom (docs/branding.md).",
)
@click.option("--fail-on", type=SEVERITY, help=FAIL_ON + _REPORT_EXITS)
def report(  # noqa: PLR0917 # click calls it by keyword
    snapshot: Path,
    out: Path,
    notebooks: tuple[str, ...],
    parameters: tuple[tuple[str, str], ...],
    accepted: Path | None,
    earlier: Path | None,
    history: Path | None,
    pdf: bool,
    paper: str,
    redact: bool,
    redact_key: Path | None,
    config: Path | None,
    fail_on: str | None,
) -> None:
    """Run the notebooks on a snapshot and write the pages to hand over.

    An older report in the folder is replaced once the new one is complete; a notebook that fails
    publishes nothing. Beside the pages lie findings.xlsx and findings.json.
    """
    places = {"earlier": earlier, "history": history}
    known = {name: place for name, place in places.items() if place is not None}
    branding = None
    if config is not None:
        from auditlib.branding import branding_of

        branding = branding_of(config)
    names = _pseudonyms(redact, redact_key)
    _report(
        snapshot,
        out,
        fail_on,
        notebooks=notebooks or None,
        parameters=dict(parameters),
        places=known,
        accepted=accepted,
        redaction=names,
        branding=branding,
        pdf=paper if pdf else None,
    )


def _report(snapshot: Path | None, out: Path, fail_on: str | None = None, **more: Any) -> None:
    """Make a report; ``more`` is what ``report.report`` takes beside snapshot and folder."""
    from auditlib.kernels import begun_early

    notebooks = more.get("notebooks")
    with begun_early() if notebooks is None or len(notebooks) > 1 else nullcontext():
        from auditlib.report import report as made_of

        if sys.stderr.isatty():
            click.echo(tr("running the notebooks …"), err=True)
        made = made_of(snapshot, out, **more)
    click.echo(tr("report: {index}", index=one_line(made.index)))
    if "history" in more.get("places", ()):
        from auditlib import history

        history.append(more["places"]["history"], made.audit)
    if fail_on is not None:
        sys.exit(_exit_status(made.audit.findings, fail_on))


def _progress() -> Any:
    """Return a context that shows progress on a terminal, and nothing in a pipe."""
    if not sys.stderr.isatty():
        return nullcontext(None)
    from auditlib.aws.progress import Bar

    return Bar()


if __name__ == "__main__":
    main()
