"""How what there is enough of for everybody is kept from being taken by one: docs/decisions/0016.

Half of it is kept for the users, in equal parts; the other half is for whoever comes first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

User = str | None
"""By name; those without one are one user together."""


def share(most: int, users: Collection[User]) -> int:
    """What is kept for each of these users, of so much; at least one."""
    return max(most // 2 // len(users), 1) if users else 0


def room(user: User, *, held: Mapping[User, int], users: Collection[User], most: int) -> int:
    """How much more a user may take.

    Args:
        user: who asks.
        held: what each user has.
        users: who may log in.
        most: of all of them together.
    """
    each = share(most, users)
    free = most - sum(held.values())
    kept = sum(max(each - held.get(other, 0), 0) for other in users if other != user)
    own = max(each - held.get(user, 0), 0) if user in users else 0
    return max(min(free, max(own, free - kept)), 0)
