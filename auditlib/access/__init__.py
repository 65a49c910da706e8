"""Who reaches what through a Client VPN endpoint, and why.

:func:`reach` answers for everything at once, :func:`explain` for one packet, hop by hop; both ask
the same hops (:mod:`auditlib.access.ways`) over the same index (:mod:`auditlib.access.network`).

What is left out, and how: the answers are an upper bound of what users can do. ``certainty`` speaks
of the network alone: whether a user may connect at all (a Cedar policy, a connect handler, device
posture) is not worked out. A policy can only take away, so neither one that is enforced nor one
that could not be read makes an answer less certain; ``via`` and the notes of an explanation say so
at every answer, and a policy that could not be read is a gap (``BOUNDS``). What is being made or
taken away, or has a status not known today, may hold or not: what it decides is unknown. Answers
of TCP and UDP are taken to go to ports 1024–65535; an ICMP echo needs its echo reply, other ICMP
messages no answer. An interface that is not attached counts, since its rules hold once it is. An
interface without security groups (a load balancer or NAT gateway may be one) is not filtered by
any, and what it does with a packet is unknown. IPv6 is not translated and how AWS sends answers
back is not documented: every IPv6 answer is ``unknown``.

References: https://docs.aws.amazon.com/vpn/latest/clientvpn-admin/cvpn-working-rules.html,
https://docs.aws.amazon.com/vpn/latest/clientvpn-admin/scenario.html
"""

from auditlib.access.explanation import Explanation, Hop, Path, step_word
from auditlib.access.network import BOUNDS, TABLES, standing
from auditlib.access.questions import (
    COLUMNS,
    Access,
    access_of,
    endpoint_of,
    explain,
    networks_in_words,
    nobody_at,
    reach,
    reach_counts,
    reach_rows,
)
from auditlib.access.saying import hop_shown, shown
from auditlib.access.ways import EVERYONE

__all__ = [
    "BOUNDS",
    "COLUMNS",
    "EVERYONE",
    "TABLES",
    "Access",
    "Explanation",
    "Hop",
    "Path",
    "access_of",
    "endpoint_of",
    "explain",
    "hop_shown",
    "networks_in_words",
    "nobody_at",
    "reach",
    "reach_counts",
    "reach_rows",
    "shown",
    "standing",
    "step_word",
]
