"""Published controls, and what the findings of an audit answer to each.

The catalogue is here and nowhere else: a control has another number in every version of a
framework. Where its numbers come from: ``docs/decisions/0007-where-controls-come-from.md``. Checks say which controls they answer (``Check.controls``); a control only a check names
is answered too. An answer is put together from statuses that ``check.finding_of`` derived.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from auditlib import words
from auditlib.check import Finding, Severity, Status, checks
from auditlib.errors import ParameterError
from auditlib.language import marked, sentences, tr, tr_as

if TYPE_CHECKING:
    from auditlib.audit import Audit

__all__ = [
    "FRAMEWORKS",
    "SHOWN",
    "Control",
    "Framework",
    "answers",
    "by_version",
    "frameworks_like",
    "in_short",
]

Answer = Literal[
    "not_met",
    "findings_bear",
    "not_assessed",
    "choice",
    "met",
    "nothing_found",
    "not_applicable",
    "not_covered",
]
"""``not_met`` and ``met`` are said only of a control that asks what a check asks (``Control.whole``).
A wider one has ``findings_bear`` or ``nothing_found``: whether it is met is no scan's to say."""

SHOWN: Mapping[Answer, tuple[str, str]] = {
    "not_met": ("✕", marked("Not met")),
    "findings_bear": ("■", marked("Findings bear on it")),
    "not_assessed": ("?", marked("Not assessed")),
    "choice": ("i", marked("Depends on your choice")),
    "met": ("✓", marked("Met")),
    "nothing_found": ("□", marked("Nothing found")),
    "not_applicable": ("–", marked("Not applicable")),
    "not_covered": ("·", marked("Not looked at")),
}
"""How people are shown an answer: a sign and words, so that colour never says it alone.

No circle: in Japan it says that a control is met.
"""


@dataclass(frozen=True, kw_only=True)
class Control:
    """A published control.

    Attributes
    ----------
    title
        What it asks, in the kit's words.
    whole
        Whether a check asks the very thing it asks, in the places that were read. Only then is it
        said to be met or not; of any other one only whether findings bear on it.
    level
        How the framework itself grades it.
    """

    id: str
    title: str
    whole: bool = False
    level: str = ""


@dataclass(frozen=True, kw_only=True)
class Framework:
    """A framework in one version, and its controls the kit knows of.

    Attributes
    ----------
    scope
        What no snapshot tells and decides whether it concerns these accounts at all; empty for none.
    """

    name: str
    controls: tuple[Control, ...]
    rest: str
    scope: str = ""

    def control(self, id: str) -> Control:
        """Return a control; one the catalogue does not hold has no title and is answered in part."""
        return next((one for one in self.controls if one.id == id), Control(id=id, title=""))


_DEFAULT_GROUP = marked("The default security group of every VPC has no rules")
_CIS_NUMBERS = {
    "4.4": ("v1.0", "v1.1"),
    "4.3": ("v1.2",),
    "5.3": ("v1.3", "v1.4"),
    "5.4": ("v1.5", "v2.0", "v3.0"),
    "5.5": ("v4.0.1", "v5.0"),
    "6.5": ("v6.0", "v7.0"),
}
_CIS_NETWORKS = {
    "{}.1.1": marked("EBS volumes are encrypted by default in every Region"),
    "{}.1.2": marked("File sharing by CIFS (port 445) is open to trusted networks only"),
    "{}.2": marked("No network ACL opens administration ports to 0.0.0.0/0"),
    "{}.3": marked("No security group opens administration ports to 0.0.0.0/0"),
    "{}.4": marked("No security group opens administration ports to ::/0"),
    "{}.6": marked("Route tables of VPC peerings give the least access"),
    "{}.7": marked("The EC2 metadata service allows IMDSv2 only"),
}
_CIS_BESIDE = {
    version: {number.format(section): title for number, title in _CIS_NETWORKS.items()} | more
    for version, section, more in (
        ("v5.0", 5, {}),
        ("v6.0", 6, {}),
        ("v7.0", 6, {"6.8": marked("VPC endpoints are used to reach AWS services")}),
    )
}
"""The other recommendations of the section on networks, in the newest versions."""

_OTHERS = marked("Everything else in it: we look at Client VPN and what surrounds it.")


def _cis(version: str, number: str) -> Framework:
    ours = Control(id=number, title=_DEFAULT_GROUP, whole=True, level="Level 2")
    beside = [Control(id=id, title=title) for id, title in _CIS_BESIDE.get(version, {}).items()]
    return Framework(
        name=f"CIS AWS Foundations {version}",
        controls=(*beside, ours),
        rest=_OTHERS,
    )


_LOGGED = marked("Connections to every Client VPN endpoint are logged")
_RENEWED = {
    "securityhub": marked(
        "Certificates in ACM are renewed in time. We look at those of endpoints only, and "
        "call 60 days before the end soon (30 where ACM renews); Security Hub asks for 30 by "
        "default, so it reports later"
    ),
    "config": marked(
        "Certificates in ACM are renewed in time. We look at those of endpoints only, and "
        "call 60 days before the end soon (30 where ACM renews); AWS Config asks for 14 by "
        "default, so it reports later"
    ),
    "prowler": marked(
        "Certificates in ACM are renewed in time. We look at those of endpoints only, and "
        "call 60 days before the end soon (30 where ACM renews); Prowler asks for 7 by default, "
        "so it reports later"
    ),
}
_STRONG = marked(
    "RSA certificates in ACM have keys of 2,048 bits or more. We look at those of "
    "endpoints only, and at outdated signatures too"
)
FRAMEWORKS: Mapping[str, Framework] = {
    framework.name: framework
    for framework in (
        *(_cis(v, number) for number, versions in _CIS_NUMBERS.items() for v in versions),
        Framework(
            name="AWS Foundational Security Best Practices v1.0.0",
            controls=(
                Control(
                    id="ACM.1",
                    title=_RENEWED["securityhub"],
                    level="Medium",
                ),
                Control(id="ACM.2", title=_STRONG, level="High"),
                Control(id="EC2.2", title=_DEFAULT_GROUP, whole=True, level="High"),
                Control(id="EC2.51", title=_LOGGED, whole=True, level="Low"),
            ),
            rest=_OTHERS,
        ),
        Framework(
            name="AWS Config managed rules (2026-11)",
            controls=(
                Control(
                    id="acm-certificate-expiration-check",
                    title=_RENEWED["config"],
                ),
                Control(id="acm-certificate-rsa-check", title=_STRONG),
                Control(
                    id="ec2-client-vpn-connection-log-enabled",
                    title=_LOGGED,
                    whole=True,
                ),
                Control(
                    id="ec2-client-vpn-not-authorize-all",
                    title=marked(
                        "No authorization rule of a Client VPN endpoint admits everyone. It cannot be met where "
                        "users authenticate by certificate only, and it does not ask how wide the network is"
                    ),
                    whole=True,
                ),
                Control(
                    id="vpc-default-security-group-closed",
                    title=_DEFAULT_GROUP,
                    whole=True,
                ),
            ),
            rest=_OTHERS,
        ),
        Framework(
            name="Prowler (2026-11)",
            controls=(
                Control(
                    id="acm_certificates_expiration_check",
                    title=_RENEWED["prowler"],
                ),
                Control(
                    id="ec2_client_vpn_endpoint_connection_logging_enabled",
                    title=_LOGGED,
                    whole=True,
                ),
                Control(
                    id="ec2_securitygroup_default_restrict_traffic",
                    title=marked(
                        "The default security group of every VPC has no rules. Prowler leaves out "
                        "unused VPCs unless told otherwise, so its count differs"
                    ),
                    whole=True,
                ),
            ),
            rest=_OTHERS,
        ),
        Framework(
            name="AWS Well-Architected Reliability Pillar (2026-11)",
            controls=(
                Control(id="REL10-BP01", title=marked("The workload runs in several locations")),
            ),
            rest=_OTHERS,
        ),
        Framework(
            name="AWS Well-Architected Security Pillar (2026-11)",
            controls=(
                Control(
                    id="SEC05-BP02",
                    title=marked("Traffic between layers of the network is controlled"),
                ),
            ),
            rest=_OTHERS,
        ),
        Framework(
            name="NIST SP 800-53 Rev. 5",
            controls=(
                Control(id="AC-3", title=marked("Access is enforced as it was authorized")),
                Control(id="AC-4", title=marked("Flows of information are controlled by policy")),
                Control(
                    id="AC-8", title=marked("Users are told the terms of use before they get in")
                ),
                Control(id="AC-12", title=marked("Sessions end by themselves")),
                Control(id="AC-17(1)", title=marked("Remote access is monitored and controlled")),
                Control(id="AU-12", title=marked("Systems write the records that an audit needs")),
                Control(id="CP-10", title=marked("Systems can be brought back after a failure")),
                Control(
                    id="IA-2(2)",
                    title=marked("Access to accounts without privileges takes several factors"),
                ),
                Control(
                    id="IA-5(2)",
                    title=marked("Certificates are validated, and whether they were revoked"),
                ),
                Control(id="SC-7", title=marked("Communications are controlled at boundaries")),
                Control(id="SC-7(7)", title=marked("Remote devices do not split their tunnel")),
                Control(id="SC-36", title=marked("Processing is spread over several places")),
            ),
            rest=_OTHERS,
        ),
        Framework(
            name="PCI DSS v4.0.1",
            controls=(
                Control(
                    id="1.3",
                    title=marked("Access to and from the cardholder environment is restricted"),
                ),
                Control(
                    id="1.4",
                    title=marked(
                        "Connections between trusted and untrusted networks are controlled"
                    ),
                ),
                Control(
                    id="8.4.3",
                    title=marked(
                        "Remote access that could lead to the cardholder environment takes several factors"
                    ),
                ),
                Control(id="10.2", title=marked("Audit logs record what happens")),
            ),
            rest=_OTHERS,
            scope=marked(
                "Relevant if these networks are in the scope of PCI DSS, which no snapshot tells."
            ),
        ),
    )
}
"""Every framework the kit knows, by name with version."""


def answers(audit: "Audit", framework: str = "") -> pd.DataFrame:
    """Return every control with what the audit's findings answer.

    Parameters
    ----------
    framework
        Only frameworks like this (see :func:`frameworks_like`); all of them when empty.

    Returns
    -------
    DataFrame
        ``framework``, ``control`` (empty in the row about the rest of a framework), ``title``,
        ``level``, ``answer`` (see ``Answer``), ``part`` (whether only part of what it asks is
        looked at), ``evidence`` and ``accepted`` (numbers of rows), ``checks`` and ``says`` (why, in words).

    Raises
    ------
    ParameterError
        When there is no such framework; names the nearest.
    """
    by_control: dict[tuple[str, str], list[Finding]] = {}
    for finding in audit.findings:
        for name, ids in finding.check.controls.items():
            for id in ids:
                by_control.setdefault((name, id), []).append(finding)
    rows = []
    for name in frameworks_like(framework):
        found = FRAMEWORKS.get(name, Framework(name=name, controls=(), rest=_OTHERS))
        every = {control.id for control in found.controls}
        every |= {id for known, id in by_control if known == name}
        rows += [
            _row(found, found.control(id), by_control.get((name, id), []))
            for id in sorted(every, key=_natural)
        ]
        rest = Control(id="", title=found.rest)
        rows.append(_row(found, rest, []))
    columns = "framework control title level answer part evidence accepted checks says"
    return pd.DataFrame(rows, columns=columns.split())


def _natural(id: str) -> list[tuple[int, str]]:
    """Return what puts ids into the order of their numbers.

    >>> sorted(["AC-12", "AC-3", "EC2.51", "EC2.2"], key=_natural)
    ['AC-3', 'AC-12', 'EC2.2', 'EC2.51']
    """
    return [(int(n), "") if n else (0, word) for n, word in re.findall(r"(\d+)|(\D+)", id)]


def frameworks_like(text: str) -> tuple[str, ...]:
    """Return the frameworks a text means: by words of their names, and by version where it has one.

    >>> frameworks_like("CIS AWS 7.0.0"), frameworks_like("pci")
    (('CIS AWS Foundations v7.0',), ('PCI DSS v4.0.1',))
    >>> len(frameworks_like("cis")) > 10
    True
    """
    names = list(dict.fromkeys([*FRAMEWORKS, *(n for made in checks() for n in made.controls)]))
    names.sort(key=_version, reverse=True)  # the newest of each comes first
    names.sort(key=_words)
    wanted, version = _words(text), _version(text)
    like = [n for n in names if all(any(o.startswith(w) for o in _words(n)) for w in wanted)]
    exact = [name for name in like if not version or _version(name) == version]
    found = exact or [name for name in like if _version(name)[: len(version)] == version]
    if text.strip() and (not (wanted or version) or not found):
        close = like or difflib.get_close_matches(text, names, n=3, cutoff=0.3) or names
        raise ParameterError(
            tr(
                'There is no framework called "{text}". Did you mean {close}? The kit knows {names}.',
                text=text,
                close=tr_as("list", " or ").join(close[:3]),
                names=words.listed(names, most=40),
            )
        )
    return tuple(found)


_SAME = {
    "fsbp": ["foundational", "security", "best", "practices"],
    "afsbp": ["foundational", "security", "best", "practices"],
    "securityhub": ["foundational", "security", "best", "practices"],
    "benchmark": [],
    "amazon": ["aws"],
}


def by_version(names: Iterable[str]) -> list[list[str]]:
    """Return the names of frameworks put together by framework, the newest version of each first.

    >>> by_version(["CIS AWS Foundations v5.0", "PCI DSS v4.0.1", "CIS AWS Foundations v7.0"])
    [['CIS AWS Foundations v7.0', 'CIS AWS Foundations v5.0'], ['PCI DSS v4.0.1']]
    """
    families: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        families.setdefault(tuple(_words(name)), []).append(name)
    return [sorted(family, key=_version, reverse=True) for family in families.values()]


def _words(text: str) -> list[str]:
    """Return the words of a framework's name, without its version."""
    plain = re.sub("security hub", "securityhub", text.lower())
    found = re.findall(r"[a-z]{2,}|800-53", re.sub(r"\b(?:rev|revision)\b\.?", " ", plain))
    return [one for word in found for one in _SAME.get(word, [word])]


def _version(text: str) -> tuple[int, ...]:
    """Return the version in a framework's name, without the zeros at its end.

    >>> _version("CIS AWS 7.0.0"), _version("CIS AWS Foundations v4.0.1"), _version("NIST SP 800-53 Rev. 5")
    ((7,), (4, 0, 1), (5,))
    """
    found = re.findall(r"\d+(?:[.-]\d+)*", text.replace("800-53", ""))
    numbers = [int(part) for part in re.split("[.-]", found[-1])] if found else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _row(framework: Framework, control: Control, findings: Iterable[Finding]) -> dict[str, Any]:
    held = list(findings)
    answer = _answer(control, held)
    said = _says(answer, held)
    return {
        "framework": framework.name,
        "control": control.id,
        "title": tr(control.title),
        "level": control.level,
        "answer": answer,
        "part": bool(held) and not control.whole,
        "evidence": sum(len(finding.evidence) for finding in held),
        "accepted": sum(len(finding.accepted) for finding in held),
        "checks": tuple(finding.check.id for finding in held),
        "says": sentences(said, tr(framework.scope)) if held and framework.scope else said,
    }


def _answer(control: Control, held: Iterable[Finding]) -> Answer:
    """Return what findings answer to a control: the worst of them decides.

    Accepting a risk does not meet the control: it says who answers for not meeting it. Information
    tells of a choice that AWS leaves open, so it speaks against no control.
    """
    found = {_came_out(finding) for finding in held}
    if not found:
        return "not_covered"
    if "against" in found:
        return "not_met" if control.whole else "findings_bear"
    if "not_assessed" in found:
        return "not_assessed"
    if "choice" in found:
        return "choice"
    if "pass" in found:
        return "met" if control.whole else "nothing_found"
    return "not_applicable"


def _came_out(finding: Finding) -> str:
    """Return what a finding says to a control: its status, or what its evidence amounts to."""
    if finding.status not in {Status.FAIL, Status.ACCEPTED}:
        return finding.status.value
    return "choice" if finding.check.severity is Severity.INFO else "against"


_DECIDES = {
    "not_met": "against",
    "findings_bear": "against",
    "not_assessed": "not_assessed",
    "choice": "choice",
    "met": "pass",
    "nothing_found": "pass",
    "not_applicable": "not_applicable",
}


_MORE = {
    "not_met": marked("{checks} found something too."),
    "findings_bear": marked("{checks} found something too."),
    "not_assessed": marked("{checks} could not be assessed either."),
    "choice": marked("{checks} found something too."),
    "met": marked("{checks} passed too."),
    "not_applicable": marked("{checks} had nothing to judge either."),
}
"""How many checks more came to the same answer, of which only the first is told."""


def _says(answer: Answer, held: list[Finding]) -> str:
    if answer == "not_covered":
        return tr("No check looks at it.")
    told = [finding for finding in held if _came_out(finding) == _DECIDES[answer]]
    if answer == "nothing_found":
        return (
            tr("Nothing was found by the one check that bears on it.")
            if len(told) == 1
            else tr("Nothing was found by the {number} checks that bear on it.", number=len(told))
        )
    told.sort(key=lambda f: (f.status is Status.ACCEPTED, -f.check.severity.rank))
    said = told[0].answer
    if rest := len(told) - 1:
        more = words.opening(words.count(rest, "more check"))
        said = sentences(
            said,
            tr(_MORE[answer], checks=more),
        )
    open_ones = sum(finding.status is Status.NOT_ASSESSED for finding in held)
    if answer in {"not_met", "findings_bear"} and open_ones:
        unknown = words.opening(words.count(open_ones, "check"))
        said = sentences(
            said,
            tr("{checks} that it rests on was not assessed.", checks=unknown)
            if open_ones == 1
            else tr("{checks} that it rests on were not assessed.", checks=unknown),
        )
    return said


def in_short(answers: pd.DataFrame) -> list[str]:
    """Return what the answers come to in a few sentences: of the newest version of each framework.

    Parameters
    ----------
    answers
        As :func:`answers` returns them.
    """
    newest = [names[0] for names in by_version(dict.fromkeys(answers["framework"]))]
    rows = answers[answers["framework"].isin(newest) & answers["answer"].ne("not_covered")]
    if rows.empty:
        return [tr("No check looks at any control that was asked for.")]
    told = [
        tr(text, parts=words.listed(_counted(rows.loc[rows["part"].eq(wide), "answer"])))
        for wide, text in _IN_SHORT.items()
        if rows["part"].eq(wide).any()
    ]
    not_met = rows.loc[rows["answer"].eq("not_met"), "checks"]
    if open_checks := dict.fromkeys(id for ids in not_met for id in ids):
        titles = {made.id: made.title for made in checks()}
        wanted = words.listed(tr("“{title}”", title=titles[id]) for id in open_checks)
        told.insert(1, tr("Required and not met: {wanted}.", wanted=wanted))
    return told


_IN_SHORT = {
    False: marked("Of the controls that ask exactly what one of our checks asks, {parts}."),
    True: marked("Of those that ask for more than a scan can see, {parts}."),
}


def _counted(answers: "pd.Series[str]") -> list[str]:
    """Return how many answers there are of each kind, in phrases."""
    found = answers.value_counts()
    return [
        tr(_COUNTED[answer][number != 1], number=number)
        for answer in SHOWN
        if (number := int(found.get(answer, 0)))
    ]


_COUNTED: Mapping[Answer, tuple[str, str]] = {
    "not_met": (marked("{number} is not met"), marked("{number} are not met")),
    "findings_bear": (
        marked("findings bear on {number}"),
        marked("findings bear on {number}"),
    ),
    "not_assessed": (
        marked("{number} could not be assessed"),
        marked("{number} could not be assessed"),
    ),
    "choice": (
        marked("{number} depends on your choice"),
        marked("{number} depend on your choice"),
    ),
    "met": (marked("{number} is met"), marked("{number} are met")),
    "nothing_found": (
        marked("nothing was found that bears on {number}"),
        marked("nothing was found that bears on {number}"),
    ),
    "not_applicable": (
        marked("{number} does not apply"),
        marked("{number} do not apply"),
    ),
}
