"""PO files: what there is to translate, what is translated, and whether a translation keeps to its original.

`solutions/UNIT/LANGUAGE.po` holds a unit's texts (paragraphs, headings, table cells, hints, comments and strings of code)
and, under the context "message", what its checks say (sentences of mistakes, names of cases). `autograder/locale/LANGUAGE.po`
holds the package's own messages. Both are edited in Poedit, Weblate, or as text; `translate` brings them up to date.
"""

from __future__ import annotations

import ast
import difflib
import functools
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
import polib

from ..formats.language import FIELD, LOCALE, Catalog, catalog, languages
from ..formats.texts import code_in, fields_of, has_words, markdown_in
from ..formats.translation import translated_cells
from .derived_cells import MADE
from .notebook import notebook_text, solved_notebook
from .parse import CHECKS_FILE, Lesson
from .start_page import page_texts
from .stored import stored_cases, text_at, write_text

GLOSSARY = LOCALE.parents[1] / "docs" / "glossary.md"
MESSAGE = "message"
"""The context of what checks and the package say: templates whose values stand in braces."""
_ROOMS = ("formats", "observing", "judging", "notebook", "lab", "vocabulary.py", "authoring/derived_cells.py",
          "authoring/notebook.py", "authoring/start_page.py", "grading/feedback.py", "grading/grade_one.py", "library/devices.py",
          "authoring/drawing.py", "authoring/book.py")  # fmt: skip
"""Where the package speaks to learners."""
_NOT_SPOKEN = ("formats/fingerprints.py", "formats/frames.py", "formats/language.py", "formats/texts.py",
               "formats/translation.py", "formats/values.py", "lab/corpus", "lab/real_", "lab/style.py", "observing/processes.py",
               "observing/sandbox", "observing/warm.py", "observing/watch.py")  # fmt: skip
_WORDS = (
    """
row|rows|column|more|less|late|early|above|below|first|last|slower|faster|function|class|training|evaluation|query|key|value
queries|keys|values|query and key|key and value|keys and values|queries and keys|a tuple|a list|a dict|given|expected|yours
holds:|does not hold:|not reached:|unit|time|points|you write|✓ passed|check|solution|setup|hidden|visible|exercise|output
input|inputs|weights|the output|the weights|after the call|the gradient|add & norm|feed-forward|linear|softmax|embedding
+ positions|multi-head attention|masked attention|cross-attention|encoder × N|decoder × N|inside each head|query · key|mask
× values|why attention|its gradient|search|made fast|keys and values|Chinese: ids|English so far, shifted right|the next word
the number: the unit that builds it|orange: today|green: passed|loss|step|steps|tokens|head|layer|block|number|your guess
measured here|weight|after|← unit|YOUR ANSWER HERE|scores|score|token|sentence|sentences|batch|shape|axis|nothing|none|yes|no
""".replace("\n", "|")
    .strip("|")
    .split("|")
)
"""Words that are put into messages and pictures one by one."""
_IN_TEMPLATES = re.compile(r'(?:said\(|else )"([^"]+)"')
_ENDING = re.compile(r"[a-z]\{([a-z_0-9]+)\}")
"""A value that ends an English word, such as the "s" of a plural."""
_PLURAL = re.compile(r"\{'e?s' \* ")
_CODE = re.compile(r"`[^`\n]+`")
_FORMULA = re.compile(r"\$\$.+?\$\$|\$[^$\n]+\$", re.DOTALL)
_IN_WORDS = re.compile(r"\\text(?:bf|rm|it)?\{[^{}]*\}")
_NO_PROSE = re.compile(r"`[^`]*`|\$[^$]+\$|\]\([^)]*\)|\*[^*]+\*|\{[^}]*\}|\"[^\"]*\"")
_ADDRESS = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Text:
    """One text, and where it stands for the first time."""

    original: str
    place: str
    message: bool = False

    @property
    def key(self) -> tuple[str, bool]:
        return self.original, self.message


@dataclass(frozen=True)
class State:
    """What a PO file lacks. Each list holds originals."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    unused: tuple[str, ...]
    broken: tuple[str, ...]
    """Sentences: translations that do not keep to their originals."""

    @property
    def is_current(self) -> bool:
        return not (self.new or self.changed or self.broken)


def unit_po(lesson: Path, language: str) -> Path:
    """lesson: the lesson's file"""
    return lesson.with_name(f"{language}.po")


def package_po(language: str) -> Path:
    return LOCALE / f"{language}.po"


def built(language: str, domain: str) -> Path:
    """The catalog that is read at run time."""
    return LOCALE / language / f"{domain}.json"


def unit_texts(lesson: Lesson) -> list[Text]:
    """Everything that a learner reads in the unit, in the order of reading."""
    package = Catalog({}, {text.original: "" for text in package_messages()})
    found: dict[tuple[str, bool], Text] = {}

    def note(original: str, place: str, message: bool = False) -> str:
        values = package.made_of(original)
        if values is None:
            found.setdefault((original, message), Text(original, place, message))
        elif message:  # two mistakes in one sentence: each has its own
            for sentence in values:
                note(sentence, place, message)
        return original

    for cell in solved_notebook(lesson).cells:
        own = cell.metadata.get("autograder", {})
        if own.get("part") in ("check", "hidden") or own.get("made") == MADE:
            continue
        walk = markdown_in if cell.cell_type == "markdown" else code_in
        walk(cell.source, lambda text, place=cell.id: note(text, place))  # type: ignore[misc]
    for exercise in lesson.exercises:
        for hint in exercise.hints:
            note(hint, f"{exercise.name}-hints")
    for label in _labels(lesson.path.with_name(CHECKS_FILE)):
        note(label, "checks", True)
    cases = stored_cases(lesson.path.with_name("cases.npz"))
    for known in cases.exercises if cases else ():
        for variant in known.variants:
            note(variant.says, f"{known.name}: {variant.name}", True)
    return list(found.values())


def _labels(checks: Path) -> Iterator[str]:
    """The names of cases: docstrings of their makers, with the sizes as values."""
    for node in ast.walk(ast.parse(checks.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and any(
            isinstance(one, ast.Call) and getattr(one.func, "id", "") == "cases" for one in node.decorator_list
        ):
            label = " ".join((ast.get_docstring(node) or "").split("\n")).strip()
            if label:
                yield label


@functools.cache
def package_messages() -> tuple[Text, ...]:
    """The package's own messages, as templates: strings and f-strings that hold words and are no docstrings."""
    found: dict[tuple[str, bool], Text] = {}
    root = LOCALE.parent
    for room in _ROOMS:
        for path in [root / room] if room.endswith(".py") else sorted((root / room).rglob("*.py")):
            place = path.relative_to(root).as_posix()
            if place.startswith(_NOT_SPOKEN):
                continue
            for original in _spoken(ast.parse(path.read_text(encoding="utf-8"))):
                found.setdefault((original, True), Text(original, place, True))
    for template in sorted((root / "grading" / "templates").glob("*.html")):
        for original in _IN_TEMPLATES.findall(template.read_text(encoding="utf-8")):
            found.setdefault((original, True), Text(original, f"grading/templates/{template.name}", True))
    for word in _WORDS:
        found.setdefault((word, True), Text(word, "words", True))
    for page in page_texts(root.parent):
        markdown_in(page, lambda text: found.setdefault((text, False), Text(text, "start page")).original)
    return tuple(found.values())


def _spoken(tree: ast.Module) -> Iterator[str]:
    said_of_code = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    for node, inside in _strings(tree, False):
        if id(node) in said_of_code:
            continue
        if isinstance(node, ast.JoinedStr):
            original = _template(node)
            if re.search(r"[A-Za-z]{2}", FIELD.sub("", original)) and not _is_markup(original):
                yield original
        elif (
            isinstance(node.value, str)
            and has_words(node.value)
            and not _is_markup(node.value)
            and node.value not in _GRAMMAR
            and (inside or re.search(r"[A-Za-z]{2,},? [A-Za-z`]{1,}", node.value))
        ):
            yield node.value


_GRAMMAR = frozenset("is are it was were has have its their s es".split())
"""English words without a meaning of their own, which no value should be."""


def _strings(node: ast.AST, inside: bool) -> Iterator[tuple[ast.Constant | ast.JoinedStr, bool]]:
    """Strings and f-strings, those inside an f-string's values marked; what is compared or looked up is none."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield node, inside
        return
    if isinstance(node, ast.JoinedStr):
        yield node, inside
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from _strings(part.value, True)
        return
    if isinstance(node, ast.Compare):
        return
    inside = inside and not isinstance(node, (ast.Subscript, ast.Call))
    for child in ast.iter_child_nodes(node):
        yield from _strings(child, inside)


def _is_markup(text: str) -> bool:
    return "\\" in text or ("`" not in text and re.search(r"</?\w+[ >]|\{\{|--", text) is not None)


def _template(node: ast.JoinedStr) -> str:
    """An f-string as a template: each value bears the last name in its expression, and a number where one comes twice."""
    parts: list[str] = []
    taken: dict[str, str] = {}
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
            continue
        assert isinstance(part, ast.FormattedValue)
        spelled = ast.unparse(part.value)
        if spelled not in taken:
            name, number = _value_name(part.value), 2
            unique = name
            while unique in taken.values():
                unique, number = f"{name}_{number}", number + 1
            taken[spelled] = unique
        parts.append(f"{{{taken[spelled]}}}")
    return "".join(parts)


def _value_name(value: ast.expr) -> str:
    called = {id(node.func) for node in ast.walk(value) if isinstance(node, ast.Call)}
    names = [
        node.attr if isinstance(node, ast.Attribute) else node.id
        for node in ast.walk(value)
        if isinstance(node, (ast.Attribute, ast.Name)) and id(node) not in called
    ]
    return (names[0] if names else "value").strip("_").lower() or "value"


def read(path: Path) -> polib.POFile:
    """A PO file; an empty one where there is none. Raises ValueError where it cannot be read."""
    if not path.is_file():
        return polib.POFile(wrapwidth=0)
    try:
        return polib.pofile(str(path), wrapwidth=0)
    except OSError as error:
        raise ValueError(f"{path}: not a PO file ({error})") from error


def brought_up_to_date(before: polib.POFile, texts: Iterable[Text], language: str) -> polib.POFile:
    """The PO file for these texts. A text that is nearly an old one gets its translation, marked as one to look at."""
    known = {(entry.msgid, entry.msgctxt == MESSAGE): entry for entry in before}
    texts = list(texts)
    wanted = {text.key for text in texts}
    left = {key: entry for key, entry in known.items() if key not in wanted and entry.msgstr}
    after = polib.POFile(wrapwidth=0)
    after.metadata = {
        "Language": language,
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Transfer-Encoding": "8bit",
    }
    for text in texts:
        entry = polib.POEntry(
            msgid=text.original, msgctxt=MESSAGE if text.message else None, occurrences=[(text.place, "")]
        )
        old = known.get(text.key)
        if old is not None:
            entry.msgstr, entry.flags, entry.previous_msgid = old.msgstr, list(old.flags), old.previous_msgid
        elif near := difflib.get_close_matches(
            text.original, [original for original, message in left if message == text.message], 1, 0.75
        ):
            entry.msgstr, entry.flags, entry.previous_msgid = (
                left.pop((near[0], text.message)).msgstr,
                ["fuzzy"],
                near[0],
            )
        after.append(entry)
    for (original, message), entry in left.items():
        after.append(
            polib.POEntry(msgid=original, msgctxt=MESSAGE if message else None, msgstr=entry.msgstr, obsolete=True)
        )
    return after


def bring_up_to_date(path: Path, texts: Iterable[Text], language: str) -> None:
    """Rewrite a PO file for these texts. Raises ValueError, OSError."""
    brought_up_to_date(read(path), texts, language).save(str(path))


def state_of(path: Path, texts: Iterable[Text]) -> State:
    """What the PO file at `path` lacks for these texts. Raises ValueError."""
    known = {(entry.msgid, entry.msgctxt == MESSAGE): entry for entry in read(path) if not entry.obsolete}
    wanted = {text.key: text for text in texts}
    new = [text.original for key, text in wanted.items() if key not in known or not known[key].msgstr]
    changed = [text.original for key, text in wanted.items() if key in known and "fuzzy" in known[key].flags]
    unused = [entry.msgid for key, entry in known.items() if key not in wanted]
    broken = [
        f"{short(original)}: {trouble}"
        for (original, message), entry in known.items()
        if entry.msgstr and (original, message) in wanted
        for trouble in (*unlike(original, entry.msgstr, message), *other_words(original, entry.msgstr))
    ]
    return State(tuple(new), tuple(changed), tuple(unused), tuple(broken))


def short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 70 else f"{line[:67]}..."


def unlike(original: str, translation: str, message: bool) -> list[str]:
    """Where a translation's formulas, code, addresses or values are not those of its original."""
    found = []
    for name, parts in (
        ("code", _CODE.findall),
        ("formulas", lambda text: [_IN_WORDS.sub("", formula) for formula in _FORMULA.findall(text)]),
        ("addresses", _ADDRESS.findall),
        ("values in braces", FIELD.findall if message else fields_of),
    ):
        if name == "values in braces" and not message and ("$" in original or "\\" in original):
            continue  # braces of formulas
        ours, theirs = Counter(parts(original)), Counter(parts(translation))
        if name == "values in braces":  # an English plural is no loss
            ours, theirs = Counter(set(ours)), Counter(set(theirs))
        may_go = {part for part in ours if _PLURAL.match(part)} | set(_ENDING.findall(original) if message else ())
        ours = Counter({part: count for part, count in ours.items() if part not in may_go or part in theirs})
        if ours != theirs:
            missing, more = list((ours - theirs).elements()), list((theirs - ours).elements())
            told = [f"{', '.join(missing)} missing"] if missing else []
            told += [f"{', '.join(more)} too many"] if more else []
            found.append(f"{name}: {'; '.join(told)}")
    return found


@functools.cache
def glossary(path: Path) -> tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]:
    """The first table of a glossary: a pattern for each English term, and the words of which its translation has one."""
    rows = []
    for line in path.read_text(encoding="utf-8").split("\n\nFurther words")[0].splitlines() if path.is_file() else ():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 2 and cells[0] != "English" and not cells[0].startswith("-"):
            rows.append(
                (re.compile(rf"\b{re.escape(cells[0])}\b", re.IGNORECASE), tuple(re.split(r"\s*/\s*", cells[1])))
            )
    return tuple(rows)


def other_words(original: str, translation: str) -> list[str]:
    """Terms of the glossary for which a translation has another word. What stays in English is no translation."""
    if translation == original:
        return []
    bare = _NO_PROSE.sub(" ", original)
    return [
        f"the glossary says {' or '.join(words)} for {found[0]}"
        for pattern, words in glossary(GLOSSARY)
        if (found := pattern.search(bare)) and not any(word in translation for word in words)
    ]


def catalog_text(before: polib.POFile) -> str:
    """What a PO file says, as it is read at run time."""
    done = [entry for entry in before if entry.msgstr and not entry.obsolete and "fuzzy" not in entry.flags]
    tree = {
        "texts": {entry.msgid: entry.msgstr for entry in done if entry.msgctxt != MESSAGE},
        "messages": {entry.msgid: entry.msgstr for entry in done if entry.msgctxt == MESSAGE},
    }
    return json.dumps(tree, ensure_ascii=False, indent=0, sort_keys=True) + "\n"


def stale_catalog(path: Path, texts: Sequence[Text], domain: str, language: str) -> list[str]:
    """What is not current of a PO file and of the catalog built from it, a sentence each."""
    state = state_of(path, texts)
    cure = f"run `python -m autograder translate{'' if path == package_po(language) else f' {domain}'}`"
    found = [
        f"{path}: {len(which)} {what} ({short(which[0])}); {cure}, and translate them"
        for what, which in (("texts are not translated", state.new), ("texts have changed", state.changed))
        if which
    ]
    found += [f"{path}: {trouble}" for trouble in state.broken]
    if not found and text_at(built(language, domain)) != catalog_text(read(path)):
        found.append(f"{built(language, domain)} is not what {path.name} gives; run `python -m autograder build`")
    return found


def write_catalog(path: Path, domain: str, language: str) -> list[Path]:
    """Build the catalog of a PO file; the files written."""
    target, text = built(language, domain), catalog_text(read(path))
    written = write_text(target, text)
    if written:
        catalog.cache_clear()
        languages.cache_clear()
    return written


def translations(lesson: Lesson) -> tuple[str, ...]:
    """The languages that the unit is translated into."""
    return tuple(sorted(path.stem for path in lesson.path.parent.glob("*.po")))


def translated_notebook(learner: str, language: str, unit: str = "") -> str:
    """The learner's notebook, given as text, in another language."""
    notebook = json.loads(learner)
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
    notebook["cells"] = translated_cells(notebook["cells"], language, unit)
    for cell in notebook["cells"]:
        cell["source"] = _in_folder_of(language, cell["source"]) if cell["cell_type"] == "markdown" else cell["source"]
        nbgrader = cell["metadata"].get("nbgrader", {})
        if nbgrader.get("checksum"):
            from nbgrader.utils import compute_checksum

            nbgrader["checksum"] = compute_checksum(nbformat.from_dict(cell))
    notebook["metadata"]["autograder"] = {**notebook["metadata"].get("autograder", {}), "language": language}
    return notebook_text(nbformat.from_dict(notebook))


def _in_folder_of(language: str, source: str) -> str:
    """Links from `notebooks/UNIT` as links from `notebooks/LANGUAGE/UNIT`, which has siblings of its own."""
    return source.replace("](../../notebooks/", "](../").replace("](../../", "](../../../")
