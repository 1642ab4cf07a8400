"""Find each learner's folder: by the platform's id, another id, or a name that one learner alone bears."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from ..roster import Learner, Roster, digest_of, safe_name
from .platforms import HandedIn, Who

_CURE = "use a roster with the platform's ids, or put it in a folder named by the learner's id."
_Key = tuple[str, str]


class NotMatched(ValueError):
    """Nobody, or more than one, is meant; the message is a reason for a person."""


def learner_of(who: Who, roster: Roster) -> Learner | None:
    """The learner on the roster; None where the roster does not have them. Raises NotMatched where two may be meant."""
    found = roster.find(
        platform_id=who.platform_id, participant=who.participant, login=who.login, sis_id=who.sis_id, email=who.email
    )
    found = found or roster.find(id=who.login or who.sis_id or who.email)
    if found is None and who.words:  # somebody chose the name: it may be any id
        found = roster.find(id=who.name, login=who.name, sis_id=who.name, email=who.name, platform_id=who.name)
    if found:
        return found
    same = roster.named(who.name)
    if len(same) > 1:
        ids = ", ".join(learner.id for learner in same)
        raise NotMatched(f"{len(same)} learners on the roster are called {who.name} ({ids}): {_CURE}")
    if same:
        return None if _is_another(who, same[0]) else same[0]
    named = {learner.id: learner for word in who.words if (learner := roster.of_folder(word))}
    if len(named) > 1:
        raise NotMatched(f"its name may mean {' or '.join(sorted(named))}.")
    return next(iter(named.values()), None)


def _is_another(who: Who, learner: Learner) -> bool:
    """Whether a namesake has an id of the same kind, and it is another one."""
    kinds = ("platform_id", "participant", "login")
    pairs = ((getattr(who, kind).casefold(), getattr(learner, kind).casefold()) for kind in kinds)
    return any(one and other and one != other for one, other in pairs)


def by_folder(
    files: Iterable[HandedIn], roster: Roster, existing: Iterable[str]
) -> tuple[dict[str, list[HandedIn]], dict[str, Learner], list[tuple[HandedIn, str]]]:
    """The files of each learner under the name of their folder; the learners that are on the roster, likewise; and what
    has no owner, with the reason.

    existing: the folders that are there already; a learner's own goes on being used
    """
    names = sorted(existing)
    there = {learner.id: name for name in names if (learner := roster.of_folder(name))}
    there |= {name: name for name in names}
    owned: dict[_Key, list[HandedIn]] = defaultdict(list)
    wanted: dict[_Key, str] = {}
    listed: dict[_Key, Learner] = {}
    nobody: list[tuple[HandedIn, str]] = []
    for file in files:
        try:
            learner = learner_of(file.who, roster)
        except NotMatched as error:
            nobody.append((file, str(error)))
            continue
        if learner:
            key: _Key = ("roster", learner.id)
            wanted[key], listed[key] = there.get(learner.id, safe_name(learner.id)), learner
        elif file.who.folder:
            key = ("platform", file.who.number or file.who.folder)
            wanted[key] = safe_name(file.who.folder)
        else:
            nobody.append((file, "its name does not say whose it is."))
            continue
        owned[key].append(file)
    for key, learner in listed.items():
        nobody += _namesakes(owned, key, learner)
    folders = _distinct(wanted, {name.casefold(): name for name in names})
    groups = {folders[key]: group for key, group in owned.items() if group}
    return groups, {folders[key]: learner for key, learner in listed.items()}, nobody


def _namesakes(owned: dict[_Key, list[HandedIn]], key: _Key, learner: Learner) -> Iterator[tuple[HandedIn, str]]:
    """Take out what several users of a platform handed in who bear the name of one learner on the roster."""
    group = owned[key]
    if len({file.who.number for file in group} - {""}) > 1:
        own = {learner.platform_id, learner.participant, learner.login, learner.sis_id, learner.email, learner.id}
        owned[key] = [file for file in group if file.who.number in own or not file.who.number]
        for file in group:
            if file not in owned[key]:
                yield (
                    file,
                    f"several are called {file.who.name}, and the roster does not tell which is {learner.id}: {_CURE}",
                )


def _distinct(wanted: Mapping[_Key, str], existing: Mapping[str, str]) -> dict[_Key, str]:
    """No two share a folder, on systems that do not tell capitals apart either; who is on the roster keeps the name."""
    bearers = Counter(name.casefold() for name in wanted.values())
    found = {}
    for key, name in wanted.items():
        shared = bearers[name.casefold()] > 1 or existing.get(name.casefold(), name) != name
        if key[0] == "roster" or not shared:
            found[key] = name
        else:
            marked = f"{name}_{_mark(key[1])}"
            found[key] = f"{name}_{digest_of(key[1])}" if marked.casefold() in bearers else marked
    return found


def _mark(identity: str) -> str:
    return identity if identity.isdigit() and len(identity) < 16 else digest_of(identity)
