"""What the checks of unit 14 know: cases, known mistakes, right alternatives, truths, and library-backed parts."""

# %% exercise="train_bpe" part="library"
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.library.common import watched_generator
from autograder.library.unit_12_gpu import KeyValueCache


def train_bpe(words: Mapping[str, int], num_merges: int) -> list[tuple[str, str]]:
    """All words in one long row of numbers, −1 between them; pairs are counted by NumPy."""
    names = sorted({letter for word in words for letter in word})
    number = {name: i for i, name in enumerate(names)}
    row = np.array([i for word in words for i in (*(number[letter] for letter in word), -1)], dtype=np.int64)
    weight = np.array([count for word, count in words.items() for _ in range(len(word) + 1)], dtype=np.int64)
    merges: list[tuple[str, str]] = []
    for _ in range(num_merges):
        inside = (row[:-1] >= 0) & (row[1:] >= 0)
        kinds, which = np.unique(np.stack([row[:-1], row[1:]], axis=1)[inside], axis=0, return_inverse=True)
        if not len(kinds):
            break
        counts = np.zeros(len(kinds), dtype=np.int64)
        np.add.at(counts, which.ravel(), weight[:-1][inside])
        left, right = min(kinds[counts == counts.max()].tolist(), key=lambda pair: [names[i] for i in pair])
        merges.append((names[left], names[right]))
        meet = np.flatnonzero((row[:-1] == left) & (row[1:] == right))
        taken, last = [], -2
        for place in meet.tolist():
            if place > last + 1:
                taken.append(place)
                last = place
        joined = names[left] + names[right]
        if joined not in number:
            number[joined] = len(names)
            names.append(joined)
        row[taken] = number[joined]
        kept = np.ones(len(row), dtype=bool)
        kept[np.array(taken) + 1] = False
        row, weight = row[kept], weight[kept]
    return merges

# %% exercise="train_bpe" part="variants"
without("one: kinds", "one: merges", because="one word, or one merge, is among the cases")
def drawn_words(rng, kinds, letters="abcd", longest=7):
    found = {}
    while len(found) < kinds:
        found["".join(rng.choice(list(letters), size=int(rng.integers(2, longest))))] = int(rng.integers(1, 10))
    return found

@cases()
def text_book(rng):
    """low 5, lower 2, newest 6, widest 3; ten merges"""
    return dict(words=dict(low=5, lower=2, newest=6, widest=3), num_merges=10)

@cases(dict(kinds=5, merges=6), dict(kinds=9, merges=12))
def drawn(rng, kinds, merges):
    """{kinds} words of the letters a to d, {merges} merges"""
    return dict(words=drawn_words(rng, kinds), num_merges=merges)

@cases()
def runs(rng):
    """words with runs of one letter"""
    return [dict(words={"aaa": 1, "ab": 2, "bbbbb": 2}, num_merges=4), dict(words={"aaaaa": 2, "caaa": 1, "cd": 3}, num_merges=5)]

@cases()
def ties(rng):
    """equal counts, also of pairs that begin alike"""
    return [dict(words={"ab": 20, "az": 3, "aba": 3}, num_merges=3), dict(words={"zx": 4, "ba": 4, "bb": 4, "ay": 4}, num_merges=4)]

@cases()
def few_words_count_much(rng):
    """one frequent word against many rare ones"""
    return dict(words={"xy": 50, "abc": 1, "abd": 2, "abe": 1, "abf": 3}, num_merges=4)

@cases()
def boundaries(rng):
    """words that would make pairs across their borders"""
    return dict(words={"ab": 5, "ba": 4, "a": 9, "b": 7}, num_merges=2)

@cases()
def nothing_left(rng):
    """fewer pairs than merges"""
    return [dict(words={"ab": 2, "abc": 1}, num_merges=9), dict(words={"a": 3}, num_merges=4), dict(words={}, num_merges=3)]

@cases()
def no_merge(rng):
    """num_merges=0"""
    return dict(words={"ab": 2, "bc": 1}, num_merges=0)

@cases()
def pieces_inside_pieces(rng):
    """letters that end other pieces: x a b beside xa b"""
    return dict(words={"xa": 9, "xab": 3, "ab": 5, "cab": 4}, num_merges=6)

@cases()
def any_letters(rng):
    """Chinese characters, capitals, digits and signs"""
    return dict(words={"三百二十": 4, "二百二十": 3, "ABab": 2, "abAB": 2, "1.5+2": 3, "2.5+1": 2}, num_merges=9)

def joined(pieces, pair, only=None):
    out, at, done = [], 0, 0
    while at < len(pieces):
        if tuple(pieces[at : at + 2]) == pair and (only is None or done < only):
            out.append(pieces[at] + pieces[at + 1])
            at, done = at + 2, done + 1
        else:
            out.append(pieces[at])
            at += 1
    return out

def from_the_right(pieces, pair):
    return [piece[::-1] for piece in joined([piece[::-1] for piece in pieces[::-1]], (pair[1][::-1], pair[0][::-1]))][::-1]

def in_a_text(pieces, pair):
    return " ".join(pieces).replace(" ".join(pair), "".join(pair)).split(" ")

def weighted(cut, words):
    counts = Counter()
    for word, pieces in cut.items():
        for pair in zip(pieces, pieces[1:]):
            counts[pair] += words[word]
    return counts

def by_kind(cut, words):
    return weighted(cut, dict.fromkeys(words, 1))

def once_a_word(cut, words):
    counts = Counter()
    for word, pieces in cut.items():
        for pair in dict.fromkeys(zip(pieces, pieces[1:])):
            counts[pair] += words[word]
    return counts

def without_overlap(cut, words):
    counts = Counter()
    for word, pieces in cut.items():
        at = 0
        while at < len(pieces) - 1:
            pair = (pieces[at], pieces[at + 1])
            counts[pair] += words[word]
            at += 2 if pieces[at : at + 1] == pieces[at + 1 : at + 2] == pieces[at + 2 : at + 3] else 1
    return counts

def across(cut, words):
    counts = weighted(cut, words)
    order = list(cut)
    for one, other in zip(order, order[1:]):
        counts[(cut[one][-1], cut[other][0])] += min(words[one], words[other])
    return counts

def smaller(counts):
    return min(counts, key=lambda pair: (-counts[pair], pair))

def trainer(count=weighted, pick=smaller, join=joined, start=list, enough=1, result=lambda merges: merges, fresh=True, more=0):
    def train_bpe(words, num_merges):
        cut, merges = {word: start(word) for word in words}, []
        counts = count(cut, words)
        for _ in range(num_merges + more):
            counts = count(cut, words) if fresh else counts
            if not counts:
                break
            best = pick(counts)
            if counts[best] < enough:
                break
            merges.append(best)
            cut = {word: join(pieces, best) for word, pieces in cut.items()}
            if not fresh:
                del counts[best]
        return result(merges)
    return train_bpe

TIE = "Among equal counts it is the smaller pair, as Python compares pairs."
for name, (changes, says) in {
    "kinds-counted": (dict(count=by_kind), "your pairs are counted once for each different word. A word counts as often as it stands in the text: `words[word]`."),
    "once-a-word": (dict(count=once_a_word), "a pair that stands twice in a word counts once in your code. It counts at each place where it stands."),
    "no-overlap": (dict(count=without_overlap), "in a run such as `aaa` you count the pair (a, a) once. It stands at two places, and both count; only merging goes by twos."),
    "across-words": (dict(count=across), "you count pairs across the border of two words. A word ends where it ends."),
    "larger-at-ties": (dict(pick=lambda c: max(c, key=lambda pair: (c[pair], pair))), f"where counts are equal, you take the larger pair. {TIE}"),
    "first-at-ties": (dict(pick=lambda c: max(c, key=c.get)), f"where counts are equal, you take the pair that was counted first. {TIE}"),
    "last-at-ties": (dict(pick=lambda c: max(reversed(list(c)), key=c.get)), f"where counts are equal, you take the pair that was counted last. {TIE}"),
    "text-at-ties": (dict(pick=lambda c: min(c, key=lambda pair: (-c[pair], "".join(pair)))), f"where counts are equal, you compare the joined texts. {TIE}"),
    "shorter-at-ties": (dict(pick=lambda c: min(c, key=lambda pair: (-c[pair], len("".join(pair)), pair))), f"where counts are equal, you take the shorter pair. {TIE}"),
    "longer-at-ties": (dict(pick=lambda c: min(c, key=lambda pair: (-c[pair], -len("".join(pair)), pair))), f"where counts are equal, you take the longer pair. {TIE}"),
    "least-frequent": (dict(pick=lambda c: min(c, key=lambda pair: (c[pair], pair))), "you merge the rarest pair of each round. It is the most frequent one."),
    "from-the-right": (dict(join=from_the_right), "you join from right to left. In `aaa` the first two become one: `aa a`."),
    "first-place-only": (dict(join=lambda pieces, pair: joined(pieces, pair, only=1)), "in each word you join the pair at its first place only. It is joined wherever it stands."),
    "as-a-text": (dict(join=in_a_text), "you replace inside a text with spaces, and that also finds the pair where a longer piece *ends* in its first letter, or begins with its second. Compare whole pieces."),
    "never-joined": (dict(join=lambda pieces, pair: pieces), "the same pair is merged again and again: after a merge, your words are still cut as they were."),
    "counted-once": (dict(fresh=False), "your pairs are counted once, at the beginning. After each merge there are new neighbours, and the counts change."),
    "rare-left-out": (dict(enough=2), "you stop when the most frequent pair stands there only once. The rule is to stop when no pair is left."),
    "end-mark": (dict(start=lambda word: [*word, "</w>"]), "your words have an end mark as a piece of their own. Here a word is its characters and nothing else."),
    "lower-case": (dict(start=lambda word: list(word.lower())), "capitals are made small in your code. Each character is taken as it is."),
    "one-more": (dict(more=1), "your list is one merge too long: `num_merges` says how many there are at most."),
    "one-fewer": (dict(more=-1), "your list is one merge too short: `num_merges` says how many there are."),
    "joined-texts": (dict(result=lambda m: ["".join(pair) for pair in m]), "your list holds joined texts. It holds pairs: the two pieces that were merged."),
    "reversed": (dict(result=lambda m: m[::-1]), "your list begins with the last merge. It is in the order of merging."),
    "sorted": (dict(result=sorted), "your list is sorted. It is in the order of merging."),
    "a-set": (dict(result=set), "a set has no order, and the order of merging is what `bpe_encode` needs. Return a list."),
    "a-dict": (dict(result=lambda m: {pair: i for i, pair in enumerate(m)}), "your function returns a dict. A list of pairs is asked for."),
    "numbered": (dict(result=lambda m: [(pair, i) for i, pair in enumerate(m)]), "each entry of your list holds more than the pair: leave the number out."),
    "backwards-pairs": (dict(result=lambda m: [pair[::-1] for pair in m]), "your pairs are turned round: the left piece comes first."),
    "nothing": (dict(result=lambda m: None), "your function ends without giving anything back: is a `return` missing?"),
}.items():
    wrong(name, says=says)(trainer(**changes))
    if name in ("kinds-counted", "first-place-only", "counted-once"):
        for other, tie in (("first-at-ties", lambda c: max(c, key=c.get)), ("larger-at-ties", lambda c: max(c, key=lambda pair: (c[pair], pair)))):
            wrong(f"{name}+{other}", says=two_things(says, f"where counts are equal, the smaller pair is not the one you take."))(trainer(**changes | dict(pick=tie)))
wrong("no-stop", ("        if not counts:\n            break\n", ""), says="where no pair is left your code asks for the best of nothing. Stop early there.")
wrong("changes-words", ("cut = {word: list(word) for word in words}", "cut = {word: list(word) for word in words}\n    words.update({word: 1 for word in words})"), says="your function changes its argument `words`. Keep your own dict beside it.")
wrong("by-twos", ("zip(pieces, pieces[1:])", "zip(pieces[::2], pieces[1::2])"), says="you look at pieces 0 and 1, then 2 and 3. Pieces 1 and 2 are neighbours as well.")
wrong("last-pair-missed", ("zip(pieces, pieces[1:])", "zip(pieces[:-2], pieces[1:])"), says="the last pair of each word is never counted.")
wrong("last-piece-lost", ("while at < len(pieces):", "while at < len(pieces) - 1:"), says="when you join, the last piece of a word is lost unless it is part of the pair.")
wrong("second-kept", ("                at += size", "                at += 1"), says="after a merge your index moves by one, so the second piece stands there once more.")

@right
def by_text_with_marks(words, num_merges):
    """Words as texts with a mark around each piece; a regular expression joins."""
    import re
    table = {"\0" + "".join(letter + "\0" for letter in word): count for word, count in words.items()}
    merges = []
    for _ in range(num_merges):
        counts = {}
        for text, count in table.items():
            pieces = text.split("\0")[1:-1]
            for i in range(len(pieces) - 1):
                pair = (pieces[i], pieces[i + 1])
                counts[pair] = counts.get(pair, 0) + count
        if counts == {}:
            return merges
        top = max(counts.values())
        best = sorted(pair for pair, count in counts.items() if count == top)[0]
        merges.append(best)
        pattern = re.compile("(?<=\0)" + re.escape(best[0]) + "\0" + re.escape(best[1]) + "(?=\0)")
        table = {pattern.sub(lambda m: m[0].replace("\0", ""), text): count for text, count in table.items()}
    return merges

@right
def with_tuples(words, num_merges):
    """Tuples of pieces, joined in a loop with a flag."""
    state = [(tuple(word), count) for word, count in words.items()]
    found = []
    while len(found) < num_merges:
        counts = Counter()
        for pieces, count in state:
            for left, right_ in zip(pieces[:-1], pieces[1:]):
                counts.update({(left, right_): count})
        if len(counts) == 0:
            break
        pair = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[0][0]
        found.append(pair)
        new = []
        for pieces, count in state:
            out, skip = [], False
            for i, piece in enumerate(pieces):
                if skip:
                    skip = False
                elif i + 1 < len(pieces) and (piece, pieces[i + 1]) == pair:
                    out.append(piece + pieces[i + 1])
                    skip = True
                else:
                    out.append(piece)
            new.append((tuple(out), count))
        state = new
    return found

@right
def by_deleting(words, num_merges):
    """Joined where they stand, the second one deleted."""
    cut, merges = [[list(word), count] for word, count in words.items()], []
    for _ in range(num_merges):
        counts = Counter(pair for pieces, count in cut for pair in list(zip(pieces, pieces[1:])) * count)
        if not counts:
            break
        most = counts.most_common(1)[0][1]
        left, right_ = min(pair for pair in counts if counts[pair] == most)
        merges.append((left, right_))
        for pieces, _ in cut:
            i = 0
            while i + 1 < len(pieces):
                if pieces[i] == left and pieces[i + 1] == right_:
                    pieces[i] = left + right_
                    del pieces[i + 1]
                i += 1
    return merges

@truth
def slowly(words, num_merges):
    """Every word as often as it stands in the text, its pieces between borders, every pair of places looked at."""
    text = [list(word) for word, count in words.items() for _ in range(count)]
    merges = []
    for _ in range(num_merges):
        seen = sorted((pieces[i], pieces[i + 1]) for pieces in text for i in range(len(pieces) - 1))
        if not seen:
            break
        best = max(sorted(set(seen)), key=seen.count)
        merges.append(best)
        for pieces in text:
            i = 0
            while i < len(pieces) - 1:
                if (pieces[i], pieces[i + 1]) == best:
                    pieces[i : i + 2] = ["".join(best)]
                i += 1
    return merges

# %% exercise="bpe_encode" part="library"
def bpe_encode(word: str, merges: Sequence[tuple[str, str]]) -> list[str]:
    """Python's regular expressions, over the pieces with a mark before each and one at the end."""
    marked = "\0" + "".join(letter + "\0" for letter in word)
    for left, right in merges:
        marked = re.sub(f"(?<=\0){re.escape(left)}\0{re.escape(right)}(?=\0)", (left + right).replace("\\", r"\\"), marked)
    return marked.strip("\0").split("\0") if word else []

# %% exercise="bpe_encode" part="variants"
without("one: kinds", "one: merges", "one: asked", because="one merge, and a word of one letter, are among the cases")
def drawn_words(rng, kinds, letters="abc"):
    return {"".join(rng.choice(list(letters), size=int(rng.integers(2, 8)))): int(rng.integers(1, 9)) for _ in range(kinds)}

@cases()
def text_book(rng):
    """words around low, lower, newest, widest"""
    merges = train_bpe(dict(low=5, lower=2, newest=6, widest=3), 10)
    return [dict(word=word, merges=merges) for word in ("lowest", "newer", "wow")]

@cases(dict(kinds=9, merges=5, asked=4), dict(kinds=12, merges=8, asked=3))
def drawn(rng, kinds, merges, asked):
    """{asked} words of the letters a to c, {merges} merges"""
    learnt = train_bpe(drawn_words(rng, kinds), merges)
    return [dict(word="".join(rng.choice(list("abc"), size=int(rng.integers(7, 13)))), merges=learnt) for _ in range(asked)]

@cases()
def order_decides(rng):
    """pieces that overlap: the merge that was learnt first wins"""
    return [dict(word="abcab", merges=[("b", "c"), ("a", "b")]), dict(word="abcab", merges=[("a", "b"), ("b", "c")]), dict(word="abcdabc", merges=[("a", "b"), ("c", "d"), ("ab", "c"), ("b", "c")])]

@cases()
def runs(rng):
    """runs of one letter"""
    return [dict(word="aaa", merges=[("a", "a")]), dict(word="aaaaaaa", merges=[("a", "a"), ("aa", "aa")]), dict(word="baaaaab", merges=[("a", "a"), ("aa", "a"), ("aa", "aa")])]

@cases()
def short(rng):
    """an empty word, one letter, no merges"""
    merges = [("a", "b"), ("ab", "c")]
    return [dict(word="", merges=merges), dict(word="b", merges=merges), dict(word="cab", merges=[])]

@cases()
def pieces_inside_pieces(rng):
    """a pair whose letters end or begin longer pieces"""
    return [dict(word="xabab", merges=[("x", "a"), ("a", "b")]), dict(word="abyab", merges=[("b", "y"), ("a", "b")])]

@cases()
def unknown_letters(rng):
    """letters that training has not seen, signs, capitals, a space in front"""
    return [dict(word="Ab三百ab", merges=[("a", "b"), ("三", "百")]), dict(word="1.5+1x5", merges=[("1", "."), ("5", "+"), ("1.", "5")]), dict(word=" three", merges=[(" ", "t"), (" t", "h"), ("e", "e")])]

def merged(pieces, left, right_, only=None):
    at = done = 0
    pieces = list(pieces)
    while at < len(pieces) - 1:
        if (pieces[at], pieces[at + 1]) == (left, right_) and (only is None or done < only):
            pieces[at : at + 2] = [left + right_]
            done += 1
        at += 1
    return pieces

def in_order(merges):
    return list(merges)

def encoder(order=in_order, join=merged, start=list, result=lambda pieces, word: pieces):
    def bpe_encode(word, merges):
        pieces = start(word)
        for left, right_ in order(merges):
            pieces = join(pieces, left, right_)
        return result(pieces, word)
    return bpe_encode

def from_the_right(pieces, left, right_):
    pieces, at = list(pieces), len(pieces) - 2
    while at >= 0:
        if (pieces[at], pieces[at + 1]) == (left, right_):
            pieces[at : at + 2] = [left + right_]
            at -= 1
        at -= 1
    return pieces

def one_too_far(pieces, left, right_):
    out, at = [], 0
    while at < len(pieces):
        both = pieces[at : at + 2] == [left, right_]
        out.append(left + right_ if both else pieces[at])
        at += 1
    return out

for name, (changes, says) in {
    "reversed": (dict(order=lambda m: list(m)[::-1]), "you use the merges from the last to the first. What was learnt first is merged first."),
    "sorted": (dict(order=sorted), "you use the merges in the order of the alphabet. What was learnt first is merged first."),
    "longest-first": (dict(order=lambda m: sorted(m, key=lambda pair: -len("".join(pair)))), "you use the longest merges first. What was learnt first is merged first."),
    "first-place-only": (dict(join=lambda pieces, a, b: merged(pieces, a, b, only=1)), "each merge is used once in a word. It is used wherever the pair stands."),
    "from-the-right": (dict(join=from_the_right), "you join from right to left. In `aaa` the first two become one: `aa a`."),
    "as-a-text": (dict(join=lambda pieces, a, b: " ".join(pieces).replace(f"{a} {b}", a + b).split(" ") if pieces else []), "you replace inside a text with spaces, and that also finds the pair where a longer piece *ends* in its first letter, or begins with its second. Compare whole pieces."),
    "second-kept": (dict(join=one_too_far), "after a merge the second piece stands there once more: joined, your pieces are longer than the word."),
    "letters-only": (dict(join=lambda pieces, a, b: merged(pieces, a, b) if len(a) == len(b) == 1 else pieces), "merges of pieces that were merged themselves have no effect in your code. After a merge, go on with the new pieces."),
    "one-merge": (dict(order=lambda m: list(m)[:1]), "only the first merge is used. Go through all of them."),
    "last-merge-missed": (dict(order=lambda m: list(m)[:-1]), "the last merge of the list is never used."),
    "end-mark": (dict(start=lambda word: [*word, "</w>"]), "your pieces have an end mark. Joined, the pieces are the word and nothing else."),
    "lower-case": (dict(start=lambda word: list(word.lower())), "capitals are made small in your code. Joined, the pieces are the word again."),
    "unknown": (dict(result=lambda pieces, word: [piece if piece.isascii() else "<unk>" for piece in pieces]), "a letter that you do not expect is replaced. It stays a piece as it is."),
    "text": (dict(result=lambda pieces, word: " ".join(pieces)), "your function returns one text. A list of pieces is asked for."),
    "whole-word": (dict(result=lambda pieces, word: [word]), "your function returns the word in one piece. Begin with its letters."),
    "no-join": (dict(join=lambda pieces, a, b: pieces), "your function returns the letters: no merge has an effect."),
    "pieces-once": (dict(result=lambda pieces, word: list(dict.fromkeys(pieces))), "a piece that stands twice in the word comes once in your list."),
    "spaces-lost": (dict(start=lambda word: list(word.strip())), "the space in front of a word is lost. It is a character like any other."),
    "empty-word": (dict(result=lambda pieces, word: pieces or [""]), "for an empty word your list holds an empty text. It has no pieces: the list is empty."),
    "nothing": (dict(result=lambda pieces, word: None), "your function ends without giving anything back: is a `return` missing?"),
}.items():
    wrong(name, says=says)(encoder(**changes))

@wrong("as-a-pattern", says="signs such as . and + mean something else in a regular expression. They are characters like any other here: `re.escape`.")
def as_a_pattern(word, merges):
    import re
    text = "~".join(word)
    for left, right_ in merges:
        text = re.sub(f"(?<![^~]){left}~{right_}(?![^~])", left + right_, text)
    return text.split("~") if word else []

@wrong("longest-match", says="you take the longest known piece from the left. The merges are used in the order in which they were learnt, and that gives other pieces.")
def longest_match(word, merges):
    known, pieces = {left + right_ for left, right_ in merges}, []
    while word:
        size = next((n for n in range(len(word), 1, -1) if word[:n] in known), 1)
        pieces, word = [*pieces, word[:size]], word[size:]
    return pieces

@wrong("leftmost-first", says="you join the leftmost pair that any merge knows. What was learnt first is merged first, wherever it stands.")
def leftmost_first(word, merges):
    pieces, at = list(word), 0
    while at < len(pieces) - 1:
        if (pieces[at], pieces[at + 1]) in set(map(tuple, merges)):
            pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
            at = 0
        else:
            at += 1
    return pieces

@right
def earliest_first(word, merges):
    """As libraries do: the earliest merge that fits, again and again."""
    rank = {tuple(pair): i for i, pair in enumerate(merges)}
    pieces = list(word)
    while True:
        found = [(rank[pair], pair) for pair in zip(pieces, pieces[1:]) if pair in rank]
        if not found:
            return pieces
        best, new, i = min(found)[1], [], 0
        while i < len(pieces):
            if i < len(pieces) - 1 and (pieces[i], pieces[i + 1]) == best:
                new.append("".join(best))
                i += 2
            else:
                new.append(pieces[i])
                i += 1
        pieces = new

@right
def by_a_mark(word, merges):
    """A text with a mark between pieces, and one at either end; twice, since neighbours share their mark."""
    text = "\0" + "".join(letter + "\0" for letter in word)
    for left, right_ in merges:
        old = None
        while old != text:
            old, text = text, text.replace(f"\0{left}\0{right_}\0", f"\0{left + right_}\0", 1)
    return text.split("\0")[1:-1]

@right
def with_a_flag(word, merges):
    pieces = [letter for letter in word]
    for pair in merges:
        out, skip = [], False
        for i in range(len(pieces)):
            if skip:
                skip = False
                continue
            if i + 1 < len(pieces) and pieces[i] == pair[0] and pieces[i + 1] == pair[1]:
                out.append(pair[0] + pair[1])
                skip = True
            else:
                out.append(pieces[i])
        pieces = out
    return tuple(pieces)

@truth
def by_borders(word, merges):
    """Borders between letters, taken away one after the other."""
    borders = list(range(len(word) + 1))
    for left, right_ in merges:
        k = 0
        while k + 2 < len(borders):
            if word[borders[k] : borders[k + 1]] == left and word[borders[k + 1] : borders[k + 2]] == right_:
                del borders[k + 1]
            k += 1
    return [word[a:b] for a, b in zip(borders, borders[1:])]

# %% exercise="RMSNorm" part="library"
class RMSNorm(nn.RMSNorm):
    """PyTorch's own, which calls its gain by the same name."""

    def __init__(self, d_model: int, eps: float = 1e-6) -> None:
        super().__init__(d_model, eps=eps)

# %% exercise="RMSNorm" part="variants"
@cases(dict(batch=3, seq=4, d_model=5), dict(batch=2, seq=3, d_model=8))
def rows(rng, batch, seq, d_model):
    """{batch} sentences of {seq} vectors of length {d_model}, their mean far from 0"""
    return module(init=dict(d_model=d_model), rng=rng, given=dict(x=floats(rng, batch, seq, d_model, shift=0.7)))

@cases(dict(batch=2, seq=5, d_model=6))
def large_eps(rng, batch, seq, d_model):
    """eps=0.5, {batch} sentences of {seq} vectors of length {d_model}"""
    return module(init=dict(d_model=d_model, eps=0.5), rng=rng, given=dict(x=floats(rng, batch, seq, d_model, scale=0.6)))

@cases(dict(batch=4, heads=2, seq=3, d_model=7))
def four_axes(rng, batch, heads, seq, d_model):
    """x of four axes, ({batch}, {heads}, {seq}, {d_model})"""
    return module(init=dict(d_model=d_model), rng=rng, given=dict(x=floats(rng, batch, heads, seq, d_model)), gradients=False)

@cases()
def one_vector(rng):
    """a single vector of 6 numbers"""
    return module(init=dict(d_model=6), rng=rng, given=dict(x=floats(rng, 6, shift=-0.5)))

@cases()
def zeros(rng):
    """a vector of zeros, and one of tiny numbers, among others"""
    x = floats(rng, 4, 5)
    x[1], x[2] = 0.0, x[2] * 1e-3
    return module(init=dict(d_model=5), rng=rng, given=dict(x=x))

@cases()
def square(rng):
    """4 sentences of 4 vectors of length 4"""
    return module(init=dict(d_model=4), rng=rng, given=dict(x=floats(rng, 4, 4, 4)))

@cases()
def new(rng):
    """gains of 1, numbers around 100"""
    return module(init=dict(d_model=5), rng=rng, state={"weight": torch.ones(5)}, given=dict(x=floats(rng, 3, 5, scale=30, shift=100)))

def normed(scale, gain=lambda y, w: y * w, before=lambda x: x):
    class RMSNorm_(RMSNorm):
        def forward(self, x):
            x = before(x)
            return gain(scale(x, self.eps), self.weight)
    RMSNorm_.__name__ = "RMSNorm"
    return RMSNorm_

ms = lambda x: x.square().mean(-1, keepdim=True)
ROOT = "What is expected: x / √(mean of squares + ε), times the gain."
for name, (changes, says) in {
    "layer-norm": (dict(scale=lambda x, e: (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, unbiased=False) + e).sqrt()), f"your output is LayerNorm's, without a bias: the mean is taken away. {ROOT}"),
    "standard-deviation": (dict(scale=lambda x, e: x / (x.var(-1, keepdim=True, unbiased=False) + e).sqrt()), f"you divide by the standard deviation, in which the mean is taken away. {ROOT}"),
    "sample-deviation": (dict(scale=lambda x, e: x / (x.var(-1, keepdim=True) + e).sqrt()), f"you divide by the standard deviation over d − 1. {ROOT}"),
    "centred-only": (dict(scale=lambda x, e: (x - x.mean(-1, keepdim=True)) / (ms(x) + e).sqrt()), f"the mean is taken away from x. Here it stays. {ROOT}"),
    "sum": (dict(scale=lambda x, e: x / (x.square().sum(-1, keepdim=True) + e).sqrt()), f"you divide by the length of the vector: the root of the *sum* of squares. {ROOT}"),
    "d-minus-1": (dict(scale=lambda x, e: x / (x.square().sum(-1, keepdim=True) / (x.shape[-1] - 1) + e).sqrt()), f"your mean divides by d − 1. {ROOT}"),
    "no-root": (dict(scale=lambda x, e: x / (ms(x) + e)), f"the root is missing: you divide by the mean square itself. {ROOT}"),
    "fourth-root": (dict(scale=lambda x, e: x / (ms(x) + e).sqrt().sqrt()), f"the root is taken twice. {ROOT}"),
    "multiplied": (dict(scale=lambda x, e: x * (ms(x) + e).sqrt()), f"you multiply by the root. {ROOT}"),
    "mean-then-square": (dict(scale=lambda x, e: x / (x.mean(-1, keepdim=True).square() + e).sqrt()), f"you square the mean. It is the mean of the squares. {ROOT}"),
    "mean-of-sizes": (dict(scale=lambda x, e: x / (x.abs().mean(-1, keepdim=True) + e)), f"you divide by the mean of the absolute values. {ROOT}"),
    "root-of-mean-of-sizes": (dict(scale=lambda x, e: x / (x.abs().mean(-1, keepdim=True) + e).sqrt()), f"the squares are missing under your root. {ROOT}"),
    "largest": (dict(scale=lambda x, e: x / (x.abs().amax(-1, keepdim=True) + e)), f"you divide by the largest absolute value. {ROOT}"),
    "eps-outside": (dict(scale=lambda x, e: x / (ms(x).sqrt() + e)), f"ε stands outside the root. It belongs inside, under it. {ROOT}"),
    "eps-squared": (dict(scale=lambda x, e: x / (ms(x) + e * e).sqrt()), f"ε is squared. {ROOT}"),
    "no-eps": (dict(scale=lambda x, e: x / ms(x).sqrt()), f"ε is missing: a vector of zeros is divided by 0. {ROOT}"),
    "eps-written-in": (dict(scale=lambda x, e: x / (ms(x) + 1e-6).sqrt()), "your ε is always 1e-6. Take `self.eps`."),
    "eps-of-layer-norm": (dict(scale=lambda x, e: x / (ms(x) + 1e-5).sqrt()), "your ε is always 1e-5. Take `self.eps`."),
    "clamped": (dict(scale=lambda x, e: x / ms(x).sqrt().clamp(min=e)), f"ε is a lower bound in your code. It is added, under the root. {ROOT}"),
    "over-sequence": (dict(scale=lambda x, e: x / (x.square().mean(-2, keepdim=True) + e).sqrt() if x.ndim > 1 else x), "your mean runs over the tokens of a sentence. Each vector is normed by itself: the last axis."),
    "over-first-axis": (dict(scale=lambda x, e: x / (x.square().mean(0, keepdim=True) + e).sqrt()), "your mean runs over the first axis. Each vector is normed by itself: the last axis."),
    "over-all": (dict(scale=lambda x, e: x / (x.square().mean() + e).sqrt()), "your mean runs over the whole tensor. Each vector is normed by itself: the last axis."),
    "over-sentence": (dict(scale=lambda x, e: x / (x.square().mean(tuple(range(min(1, x.ndim - 1), x.ndim)), keepdim=True) + e).sqrt()), "your mean runs over a whole sentence. Each vector is normed by itself: the last axis."),
    "gain-missing": (dict(scale=lambda x, e: x / (ms(x) + e).sqrt(), gain=lambda y, w: y), "the gain is missing: `self.weight` is never used."),
    "gain-plus-one": (dict(scale=lambda x, e: x / (ms(x) + e).sqrt(), gain=lambda y, w: y * (1 + w)), "your gain is 1 + `self.weight`, as some models write it. Here it is the weight itself."),
    "gain-added": (dict(scale=lambda x, e: x / (ms(x) + e).sqrt(), gain=lambda y, w: y + w), "the gain is added. It multiplies, number by number."),
    "gain-first": (dict(scale=lambda x, e: x, gain=lambda y, w: (y * w) / (ms(y * w) + 1e-6).sqrt()), f"the gain is applied before the norm, so that it changes what you divide by. It comes last. {ROOT}"),
    "gain-divides": (dict(scale=lambda x, e: x / (ms(x) + e).sqrt(), gain=lambda y, w: y / w), "you divide by the gain. It multiplies."),
    "detached": (dict(scale=lambda x, e: x / (ms(x).detach() + e).sqrt()), "the numbers are right, but no gradient flows through the mean square: is there a `detach`, a `.data` or `torch.no_grad()`?"),
    "all-detached": (dict(scale=lambda x, e: (x / (ms(x) + e).sqrt()).detach()), "the numbers are right, but no gradient reaches x: is there a `detach`, a `.data` or `torch.no_grad()`?"),
    "pair": (dict(scale=lambda x, e: x / (ms(x) + e).sqrt(), gain=lambda y, w: (y * w, y)), "your `forward` returns two things. Return the normed vectors alone."),
    "nothing": (dict(scale=lambda x, e: x, gain=lambda y, w: None), "your `forward` ends without giving anything back: is a `return` missing?"),
}.items():
    wrong(name, says=says)(normed(**changes))
wrong("no-keepdim", ("dim=-1, keepdim=True", "dim=-1"), says="your mean has lost its axis, so it falls on the wrong one of x. `keepdim=True` keeps it.")
wrong("in-place", ("return x * torch.rsqrt(mean_square + self.eps) * self.weight", "with torch.no_grad():\n            x /= torch.sqrt(mean_square + self.eps)\n        return x * self.weight"), says="your code changes x in place. Make a new tensor.")
wrong("layer-norm+no-gain", says=two_things("the mean is taken away, as in LayerNorm.", "`self.weight` is never used."))(normed(lambda x, e: (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, unbiased=False) + e).sqrt(), gain=lambda y, w: y))
wrong("eps-outside+no-gain", says=two_things("ε stands outside the root.", "`self.weight` is never used."))(normed(lambda x, e: x / (ms(x).sqrt() + e), gain=lambda y, w: y))

@right
class ByPower(RMSNorm):
    def forward(self, x):
        return self.weight * (x / torch.sqrt(torch.mean(x**2, -1, keepdim=True) + self.eps))

@right
class InFloat32(RMSNorm):
    """As Llama's own: in float32, then back."""
    def forward(self, x):
        y = x.float()
        y = y * (y.pow(2).mean(-1, keepdim=True) + self.eps).pow(-0.5)
        return y.type_as(x) * self.weight

@right
class ByLength(RMSNorm):
    """The sum of squares by a product of the vector with itself."""
    def forward(self, x):
        squares = torch.einsum("...i,...i->...", x, x) / x.size(-1)
        return x * self.weight / (squares + self.eps).sqrt().unsqueeze(-1)

@truth
class VectorByVector(RMSNorm):
    """In float64, one after the other."""
    def forward(self, x):
        flat = x.double().reshape(-1, x.shape[-1])
        out = [v * self.weight.double() / (sum(n * n for n in v) / len(v) + self.eps) ** 0.5 for v in flat]
        return torch.stack(out).reshape(x.shape)

# %% exercise="apply_rope" part="library"
def apply_rope(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    """A pair as a complex number, times another complex number of length 1."""
    size = x.shape[-1]
    rates = torch.exp(torch.linspace(0.0, 2.0 / size - 1.0, size // 2, device=x.device, dtype=torch.float64) * math.log(base))
    turns = torch.polar(torch.ones_like(rates), rates * positions.double().unsqueeze(-1))
    pairs = torch.view_as_complex(x.double().unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * turns).flatten(-2).to(x.dtype)

# %% exercise="apply_rope" part="variants"
without("one: d_head", "one: pairs", because="features come in pairs")
def turn_call(rng, *lead, positions, pairs, **more):
    return differentiable(x=floats(rng, *lead, len(positions), 2 * pairs), positions=torch.as_tensor(positions), **more)

@cases(dict(batch=2, heads=3, seq=5, pairs=4), dict(batch=3, heads=2, seq=4, pairs=1))
def heads(rng, batch, heads, seq, pairs):
    """{heads} heads of {batch} sentences, {seq} rows of {pairs} pairs, from place 0 on"""
    return turn_call(rng, batch, heads, positions=np.arange(seq), pairs=pairs)

@cases(dict(batch=2, seq=4, pairs=3, start=7))
def further_on(rng, batch, seq, pairs, start):
    """{batch} sentences of {seq} rows of {pairs} pairs, from place {start} on"""
    return turn_call(rng, batch, positions=np.arange(start, start + seq), pairs=pairs)

@cases(dict(seq=5, pairs=3, base=100.0), dict(seq=3, pairs=4, base=7.5), hidden=[dict(seq=4, pairs=5, base=50.0)])
def other_base(rng, seq, pairs, base):
    """base={base}, {seq} rows of {pairs} pairs, places in any order"""
    return turn_call(rng, positions=rng.permutation(20)[:seq], pairs=pairs, base=float(base))

@cases()
def square(rng):
    """4 sentences of 4 heads of 4 rows of 4 features"""
    return turn_call(rng, 4, 4, positions=np.array([3, 0, 2, 9]), pairs=2)

@cases()
def one_row(rng):
    """the newest token alone, at place 6"""
    return turn_call(rng, 2, 3, positions=np.array([6]), pairs=2)

@cases()
def between(rng):
    """places that are no whole numbers, one of them twice"""
    return turn_call(rng, 2, positions=np.array([0.5, 2.25, 0.5], dtype=np.float32), pairs=3)

@cases()
def place_zero(rng):
    """place 0 for every row: nothing is turned"""
    return turn_call(rng, 2, positions=np.zeros(3, dtype=np.int64), pairs=2)

def rates_of(d, base):
    return base ** (-torch.arange(0, d, 2) / d)

def interleaved(x):
    return x[..., 0::2], x[..., 1::2]

def halves(x):
    return x.chunk(2, dim=-1)

def together(a, b):
    return torch.stack([a, b], dim=-1).flatten(-2)

def one_behind_the_other(a, b):
    return torch.cat([a, b], dim=-1)

def turner(rates=rates_of, split=interleaved, turn=lambda a, b, c, s: (a * c - b * s, a * s + b * c), join=together, places=lambda p, x: p, angle=lambda p, r: p[:, None] * r, after=lambda y, x: y):
    def apply_rope(x, positions, base=10000.0):
        angles = angle(places(positions, x), rates(x.shape[-1], base))
        a, b = split(x)
        return after(join(*turn(a, b, angles.cos(), angles.sin())), x)
    return apply_rope

RATE = "Pair i turns by base^(−2i/d) for each place, with d the length of a row."
for name, (changes, says) in {
    "halves": (dict(split=halves, join=one_behind_the_other), "your pairs are features i and i + d/2, as in some libraries. Here a pair is two **neighbours**, 2i and 2i + 1."),
    "halves-in": (dict(split=halves), "you take pairs from the two halves of a row and put them back as neighbours. A pair is features 2i and 2i + 1, before and after."),
    "halves-out": (dict(join=one_behind_the_other), "the turned numbers stand one half behind the other. Put each back where it was: features 2i and 2i + 1."),
    "other-way": (dict(turn=lambda a, b, c, s: (a * c + b * s, b * c - a * s)), "your pairs are turned the other way round (by minus the angle). Look at the signs of the sines."),
    "sine-and-cosine": (dict(turn=lambda a, b, c, s: (a * s - b * c, a * c + b * s)), "sine and cosine have changed places: at place 0 nothing may turn."),
    "no-minus": (dict(turn=lambda a, b, c, s: (a * c + b * s, a * s + b * c)), "both of your sums have a plus. A rotation has one minus; without it lengths change."),
    "second-minus": (dict(turn=lambda a, b, c, s: (a * c - b * s, a * s - b * c)), "the second number of each pair has a wrong sign: it is a·sin + b·cos."),
    "second-not": (dict(turn=lambda a, b, c, s: (a * c - b * s, b)), "only the first number of each pair is turned."),
    "from-the-new-one": (dict(turn=lambda a, b, c, s: (a * c - b * s, (a * c - b * s) * s + b * c)), "the second number of a pair is computed from the first one that is turned already. Both come from the old pair."),
    "cosine-only": (dict(turn=lambda a, b, c, s: (a * c, b * c)), "the sines are missing: your pairs are multiplied by a cosine."),
    "each-by-its-own": (dict(turn=lambda a, b, c, s: (a * c, b * s)), "the first number is multiplied by a cosine and the second by a sine. To turn a pair, each new number needs both old ones."),
    "added": (dict(turn=lambda a, b, c, s: (a + s, b + c)), "your code adds sines and cosines, as unit 06 did. Here nothing is added: pairs are turned."),
    "exponent-i": (dict(rates=lambda d, base: base ** (-torch.arange(d // 2) / d)), f"your exponent is −i/d. {RATE}"),
    "exponent-half": (dict(rates=lambda d, base: base ** (-torch.arange(0, d, 2) / (d / 2))), f"your exponent is −2i/(d/2), twice the right one. {RATE}"),
    "exponent-from-one": (dict(rates=lambda d, base: base ** (-torch.arange(2, d + 2, 2) / d)), f"your pairs are counted from 1. The first pair is i = 0, and its rate is 1. {RATE}"),
    "exponent-to-the-end": (dict(rates=lambda d, base: base ** -torch.linspace(0, 1, d // 2)), f"your rates reach 1/base at the last pair. {RATE}"),
    "rates-growing": (dict(rates=lambda d, base: base ** (torch.arange(0, d, 2) / d)), f"your rates grow from pair to pair: the minus in the exponent is missing. {RATE}"),
    "rates-reversed": (dict(rates=lambda d, base: rates_of(d, base).flip(0)), f"the slowest pair comes first in your code. {RATE}"),
    "one-rate": (dict(rates=lambda d, base: torch.ones(d // 2)), f"all pairs turn at the same rate. {RATE}"),
    "base-written-in": (dict(rates=lambda d, base: rates_of(d, 10000.0)), "your base is always 10000. Take the argument."),
    "frequencies-of-circles": (dict(rates=lambda d, base: 6.283185307179586 * rates_of(d, base)), f"your angles are 2π times too large. {RATE}"),
    "degrees": (dict(rates=lambda d, base: rates_of(d, base) * 0.017453292519943295), f"your angles are taken for degrees. They are in radians. {RATE}"),
    "counted-anew": (dict(places=lambda p, x: torch.arange(len(p))), "your code counts places from 0 and does not look at `positions`. With a cache, rows begin further on."),
    "from-the-first": (dict(places=lambda p, x: p - p[0]), "your places are counted from the first row. `positions` are taken as they are."),
    "one-place-on": (dict(places=lambda p, x: p + 1), "every row is turned by one place too far: place 0 is not turned."),
    "whole-places": (dict(places=lambda p, x: p.long()), "your places are cut to whole numbers. They may lie between."),
    "places-backwards": (dict(places=lambda p, x: p.flip(0)), "the last row gets the first place."),
    "first-place": (dict(places=lambda p, x: p[:1].expand(len(p))), "all rows are turned by the first one's place."),
    "angle-added": (dict(angle=lambda p, r: p[:, None] + r), "place and rate are added. The angle is their product."),
    "angle-divided": (dict(angle=lambda p, r: p[:, None] / r), f"you divide the place by the rate. {RATE}"),
    "scaled": (dict(after=lambda y, x: y * x.shape[-1] ** -0.5), "your rows are shorter than before, by 1/√d. Turning keeps lengths; the scores are scaled elsewhere."),
    "x-added": (dict(after=lambda y, x: x + y), "x is added to what is turned. Return the turned rows alone."),
    "not-turned": (dict(after=lambda y, x: x * 1), "your rows come back as they were."),
    "detached": (dict(after=lambda y, x: y.detach()), "the numbers are right, but no gradient flows back to x: is there a `detach`, a `.data` or `torch.no_grad()`?"),
    "pair-axis-left": (dict(join=lambda a, b: torch.stack([a, b], dim=-1)), "your output has an axis more: pairs stand in an axis of their own. Join the last two axes."),
    "nothing": (dict(after=lambda y, x: None), "your function ends without giving anything back: is a `return` missing?"),
}.items():
    wrong(name, says=says)(turner(**changes))
for one, two in (("halves", "other-way"), ("halves", "counted-anew"), ("other-way", "counted-anew"), ("halves", "exponent-i"), ("other-way", "exponent-i")):
    known = {"halves": (dict(split=halves, join=one_behind_the_other), "your pairs are features i and i + d/2; a pair is two neighbours."), "other-way": (dict(turn=lambda a, b, c, s: (a * c + b * s, b * c - a * s)), "your pairs are turned the other way round."), "counted-anew": (dict(places=lambda p, x: torch.arange(len(p))), "your code does not look at `positions`."), "exponent-i": (dict(rates=lambda d, base: base ** (-torch.arange(d // 2) / d)), "your exponent is −i/d, and not −2i/d.")}
    wrong(f"{one}+{two}", says=two_things(known[one][1], known[two][1]))(turner(**known[one][0], **known[two][0]))

@wrong("in-place", says="your code changes x in place. Make a new tensor.")
def in_place(x, positions, base=10000.0):
    y = turner()(x, positions, base)
    x.data.copy_(y)
    return y

@wrong("one-half-overwritten", says="the second number of a pair is computed from the first one that is turned already. Both come from the old pair.")
def one_half_overwritten(x, positions, base=10000.0):
    angles = positions[:, None] * rates_of(x.shape[-1], base)
    y = x.clone()
    y[..., 0::2] = y[..., 0::2].clone() * angles.cos() - y[..., 1::2].clone() * angles.sin()
    y[..., 1::2] = y[..., 0::2].clone() * angles.sin() + y[..., 1::2].clone() * angles.cos()
    return y

@right
def by_complex_numbers(x, positions, base=10000.0):
    z = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2).contiguous())
    angles = torch.outer(positions.float(), 1.0 / base ** (torch.arange(0, x.shape[-1], 2).float() / x.shape[-1]))
    return torch.view_as_real(z * torch.polar(torch.ones_like(angles), angles)).reshape(x.shape)

@right
def by_a_matrix(x, positions, base=10000.0):
    """A block of two by two for each pair of each place."""
    angles = torch.einsum("s,i->si", positions.to(x.dtype), rates_of(x.size(-1), base))
    turn = torch.stack([torch.stack([angles.cos(), -angles.sin()], -1), torch.stack([angles.sin(), angles.cos()], -1)], -2)
    return torch.einsum("siab,...sib->...sia", turn, x.unflatten(-1, (-1, 2))).flatten(-2)

@right
def by_swapping(x, positions, base=10000.0):
    """Cosines for the row as it is, sines for the row with its pairs swapped."""
    angles = (positions.unsqueeze(1) * rates_of(x.shape[-1], base)).repeat_interleave(2, dim=-1)
    swapped = torch.stack([-x[..., 1::2], x[..., ::2]], dim=-1).reshape(x.shape)
    return x * torch.cos(angles) + swapped * torch.sin(angles)

@right
def into_an_empty_one(x, positions, base=10000.0):
    out = torch.empty_like(x)
    for i in range(x.shape[-1] // 2):
        angle = positions.double() * base ** (-2 * i / x.shape[-1])
        c, s = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
        out[..., 2 * i] = x[..., 2 * i] * c - x[..., 2 * i + 1] * s
        out[..., 2 * i + 1] = x[..., 2 * i] * s + x[..., 2 * i + 1] * c
    return out

@truth
def number_by_number(x, positions, base=10000.0):
    """Each pair by Python's own sine and cosine, in float64."""
    d, flat = x.shape[-1], x.double().reshape(-1, x.shape[-2], x.shape[-1])
    rows = []
    for table in flat:
        for row, p in zip(table, positions.tolist()):
            for i in range(d // 2):
                a = p * base ** (-2 * i / d)
                rows += [row[2 * i] * math.cos(a) - row[2 * i + 1] * math.sin(a), row[2 * i] * math.sin(a) + row[2 * i + 1] * math.cos(a)]
    return torch.stack(rows).reshape(x.shape)

# %% exercise="GroupedQueryAttention" part="library"
class GroupedQueryAttention(nn.Module):
    """PyTorch's fused attention, which knows groups of heads by itself."""

    def __init__(self, d_model: int, num_heads: int, num_kv_heads: int) -> None:
        super().__init__()
        self.num_heads, self.num_kv_heads = num_heads, num_kv_heads
        width = d_model // num_heads
        for name, heads in (("q_proj", num_heads), ("k_proj", num_kv_heads), ("v_proj", num_kv_heads)):
            self.add_module(name, nn.Linear(d_model, heads * width, bias=False))
        self.out_proj = nn.Linear(num_heads * width, d_model, bias=False)

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor | None = None, cache: Any = None) -> Tensor:
        q, k, v = (torch.einsum("bshd->bhsd", layer(x).unflatten(-1, (heads, -1))) for layer, heads in (
            (self.q_proj, self.num_heads), (self.k_proj, self.num_kv_heads), (self.v_proj, self.num_kv_heads)))
        kept = (apply_rope(k, positions), v)
        if cache is not None:
            kept = cache.append(0, *kept)
        attend = F.scaled_dot_product_attention
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            answers = attend(apply_rope(q, positions), *kept, attn_mask=mask, enable_gqa=self.num_kv_heads < self.num_heads)
        return self.out_proj(torch.einsum("bhsd->bshd", answers).flatten(2))


def filled_cache(key: Tensor | None = None, value: Tensor | None = None) -> Any:
    """A cache of one layer that holds these keys and values, or nothing; afterwards a look at what it holds."""
    from autograder.formats.fixtures import Watched

    cache = KeyValueCache(1)
    if key is not None and value is not None:
        cache.append(0, key, value)

    def look() -> dict[str, Any]:
        if not cache.length():
            return {"positions": 0}
        empty = cache._rooms[0][0][:, :, :0]
        keys, values = cache.append(0, empty, empty)
        return {"positions": cache.length(), "keys": keys.detach().clone(), "values": values.detach().clone()}

    return Watched(cache, look)

# %% exercise="GroupedQueryAttention" part="variants"
without("one: seq", because="a single token has nothing to weigh")
@cases(dict(batch=2, seq=5, num_kv_heads=2, group=2, d_head=4), dict(batch=3, seq=4, num_kv_heads=2, group=3, d_head=2), hidden=[dict(batch=2, seq=3, num_kv_heads=3, group=2, d_head=4)])
def groups(rng, batch, seq, num_kv_heads, group, d_head):
    """{batch} sentences of {seq} tokens, {num_kv_heads} heads of keys with {group} query heads each"""
    heads = num_kv_heads * group
    return module(init=dict(d_model=heads * d_head, num_heads=heads, num_kv_heads=num_kv_heads), rng=rng, given=dict(x=floats(rng, batch, seq, heads * d_head), positions=torch.arange(seq)))

# %% exercise="SwiGLU" part="library"
class SwiGLU(nn.Module):
    """PyTorch's gated linear unit: one half times the sigmoid of the other; the gate goes into both halves."""

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        for name, (width, out) in {"gate_proj": (d_model, d_ff), "up_proj": (d_model, d_ff), "down_proj": (d_ff, d_model)}.items():
            self.add_module(name, nn.Linear(width, out, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        gate = self.gate_proj(x)
        return self.down_proj(F.glu(torch.cat([gate * self.up_proj(x), gate], dim=-1)))

# %% exercise="SwiGLU" part="variants"
@cases(dict(batch=2, seq=3, d_model=4, d_ff=7), dict(batch=3, seq=2, d_model=6, d_ff=5))
def rows(rng, batch, seq, d_model, d_ff):
    """{batch} sentences of {seq} vectors of length {d_model}, {d_ff} inside"""
    return module(init=dict(d_model=d_model, d_ff=d_ff), rng=rng, given=dict(x=floats(rng, batch, seq, d_model)))

@cases(dict(seq=5, d_model=3, d_ff=8))
def large(rng, seq, d_model, d_ff):
    """{seq} vectors of length {d_model} with large numbers, {d_ff} inside"""
    return module(init=dict(d_model=d_model, d_ff=d_ff), rng=rng, given=dict(x=floats(rng, seq, d_model, scale=4.0)))

@cases()
def square(rng):
    """one vector, 4 features and 4 inside"""
    return module(init=dict(d_model=4, d_ff=4), rng=rng, given=dict(x=floats(rng, 4, scale=1.5)))

@cases()
def very_large(rng):
    """gates in the hundreds"""
    return module(init=dict(d_model=3, d_ff=5), rng=rng, given=dict(x=floats(rng, 2, 3, scale=150.0)), gradients=False)

def gated(inside, last=lambda self, h: self.down_proj(h)):
    class SwiGLU_(SwiGLU):
        def forward(self, x):
            return last(self, inside(self.gate_proj(x), self.up_proj(x), x))
    SwiGLU_.__name__ = "SwiGLU"
    return SwiGLU_

FORM = "What is expected: down( Swish(gate(x)) ⊙ up(x) )."
for name, (changes, says) in {
    "turned": (dict(inside=lambda g, u, x: g * F.silu(u)), f"gate and up have changed places: the Swish is taken of `up_proj`. {FORM}"),
    "relu": (dict(inside=lambda g, u, x: F.relu(g) * u), f"your gate goes through a ReLU. {FORM}"),
    "gelu": (dict(inside=lambda g, u, x: F.gelu(g) * u), f"your gate goes through a GELU. {FORM}"),
    "tanh-gelu": (dict(inside=lambda g, u, x: F.gelu(g, approximate="tanh") * u), f"your gate goes through a GELU in its tanh form. {FORM}"),
    "sigmoid": (dict(inside=lambda g, u, x: g.sigmoid() * u), f"your gate goes through a sigmoid. Swish(z) is z times it. {FORM}"),
    "tanh": (dict(inside=lambda g, u, x: g.tanh() * u), f"your gate goes through a tanh. {FORM}"),
    "softplus": (dict(inside=lambda g, u, x: F.softplus(g) * u), f"your gate goes through a softplus. {FORM}"),
    "mish": (dict(inside=lambda g, u, x: F.mish(g) * u), f"your gate goes through Mish. {FORM}"),
    "no-swish": (dict(inside=lambda g, u, x: g * u), f"nothing bends your gate: the Swish is missing. {FORM}"),
    "both": (dict(inside=lambda g, u, x: F.silu(g) * F.silu(u)), f"the Swish is taken of both. Only the gate goes through it. {FORM}"),
    "of-the-product": (dict(inside=lambda g, u, x: F.silu(g * u)), f"the Swish is taken of the product. Only the gate goes through it. {FORM}"),
    "added": (dict(inside=lambda g, u, x: F.silu(g) + u), f"gate and up are added. They are multiplied, number by number. {FORM}"),
    "no-up": (dict(inside=lambda g, u, x: F.silu(g)), f"`up_proj` has no part in your output. {FORM}"),
    "no-gate": (dict(inside=lambda g, u, x: F.silu(u)), f"`gate_proj` has no part in your output. {FORM}"),
    "up-only": (dict(inside=lambda g, u, x: u), f"`gate_proj` and the Swish are missing. {FORM}"),
    "gate-twice": (dict(inside=lambda g, u, x: F.silu(g) * g), f"the gate multiplies itself, and `up_proj` has no part in your output. {FORM}"),
    "swish-twice": (dict(inside=lambda g, u, x: F.silu(F.silu(g)) * u), f"the Swish is taken twice. {FORM}"),
    "softmax": (dict(inside=lambda g, u, x: g.softmax(-1) * u), f"your gate goes through a softmax. {FORM}"),
    "negative": (dict(inside=lambda g, u, x: -g * torch.sigmoid(-g) * u), f"your Swish is turned round: it is 0 where it should grow. {FORM}"),
    "by-hand-overflow": (dict(inside=lambda g, u, x: g * g.exp() / (1 + g.exp()) * u), "your Swish overflows: `exp` of a large number leaves the range of floats. `torch.sigmoid` and `F.silu` avoid that."),
    "swish-at-the-end": (dict(inside=lambda g, u, x: g * u, last=lambda self, h: F.silu(self.down_proj(h))), f"the Swish stands behind `down_proj`. {FORM}"),
    "residual": (dict(inside=lambda g, u, x: (x, F.silu(g) * u), last=lambda self, h: h[0] + self.down_proj(h[1])), "x is added to your output. The way around belongs to the block, not here."),
    "no-down": (dict(inside=lambda g, u, x: F.silu(g) * u, last=lambda self, h: h), f"`down_proj` is missing: your output has d_ff numbers for each vector. {FORM}"),
    "detached-gate": (dict(inside=lambda g, u, x: F.silu(g.detach()) * u), "the numbers are right, but no gradient flows through the gate: is there a `detach` or a `.data`?"),
    "nothing": (dict(inside=lambda g, u, x: u, last=lambda self, h: None), "your `forward` ends without giving anything back: is a `return` missing?"),
}.items():
    wrong(name, says=says)(gated(**changes))

@right
class ByHand(SwiGLU):
    def forward(self, x):
        gate = self.gate_proj(x)
        return self.down_proj(self.up_proj(x) * gate * torch.sigmoid(gate))

@right
class ByLayer(SwiGLU):
    def forward(self, x):
        hidden = torch.mul(nn.SiLU()(self.gate_proj(x)), self.up_proj(x))
        return hidden @ self.down_proj.weight.T

@right
class OneProduct(SwiGLU):
    def forward(self, x):
        gate, up = F.linear(x, torch.cat([self.gate_proj.weight, self.up_proj.weight])).chunk(2, dim=-1)
        return self.down_proj(gate / (1 + torch.exp(-gate.clamp(min=-80))) * up)

@truth
class InFloat64(SwiGLU):
    """The formula with its sums written out, in float64."""
    def forward(self, x):
        g, u, d = (layer.weight.double() for layer in (self.gate_proj, self.up_proj, self.down_proj))
        a, b = torch.einsum("...i,oi->...o", x.double(), g), torch.einsum("...i,oi->...o", x.double(), u)
        return torch.einsum("...i,oi->...o", a * (1 + torch.tanh(a / 2)) / 2 * b, d)

# %% exercise="DecoderOnly" part="library"
class _DecoderOnlyBlock(nn.Module):
    """The library's parts; each is a way around which its input is carried."""

    def __init__(self, d_model: int, num_heads: int, num_kv_heads: int, d_ff: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = RMSNorm(d_model), RMSNorm(d_model)
        self.self_attention = GroupedQueryAttention(d_model, num_heads, num_kv_heads)
        self.feed_forward = SwiGLU(d_model, d_ff)

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor, cache: Any = None) -> Tensor:
        ways = ((self.norm1, lambda rows: self.self_attention(rows, positions, mask=mask, cache=cache)), (self.norm2, self.feed_forward))
        for norm, way in ways:
            x = torch.add(x, way(norm(x)))
        return x


class DecoderOnly(nn.Module):
    """The library's blocks; a float mask of PyTorch's says what lies in the future; PyTorch's linear operator is the last layer."""

    def __init__(
        self, vocab_size: int, d_model: int, num_heads: int, num_kv_heads: int, num_layers: int, d_ff: int
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.02)
        blocks = [_DecoderOnlyBlock(d_model, num_heads, num_kv_heads, d_ff) for _ in range(num_layers)]
        self.blocks, self.norm = nn.ModuleList(blocks), RMSNorm(d_model)

    def forward(self, ids: Tensor, cache: Sequence[Any] | None = None) -> Tensor:
        kept = [None] * len(self.blocks) if cache is None else list(cache)
        start = cache[0].length() if cache else 0
        places = torch.arange(start + ids.shape[1], device=ids.device)
        new = places[start:]
        seen = torch.ge(new.unsqueeze(-1), places)
        rows = F.embedding(ids, self.embedding.weight)
        for block, own in zip(self.blocks, kept, strict=False):
            rows = block(rows, new, seen, own)
        return F.linear(self.norm(rows), self.embedding.weight)

# %% exercise="DecoderOnly" part="variants"
without("one: batch", "one: seq", "one: num_kv_heads", "one: group", "one: d_head", "one: d_ff", "one: more", because="a single width makes the norm blind")
@cases(dict(batch=2, seq=5, num_kv_heads=2, group=2, d_head=4, d_ff=7, more=6), hidden=[dict(batch=3, seq=4, num_kv_heads=1, group=3, d_head=2, d_ff=5, more=4)])
def logits(rng, batch, seq, num_kv_heads, group, d_head, d_ff, more):
    """{batch} sentences of {seq} tokens"""
    heads, vocab = num_kv_heads * group, 5 + more
    return module(init=dict(vocab_size=vocab, d_model=heads * d_head, num_heads=heads, num_kv_heads=num_kv_heads, num_layers=1, d_ff=d_ff), rng=rng, given=dict(ids=torch.from_numpy(rng.integers(0, vocab, size=(batch, seq)))))

# %% exercise="sample_next" part="library"
def sample_next(
    logits: Tensor, generator: torch.Generator, temperature: float = 1.0, top_k: int | None = None,
    top_p: float | None = None,
) -> Tensor:
    """The largest of chances divided by exponential noise: a race that a token wins as often as its chance says."""
    ranks = logits.argsort(dim=-1, descending=True, stable=True).argsort(dim=-1)
    if temperature == 0:
        return ranks.argmin(dim=-1)
    out = ranks >= (logits.shape[-1] if top_k is None else top_k)
    chances = (logits.double() / temperature).masked_fill(out, -math.inf).softmax(dim=-1)
    if top_p is not None:
        likelier = (ranks.unsqueeze(-2) < ranks.unsqueeze(-1)).double()
        chances = chances * (torch.einsum("bij,bj->bi", likelier, chances) < top_p)
    noise = torch.empty_like(chances).exponential_(generator=generator)
    return (chances / noise).argmax(dim=-1)


def seeded_generator(seed: int) -> Any:
    """A generator, with a look at whether it is the one that was drawn from."""
    return watched_generator(seed)

# %% exercise="sample_next" part="variants"
@cases()
def greedy(rng):
    """temperature 0"""
    return judged(wanted=dict(draws=False), logits=floats(rng, 3, 5), generator=fixture("seeded_generator", seed=1), temperature=0)
