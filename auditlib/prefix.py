"""A place in S3, as the file of a run names it: ``s3://bucket/prefix``."""

import re
from dataclasses import dataclass

from auditlib.errors import ParameterError
from auditlib.language import tr

__all__ = ["SCHEME", "Prefix", "prefix_of"]

SCHEME = "s3://"

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html; aliases of access
# points look the same.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True, kw_only=True)
class Prefix:
    """All objects of a bucket whose keys begin alike.

    Attributes
    ----------
    bucket
        The bucket's name.
    path
        How the keys begin, up to a slash that is not part of it; empty for the whole bucket.

    >>> str(Prefix(bucket="example-audits", path="client"))
    's3://example-audits/client'
    """

    bucket: str
    path: str = ""

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.path}".removesuffix("/")

    def key(self, name: str) -> str:
        """Return the key of a name below the prefix."""
        return f"{self.path}/{name}" if self.path else name


def prefix_of(text: str) -> Prefix:
    """Return the place that a text names.

    Raises
    ------
    ParameterError
        When it names none.

    >>> prefix_of("s3://example-audits/client/2026/")
    Prefix(bucket='example-audits', path='client/2026')
    """
    bucket, _, path = text.removeprefix(SCHEME).partition("/")
    path = path.removesuffix("/")
    parts = path.split("/") if path else []
    odd = any(part in {"", ".", ".."} or not part.isprintable() for part in parts)
    if not text.startswith(SCHEME) or not _BUCKET.fullmatch(bucket) or odd:
        raise ParameterError(
            tr("{text} names no place in S3: write it as s3://BUCKET/PREFIX", text=text)
        )
    return Prefix(bucket=bucket, path=path)
