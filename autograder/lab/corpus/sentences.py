"""Templated sentences whose time phrase moves, questions, and negations.

Chinese puts the time before the verb, either at the very front or after the subject; the English of both is
the same and has it at the end: 昨天我买了三本书 and 我昨天买了三本书 are "i bought three books yesterday".

What decides the English:

- 了 after the verb makes the past, 要 before it "will", 每... the habit (都 may stand there, it adds
  nothing).
- 没 and 没有 before a verb deny the past, 不 denies habit and future; 没有 before a noun is "do not have".
- The object of a negation or of a 吗 question without a number is "any books", with 不 and no time the plain
  plural or substance: 我不喝茶 "i do not drink tea".
- 几 is "how many", 谁 "who": nothing else marks these as questions, and 几 never means "a few" here. A 吗
  question and its 是不是 or A-not-A form share their English.
- 你 is "you"; no plural 你们 is made, which English could not tell from it.

There is no punctuation on either side.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from .clauses import PEOPLE, PLACES, Person, TimePhrase, Verb, action, future_time, habit_time, past_time
from .draws import chance, pick, pick_weighted, whole
from .nouns import NOUNS, Noun, counted
from .numerals import chinese_count, english_number, spaced
from .pair import Pair, make_pair, written

_ROLES = (
    ("老师", "teacher", "teachers"), ("学生", "student", "students"), ("医生", "doctor", "doctors"),
    ("工程师", "engineer", "engineers"), ("律师", "lawyer", "lawyers"), ("作家", "writer", "writers"),
    ("科学家", "scientist", "scientists"),
)  # fmt: skip
_OWNED = ("车", "手机", "电脑", "自行车", "狗", "猫", "雨伞", "词典", "票", "铅笔")
_FOR_SALE = ("书", "词典", "车", "手机", "鞋", "衬衫", "雨伞", "椅子", "笔", "裙子", "裤子")
_NOBODY_HERE = ("我", "我们")


def sentences(rng: Random) -> Pair:
    """Who did, will do or does what, where, when: 昨天我买了三本书 → i bought three books yesterday."""
    person = pick(rng, PEOPLE)
    tense = pick_weighted(rng, ("past", "future", "habit"), (5, 3, 2))
    verb, noun = action(rng, tense)
    value = _few(rng)
    goods = f"{spaced(chinese_count(value))} {noun.measure} {noun.chinese}"
    things = f"{english_number(value)} {noun.english(value)}"
    place, where = pick(rng, PLACES) if chance(rng, 0.2) else ("", "")
    if tense == "past":
        time = past_time(rng)
        did, done = f"{place} {verb.chinese} 了 {goods}", verb.past
    elif tense == "future":
        time = future_time(rng)
        did, done = f"要 {place} {verb.chinese} {goods}", f"will {verb.english}"
    else:
        time = habit_time(rng)
        did = f"{'都' if chance(rng, 0.5) else ''} {place} {verb.chinese} {goods}"
        done = verb.third if person.third else verb.english
    chinese = _moving(rng, person, time, did)
    english = f"{person.subject} {done} {things} {where} {time.english}"
    return make_pair("sentences", chinese, english, *_met(verb, noun, time, value))


def questions(rng: Random) -> Pair:
    """你昨天买了几本书 → how many books did you buy yesterday; also 吗, 谁, 多少钱, 在哪儿."""
    return pick_weighted(rng, tuple(_QUESTIONS), tuple(_QUESTIONS.values()))(rng)


def negations(rng: Random) -> Pair:
    """我昨天没买书 → i did not buy any books yesterday; also 不, 从来不, 不是, 没有."""
    return pick_weighted(rng, tuple(_NEGATIONS), tuple(_NEGATIONS.values()))(rng)


def _how_many(rng: Random) -> Pair:
    person, time, (verb, noun) = _asked(rng), past_time(rng), action(rng, "past")
    chinese = _moving(rng, person, time, f"{verb.chinese} 了 几 {noun.measure} {noun.chinese}")
    english = f"how many {noun.english(2)} did {person.subject} {verb.english} {time.english}"
    return make_pair("questions", chinese, english, *_met(verb, noun, time))


def _did_you(rng: Random) -> Pair:
    person, time, (verb, noun) = _asked(rng), past_time(rng), action(rng, "past")
    value = _few(rng) if chance(rng, 0.5) else None
    if value is not None:
        done = f"{verb.chinese} 了 {spaced(chinese_count(value))} {noun.measure} {noun.chinese} 吗"
        things = f"{english_number(value)} {noun.english(value)}"
    else:
        done, things = f"{verb.chinese} {noun.chinese} 了 吗", f"any {noun.bare}"
    english = f"did {person.subject} {verb.english} {things} {time.english}"
    return make_pair("questions", _moving(rng, person, time, done), english, *_met(verb, noun, time, value))


def _who(rng: Random) -> Pair:
    time, (verb, noun), value = past_time(rng), action(rng, "past"), _few(rng)
    goods = f"{spaced(chinese_count(value))} {noun.measure} {noun.chinese}"
    who = Person("谁", "who", "whom", "is")
    english = f"who {verb.past} {english_number(value)} {noun.english(value)} {time.english}"
    chinese = _moving(rng, who, time, f"{verb.chinese} 了 {goods}")
    return make_pair("questions", chinese, english, *_met(verb, noun, time, value))


def _do_you(rng: Random) -> Pair:
    person, (verb, noun) = _asked(rng), action(rng, "habit")
    asked = f"{verb.chinese} {noun.chinese} 吗"
    if len(written(verb.chinese)) == 1 and chance(rng, 0.55):
        asked = f"{verb.chinese} 不 {verb.chinese} {noun.chinese}"
    do = "does" if person.third else "do"
    english = f"{do} {person.subject} {verb.english} {noun.bare}"
    combination = f"does {person.name}|{verb.chinese}{noun.chinese}"
    return make_pair("questions", f"{person.chinese} {asked}", english, combination)


def _is_it(rng: Random) -> Pair:
    person = _asked(rng)
    role, one, many = _role(rng, person)
    chinese = f"{person.chinese} 是不是 {role}" if chance(rng, 0.4) else f"{person.chinese} 是 {role} 吗"
    english = f"{person.be} {person.subject} {_predicate(person, one, many)}"
    return make_pair("questions", chinese, english, f"is {person.name}|{role}")


def _price(rng: Random) -> Pair:
    noun = NOUNS[pick(rng, _FOR_SALE)]
    if chance(rng, 0.5):
        word, one = pick(rng, (("这", "this"), ("那", "that")))
        english = f"how much is {one} {noun.english(1)}"
        chinese = f"{word} {noun.measure} {noun.chinese} 多少 钱"
        return make_pair("questions", chinese, english, f"price of {word}|{noun.chinese}")
    value = _few(rng)
    english = f"how much {'is' if value == 1 else 'are'} {english_number(value)} {noun.english(value)}"
    chinese = f"{spaced(chinese_count(value))} {noun.measure} {noun.chinese} 多少 钱"
    return make_pair("questions", chinese, english, counted(value, noun))


def _where(rng: Random) -> Pair:
    person = _asked(rng)
    if chance(rng, 0.4):
        return make_pair("questions", f"{person.chinese} 在 哪儿", f"where {person.be} {person.subject}")
    place, where = pick(rng, PLACES)
    english = f"{person.be} {person.subject} {where}"
    met = f"is {person.name}|{place.split()[1]}"
    return make_pair("questions", f"{person.chinese} {place} 吗", english, met)


def _did_not(rng: Random) -> Pair:
    person, time, (verb, noun) = pick(rng, PEOPLE), past_time(rng), action(rng, "past")
    did = f"{pick(rng, ('没', '没有'))} {verb.chinese} {noun.chinese}"
    english = f"{person.subject} did not {verb.english} any {noun.bare} {time.english}"
    return make_pair("negations", _moving(rng, person, time, did), english, *_met(verb, noun, time))


def _will_not(rng: Random) -> Pair:
    person, time, (verb, noun) = pick(rng, PEOPLE), future_time(rng), action(rng, "future")
    english = f"{person.subject} will not {verb.english} any {noun.bare} {time.english}"
    chinese = _moving(rng, person, time, f"不 {verb.chinese} {noun.chinese}")
    return make_pair("negations", chinese, english, *_met(verb, noun, time))


def _does_not(rng: Random) -> Pair:
    person, (verb, noun) = pick(rng, PEOPLE), action(rng, "habit")
    combination = f"does {person.name}|{verb.chinese}{noun.chinese}"
    if chance(rng, 0.4):
        done = verb.third if person.third else verb.english
        chinese = f"{person.chinese} 从来 不 {verb.chinese} {noun.chinese}"
        return make_pair("negations", chinese, f"{person.subject} never {done} {noun.bare}", combination)
    do = "does" if person.third else "do"
    english = f"{person.subject} {do} not {verb.english} {noun.bare}"
    return make_pair("negations", f"{person.chinese} 不 {verb.chinese} {noun.chinese}", english, combination)


def _is_not(rng: Random) -> Pair:
    person = pick(rng, PEOPLE)
    if chance(rng, 0.3):
        place, where = pick(rng, PLACES)
        english = f"{person.subject} {person.be} not {where}"
        met = f"is {person.name}|{place.split()[1]}"
        return make_pair("negations", f"{person.chinese} 不 {place}", english, met)
    role, one, many = _role(rng, person)
    english = f"{person.subject} {person.be} not {_predicate(person, one, many)}"
    return make_pair("negations", f"{person.chinese} 不 是 {role}", english, f"is {person.name}|{role}")


def _has_not(rng: Random) -> Pair:
    person, noun = pick(rng, PEOPLE), NOUNS[pick(rng, _OWNED)]
    thing = noun.english(1)
    do, a = "does" if person.third else "do", "an" if thing[0] in "aeiou" else "a"
    chinese = f"{person.chinese} 没有/have {noun.chinese}"
    english = f"{person.subject} {do} not have {a} {thing}"
    return make_pair("negations", chinese, english, f"has {person.name}|{noun.chinese}")


_QUESTIONS: dict[Callable[[Random], Pair], float] = {
    _how_many: 4, _did_you: 4, _who: 2, _do_you: 3, _is_it: 1, _price: 1, _where: 1,
}  # fmt: skip
_NEGATIONS: dict[Callable[[Random], Pair], float] = {
    _did_not: 4, _will_not: 3, _does_not: 3, _is_not: 1.5, _has_not: 1,
}  # fmt: skip


def _moving(rng: Random, person: Person, time: TimePhrase, did: str) -> str:
    """The clause with its time phrase in front or after the subject."""
    front = f"{time.chinese} {person.chinese}" if chance(rng, 0.5) else f"{person.chinese} {time.chinese}"
    return f"{front} {did}"


def _met(verb: Verb, noun: Noun, time: TimePhrase, value: int | None = None) -> tuple[str, ...]:
    """What the compositional split combines here: action with time, number with noun, hour with minute."""
    number = counted(value, noun) if value is not None else ""
    return f"do {verb.chinese}{noun.chinese}|{time.key}", number, time.clock


def _asked(rng: Random) -> Person:
    return pick(rng, tuple(person for person in PEOPLE if person.chinese not in _NOBODY_HERE))


def _role(rng: Random, person: Person) -> tuple[str, str, str]:
    """A role that the person's own name does not already say."""
    return pick(rng, tuple(role for role in _ROLES if role[0] not in person.chinese))


def _predicate(person: Person, one: str, many: str) -> str:
    if person.be == "are" and person.chinese != "你":
        return many
    return f"{'an' if one[0] in 'aeiou' else 'a'} {one}"


def _few(rng: Random) -> int:
    return whole(rng, 1, 9) if chance(rng, 0.85) else whole(rng, 10, 99)
