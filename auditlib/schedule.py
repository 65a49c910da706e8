"""The file of scheduled runs: which accounts, how they are reached, and what is made of them."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from auditlib.branding import Branding, read_branding
from auditlib.config import ConfigReader, root_of
from auditlib.errors import ParameterError
from auditlib.language import LANGUAGES, tr
from auditlib.prefix import Prefix

__all__ = ["KEYS", "Account", "Config", "Organization", "config_of"]

KEYS = (
    "output", "accounts", "organization", "profiles", "regions", "all_regions", "profile",
    "role_arn", "external_id", "notebooks", "language", "accepted", "history", "exports",
    "fail_on", "branding", "trail",
)  # fmt: skip
"""What the file of scheduled runs may say."""

SEVERITIES = ("info", "low", "medium", "high", "critical")

_WAYS = ("profile", "role_arn", "external_id")


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account to read, and how to get there.

    Attributes
    ----------
    account
        Its id; empty where only a profile is known, until that has been asked.
    notebooks
        The pages of its report; ``None`` for those of the file.
    """

    account: str = ""
    regions: tuple[str, ...] = ()
    all_regions: bool = False
    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    notebooks: tuple[str, ...] | None = None

    def of(self, id: str) -> "Account":
        """Return the same way into another account: ``{account}`` in the role stands for its id."""
        role = self.role_arn.replace("{account}", id) if self.role_arn else None
        return replace(self, account=id, role_arn=role)


@dataclass(frozen=True, kw_only=True)
class Organization:
    """Which accounts of an AWS organization, and who lists them.

    Attributes
    ----------
    ous
        Ids of organizational units (or the root) whose accounts are meant, with those of the
        units below; all accounts where none is named.
    tags
        What an account must be tagged with, all of it.
    without
        Accounts to leave out.
    member
        The way into each of them.
    """

    ous: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    without: tuple[str, ...] = ()
    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    member: Account


@dataclass(frozen=True, kw_only=True)
class Config:
    """What a scheduled run does.

    Attributes
    ----------
    output, history
        Where is written: folders, or places in S3.
    accepted
        A file. A relative place is seen from the file of the run.
    notebooks
        Names or numbers; ``None`` for all of them, empty for the index page alone.
    exports
        Formats that are written beside each report.
    fail_on
        Severity from which a finding makes the exit status 1.
    branding
        Whose reports they are, and for whom.
    trail
        How many days back CloudTrail is asked who changed what; ``None``: not at all.
    """

    output: Path | Prefix
    accounts: tuple[Account, ...] = ()
    organization: Organization | None = None
    notebooks: tuple[str, ...] | None = None
    language: str | None = None
    accepted: Path | None = None
    history: Path | Prefix | None = None
    exports: tuple[str, ...] = ()
    fail_on: str | None = None
    branding: Branding | None = None
    trail: int | None = None


def config_of(path: Path) -> Config:
    """Return the configuration in a YAML file.

    Raises
    ------
    ParameterError
        When it cannot be read or something in it is wrong; names the line.
    """
    return _Reader(path).config(root_of(path))


class _Reader(ConfigReader):
    """Reads the file of scheduled runs."""

    def config(self, root: Any) -> Config:
        """Return the whole."""
        known = self.mapping(root, "the file", KEYS, required=("output",))
        if not {"accounts", "organization", "profiles"} & set(known):
            raise self.wrong(
                root, tr("the file lacks accounts, an organization or profiles: name one of them")
            )
        way = self._way(known, root)
        accounts = self._accounts(known.get("accounts"), way)
        accounts += tuple(
            replace(way, profile=self.text(node)) for node in self._items(known.get("profiles"))
        )
        if not accounts and "organization" not in known:
            raise self.wrong(
                known.get("accounts", known.get("profiles")), tr("accounts names none")
            )
        for account in accounts:
            if not account.regions and not account.all_regions:
                name = account.account or account.profile
                raise self.wrong(
                    known.get("accounts", root),
                    tr(
                        "account {name} has no regions: give regions or all_regions",
                        name=name,
                    ),
                )
        return Config(
            output=self.store(known["output"]),
            accounts=accounts,
            organization=self._organization(known["organization"], way)
            if "organization" in known
            else None,
            notebooks=self._notebooks(known),
            language=self._one_of(known, "language", LANGUAGES),
            accepted=self._accepted(known),
            history=self.store(known["history"]) if "history" in known else None,
            exports=self._exports(known.get("exports")),
            fail_on=self._one_of(known, "fail_on", SEVERITIES),
            branding=read_branding(self, known["branding"]) if "branding" in known else None,
            trail=self._days(known),
        )

    def _days(self, known: dict[str, Any]) -> int | None:
        from auditlib.trail import MOST_DAYS

        if "trail" not in known:
            return None
        said = self.text(known["trail"])
        if not (
            said.isascii() and said.isdigit() and len(said) < 9 and 1 <= int(said) <= MOST_DAYS
        ):
            raise self.wrong(
                known["trail"],
                tr(
                    "trail must be a number of days from 1 to {most}, not {said}",
                    most=MOST_DAYS,
                    said=said,
                ),
            )
        return int(said)

    def _items(self, node: Any) -> list[Any]:
        return [] if node is None else self.items(node)

    def _one_of(self, known: dict[str, Any], name: str, allowed: Collection[str]) -> str | None:
        if name not in known:
            return None
        said = self.text(known[name])
        if said not in allowed:
            raise self.wrong(
                known[name],
                tr("{name} must be one of {allowed}", name=name, allowed=", ".join(allowed)),
            )
        return said

    def _accounts(self, node: Any, way: Account) -> tuple[Account, ...]:
        found: list[Account] = []
        for item in self._items(node):
            account = self._account(item, way)
            if account.account in {other.account for other in found}:
                raise self.wrong(item, tr("account {id} is named twice", id=account.account))
            found.append(account)
        return tuple(found)

    def _account(self, node: Any, way: Account) -> Account:
        import yaml

        if isinstance(node, yaml.ScalarNode):
            return way.of(self._id(node))
        names = {"account", "regions", "all_regions", *_WAYS, "notebooks"}
        known = self.mapping(node, "an account", names, required=("account",))
        id = self._id(known["account"])
        own = self._way(known, node, id, way)
        if not own.regions and not own.all_regions:
            raise self.wrong(
                node, tr("account {name} has no regions: give regions or all_regions", name=id)
            )
        return replace(own.of(id), notebooks=self._notebooks(known))

    def _id(self, node: Any) -> str:
        id = self.text(node)
        if len(id) != 12 or not id.isascii() or not id.isdigit():
            raise self.wrong(
                node,
                tr(
                    'account must be twelve digits in quotes, as "111122223333", not {id}',
                    id=id,
                ),
            )
        return id

    def _way(
        self, known: dict[str, Any], node: Any, id: str = "", default: Account | None = None
    ) -> Account:
        """Return how to get into accounts, and where to read there."""
        every = known.get("all_regions")
        if every is not None and every.value not in {"true", "false"}:
            raise self.wrong(every, tr("all_regions must be true or false"))
        all_regions = every is not None and every.value == "true"
        if all_regions and "regions" in known:
            raise self.wrong(known["regions"], tr("give regions or all_regions, not both"))
        given = {name: self.text(known[name]) for name in _WAYS if name in known}
        way = replace(default or Account(), **given)  # type: ignore[arg-type]
        if way.external_id and not way.role_arn:
            raise self.wrong(known.get("external_id", node), tr("external_id goes with role_arn"))
        if "regions" in known or every is not None:
            regions = self.texts(known.get("regions"))
            way = replace(way, regions=regions, all_regions=all_regions)
        return way

    def _organization(self, node: Any, way: Account) -> Organization:
        names = {"ous", "tags", "without", *_WAYS}
        known = self.mapping(node, "organization", names)
        if not way.regions and not way.all_regions:
            raise self.wrong(node, tr("an organization needs regions or all_regions of the file"))
        if way.role_arn is None or "{account}" not in way.role_arn:
            raise self.wrong(
                node,
                tr(
                    "an organization needs a role_arn of the file with {placeholder} in it, such "
                    "as {example}",
                    placeholder="{account}",
                    example="arn:aws:iam::{account}:role/auditlib-read-only",
                ),
            )
        return Organization(
            ous=self.texts(known.get("ous")),
            tags=self._tags(known.get("tags")),
            without=tuple(map(self._id, self._items(known.get("without")))),
            # Who lists is not who reads: the file's profile serves both, its role only the members.
            **{
                "profile": way.profile,
                **{n: self.text(known[n]) for n in _WAYS if n in known},
            },
            member=way,
        )

    def _tags(self, node: Any) -> tuple[tuple[str, str], ...]:
        import yaml

        if node is None:
            return ()
        if not isinstance(node, yaml.MappingNode):
            raise self.wrong(node, tr("{what} must be a list of KEY: VALUE", what="tags"))
        return tuple((self.text(key), self.text(value)) for key, value in node.value)

    def _accepted(self, known: dict[str, Any]) -> Path | None:
        from auditlib.accepted import accepted_risks, day_of

        if "accepted" not in known:
            return None
        path = self.place(known["accepted"])
        accepted_risks(path, day_of(""))  # what is wrong in it is told before anything is read
        return path

    def _exports(self, node: Any) -> tuple[str, ...]:
        from auditlib.export import FORMATS

        names = self.texts(node)
        for name, item in zip(names, self._items(node), strict=True):
            if name not in FORMATS:
                raise self.wrong(
                    item,
                    tr("{name} must be one of {allowed}", name=name, allowed=", ".join(FORMATS)),
                )
        return names

    def _notebooks(self, known: dict[str, Any]) -> tuple[str, ...] | None:
        from auditlib.report import notebooks

        if "notebooks" not in known:
            return None
        node = known["notebooks"]
        ours = notebooks()
        allowed = {*ours, *(name.split("-", 1)[0] for name in ours)}
        names = self.texts(node)
        for name, item in zip(names, self.items(node), strict=True):
            if name not in allowed:
                raise self.wrong(
                    item,
                    tr(
                        "there is no notebook {name}; there are {ours}",
                        name=name,
                        ours=", ".join(ours),
                    ),
                )
        return names


def refuse_without_pyarrow() -> None:
    """Refuse a run that could not write down what it found.

    Raises
    ------
    ParameterError
        When pyarrow is not installed.
    """
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        raise ParameterError(
            tr(
                "a run over accounts needs pyarrow, which is not installed: pip install "
                "'auditlib[parquet]'"
            )
        )
