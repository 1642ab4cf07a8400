"""What sentences are put together from: people, actions, places, and time phrases with their tense."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from .clock import DAY_PARTS, clock_reading
from .days import MONTHS, part_of_day, weekday_phrase, year_words
from .draws import chance, pick, pick_weighted, whole
from .nouns import DURATIONS, NOUNS, Noun
from .numerals import chinese_count, chinese_number, english_number, spaced


@dataclass(frozen=True)
class Person:
    """Somebody, as subject and as object; `be` is am, is or are."""

    chinese: str
    subject: str
    other: str
    be: str

    @property
    def name(self) -> str:
        """The Chinese without spaces, for the compositional split."""
        return self.chinese.replace(" ", "")

    @property
    def third(self) -> bool:
        """True where the English verb takes an s: he reads."""
        return self.be == "is"


@dataclass(frozen=True)
class Verb:
    """An action and the nouns that it goes with. `english` is the base form."""

    chinese: str
    english: str
    past: str
    third: str
    objects: tuple[Noun, ...]
    tenses: tuple[str, ...]


@dataclass(frozen=True)
class TimePhrase:
    """When: `key` names it without its numbers, for the compositional split, `clock` the time of day if there
    is one."""

    chinese: str
    english: str
    key: str
    clock: str = ""


PEOPLE = (
    Person("我", "i", "me", "am"),
    Person("你", "you", "you", "are"),
    Person("他", "he", "him", "is"),
    Person("她", "she", "her", "is"),
    Person("我们", "we", "us", "are"),
    Person("他们", "they", "them", "are"),
    Person("小王", "xiao wang", "xiao wang", "is"),
    Person("小李", "xiao li", "xiao li", "is"),
    Person("我 朋友", "my friend", "my friend", "is"),
    Person("我 哥哥", "my older brother", "my older brother", "is"),
    Person("我 妹妹", "my younger sister", "my younger sister", "is"),
    Person("老师", "the teacher", "the teacher", "is"),
    Person("学生们", "the students", "the students", "are"),
)
PLACES = (
    ("在 家/home", "at home"), ("在 学校", "at school"), ("在 北京", "in beijing"),
    ("在 上海", "in shanghai"), ("在 公司", "at the office"),
)  # fmt: skip


def _verb(line: str) -> Verb:
    chinese, forms, objects = line.split("|")
    base, past, third = (form.strip() for form in forms.split(","))
    nouns = tuple(NOUNS[word] for word in objects.split())
    tenses = ("past", "future", "habit")[: {"*": 3, "-": 1}.get(chinese[0], 2)]
    return Verb(chinese.strip("*-"), base, past, third, nouns, tenses)


# A star marks what people do day after day: these verbs also take 每天.
# A minus marks what nobody plans: it does not take 要.
VERBS: tuple[Verb, ...] = tuple(map(_verb, """
买|buy, bought, buys|书 词典 杂志 票 苹果 鸡蛋 手机 电脑 车 自行车 衬衫 鞋 花 笔 椅子 鱼 雨伞 礼物 蛋糕
卖|sell, sold, sells|车 手机 电脑 自行车 房子 票
*看/read|read, read, reads|书 小说 论文 文章 杂志
*看/watch|watch, watched, watches|电影
*写|write, wrote, writes|信 论文 文章 邮件 诗
借|borrow, borrowed, borrows|书 词典 雨伞 自行车 小说
*吃|eat, ate, eats|苹果 包子 鸡蛋 面条 米饭 蛋糕 橙子
*喝|drink, drank, drinks|茶 水 咖啡 牛奶 啤酒 果汁 汤
*学|learn, learned, learns|歌 词 字 句子
*听|listen to, listened to, listens to|歌
*唱|sing, sang, sings|歌
画|draw, drew, draws|马 鸟 树 花 猫
*拍|take, took, takes|照片
-收到|receive, received, receives|信 邮件 礼物
*问|ask, asked, asks|问题
*回答|answer, answered, answers|问题
*训练|train, trained, trains|模型
*做|do, did, does|实验
*上/attend|have, had, has|课
""".strip().splitlines()))  # fmt: skip

_ACTIONS = {
    tense: tuple((verb, noun) for verb in VERBS if tense in verb.tenses for noun in verb.objects)
    for tense in ("past", "future", "habit")
}
_PAST = (
    ("昨天", "yesterday"), ("前天", "the day before yesterday"), ("上个星期", "last week"),
    ("上个月", "last month"), ("去年", "last year"), ("今天 早上", "this morning"),
    ("昨天 早上", "yesterday morning"), ("昨天 下午", "yesterday afternoon"),
    ("昨天 晚上", "yesterday evening"), ("昨天 中午", "at noon yesterday"),
)  # fmt: skip
_FUTURE = (
    ("明天", "tomorrow"), ("后天", "the day after tomorrow"), ("下个星期", "next week"),
    ("下个月", "next month"), ("明年", "next year"), ("今天 晚上", "this evening"),
    ("明天 早上", "tomorrow morning"), ("明天 下午", "tomorrow afternoon"),
    ("明天 晚上", "tomorrow evening"), ("明天 中午", "at noon tomorrow"),
)  # fmt: skip
_HABIT = (
    ("每天", "every day"), ("每 个 星期", "every week"), ("每 个 月", "every month"), ("每年", "every year"),
    ("每天 早上", "every morning"), ("每天 下午", "every afternoon"), ("每天 晚上", "every evening"),
    ("每天 中午", "at noon every day"),
)  # fmt: skip
_SPANS = tuple((chinese, unit) for chinese, unit in DURATIONS if unit in ("day", "week", "month", "year"))


def past_time(rng: Random) -> TimePhrase:
    """昨天, 上星期三, 三天前, 去年五月, 一九三六年, 昨天下午三点半 ..."""
    form = pick_weighted(rng, ("named", "clock", "weekday", "ago", "month", "year"), (6, 2, 2, 2, 1, 1))
    if form == "named":
        return _named(rng, _PAST)
    if form == "clock":
        return _with_clock(rng, "昨天", "yesterday")
    if form == "weekday":
        return _weekday(rng, "上")
    if form == "ago":
        chinese, english = _span(rng)
        return TimePhrase(f"{chinese} 前", f"{english} ago", "ago")
    if form == "month":
        month = whole(rng, 1, 12)
        chinese = f"去年 {spaced(chinese_number(month))} 月"
        return TimePhrase(chinese, f"in {MONTHS[month - 1]} last year", f"lastyear{month}")
    year = whole(rng, 1936, 2020)
    return TimePhrase(year_words(year), f"in {year}", "year")


def future_time(rng: Random) -> TimePhrase:
    """明天, 下星期三, 三天后, 明年五月, 明天下午三点半 ..."""
    form = pick_weighted(rng, ("named", "clock", "weekday", "hence", "month"), (6, 2, 2, 2, 1))
    if form == "named":
        return _named(rng, _FUTURE)
    if form == "clock":
        return _with_clock(rng, "明天", "tomorrow")
    if form == "weekday":
        return _weekday(rng, "下")
    if form == "hence":
        chinese, english = _span(rng)
        return TimePhrase(f"{chinese} 后", f"in {english}", "hence")
    month = whole(rng, 1, 12)
    chinese = f"明年 {spaced(chinese_number(month))} 月"
    return TimePhrase(chinese, f"in {MONTHS[month - 1]} next year", f"nextyear{month}")


def habit_time(rng: Random) -> TimePhrase:
    """每天, 每个星期三, 每天晚上 ..."""
    return _weekday(rng, "每") if chance(rng, 0.3) else _named(rng, _HABIT)


def action(rng: Random, tense: str) -> tuple[Verb, Noun]:
    """A verb with one of its nouns, fit for past, future or habit; every couple is as likely as the
    others."""
    return pick(rng, _ACTIONS[tense])


def _named(rng: Random, table: tuple[tuple[str, str], ...]) -> TimePhrase:
    chinese, english = pick(rng, table)
    return TimePhrase(chinese, english, chinese.replace(" ", ""))


def _with_clock(rng: Random, day: str, english_day: str) -> TimePhrase:
    part = pick(rng, ("早上", "上午", "下午", "晚上"))
    clock = clock_reading(rng, whole(rng, *DAY_PARTS[part]), counting_down=False)
    english = f"at {clock.english} {english_day} {part_of_day(part)}"
    return TimePhrase(f"{day} {part} {clock.chinese}", english, f"{day}{part}clock", clock.combination)


def _weekday(rng: Random, week: str) -> TimePhrase:
    day = whole(rng, 0, 6)
    phrase = weekday_phrase(rng, day, week)
    return TimePhrase(phrase.chinese, phrase.english, f"{week}{day}")


def _span(rng: Random) -> tuple[str, str]:
    unit, english = pick(rng, _SPANS)
    value = whole(rng, 1, 9) if chance(rng, 0.8) else whole(rng, 10, 30)
    ending = "" if value == 1 else "s"
    return f"{spaced(chinese_count(value))} {unit}", f"{english_number(value)} {english}{ending}"
