"""The texts in a notebook's cells, one by one: what a translator sees, and how a translated cell is put together.

Each function goes through a cell and asks `look` for every text in it; what `look` gives back stands in its place. So the
same walk lists texts and replaces them. Formulas, code and everything that holds no word are left as they are.
"""

from __future__ import annotations

import ast
import copy
import inspect
import io
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import cast

Look = Callable[[str], str]

_NO_WORDS = re.compile(r"\$\$.+?\$\$|\$[^$\n]+\$|`[^`]*`|<[^>]+>|\]\([^)]*\)|https?://\S+", re.DOTALL)
_WORD = re.compile(r"[A-Za-z]{2,}")
_ITEM = re.compile(r"^(\s*(?:[-*+]|\d+\.)\s+)(.*)$")
_HEADING = re.compile(r"^(#+\s+)(.*)$")
_TAGS = re.compile(r"^((?:</?\w+[^>]*>\s*)*)(.*?)((?:\s*</?\w+[^>]*>)*)$", re.DOTALL)
_PIPE = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r"^[\s|:-]+$")
_SHOWING = frozenset(
    "Box flow show table predict outcome print text annotate set_title set_xlabel set_ylabel set_label suptitle title "
    "legend plot bar barh scatter axhline axvline errorbar heatmap heatmaps curves bars lines matrix bounds Markdown HTML".split()
)
"""Calls whose texts are shown, single words too."""
_SHOWN_AS = frozenset(
    "title label labels xlabel ylabel alt caption question choices order unit legend rows columns words names".split()
)
"""Keyword arguments whose texts are shown."""
_NOT_SHOWN = frozenset("begin check use_part hint preflight where_you_are open Path getattr savefig".split())


def has_words(text: str) -> bool:
    """Whether there is something to translate: a word outside formulas, code and addresses."""
    return _WORD.search(_NO_WORDS.sub(" ", text)) is not None


def markdown_in(source: str, look: Look) -> str:
    """A Markdown cell, asking for headings, paragraphs, items of lists and cells of tables."""

    def asked(text: str) -> str:
        before, inner, after = _parts(text)
        return before + (look(inner) if has_words(inner) else inner) + after

    return "\n".join(_markdown_lines(source.split("\n"), asked))


def _parts(text: str) -> tuple[str, str, str]:
    """A text without the tags that it begins and ends with."""
    found = _TAGS.match(text)
    assert found is not None
    return found[1], found[2], found[3]


def _markdown_lines(lines: list[str], asked: Look) -> Iterator[str]:
    at = 0
    while at < len(lines):
        line = lines[at]
        bare = line.strip()
        if bare.startswith("```"):
            end = next((i for i in range(at + 1, len(lines)) if lines[i].strip().startswith("```")), len(lines) - 1)
            yield from lines[at : end + 1]
            at = end + 1
        elif bare.startswith("$$"):
            end = at
            if not (bare.endswith("$$") and len(bare) > 3):
                end = next((i for i in range(at + 1, len(lines)) if lines[i].rstrip().endswith("$$")), len(lines) - 1)
            yield from lines[at : end + 1]
            at = end + 1
        elif bare.startswith("|"):
            yield line if _RULE.match(line) else _row(line, asked)
            at += 1
        elif not bare:
            yield line
            at += 1
        elif heading := _HEADING.match(line):
            yield heading[1] + asked(heading[2])
            at += 1
        else:
            item = _ITEM.match(line)
            prefix, first = (item[1], item[2]) if item else (line[: len(line) - len(line.lstrip())], line.lstrip())
            end = at + 1
            while end < len(lines) and not _begins(lines[end], item is not None):
                end += 1
            yield prefix + asked(" ".join([first.strip(), *(other.strip() for other in lines[at + 1 : end])]))
            at = end


def _begins(line: str, in_list: bool) -> bool:
    """Whether a line belongs to no paragraph before it. A number other than 1 begins an item in a list alone."""
    bare, item = line.strip(), _ITEM.match(line)
    if item is not None and (in_list or item[1].strip() in ("-", "*", "+", "1.")):
        return True
    return not bare or bare.startswith(("|", "$$", "```", "</details", "<details", "#"))


def _row(line: str, asked: Look) -> str:
    cells = _PIPE.split(line)
    return "|".join(f" {asked(cell.strip())} " if cell.strip() else cell for cell in cells)


def code_in(source: str, look: Look, elsewhere: Look = lambda text: text) -> str:
    """A code cell, asking for comments, docstrings, and strings that are shown. Names and numbers stay as they are.

    elsewhere: asked for every other string: where a text is a label in one place and a key in another, both must change
    """
    try:
        tree = ast.parse(source)
        edits = [*_comments(source, look), *_strings(source, tree, look, elsewhere)]
    except (SyntaxError, tokenize.TokenError):
        return source
    data = source.encode()
    for begin, end, text in sorted(edits, reverse=True):
        data = data[:begin] + text.encode() + data[end:]
    return data.decode()


Edit = tuple[int, int, str]
"""From byte, to byte, and what comes there."""


def _line_starts(source: str) -> list[int]:
    starts = [0]
    for line in source.split("\n"):
        starts.append(starts[-1] + len(line.encode()) + 1)
    return starts


def _comments(source: str, look: Look) -> Iterator[Edit]:
    starts, lines = _line_starts(source), source.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        text = token.string.lstrip("# ")
        if (
            not has_words(text)
            or "SOLUTION" in text
            or "YOUR CODE" in text
            or text.startswith(("type:", "noqa", "fmt:"))
        ):
            continue
        row, column = token.start
        begin = starts[row - 1] + len(lines[row - 1][:column].encode())
        mark = token.string[: len(token.string) - len(text)]
        yield begin, begin + len(token.string.encode()), mark + look(text)


def _strings(source: str, tree: ast.Module, look: Look, elsewhere: Look) -> Iterator[Edit]:
    starts = _line_starts(source)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module))
        and ast.get_docstring(node) is not None
        and isinstance(node.body[0], ast.Expr)
    }
    for node, shown in _shown(tree, False):
        said_of_code = id(node) in docstrings
        before = _text_of(node, said_of_code)
        asked = look if _is_shown(before, shown or said_of_code) else elsewhere
        after, literal = asked(before), cast("Callable[[str, str], str]", _plain)
        if said_of_code:
            literal = _docstring
        elif isinstance(node, ast.JoinedStr):
            fields = {_field(part): _other_field(part, look, elsewhere) for part in node.values if _is_field(part)}
            literal = partial(_fields_literal, fields)
            if any(old != new for old, new in fields.items()):
                before = ""
        if after != before:
            assert node.end_lineno is not None and node.end_col_offset is not None
            begin, end = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
            yield begin, end, literal(after, " " * node.col_offset)


def _text_of(node: ast.Constant | ast.JoinedStr, said_of_code: bool) -> str:
    if isinstance(node, ast.JoinedStr):
        return formatted(node)
    return inspect.cleandoc(str(node.value)) if said_of_code else str(node.value)


def _is_shown(text: str, shown: bool) -> bool:
    return has_words(text) and (shown or " " in text.strip())


def _shown(node: ast.AST, shown: bool, key: bool = False) -> Iterator[tuple[ast.Constant | ast.JoinedStr, bool]]:
    """Strings and f-strings, each with whether it stands where single words are shown.

    key: a lone name here is what code calls something by, and is left out
    """
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        if not (key and isinstance(node, ast.Constant) and str(node.value).isidentifier()):
            yield node, shown
    elif isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        yield from _shown(node.func, False)
        if name not in _NOT_SHOWN:
            for place, argument in enumerate(node.args):
                falls_back = name == "get" and place == 1  # what comes for a key that is not there is no key
                yield from _shown(argument, name in _SHOWING, name not in _SHOWING and not falls_back)
            for keyword in node.keywords:
                yield from _shown(keyword.value, keyword.arg in _SHOWN_AS, keyword.arg not in _SHOWN_AS)
    elif isinstance(node, ast.Subscript):
        yield from _shown(node.value, shown)
        yield from _shown(node.slice, False, True)
    elif isinstance(node, ast.Dict):
        for name_of, value in zip(node.keys, node.values, strict=True):
            yield from _shown(name_of, shown, not shown) if name_of is not None else ()
            yield from _shown(value, shown)
    elif isinstance(node, ast.IfExp):
        yield from _shown(node.test, False)
        yield from _shown(node.body, shown, key)
        yield from _shown(node.orelse, shown, key)
    else:
        inner = isinstance(node, (ast.List, ast.Tuple, ast.Starred, ast.BinOp, ast.Set))
        for child in ast.iter_child_nodes(node):
            yield from _shown(child, shown and inner, key and inner)


def formatted(node: ast.JoinedStr) -> str:
    """An f-string's text, each field as Python writes it."""
    return "".join(
        str(part.value).replace("{", "{{").replace("}", "}}") if isinstance(part, ast.Constant) else _field(part)
        for part in node.values
    )


def _field(node: ast.expr) -> str:
    assert isinstance(node, ast.FormattedValue)
    conversion = f"!{chr(node.conversion)}" if node.conversion >= 0 else ""
    spec = f":{formatted(node.format_spec)}" if isinstance(node.format_spec, ast.JoinedStr) else ""
    return f"{{{ast.unparse(node.value)}{conversion}{spec}}}"


_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"})


def _plain(text: str, _indent: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'


def _docstring(text: str, indent: str) -> str:
    lines = text.replace("\\", "\\\\").split("\n")
    body = "\n".join([lines[0], *(f"{indent}{line}" if line else "" for line in lines[1:])])
    return f'"""{body}\n{indent}"""' if len(lines) > 1 else f'"""{body}"""'


def fields_of(text: str) -> list[str]:
    """The fields of an f-string's text, braces and all; doubled braces are none."""
    found, depth, begin, at = [], 0, 0, 0
    while at < len(text):
        if depth == 0 and text[at : at + 2] in ("{{", "}}"):
            at += 2
            continue
        if text[at] == "{":
            begin, depth = (at, 1) if depth == 0 else (begin, depth + 1)
        elif text[at] == "}" and depth:
            depth -= 1
            if depth == 0:
                found.append(text[begin : at + 1])
        at += 1
    return found


def _fields_literal(others: Mapping[str, str], text: str, _indent: str) -> str:
    """others: each field as it stands in `text`, and what comes there"""
    pieces, rest = [], text
    for field in fields_of(text):
        before, rest = rest.split(field, 1)
        pieces += [before.translate(_ESCAPES), others.get(field, field)]
    pieces.append(rest.translate(_ESCAPES))
    body = "".join(pieces)
    return f'f"""{body}"""' if any('"' in field for field in others.values()) else f'f"{body}"'


def _is_field(part: ast.expr) -> bool:
    return isinstance(part, ast.FormattedValue)


def _other_field(part: ast.expr, look: Look, elsewhere: Look) -> str:
    """A field whose strings are asked for as others are."""
    assert isinstance(part, ast.FormattedValue)
    changed = copy.deepcopy(part)
    for node, shown in _shown(changed.value, True):
        if isinstance(node, ast.Constant):
            node.value = (look if _is_shown(str(node.value), shown) else elsewhere)(str(node.value))
    return _field(changed)


def same_code(one: str, other: str) -> bool:
    """Whether two cells do the same: equal but for comments and for the texts of strings."""
    try:
        return _bare(one) == _bare(other)
    except SyntaxError:
        return one == other


def _is_plural(part: ast.expr) -> bool:
    """Whether an f-string's field is an English plural: {'s' * (n > 1)}."""
    value = part.value if isinstance(part, ast.FormattedValue) else None
    return isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult) and isinstance(value.left, ast.Constant)


def _bare(source: str) -> str:
    class Blank(ast.NodeTransformer):
        def visit_Constant(self, node: ast.Constant) -> ast.AST:
            return ast.Constant("") if isinstance(node.value, str) else node

        def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
            self.generic_visit(node)
            fields = sorted(
                (part for part in node.values if not isinstance(part, ast.Constant) and not _is_plural(part)),
                key=ast.dump,
            )
            return ast.JoinedStr(list(fields))

    return ast.dump(Blank().visit(ast.parse(source)))
