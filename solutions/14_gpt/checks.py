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
    "two-pieces-left-out": (dict(count=lambda cut, words: weighted({word: pieces for word, pieces in cut.items() if len(pieces) > 2}, words)), "words of two pieces are left out of your count. They hold a pair, too."),
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
            wrong(f"{name}+{other}", says=two_things(says, "where counts are equal, the smaller pair is not the one you take."))(trainer(**changes | dict(pick=tie)))
wrong("no-stop", ("        if not counts:\n            break\n", ""), says="where no pair is left your code asks for the best of nothing. Stop early there.")
wrong("changes-words", ("    return merges\n", "    words.clear()\n    return merges\n"), says="your function changes its argument `words`. Keep your own dict beside it.")
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
without("again", because="merges that are read backwards are none that training could give")
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
    pieces = [*word]
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
without("scattered", because="complex numbers want a pair side by side in memory, and heads that are split have it so")
without("slip: base ** (-torch.arange(0, d_head, 2, device=x.device))", because="so slow a pair looks as if it were not turned at all")
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
    return dict(x=floats(rng, 4, 4, 4, 4), positions=torch.tensor([3, 0, 2, 9]))

@cases()
def one_row(rng):
    """the newest token alone, at place 6"""
    return turn_call(rng, 2, 3, positions=np.array([6]), pairs=2)

@cases()
def between(rng):
    """places that are no whole numbers, one of them twice"""
    return dict(x=floats(rng, 2, 3, 6), positions=torch.tensor([0.5, 2.25, 0.5]))

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

@wrong("rate-for-each-feature", says="the two numbers of a pair turn at different rates: your exponent goes by feature. It goes by pair, −2i/d for features 2i and 2i + 1.")
def rate_for_each_feature(x, positions, base=10000.0):
    angles = positions[:, None] * base ** (-torch.arange(x.shape[-1]) / x.shape[-1])
    return x * angles.cos() + torch.stack([-x[..., 1::2], x[..., ::2]], dim=-1).flatten(-2) * angles.sin()

@wrong("along-heads", says="your angles run along another axis than the rows: `positions` belongs to the axis before the last.")
def along_heads(x, positions, base=10000.0):
    angles = positions[:, None, None] * rates_of(x.shape[-1], base)
    a, b = interleaved(x)
    return together(a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos())

@right
def by_complex_numbers(x, positions, base=10000.0):
    z = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
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
                rows += [row[2 * i] * np.cos(a) - row[2 * i + 1] * np.sin(a), row[2 * i] * np.sin(a) + row[2 * i + 1] * np.cos(a)]
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
        rooms = cache._rooms[0]
        if rooms is None:
            return {"positions": 0}
        empty = rooms[0][:, :, :0]
        keys, values = cache.append(0, empty, empty)
        return {"positions": cache.length(), "keys": keys.detach().clone(), "values": values.detach().clone()}

    return Watched(cache, look)

# %% exercise="GroupedQueryAttention" part="variants"
without("one: seq", because="a single token has nothing to weigh")
without("one: d_head", because="features come in pairs")
small = dict(hidden=[dict(batch=2, seq=3, kv=3, group=2, d_head=4), dict(batch=3, seq=5, kv=2, group=3, d_head=2)])
def attention_call(rng, batch, seq, kv, group, d_head, start=0, past=None, mask=None, gradients=False, cached=False, square=False):
    heads = kv * group
    given = dict(x=floats(rng, batch, seq, heads * d_head), positions=torch.arange(start, start + seq))
    if mask is not None:
        given["mask"] = mask
    if past:
        given["cache"] = fixture("filled_cache", key=floats(rng, batch, kv, past, d_head), value=floats(rng, batch, kv, past, d_head))
    elif cached:
        given["cache"] = fixture("filled_cache")
    state = draw_state(GroupedQueryAttention(heads * d_head, heads, kv), rng)
    for name in ("q_proj.weight", "k_proj.weight"):
        state[name] = type(state[name])(state[name].data * 2, "float32")
    return module(init=dict(d_model=heads * d_head, num_heads=heads, num_kv_heads=kv), state=state, given=given, gradients=gradients)

@cases(dict(batch=4, seq=5, kv=2, group=3, d_head=2), **small)
def groups(rng, batch, seq, kv, group, d_head):
    """{kv} heads of keys with {group} query heads each, {batch} sentences of {seq} tokens, no mask"""
    return attention_call(rng, batch, seq, kv, group, d_head)

@cases(dict(batch=3, seq=5, kv=2, group=2, d_head=4), **small)
def causal(rng, batch, seq, kv, group, d_head):
    """{kv} heads of keys with {group} query heads each, {batch} sentences of {seq} tokens from place 5 on, a causal mask"""
    return attention_call(rng, batch, seq, kv, group, d_head, start=5, mask=torch.ones(seq, seq, dtype=torch.bool).tril())

@cases(dict(batch=2, seq=4, kv=3, group=2, d_head=2), **small)
def hidden_row(rng, batch, seq, kv, group, d_head):
    """a mask for each head, which hides all keys from one query; {kv} heads of keys, {group} query heads each"""
    mask = some_hidden(rng, batch, kv * group, seq, seq)
    mask[0, 1, 2], mask[1, :, 0] = False, False
    return attention_call(rng, batch, seq, kv, group, d_head, mask=mask)

@cases(dict(batch=3, seq=5, group=4, d_head=2), hidden=[dict(batch=4, seq=5, group=3, d_head=2)])
def multi_query(rng, batch, seq, group, d_head):
    """one head of keys for {group} query heads"""
    return attention_call(rng, batch, seq, 1, group, d_head)

@cases(dict(batch=2, seq=5, kv=3, d_head=4), hidden=[dict(batch=3, seq=5, kv=2, d_head=6)])
def multi_head(rng, batch, seq, kv, d_head):
    """as many heads of keys as query heads: {kv}"""
    return attention_call(rng, batch, seq, kv, 1, d_head, start=2)

@cases(dict(batch=2, kv=2, group=2, d_head=4, past=5), hidden=[dict(batch=3, kv=2, group=3, d_head=2, past=4)])
def newest(rng, batch, kv, group, d_head, past):
    """one new token behind {past} in the cache"""
    return attention_call(rng, batch, 1, kv, group, d_head, start=past, past=past)

@cases(dict(batch=2, seq=3, kv=2, group=3, d_head=2, past=4), hidden=[dict(batch=3, seq=2, kv=2, group=2, d_head=4, past=5)])
def several_new(rng, batch, seq, kv, group, d_head, past):
    """{seq} new tokens behind {past} in the cache, with a mask"""
    return attention_call(rng, batch, seq, kv, group, d_head, start=past, past=past, mask=torch.ones(seq, past + seq, dtype=torch.bool).tril(past))

@cases(dict(batch=3, seq=4, kv=1, group=2, d_head=2, past=5), hidden=[dict(batch=3, seq=2, kv=2, group=2, d_head=2, past=4)])
def no_mask_and_cache(rng, batch, seq, kv, group, d_head, past):
    """{seq} new tokens behind {past} in the cache, no mask"""
    return attention_call(rng, batch, seq, kv, group, d_head, start=past, past=past)

@cases(dict(batch=2, seq=4, kv=2, group=2, d_head=2), hidden=[dict(batch=3, seq=5, kv=1, group=2, d_head=4)])
def empty_cache(rng, batch, seq, kv, group, d_head):
    """{seq} tokens and an empty cache"""
    return attention_call(rng, batch, seq, kv, group, d_head, cached=True)

@cases(dict(batch=3, kv=2, group=2, d_head=2), hidden=[dict(batch=2, kv=1, group=3, d_head=4)])
def places_apart(rng, batch, kv, group, d_head):
    """5 tokens at places that are no neighbours"""
    call = attention_call(rng, batch, 5, kv, group, d_head)
    call.given["positions"] = torch.from_numpy(np.sort(rng.choice(20, size=5, replace=False)))
    return call

@cases(dict(batch=2, seq=3, kv=1, group=2, d_head=4, past=4), hidden=[dict(batch=3, seq=2, kv=2, group=2, d_head=2, past=3)])
def later_than_the_cache(rng, batch, seq, kv, group, d_head, past):
    """{seq} new tokens that stand further on than the {past} in the cache are many"""
    return attention_call(rng, batch, seq, kv, group, d_head, start=past + 6, past=past)

@cases()
def square(rng):
    """4 sentences of 4 tokens, 4 query heads of length 2, 2 heads of keys"""
    return attention_call(rng, 4, 4, 2, 2, 2)

@cases(dict(batch=2, seq=3, kv=2, group=2, d_head=2), hidden=[dict(batch=3, seq=4, kv=2, group=2, d_head=2)])
def gradients(rng, batch, seq, kv, group, d_head):
    """{batch} sentences of {seq} tokens, a causal mask, with gradients"""
    return attention_call(rng, batch, seq, kv, group, d_head, mask=torch.ones(seq, seq, dtype=torch.bool).tril(), gradients=True)

Right = GroupedQueryAttention
def softmax_of(scores, mask, axis=-1, zero=True):
    scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(axis)
    return weights.nan_to_num(0.0) if zero else weights

plain = dict(
    query=lambda self, x, p: apply_rope(split_heads(self.q_proj(x), self.num_heads), p), key=lambda self, x, p: apply_rope(split_heads(self.k_proj(x), self.num_kv_heads), p),
    value=lambda self, x, p: split_heads(self.v_proj(x), self.num_kv_heads), keep=lambda cache, k, v: cache.append(0, k, v), after=lambda k, p: k,
    share=lambda self, k: k.repeat_interleave(self.num_heads // self.num_kv_heads, dim=1), mask=lambda mask, q, k: mask if mask is not None else torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool),
    scale=lambda self, q: q.shape[-1] ** -0.5, weights=softmax_of, merge=lambda o: merge_heads(o), out=lambda self, o: self.out_proj(o), back=lambda y, w: y, early=False,
)

def twisted(changes):
    o = plain | changes
    class GroupedQueryAttention(Right):
        def forward(self, x, positions, mask=None, cache=None):
            q, k, v = (o[part](self, x, positions) for part in ("query", "key", "value"))
            if o["early"]:
                k, v = o["share"](self, k), o["share"](self, v)
            if cache is not None:
                k, v = o["keep"](cache, k, v)
            k = o["after"](k, positions)
            if not o["early"]:
                k, v = o["share"](self, k), o["share"](self, v)
            w = o["weights"](q @ k.transpose(-2, -1) * o["scale"](self, q), o["mask"](mask, q, k))
            return o["back"](o["out"](self, o["merge"](w @ v)), w)
    return GroupedQueryAttention

def heads_of(self, layer, x, heads):
    return split_heads(layer(x), heads)

TURNED = "Queries and keys are turned, values are not."
singles = {
    "tiled": (dict(share=lambda self, k: k.repeat(1, self.num_heads // self.num_kv_heads, 1, 1)), "your query heads look into the heads of keys in turn (0, 1, 0, 1). Groups are consecutive: 0, 0, 1, 1."),
    "groups-backwards": (dict(share=lambda self, k: k.flip(1).repeat_interleave(self.num_heads // self.num_kv_heads, dim=1)), "the first group of query heads looks into the last head of keys. It looks into the first."),
    "first-head-only": (dict(share=lambda self, k: k[:, :1].expand(-1, self.num_heads, -1, -1)), "all query heads look into the first head of keys and values. Each group has its own."),
    "mean-head": (dict(share=lambda self, k: k.mean(1, keepdim=True).expand(-1, self.num_heads, -1, -1)), "all query heads look into the mean over the heads of keys and values. Each group has its own."),
    "no-rope": (dict(query=lambda self, x, p: heads_of(self, self.q_proj, x, self.num_heads), key=lambda self, x, p: heads_of(self, self.k_proj, x, self.num_kv_heads)), f"nothing is turned: positions have no effect. {TURNED}"),
    "query-only": (dict(key=lambda self, x, p: heads_of(self, self.k_proj, x, self.num_kv_heads)), f"only your queries are turned. {TURNED}"),
    "key-only": (dict(query=lambda self, x, p: heads_of(self, self.q_proj, x, self.num_heads)), f"only your keys are turned. {TURNED}"),
    "values-turned": (dict(value=lambda self, x, p: apply_rope(heads_of(self, self.v_proj, x, self.num_kv_heads), p)), f"your values are turned as well. {TURNED}"),
    "turned-twice": (dict(query=lambda self, x, p: apply_rope(plain["query"](self, x, p), p), key=lambda self, x, p: apply_rope(plain["key"](self, x, p), p)), "queries and keys are turned twice, so every distance counts double."),
    "turned-whole": (dict(query=lambda self, x, p: split_heads(apply_rope(self.q_proj(x), p), self.num_heads), key=lambda self, x, p: split_heads(apply_rope(self.k_proj(x), p), self.num_kv_heads)), "you turn the rows before they are split into heads, so the rates run over all of d_model. They are turned head by head."),
    "positions-anew": (dict(query=lambda self, x, p: apply_rope(heads_of(self, self.q_proj, x, self.num_heads), torch.arange(len(p))), key=lambda self, x, p: apply_rope(heads_of(self, self.k_proj, x, self.num_kv_heads), torch.arange(len(p)))), "your tokens are counted from 0, whatever `positions` says. Behind a cache they begin further on."),
    "positions-backwards": (dict(query=lambda self, x, p: apply_rope(heads_of(self, self.q_proj, x, self.num_heads), p.flip(0)), key=lambda self, x, p: apply_rope(heads_of(self, self.k_proj, x, self.num_kv_heads), p.flip(0))), "the last token gets the first place. `positions` is in the order of the tokens."),
    "query-anew": (dict(query=lambda self, x, p: apply_rope(heads_of(self, self.q_proj, x, self.num_heads), torch.arange(len(p)))), "your queries are counted from 0, whatever `positions` says; the keys are not."),
    "turned-the-other-way": (dict(key=lambda self, x, p: apply_rope(heads_of(self, self.k_proj, x, self.num_kv_heads), -p)), "your keys are turned the other way round, so the score depends on the sum of two places and not on their distance."),
    "cache-unturned": (dict(key=lambda self, x, p: heads_of(self, self.k_proj, x, self.num_kv_heads), after=lambda k, p: apply_rope(k, torch.arange(int(p[-1]) + 1 - k.shape[-2], int(p[-1]) + 1))), "the keys go into the cache before they are turned, and all of them are turned afterwards. A key's place never changes: turn it once, then keep it."),
    "cache-repeated": (dict(early=True), "the cache holds a head of keys for each *query* head. It keeps `num_kv_heads` heads, and is small for that reason; hand them on to the query heads afterwards."),
    "cache-ignored": (dict(keep=lambda cache, k, v: (k, v)), "what the cache holds has no effect on your output: only the new keys are looked at. What `append` returns holds all of them."),
    "new-only": (dict(keep=lambda cache, k, v: (cache.append(0, k, v), (k, v))[1]), "the new keys are put into the cache, but only they are looked at. What `append` returns holds all of them."),
    "not-kept": (dict(keep=lambda cache, k, v: tuple(torch.cat([old[:, :, : old.shape[2]], new], 2) for old, new in zip(cache.append(0, k[:, :, :0], v[:, :, :0]), (k, v))) if cache.length() else (k, v)), "the new keys and values are joined to those of the cache, but not put into it."),
    "appended-twice": (dict(keep=lambda cache, k, v: (cache.append(0, k, v), cache.append(0, k, v))[1]), "the new keys and values are put into the cache twice."),
    "values-as-keys": (dict(keep=lambda cache, k, v: cache.append(0, v, k)[::-1]), "keys and values have changed places in the cache."),
    "new-in-front": (dict(keep=lambda cache, k, v: tuple(torch.cat([new[:, :, -k.shape[2]:], new[:, :, : new.shape[2] - k.shape[2]]], 2) for new in cache.append(0, k, v))), "the new tokens stand in front of those from the cache. With a mask, its last columns belong to the new ones."),
    "mask-ignored": (dict(mask=lambda m, q, k: torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool)), "the mask has no effect."),
    "mask-inverted": (dict(mask=lambda m, q, k: ~plain["mask"](m, q, k) if m is not None else plain["mask"](m, q, k)), "your mask is inverted. True means: may be attended to."),
    "always-causal": (dict(mask=lambda m, q, k: plain["mask"](m, q, k) & torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril(k.shape[-2] - q.shape[-2])), "the future is hidden even where no mask says so. `None` means that every key is seen."),
    "causal-if-none": (dict(mask=lambda m, q, k: torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril(k.shape[-2] - q.shape[-2]) if m is None else m), "without a mask your code hides the future. `None` means that every key is seen."),
    "nan-rows": (dict(weights=lambda s, m: softmax_of(s, m, zero=False)), "a query whose keys are all hidden gets NaN. It gets 0; `masked_attention` takes care of that."),
    "even-rows": (dict(weights=lambda s, m: s.masked_fill(~m, -1e9).softmax(-1)), "a query whose keys are all hidden gets the mean of all values. It gets 0; `masked_attention` takes care of that."),
    "masked-afterwards": (dict(weights=lambda s, m: s.softmax(-1) * m), "your mask is applied behind the softmax, so the weights do not sum to 1."),
    "masked-with-0": (dict(weights=lambda s, m: s.masked_fill(~m, 0.0).softmax(-1)), "hidden scores become 0, and exp 0 is 1: hidden keys are still read."),
    "over-queries": (dict(weights=lambda s, m: softmax_of(s, m, axis=-2)), "your softmax runs over the queries. It runs over the keys: the last axis."),
    "no-scale": (dict(scale=lambda self, q: 1.0), "the scores are not divided by √d_head."),
    "scale-d-model": (dict(scale=lambda self, q: self.q_proj.in_features ** -0.5), "the scores are divided by √d_model. A head's queries have d_head numbers."),
    "scale-d-head": (dict(scale=lambda self, q: 1 / q.shape[-1]), "the scores are divided by d_head. The root is missing."),
    "scale-group": (dict(scale=lambda self, q: (q.shape[-1] * self.num_heads / self.num_kv_heads) ** -0.5), "the scores are divided by the root of a length that counts the whole group. A head's queries have d_head numbers."),
    "empty-cache-ignored": (dict(keep=lambda cache, k, v: cache.append(0, k, v) if cache.length() else (k, v)), "an empty cache stays empty: the first tokens are never put into it. Only `None` means that there is no cache."),
    "heads-by-view": (dict(query=lambda self, x, p: apply_rope(self.q_proj(x).view(len(x), self.num_heads, len(p), -1), p), key=lambda self, x, p: apply_rope(self.k_proj(x).view(len(x), self.num_kv_heads, len(p), -1), p), value=lambda self, x, p: self.v_proj(x).view(len(x), self.num_kv_heads, len(p), -1)), "your heads are split by a view alone, so a head gets the features of other tokens. Unit 05's `split_heads` moves the axes afterwards."),
    "values-are-keys": (dict(value=lambda self, x, p: heads_of(self, self.k_proj, x, self.num_kv_heads)), "your values come from `k_proj`. They come from `v_proj`."),
    "value-as-key": (dict(key=lambda self, x, p: apply_rope(heads_of(self, self.v_proj, x, self.num_kv_heads), p)), "your keys come from `v_proj`. They come from `k_proj`."),
    "merged-wrongly": (dict(merge=lambda o: o.reshape(o.shape[0], o.shape[2], -1)), "your heads are merged by a reshape alone, so tokens and heads get mixed up. Unit 05's `merge_heads` moves the axes first."),
    "no-out": (dict(out=lambda self, o: o), "`out_proj` is missing."),
    "residual": (dict(query=lambda self, x, p: setattr(self, "_x", x) or plain["query"](self, x, p), out=lambda self, o: self.out_proj(o) + self._x), "x is added to your output. The way around belongs to the block, not here."),
    "pair": (dict(back=lambda y, w: (y, w)), "your `forward` returns two things. Return the output alone."),
    "detached": (dict(back=lambda y, w: y.detach()), "the numbers are right, but no gradient flows back: is there a `detach`, a `.data` or `torch.no_grad()`?"),
    "nothing": (dict(back=lambda y, w: None), "your `forward` ends without giving anything back: is a `return` missing?"),
}
for name, (changes, says) in singles.items():
    wrong(name, says=says)(twisted(changes))
often = ["tiled", "no-rope", "values-turned", "positions-anew", "causal-if-none"]
for i, one in enumerate(often):
    for other in often[i + 1 :]:
        if not set(singles[one][0]) & set(singles[other][0]):
            wrong(f"{one}+{other}", says=two_things(singles[one][1], singles[other][1]))(twisted(singles[one][0] | singles[other][0]))
SPLIT_K = "apply_rope(split_heads(self.k_proj(x), self.num_kv_heads), positions)"
wrong("keys-split-like-queries", (SPLIT_K, SPLIT_K.replace("num_kv_heads", "num_heads")), ("split_heads(self.v_proj(x), self.num_kv_heads)", "split_heads(self.v_proj(x), self.num_heads)"), says="your keys and values are split into `num_heads` heads. They have `num_kv_heads`.")
wrong("not-shared", ("        key, value = key.repeat_interleave(group, dim=1), value.repeat_interleave(group, dim=1)\n", ""), says="queries have more heads than keys and values, and the two do not fit together. Hand each head of keys on to its group.")
@wrong("positions-from-cache", says="your places are counted from the cache's length (from 0 without a cache). `positions` says where the tokens stand.")
class PositionsFromCache(GroupedQueryAttention):
    def forward(self, x, positions, mask=None, cache=None):
        start = 0 if cache is None else cache.length()
        return super().forward(x, torch.arange(start, start + x.shape[1]), mask, cache)

wrong("square-mask", ("torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool, device=x.device)", "torch.ones(query.shape[-2], query.shape[-2], dtype=torch.bool, device=x.device)"), says="with a cache your own mask has too few columns: there are more keys than queries.")

@right
class ByEinsum(Right):
    """Query heads in an axis of groups; nothing is repeated."""
    def forward(self, x, positions, mask=None, cache=None):
        b, s, _ = x.shape
        h, g = self.num_kv_heads, self.num_heads // self.num_kv_heads
        q = apply_rope(self.q_proj(x).view(b, s, h, g, -1).permute(0, 2, 3, 1, 4), positions)
        k = apply_rope(self.k_proj(x).view(b, s, h, -1).transpose(1, 2), positions)
        v = self.v_proj(x).view(b, s, h, -1).transpose(1, 2)
        if cache is not None:
            k, v = cache.append(0, k, v)
        scores = torch.einsum("bhgqd,bhkd->bhgqk", q, k) / q.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.flatten(1, 2).masked_fill(~mask, -torch.inf).unflatten(1, (h, g))
        weights = scores.softmax(-1).nan_to_num(0.0)
        return self.out_proj(torch.einsum("bhgqk,bhkd->bqhgd", weights, v).flatten(2))

@right
class HeadByHead(Right):
    def forward(self, x, positions, mask=None, cache=None):
        q = apply_rope(split_heads(self.q_proj(x), self.num_heads), positions)
        k = apply_rope(split_heads(self.k_proj(x), self.num_kv_heads), positions)
        v = split_heads(self.v_proj(x), self.num_kv_heads)
        if cache:
            k, v = cache.append(0, k, v)
        seen = torch.ones(1, 1, 1, 1, dtype=torch.bool) if mask is None else mask
        seen = seen.expand(q.shape[0], self.num_heads, q.shape[2], k.shape[2])
        out = []
        for head in range(self.num_heads):
            other = head * self.num_kv_heads // self.num_heads
            out.append(masked_attention(q[:, head], k[:, other], v[:, other], seen[:, head])[0])
        return self.out_proj(torch.cat(out, dim=-1))

@right
class ByExpanding(Right):
    def forward(self, x, positions, mask=None, cache=None):
        def split(layer, heads):
            return layer(x).unflatten(-1, (heads, -1)).transpose(1, 2)
        q, k = apply_rope(split(self.q_proj, self.num_heads), positions), apply_rope(split(self.k_proj, self.num_kv_heads), positions)
        v = split(self.v_proj, self.num_kv_heads)
        if cache is not None:
            k, v = cache.append(layer=0, key=k, value=v)
        k, v = (y[:, :, None].expand(-1, -1, self.num_heads // self.num_kv_heads, -1, -1).flatten(1, 2) for y in (k, v))
        if mask is None:
            mask = torch.ones(1, 1, 1, k.size(2), dtype=torch.bool)
        return self.out_proj(merge_heads(masked_attention(q, k, v, mask)[0]))

@truth
class ByPyTorch(Right):
    """PyTorch's fused attention with groups, in float64; rows that see nothing by hand."""
    def forward(self, x, positions, mask=None, cache=None):
        q, k, v = (F.linear(x.double(), layer.weight.double()).unflatten(-1, (heads, -1)).transpose(1, 2) for layer, heads in ((self.q_proj, self.num_heads), (self.k_proj, self.num_kv_heads), (self.v_proj, self.num_kv_heads)))
        def turned(y):
            rates = 10000.0 ** (-torch.arange(0, y.shape[-1], 2, dtype=torch.float64) / y.shape[-1])
            z = torch.complex(y[..., ::2].contiguous(), y[..., 1::2].contiguous()) * torch.exp(1j * positions[:, None] * rates)
            return torch.view_as_real(z).flatten(-2)
        q, k = turned(q), turned(k)
        if cache is not None:
            k, v = (y.double() for y in cache.append(0, k.float(), v.float()))
        seen = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool) if mask is None else mask
        nothing = ~seen.expand(*q.shape[:3], k.shape[2]).any(-1, keepdim=True)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=seen | nothing, enable_gqa=True).masked_fill(nothing, 0.0)
        return F.linear(out.transpose(1, 2).flatten(2), self.out_proj.weight.double())

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
    "up-twice": (dict(inside=lambda g, u, x: u * g.sigmoid() * u), f"`up_proj` is multiplied by itself, where the gate belongs: Swish(z) is z times its **own** sigmoid. {FORM}"),
    "added": (dict(inside=lambda g, u, x: F.silu(g) + u), f"gate and up are added. They are multiplied, number by number. {FORM}"),
    "no-up": (dict(inside=lambda g, u, x: F.silu(g)), f"`up_proj` has no part in your output. {FORM}"),
    "no-gate": (dict(inside=lambda g, u, x: F.silu(u)), f"`gate_proj` has no part in your output. {FORM}"),
    "up-only": (dict(inside=lambda g, u, x: u), f"`gate_proj` and the Swish are missing. {FORM}"),
    "gate-twice": (dict(inside=lambda g, u, x: F.silu(g) * g), f"the gate multiplies itself, and `up_proj` has no part in your output. {FORM}"),
    "swish-twice": (dict(inside=lambda g, u, x: F.silu(F.silu(g)) * u), f"the Swish is taken twice. {FORM}"),
    "softmax": (dict(inside=lambda g, u, x: g.softmax(-1) * u), f"your gate goes through a softmax. {FORM}"),
    "negative": (dict(inside=lambda g, u, x: -g * torch.sigmoid(-g) * u), f"your Swish is turned round: it is 0 where it should grow. {FORM}"),
    "by-hand-overflow": (dict(inside=lambda g, u, x: g * g.exp() / (1 + g.exp()) * u), "your Swish overflows: `exp` of a large number leaves the range of floats. `torch.sigmoid` and `F.silu` avoid that."),
    "swish-of-x": (dict(inside=lambda g, u, x: (x, u), last=lambda self, h: self.down_proj(self.gate_proj(F.silu(h[0])) * h[1])), f"the Swish is taken of x, before `gate_proj`. {FORM}"),
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

def filled_caches(keys: list[Tensor], values: list[Tensor]) -> Any:
    """A list of caches, one for each block; afterwards a look at what each of them holds."""
    from autograder.formats.fixtures import Watched

    made = [filled_cache(key, value) for key, value in zip(keys, values, strict=True)]
    return Watched([one.live for one in made], lambda: {f"block {i}": one.look() for i, one in enumerate(made)})


def empty_caches(layers: int) -> Any:
    from autograder.formats.fixtures import Watched

    made = [filled_cache() for _ in range(layers)]
    return Watched([one.live for one in made], lambda: {f"block {i}": one.look() for i, one in enumerate(made)})

# %% exercise="DecoderOnly" part="variants"
without("one: batch", "one: seq", "one: kv", "one: group", "one: d_head", "one: d_ff", "one: more", "one: past", because="a single width makes the norm blind, and one token has nothing before it")
small = dict(hidden=[dict(batch=3, seq=4, kv=1, group=3, d_head=2, d_ff=5, more=4), dict(batch=2, seq=5, kv=2, group=2, d_head=2, d_ff=6, more=7)])
def gpt_call(rng, batch, seq, kv, group, d_head, d_ff, more, num_layers=1, past=None, empty=False, gradients=False):
    heads, vocab = kv * group, 4 + more
    init = dict(vocab_size=vocab, d_model=heads * d_head, num_heads=heads, num_kv_heads=kv, num_layers=num_layers, d_ff=d_ff)
    given = dict(ids=torch.from_numpy(rng.integers(0, vocab, size=(batch, seq))))
    given["ids"][0, 0] = 0
    if past:
        given["cache"] = fixture("filled_caches", keys=[floats(rng, batch, kv, past, d_head) for _ in range(num_layers)], values=[floats(rng, batch, kv, past, d_head) for _ in range(num_layers)])
    elif empty:
        given["cache"] = fixture("empty_caches", layers=num_layers)
    state = draw_state(DecoderOnly(**init), rng)
    for name in state:
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            state[name] = type(state[name])(state[name].data * 2, "float32")
    return module(init=init, state=state, given=given, gradients=gradients)

@cases(dict(batch=2, seq=5, kv=2, group=2, d_head=4, d_ff=7, more=6), dict(batch=3, seq=4, kv=1, group=3, d_head=2, d_ff=5, more=5), **small)
def logits(rng, batch, seq, kv, group, d_head, d_ff, more):
    """{batch} texts of {seq} tokens, {kv} heads of keys with {group} query heads each"""
    return gpt_call(rng, batch, seq, kv, group, d_head, d_ff, more)

@cases(dict(batch=2, seq=4, kv=2, group=2, d_head=2, d_ff=5, more=7), **small)
def two_layers(rng, batch, seq, kv, group, d_head, d_ff, more):
    """num_layers=2, {batch} texts of {seq} tokens"""
    return gpt_call(rng, batch, seq, kv, group, d_head, d_ff, more, num_layers=2)

@cases(dict(batch=2, kv=2, group=2, d_head=2, d_ff=5, more=6, past=4), hidden=[dict(batch=3, kv=1, group=2, d_head=4, d_ff=6, more=5, past=3)])
def newest(rng, batch, kv, group, d_head, d_ff, more, past):
    """num_layers=2, one new token behind {past} in the caches"""
    return gpt_call(rng, batch, 1, kv, group, d_head, d_ff, more, num_layers=2, past=past)

@cases(dict(batch=2, seq=3, kv=1, group=2, d_head=4, d_ff=6, more=5, past=4), hidden=[dict(batch=3, seq=2, kv=2, group=2, d_head=2, d_ff=5, more=6, past=5)])
def several_new(rng, batch, seq, kv, group, d_head, d_ff, more, past):
    """num_layers=2, {seq} new tokens behind {past} in the caches"""
    return gpt_call(rng, batch, seq, kv, group, d_head, d_ff, more, num_layers=2, past=past)

@cases(dict(batch=2, seq=3, kv=2, group=2, d_head=2, d_ff=4, more=6), hidden=[dict(batch=3, seq=4, kv=1, group=2, d_head=4, d_ff=5, more=7)])
def prompt(rng, batch, seq, kv, group, d_head, d_ff, more):
    """num_layers=2, a prompt of {seq} tokens and empty caches"""
    return gpt_call(rng, batch, seq, kv, group, d_head, d_ff, more, num_layers=2, empty=True)

@cases()
def square(rng):
    """4 texts of 4 tokens, 2 query heads of length 2"""
    return gpt_call(rng, 4, 4, 1, 2, 2, 4, 5)

@cases(dict(batch=2, seq=3, kv=1, group=2, d_head=2, d_ff=4, more=3), hidden=[dict(batch=3, seq=2, kv=1, group=2, d_head=2, d_ff=5, more=4)])
def gradients(rng, batch, seq, kv, group, d_head, d_ff, more):
    """{batch} texts of {seq} tokens, with gradients"""
    return gpt_call(rng, batch, seq, kv, group, d_head, d_ff, more, gradients=True)

RightBlock, Right = DecoderOnlyBlock, DecoderOnly
def own(cache, layer):
    return None if cache is None else cache[layer]

def pre_norm(b, x, run):
    x = x + run(b.norm1(x))
    return x + b.feed_forward(b.norm2(x))

plain = dict(
    past=lambda cache: 0 if cache is None else cache[0].length(), places=lambda past, new: torch.arange(past, past + new), mask=lambda past, new: causal_mask(past + new)[past:],
    embed=lambda self, ids: self.embedding(ids), blocks=lambda self: list(self.blocks), cache=own, block=pre_norm, norm=lambda self, x: self.norm(x), out=lambda self, x: x @ self.embedding.weight.T,
    late=False, before=lambda self, x: x,
)

def twisted(changes):
    o = plain | changes
    class DecoderOnly(Right):
        def forward(self, ids, cache=None):
            past, new = o["past"](cache), ids.shape[1]
            x = o["before"](self, o["embed"](self, ids))
            for layer, block in enumerate(o["blocks"](self)):
                if o["late"]:
                    past = o["past"](cache)
                places, mask = o["places"](past, new), o["mask"](past, new)
                x = o["block"](block, x, lambda rows: block.self_attention(rows, places, mask, o["cache"](cache, layer)))
            return o["out"](self, o["norm"](self, x))
    return DecoderOnly

def post_norm(b, x, run):
    x = b.norm1(x + run(x))
    return b.norm2(x + b.feed_forward(x))

def in_parallel(b, x, run):
    return x + run(b.norm1(x)) + b.feed_forward(b.norm2(x))

def normed_residual(b, x, run):
    x = b.norm1(x)
    x = x + run(x)
    x = b.norm2(x)
    return x + b.feed_forward(x)

def feed_forward_first(b, x, run):
    x = x + b.feed_forward(b.norm2(x))
    return x + run(b.norm1(x))

def norm1_twice(b, x, run):
    x = x + run(b.norm1(x))
    return x + b.feed_forward(b.norm1(x))

def no_norms(b, x, run):
    x = x + run(x)
    return x + b.feed_forward(x)

BLOCK = "The block: norm, layer, add; twice, each time with its own norm."
singles = {
    "no-mask": (dict(mask=lambda past, new: torch.ones(new, past + new, dtype=torch.bool)), "each token sees what comes after it. A language model must not: it would read the answer."),
    "mask-strict": (dict(mask=lambda past, new: torch.ones(new, past + new, dtype=torch.bool).tril(past - 1)), "no token sees itself. Each sees itself and what stands before it."),
    "mask-turned": (dict(mask=lambda past, new: causal_mask(past + new).T[past:]), "your mask is turned round: each token sees what comes after it, and nothing before."),
    "mask-top-left": (dict(mask=lambda past, new: causal_mask(past + new)[:new]), "with a cache your mask has the wrong rows: the first new token sees one key alone. The rows of the *new* tokens are the last ones."),
    "mask-new-only": (dict(mask=lambda past, new: torch.cat([torch.zeros(new, past, dtype=torch.bool), causal_mask(new)], dim=1)), "with a cache the new tokens see one another and nothing of the cache."),
    "all-of-new": (dict(mask=lambda past, new: torch.ones(new, past + new, dtype=torch.bool) if past else causal_mask(new)), "with a cache, several new tokens see one another in both directions. The first of them must not see the last."),
    "places-anew": (dict(places=lambda past, new: torch.arange(new)), "with a cache your new tokens are counted from 0. Their places go on where the cache ends."),
    "places-one-on": (dict(places=lambda past, new: torch.arange(past, past + new) + (past > 0)), "with a cache your new tokens begin one place too far on."),
    "places-one-back": (dict(places=lambda past, new: torch.arange(past, past + new) - (past > 0)), "with a cache your new tokens begin one place too early: on the last place that is taken."),
    "places-backwards": (dict(places=lambda past, new: torch.arange(past, past + new).flip(0)), "your places run backwards."),
    "length-in-the-loop": (dict(late=True), "you ask the cache for its length in the loop. The first block has already made it longer then, so the second one counts other places. Ask before the first block runs."),
    "cache-of-first": (dict(cache=lambda cache, layer: None if cache is None else cache[0]), "the blocks use one cache, and each puts its keys behind those of the others. Each block has its own: `cache[layer]`."),
    "cache-backwards": (dict(cache=lambda cache, layer: None if cache is None else cache[-1 - layer]), "the caches are used in the wrong order: the first block's is `cache[0]`."),
    "cache-ignored": (dict(past=lambda cache: 0, cache=lambda cache, layer: None), "the cache has no effect: the earlier tokens are not seen, and the new ones are not kept."),
    "first-block-cached": (dict(cache=lambda cache, layer: None if cache is None or layer else cache[0], mask=lambda past, new: torch.ones(1, dtype=torch.bool) if past else causal_mask(new)), "only the first block uses its cache."),
    "embedding-scaled": (dict(embed=lambda self, ids: self.embedding(ids) * self.embedding.embedding_dim**0.5), "your embedded ids are multiplied by √d_model. That was unit 06; here there is no factor."),
    "embedding-normed": (dict(before=lambda self, x: self.norm(x)), "the last norm is used before the first block as well."),
    "norm-in-front-only": (dict(before=lambda self, x: self.norm(x), norm=lambda self, x: x), "`self.norm` stands in front of the blocks. It comes after them, before the logits."),
    "first-block-only": (dict(blocks=lambda self: list(self.blocks)[:1]), "only the first block runs."),
    "first-block-again": (dict(blocks=lambda self: [self.blocks[0]] * len(self.blocks)), "the first block runs in every place. Each block has its own weights."),
    "blocks-backwards": (dict(blocks=lambda self: list(self.blocks)[::-1]), "the last block runs first."),
    "no-blocks": (dict(blocks=lambda self: []), "no block runs: your logits come from the embedding alone."),
    "no-last-norm": (dict(norm=lambda self, x: x), "the last norm, `self.norm`, is missing before the logits."),
    "norm-after-each": (dict(block=lambda b, x, run: b.norm2(pre_norm(b, x, run))), f"each block ends with a norm. Only the last one is followed by `self.norm`. {BLOCK}"),
    "post-norm": (dict(block=post_norm), f"your block is post-norm: the norms come after the additions. {BLOCK}"),
    "in-parallel": (dict(block=in_parallel), f"the feed-forward layer reads what came into the block. It reads what the attention has changed. {BLOCK}"),
    "normed-residual": (dict(block=normed_residual), f"what is added to is normed: the way around must carry x as it came. {BLOCK}"),
    "feed-forward-first": (dict(block=feed_forward_first), f"the feed-forward layer comes first in your block. {BLOCK}"),
    "norm1-twice": (dict(block=norm1_twice), f"`norm1` stands before both layers, and `norm2` has no part. {BLOCK}"),
    "norms-turned": (dict(block=lambda b, x, run: (lambda y: y + b.feed_forward(b.norm1(y)))(x + run(b.norm2(x)))), f"`norm1` and `norm2` have changed places. {BLOCK}"),
    "no-norms": (dict(block=no_norms), f"the norms in the block are missing. {BLOCK}"),
    "no-norm1": (dict(block=lambda b, x, run: (lambda y: y + b.feed_forward(b.norm2(y)))(x + run(x))), f"`norm1` is missing before the attention. {BLOCK}"),
    "no-norm2": (dict(block=lambda b, x, run: (lambda y: y + b.feed_forward(y))(x + run(b.norm1(x)))), f"`norm2` is missing before the feed-forward layer. {BLOCK}"),
    "norms-after-layers": (dict(block=lambda b, x, run: (lambda y: y + b.norm2(b.feed_forward(y)))(x + b.norm1(run(x)))), f"your norms come after the layers. They come before. {BLOCK}"),
    "norm1-after": (dict(block=lambda b, x, run: (lambda y: y + b.feed_forward(b.norm2(y)))(x + b.norm1(run(x)))), f"`norm1` comes after the attention. It comes before. {BLOCK}"),
    "norm2-after": (dict(block=lambda b, x, run: (lambda y: y + b.norm2(b.feed_forward(y)))(x + run(b.norm1(x)))), f"`norm2` comes after the feed-forward layer. It comes before. {BLOCK}"),
    "norms-in-front-too": (dict(block=lambda b, x, run: pre_norm(b, b.norm1(x), run)), f"x is normed before the block adds to it: the way around must carry x as it came. {BLOCK}"),
    "no-residual": (dict(block=lambda b, x, run: b.feed_forward(b.norm2(run(b.norm1(x))))), f"nothing is added in your block: x has no way around. {BLOCK}"),
    "no-first-residual": (dict(block=lambda b, x, run: (lambda y: y + b.feed_forward(b.norm2(y)))(run(b.norm1(x)))), f"the attention's output replaces x. It is added to it. {BLOCK}"),
    "no-second-residual": (dict(block=lambda b, x, run: b.feed_forward(b.norm2(x + run(b.norm1(x))))), f"the feed-forward layer's output replaces x. It is added to it. {BLOCK}"),
    "second-adds-x": (dict(block=lambda b, x, run: x + b.feed_forward(b.norm2(x + run(b.norm1(x))))), f"the feed-forward layer's output is added to what came into the block, and the attention's is lost on the way around. {BLOCK}"),
    "no-attention": (dict(block=lambda b, x, run: x + b.feed_forward(b.norm2(x))), f"the attention has no part in your block. {BLOCK}"),
    "no-feed-forward": (dict(block=lambda b, x, run: x + run(b.norm1(x))), f"the feed-forward layer has no part in your block. {BLOCK}"),
    "last-only": (dict(out=lambda self, x: x[:, -1] @ self.embedding.weight.T), "your logits are those of the last token alone. Every place has logits."),
    "softmax": (dict(out=lambda self, x: (x @ self.embedding.weight.T).softmax(-1)), "you return probabilities. Logits are asked for: the loss takes the softmax itself."),
    "log-softmax": (dict(out=lambda self, x: (x @ self.embedding.weight.T).log_softmax(-1)), "you return logarithms of probabilities. Logits are asked for."),
    "argmax": (dict(out=lambda self, x: (x @ self.embedding.weight.T).argmax(-1)), "you return the best ids. Logits are asked for, one number for each id."),
    "logits-scaled": (dict(out=lambda self, x: x @ self.embedding.weight.T / self.embedding.embedding_dim**0.5), "your logits are divided by √d_model. There is no factor."),
    "vectors": (dict(out=lambda self, x: x), "the product with the table is missing: you return vectors, and no logits."),
    "pair": (dict(out=lambda self, x: (x @ self.embedding.weight.T, x)), "your `forward` returns two things. Return the logits alone."),
    "table-detached": (dict(out=lambda self, x: x @ self.embedding.weight.detach().T), "the numbers are right, but the table learns nothing from the logits: is there a `detach`, a `.data` or `torch.no_grad()`?"),
    "detached": (dict(out=lambda self, x: x.detach() @ self.embedding.weight.T), "the numbers are right, but no gradient reaches the blocks: is there a `detach`, a `.data` or `torch.no_grad()`?"),
    "nothing": (dict(out=lambda self, x: None), "your `forward` ends without giving anything back: is a `return` missing?"),
}
for name, (changes, says) in singles.items():
    wrong(name, says=says)(twisted(changes))
often = ["no-mask", "places-anew", "no-last-norm", "post-norm", "embedding-scaled"]
for i, one in enumerate(often):
    for other in often[i + 1 :]:
        if not set(singles[one][0]) & set(singles[other][0]):
            wrong(f"{one}+{other}", says=two_things(singles[one][1], singles[other][1]))(twisted(singles[one][0] | singles[other][0]))
TABLE = "self.norm(x) @ self.embedding.weight.T"
wrong("table-not-transposed", (TABLE, "self.norm(x) @ self.embedding.weight"), says="the table is not transposed: it is (vocab_size, d_model), and its rows belong to the ids.")
wrong("embedding-called", (TABLE, "self.embedding(self.norm(x))"), says="you look vectors up in the table. The logits are a product with it.")
wrong("mask-of-new", ("causal_mask(total, device=ids.device)[past:]", "causal_mask(ids.shape[1], device=ids.device)"), says="with a cache your mask has a column for each new token only. It needs one for each token so far.")
wrong("list-as-cache", ("None if cache is None else cache[layer]", "cache"), says="each block gets the whole list of caches. Its own is `cache[layer]`.")

@right
class ByComparing(Right):
    """The mask from places; the loop over pairs."""
    def forward(self, ids, cache=None):
        old = cache[0].length() if cache else 0
        new = ids.size(1)
        keys = torch.arange(old + new, device=ids.device)
        queries = keys[old:]
        x = self.embedding.weight[ids]
        for block, kept in zip(self.blocks, cache or [None] * len(self.blocks)):
            x = block(x, queries, queries[:, None] >= keys[None], kept)
        return F.linear(self.norm(x), self.embedding.weight)

@right
class WithoutBlocksForward(Right):
    """What the block does, written into the loop."""
    def forward(self, ids, cache=None):
        seq = ids.shape[1]
        past = cache[0].length() if cache is not None else 0
        places = past + torch.arange(seq)
        mask = torch.ones(seq, past + seq, dtype=torch.bool).tril(diagonal=past)[None, None]
        x = self.embedding(ids)
        for i, block in enumerate(self.blocks):
            kept = cache[i] if cache is not None else None
            x = x + block.self_attention(block.norm1(x), positions=places, mask=mask, cache=kept)
            x = x + block.feed_forward(block.norm2(x))
        return torch.einsum("bsd,vd->bsv", self.norm(x), self.embedding.weight)

@right
class TokenByToken(Right):
    """With a cache of its own for each block, one token at a time."""
    def forward(self, ids, cache=None):
        kept = [KeyValueCache(1) for _ in self.blocks] if cache is None else cache
        rows = []
        for t in range(ids.shape[1]):
            place = torch.tensor([kept[0].length()])
            x = self.embedding(ids[:, t : t + 1])
            for block, own_cache in zip(self.blocks, kept):
                x = block(x, place, torch.ones(1, int(place) + 1, dtype=torch.bool), own_cache)
            rows.append(self.norm(x) @ self.embedding.weight.t())
        return torch.cat(rows, dim=1)

def rms64(layer, x):
    return x / (x.square().mean(-1, keepdim=True) + layer.eps).sqrt() * layer.weight.double()

@truth
class InFloat64(Right):
    """Every product written out, in float64, with complex numbers for the turning."""
    def forward(self, ids, cache=None):
        past = 0 if cache is None else cache[0].length()
        places, keys = torch.arange(past, past + ids.shape[1]), torch.arange(past + ids.shape[1])
        x = self.embedding.weight.double()[ids]
        for i, b in enumerate(self.blocks):
            a = b.self_attention
            def split(layer, heads, turn):
                y = torch.einsum("bsi,oi->bso", rms64(b.norm1, x), layer.weight.double()).unflatten(-1, (heads, -1)).transpose(1, 2)
                if not turn:
                    return y
                rates = 10000.0 ** (-torch.arange(0, y.shape[-1], 2, dtype=torch.float64) / y.shape[-1])
                return torch.view_as_real(torch.complex(y[..., ::2].contiguous(), y[..., 1::2].contiguous()) * torch.exp(1j * places[:, None] * rates)).flatten(-2)
            q, k, v = split(a.q_proj, a.num_heads, True), split(a.k_proj, a.num_kv_heads, True), split(a.v_proj, a.num_kv_heads, False)
            if cache is not None:
                k, v = (y.double() for y in cache[i].append(0, k.float(), v.float()))
            heads = []
            for h in range(a.num_heads):
                group = h // (a.num_heads // a.num_kv_heads)
                w = (torch.einsum("bqd,bkd->bqk", q[:, h], k[:, group]) / q.shape[-1] ** 0.5).exp() * (places[:, None] >= keys)
                heads.append(torch.einsum("bqk,bkd->bqd", w / w.sum(-1, keepdim=True), v[:, group]))
            x = x + torch.einsum("bsi,oi->bso", torch.cat(heads, -1), a.out_proj.weight.double())
            y = rms64(b.norm2, x)
            g, u, d = (layer.weight.double() for layer in (b.feed_forward.gate_proj, b.feed_forward.up_proj, b.feed_forward.down_proj))
            gate = torch.einsum("bsi,oi->bso", y, g)
            x = x + torch.einsum("bsi,oi->bso", gate / (1 + torch.exp(-gate)) * torch.einsum("bsi,oi->bso", y, u), d)
        return torch.einsum("bsd,vd->bsv", rms64(self.norm, x), self.embedding.weight.double())

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
def drawn(rng, rows, times=1500, draws=True, **knobs):
    """Each of these rows of logits `times` times, in turn."""
    logits = torch.tensor(rows, dtype=torch.float32).repeat(times, 1)
    return judged(wanted=dict(draws=draws), logits=logits, generator=fixture("seeded_generator", seed=int(rng.integers(2**31))), **knobs)

def logits_of(rng, *chances):
    """Rows of logits with these chances, for ids in a random order, moved by a number that changes nothing."""
    order = [rng.permutation(len(row)) for row in chances]
    return [[float(np.log(row[i])) + shift if row[i] else -np.inf for i in places] for row, places, shift in zip(chances, order, (1.5, -2.0))]

@cases()
def plain_softmax(rng):
    """2 kinds of rows, 1,500 of each, no filter, a token that cannot come"""
    return drawn(rng, logits_of(rng, (0.5, 0.25, 0.15, 0.1, 0.0), (0.1, 0.6, 0.05, 0.05, 0.2)))

@cases()
def cold(rng):
    """temperature=0.5"""
    return drawn(rng, logits_of(rng, (0.3, 0.25, 0.2, 0.15, 0.1), (0.35, 0.05, 0.3, 0.2, 0.1)), temperature=0.5)

@cases()
def hot(rng):
    """temperature=3.0, and a token that cannot come"""
    return drawn(rng, logits_of(rng, (0.8, 0.1, 0.06, 0.04, 0.0), (0.02, 0.08, 0.85, 0.05, 0.0)), temperature=3.0)

@cases()
def the_likeliest_few(rng):
    """top_k=3 of 6 tokens"""
    return drawn(rng, logits_of(rng, (0.3, 0.22, 0.18, 0.15, 0.1, 0.05), (0.1, 0.4, 0.08, 0.2, 0.16, 0.06)), top_k=3)

@cases()
def a_nucleus(rng):
    """top_p=0.7 of 6 tokens"""
    return drawn(rng, logits_of(rng, (0.4, 0.2, 0.16, 0.12, 0.07, 0.05), (0.1, 0.29, 0.24, 0.04, 0.13, 0.2)), top_p=0.7)

@cases()
def a_small_nucleus(rng):
    """top_p=0.3, less than the likeliest token has in one kind of rows"""
    return drawn(rng, logits_of(rng, (0.6, 0.25, 0.15), (0.22, 0.4, 0.38)), top_p=0.3)

@cases()
def few_and_nucleus(rng):
    """top_k=3 and top_p=0.6 of 7 tokens"""
    return drawn(rng, logits_of(rng, (0.2, 0.18, 0.16, 0.14, 0.12, 0.11, 0.09), (0.55, 0.15, 0.1, 0.06, 0.05, 0.05, 0.04)), top_k=3, top_p=0.6)

@cases()
def all_three(rng):
    """temperature=0.5, top_k=5 and top_p=0.75 of 7 tokens"""
    return drawn(rng, logits_of(rng, (0.24, 0.19, 0.17, 0.14, 0.11, 0.09, 0.06), (0.28, 0.18, 0.15, 0.13, 0.1, 0.09, 0.07)), temperature=0.5, top_k=5, top_p=0.75)

@cases()
def hot_nucleus(rng):
    """temperature=2.0 and top_p=0.6"""
    return drawn(rng, logits_of(rng, (0.5, 0.22, 0.13, 0.09, 0.06), (0.55, 0.2, 0.12, 0.08, 0.05)), temperature=2.0, top_p=0.6)

@cases()
def greedy(rng):
    """temperature=0, with top_k and top_p given as well"""
    rows = floats(rng, 6, 5).tolist()
    return [drawn(rng, rows, times=1, draws=False, temperature=0), drawn(rng, rows, times=1, draws=False, temperature=0.0, top_k=2, top_p=0.4)]

@cases()
def wide_open(rng):
    """top_k larger than the vocabulary, top_p=1.0"""
    return [drawn(rng, logits_of(rng, (0.5, 0.3, 0.2), (0.2, 0.35, 0.45)), top_k=9), drawn(rng, logits_of(rng, (0.5, 0.3, 0.2), (0.2, 0.35, 0.45)), top_p=1.0)]

@cases()
def one_only(rng):
    """top_k=1, logits in the hundreds"""
    return drawn(rng, [[250.0, -300.0, 100.0, 249.0], [-250.0, -260.0, -100.0, -99.0]], times=400, top_k=1)

@cases()
def one_row(rng):
    """a single row"""
    return drawn(rng, [[0.5, float("-inf"), 1.5, 0.0]], times=1)

@cases()
def large(rng):
    """logits in the hundreds"""
    return drawn(rng, [[300.0, 301.0, 0.0], [-401.0, -400.5, -700.0]])

@cases()
def equal_logits(rng):
    """equal logits at the border of top_k and of top_p"""
    rows = [[2.0, 1.0, 1.0, -1.0], [0.0, 0.0, 0.0, 0.0]]
    return [drawn(rng, rows, times=30, top_k=2), drawn(rng, rows, times=30, top_p=0.6)]

SCALED, COUNT = "logits = logits / temperature", "logits.topk(min(top_k, logits.shape[-1])).values[:, -1:]"
KEPT, DRAW = "falling.masked_fill(before >= top_p, 0.0)", "return torch.multinomial(chances, 1, generator=generator).squeeze(-1)"
BEFORE, BACK = "before = F.pad(falling.cumsum(dim=-1)[:, :-1], (1, 0))  # what the likelier ones add up to", "chances = torch.zeros_like(chances).scatter(-1, order, kept)"
GREEDY = "        return logits.argmax(dim=-1)\n"
wrong("keeps_inputs", (SCALED, "logits /= temperature"), says="changed its argument `logits` in place")
wrong("no-tensor", (DRAW, DRAW + ".tolist()"), says="a tensor is asked for")
wrong("other-shape", (DRAW, DRAW.replace(".squeeze(-1)", "")), says="An axis of length 1 is left over")
wrong("no-integers", (DRAW, DRAW + ".float()"), says="a token is an id")
wrong("outside-the-vocabulary", (DRAW, DRAW + " + 1"), says="which is no id")
wrong("not-greedy", (GREEDY, "        return logits.argmin(dim=-1)\n"), says="0 means greedy")
wrong("one-for-all", (DRAW, "return torch.multinomial(chances[:1], 1, generator=generator)[0].expand(len(chances))"), says="one number was drawn for all")
wrong("temperature-ignored", (SCALED, "pass"), says="These are the shares of temperature 1.")
wrong("temperature-multiplied", (SCALED, "logits = logits * temperature"), says="A low one makes likely tokens likelier still")
wrong("temperature-twice", (SCALED, "logits = logits / temperature / temperature"), says="The temperature is applied twice")
wrong("root-of-temperature", (SCALED, "logits = logits / temperature**0.5"), says="the root of the temperature")
wrong("top-k-ignored", ("if top_k is not None:", "if False:"), says="These are the shares without `top_k`.")
wrong("top-p-ignored", ("if top_p is not None:", "if False:"), says="These are the shares without `top_p`.")
wrong("top-k-one-more", ("min(top_k, logits", "min(top_k + 1, logits"), says="One token more than `top_k` is kept")
wrong("top-k-one-fewer", ("min(top_k, logits", "min(max(1, top_k - 1), logits"), says="One token fewer than `top_k` is kept")
wrong("smallest-kept", (COUNT, "logits.topk(min(top_k, logits.shape[-1]), largest=False).values[:, -1:]"), ("logits < last_kept", "logits > last_kept"), says="keeps the **smallest** logits")
wrong("nucleus-short", (KEPT, "falling.masked_fill((falling.cumsum(dim=-1) > top_p) & (before > 0), 0.0)"), says="It belongs to the nucleus")
wrong("nucleus-long", (KEPT, "falling.masked_fill(F.pad(before, (1, 0))[:, :-1] >= top_p, 0.0)"), says="Your nucleus has one token too many")
wrong("nucleus-unsorted", ("chances.sort(dim=-1, descending=True)", "(chances, torch.arange(chances.shape[-1]).expand_as(chances))"), says="gathered in the order of the ids")
wrong("nucleus-of-the-unlikely", ("descending=True", "descending=False"), says="from the least likely token on")
wrong("nucleus-of-single-chances", (KEPT, "falling.masked_fill((falling < top_p) & (before > 0), 0.0)"), says="Single probabilities are compared with `top_p`")
wrong("order-not-restored", (BACK, "chances = kept"), says="Each of them has to be turned back into an id")
wrong("evenly", (DRAW, "return torch.multinomial((chances > 0).float(), 1, generator=generator).squeeze(-1)"), says="All tokens that are left come equally often")
wrong("always-the-largest", (DRAW, "torch.rand(1, generator=generator)\n    return chances.argmax(dim=-1)"), says="the likeliest token comes every time")
wrong("other-generator", (DRAW, "return torch.multinomial(chances, 1).squeeze(-1)"), says="some of your random numbers do not come from `generator`")
wrong("generator-unused", (DRAW, "return torch.multinomial(chances, 1, generator=torch.Generator().manual_seed(3)).squeeze(-1)"), says="nothing was drawn from it")
wrong("raised-RuntimeError", (KEPT, "falling.masked_fill(falling.cumsum(dim=-1) > top_p, 0.0)"), says="raised RuntimeError")
wrong("zero-for-filtered", ('logits.masked_fill(logits < last_kept, float("-inf"))', "logits.masked_fill(logits < last_kept, 0.0)"), says="gets the logit 0 in your code")

@wrong("p-before-k", says="looks at the probabilities of all tokens")
def p_before_k(logits, generator, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    chances = (logits / temperature).softmax(-1)
    if top_p is not None:
        falling, order = chances.sort(dim=-1, descending=True)
        chances = torch.zeros_like(chances).scatter(-1, order, falling.masked_fill(falling.cumsum(-1) - falling >= top_p, 0.0))
    if top_k is not None:
        chances = chances.masked_fill(chances < chances.topk(min(top_k, chances.shape[-1])).values[:, -1:], 0.0)
    return torch.multinomial(chances, 1, generator=generator).squeeze(-1)

@wrong("temperature-last", says="Your filters look at the probabilities without the temperature")
def temperature_last(logits, generator, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    if top_k is not None:
        logits = logits.masked_fill(logits < logits.topk(min(top_k, logits.shape[-1])).values[:, -1:], -torch.inf)
    if top_p is not None:
        falling, order = logits.softmax(-1).sort(dim=-1, descending=True)
        out = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order, falling.cumsum(-1) - falling >= top_p)
        logits = logits.masked_fill(out, -torch.inf)
    return torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator).squeeze(-1)

@wrong("softmax-twice", says="A softmax is taken of probabilities")
def softmax_twice(logits, generator, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    return sample_next((logits / temperature).softmax(-1), generator, 1.0, top_k, top_p)

@right
def row_by_row(logits, generator, temperature=1.0, top_k=None, top_p=None):
    """A loop, with Python's own sorting."""
    if temperature == 0:
        return torch.stack([row.argmax() for row in logits])
    seen, ids = {}, []
    numbers = torch.rand(len(logits), generator=generator, dtype=torch.float64).tolist()
    for row, number in zip(logits.tolist(), numbers):
        if tuple(row) not in seen:
            top = max(row)
            powers = sorted(((2.718281828459045 ** ((x - top) / temperature), i) for i, x in enumerate(row)), reverse=True)[:top_k]
            total, kept, so_far = sum(p for p, _ in powers), [], 0.0
            for power, i in powers:
                if top_p is None or so_far < top_p:
                    kept.append((power / total, i))
                so_far += power / total
            seen[tuple(row)] = kept
        kept = seen[tuple(row)]
        rest, choice = number * sum(p for p, _ in kept), kept[0][1]
        for p, i in kept:
            if p > 0:
                choice = i
            rest -= p
            if rest < 0:
                break
        ids.append(choice)
    return torch.tensor(ids)

@right
def like_the_library(logits, generator, temperature=1.0, top_k=None, top_p=None):
    """As Hugging Face's filters: what is out gets −∞, sorted the small ones first."""
    if temperature == 0:
        return torch.argmax(logits, dim=1)
    scores = logits / temperature
    if top_k is not None:
        scores = scores.masked_fill(scores < torch.topk(scores, min(top_k, scores.size(-1)))[0][..., -1, None], -torch.inf)
    if top_p is not None and top_p < 1.0:
        rising, order = torch.sort(scores, descending=False)
        out = rising.softmax(dim=-1).cumsum(dim=-1) <= 1 - top_p
        out[..., -1:] = False
        scores = scores.masked_fill(out.scatter(1, order, out), -torch.inf)
    return torch.multinomial(scores.softmax(-1), num_samples=1, generator=generator)[:, 0]

@right
def by_gumbel(logits, generator, temperature=1.0, top_k=None, top_p=None):
    """Noise is added to the logits, and the largest sum wins."""
    if temperature == 0:
        return logits.max(dim=-1).indices
    falling, order = (logits.double() / temperature).sort(dim=-1, descending=True, stable=True)
    if top_k is not None:
        falling[:, top_k:] = -torch.inf
    if top_p is not None:
        chances = falling.softmax(-1)
        falling = falling.masked_fill(chances.cumsum(-1) - chances >= top_p, -torch.inf)
    noise = -torch.log(-torch.log(torch.rand(falling.shape, generator=generator, dtype=torch.float64).clamp(1e-300, 1 - 1e-16)))
    return order.gather(1, (falling + noise).argmax(-1, keepdim=True)).squeeze(1)

@right
def by_the_sum(logits, generator, temperature=1.0, top_k=None, top_p=None):
    """One number from 0 to 1 for each row, and the place in the sum of chances where it falls."""
    if not temperature:
        return logits.argmax(-1)
    chances, order = torch.softmax(logits / temperature, -1).sort(-1, descending=True)
    if top_k:
        chances = chances * (torch.arange(chances.shape[-1]) < top_k)
        chances = chances / chances.sum(-1, keepdim=True)
    if top_p:
        chances = torch.where(chances.cumsum(-1) - chances < top_p, chances, 0)
    sums = chances.double().cumsum(-1)
    u = torch.rand(len(logits), 1, generator=generator, dtype=torch.float64) * sums[:, -1:]
    return order.gather(-1, (sums <= u).sum(-1, keepdim=True).clamp(max=logits.shape[-1] - 1)).flatten()
