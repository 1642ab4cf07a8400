"""An endless, exact Chinese → English corpus, made on the spot: nothing is downloaded.

    from autograder.lab.corpus import kinds, sample, gloss

    pairs = sample(None, 20_000, seed=0) # a mixture of all kinds unseen = sample("dates", 500, seed=1,
    split="test", unique=True) # sources that training never draws pairs[0].source, pairs[0].target # tuples
    of tokens pairs[0].chinese, pairs[0].english # the same as texts gloss(pairs[0]) # word by word, for those
    who read no Chinese

Every source has one translation over the whole corpus. Where Chinese leaves a choice open, the module of the
kind says in its docstring which reading the corpus takes and which forms it leaves out. Sources are cut into
characters, targets into lower-case words; figures into digits, on both sides.
"""

from .gloss import gloss, pinyin
from .numerals import chinese_number, english_number
from .pair import Pair, chinese_tokens, english_text, english_tokens
from .phrases import PHRASES
from .sampling import Kind, Split, compositional_split_of, kinds, sample, split_of
from .vocabulary import SOURCE_TOKENS, TARGET_TOKENS

__all__ = [
    "PHRASES", "SOURCE_TOKENS", "TARGET_TOKENS", "Kind", "Pair", "Split", "chinese_number", "chinese_tokens",
    "compositional_split_of", "english_number", "english_text", "english_tokens", "gloss", "kinds", "pinyin",
    "sample", "split_of",
]  # fmt: skip
