# %% [markdown]
# # 11 · Decoding: search for a better sentence, and measure it
#
# **By the end you can**
#
# - say why the most probable next word, taken again and again, need not give the most probable sentence;
# - write beam search with a length penalty, for a whole batch at once;
# - write BLEU, equal to the standard tool to the last digit, and say what it does not see;
# - read an error table by kind, find one cause behind many errors, mend it, and measure that it is mended;
# - say when to draw words at random instead.
#
# **Time:** about 110 minutes, 60 of them for the exercises.
# **You need:** unit 09 (`greedy_decode`: how a decoder writes word after word) and a look at unit 10 (training).

# %% part="setup"
import math
from collections import Counter

import torch
from torch import Tensor, nn

from autograder import (
    begin, check, ends_at_eos, finite, hint, keeps_inputs, matches, no_bos, outcome, predict, right_shape, same_counts,
    same_sentences, searches_each_sentence_by_itself, use_part,
)

PAD, BOS, EOS = 0, 1, 2
begin("11_decoding")

# %% [markdown]
# ## The idea
#
# `greedy_decode` takes the most probable next word, at once and for good. It cannot know what the choice will cost later.
#
# Here is a world with two words, A and B, as the lecture draws it. Every sentence has three words, and then it ends. The
# number on an arrow is the probability of that word, given all words before it.

# %% part="demo" folded=True
from autograder.lab.figures import Arrow, Box, flow, show

chances = {
    "A": 0.6, "B": 0.4, "AA": 0.4, "AB": 0.6, "BA": 0.2, "BB": 0.8, "ABA": 0.4, "ABB": 0.6, "BBA": 0.1, "BBB": 0.9,
}
rows = {"A": 2, "B": -2, "AA": 3, "AB": 1, "BA": -1, "BB": -3, "ABA": 1.5, "ABB": 0.5, "BBA": -2.5, "BBB": -3.5}


def tree(marked: dict[str, str], title: str):
    """The sentences; `marked` gives colours to the ways that lead to some of them."""
    colour = {sentence[:n]: paint for sentence, paint in marked.items() for n in range(1, 4)}
    boxes = {"": Box("start", 0, 0, "grey")}
    boxes |= {words: Box(words[-1], 2 * len(words), rows[words], colour.get(words, "plain")) for words in chances}
    arrows = [Arrow(words[:-1], words, f"{p}", colour.get(words, "plain")) for words, p in chances.items()]
    return flow(boxes, arrows, title=title)


show(tree({}, "Sentences of three words. What follows A A and B A is left out"))

# %% [markdown]
# **Predict first.** Which sentence does greedy decoding write? And which one is the most probable of all?

# %% part="demo"
predict("11-greedy", "Greedy decoding writes, and the most probable sentence is:",
        choices=("A B B, and A B B", "A B B, and B B B", "B B B, and B B B", "A B A, and B B B"))

# %% part="demo" folded=True
greedy_way = ""
while len(greedy_way) < 3:
    greedy_way = max((greedy_way + word for word in "AB"), key=chances.__getitem__)
whole = {words: math.prod(chances[words[:n]] for n in (1, 2, 3)) for words in chances if len(words) == 3}
best = max(whole, key=whole.__getitem__)
outcome("11-greedy", f"{' '.join(greedy_way)}, and {' '.join(best)}")
show(tree({greedy_way: "orange", best: "green"}, "Orange: the greedy way. Green: the most probable sentence"))
print(", ".join(f"{' '.join(words)}: {p:.3f}" for words, p in whole.items()))

# %% [markdown]
# Greedy takes A, then B, then B, each with 0.6: $0.6 \cdot 0.6 \cdot 0.6 = 0.216$. The lower way begins with a
# worse step and is better in the end: $0.4 \cdot 0.8 \cdot 0.9 = 0.288$.
#
# To look at *all* sentences is out of the question: 800 words and ten places make $800^{10}$. **Beam search** keeps the best few
# unfinished sentences, say 4, in place of one. They are the **beam**, and each is called a **hypothesis**.
#
# ## The formula
#
# A long product of probabilities soon becomes too small for a float, so we add logarithms. The **sum** of a hypothesis
# $y = y_1 \dots y_t$ for a source $x$ is
#
# $$s(y) = \log P(y \mid x) = \sum_{i=1}^{t} \log P(y_i \mid y_1 \dots y_{i-1},\, x)$$
#
# | symbol | meaning |
# |---|---|
# | $x$ | the source sentence |
# | $y_i$ | word number $i$ of the hypothesis; the last one is EOS when it is finished |
# | $t$ | its length: **EOS counts, BOS does not** |
# | $P(y_i \mid \dots)$ | the decoder's softmax at that place |
#
# Each word adds a number below 0, so a search that compares sums likes to stop early. The usual cure is to divide by a
# **length penalty** (Wu et al., 2016, equation 14):
#
# $$\text{score}(y) = \frac{s(y)}{lp(t)} \qquad\qquad lp(t) = \left(\frac{5 + t}{6}\right)^{\alpha}$$
#
# $\alpha$ says how strong it is: 0 for none, 0.6 in "Attention Is All You Need".
#
# In numbers: one hypothesis has 2 tokens and the sum −1.2, another has 6 tokens and −1.4. By sums, the short one wins. Now
# $lp(2) = (7/6)^{0.6} = 1.097$ and $lp(6) = (11/6)^{0.6} = 1.439$. The scores are $-1.2/1.097 = -1.094$ and
# $-1.4/1.439 = -0.973$. The long one wins.

# %% [markdown] exercise="length_penalty" part="prompt" points=2 difficulty=1 minutes=4 relative=5e-6 absolute=5e-6
# ## Exercise 1 · `length_penalty`
#
# Write $lp(t)$ from the formula above.
#
# | argument | | meaning |
# |---|---|---|
# | `length` | a number, 1 or more | $t$, the tokens of the hypothesis, its EOS included |
# | `alpha` | a number | the strength $\alpha$; 0.6 if not given |
# | returns | a number | $((5 + t) / 6)^{\alpha}$ |

# %% exercise="length_penalty" part="solution"
def length_penalty(length: float, alpha: float = 0.6) -> float:
    """By what a hypothesis's summed log-probability is divided (Wu et al., 2016, equation 14, its 5 + 1 written 6).

    length:  its number of tokens, EOS included
    alpha:   how strong the penalty is; 0 means none
    returns: ((5 + length) / 6) to the power alpha
    """
    ### BEGIN SOLUTION
    return ((5 + length) / 6) ** alpha
    ### END SOLUTION

# %% exercise="length_penalty" part="check"
check(length_penalty, matches)

# %% [markdown] exercise="length_penalty" part="hints"
# - First the fraction: 5 and the length together, over 6. What does a length of 1 give?
# - The power comes last and holds for the whole fraction. In Python a power is written `**`.

# %% [markdown]
# ### By hand, with a beam of 2
#
# | step | candidates, best first | kept |
# |---|---|---|
# | 1 | A 0.6 · B 0.4 | A, B |
# | 2 | AB 0.36 · BB 0.32 · AA 0.24 · BA 0.08 | AB, BB |
# | 3 | BBB 0.288 · ABB 0.216 · ABA 0.144 · BBA 0.032 | BBB, ABB |
#
# After step 2 the lower way is still behind. It lives on because there is a second place.

# %% [markdown] exercise="beam_search" part="prompt" points=10 difficulty=5 minutes=35 returns="ids scores"
# ## Exercise 2 · `beam_search`
#
# Search for the best translation of each source sentence. The model is one of unit 09: `model.encode(source)` gives what
# the encoder read, and `model.decode(target, encoder_output, source)` gives logits `(rows, length, vocab)`, the last of
# which speak of the next word. Here, `target` begins with BOS, and its rows may be as many as you like, as long as
# `encoder_output` and `source` have a row for each.
#
# For each sentence, to the letter:
#
# 1. Begin with **one** hypothesis, BOS alone, with the sum 0.
# 2. Extend every live hypothesis by every token. The sum of such a candidate is the old sum plus $\log P(\text{token})$.
# 3. Of all candidates of this sentence keep the `beam_size` with the largest sums. There are so many places in every step,
#    whatever has been finished before.
# 4. Those that end in EOS are **finished**. Put them aside with their score $s / lp(t)$: they leave the beam, nothing is
#    ever added to them, and no other candidate moves up. The others stay live and go on with step 2.
# 5. After `max_len` tokens, live hypotheses are put aside as well, with the score for that length and without an EOS,
#    whether others are finished or not.
# 6. The answer is the one put aside with the **largest score**.
#
# | argument | | meaning |
# |---|---|---|
# | `model` | | has `encode` and `decode`; it is in eval mode, and stays in it |
# | `source` | `(batch, seq)`, integers | source ids, padded with 0 |
# | `beam_size`, `max_len`, `alpha` | numbers | as above; `alpha` is 0 or more |
# | returns `ids` | `(batch, longest)`, integers | as from `greedy_decode`: without BOS, EOS at the end, 0 behind it |
# | returns `scores` | `(batch,)` | the score of each answer |
#
# `PAD`, `BOS` and `EOS` hold the three ids, and `length_penalty` is there. You may stop as soon as no live hypothesis can
# win any more; how many are finished by then does not matter. (A sum only falls, and no penalty is larger than $lp$ of
# `max_len`.) With `beam_size=1` you get what greedy decoding gives. You may search sentence by sentence, or all at once.

# %% exercise="beam_search" part="solution"
@torch.no_grad()
def beam_search(
    model: nn.Module, source: Tensor, beam_size: int = 4, max_len: int = 64, alpha: float = 0.6
) -> tuple[Tensor, Tensor]:
    """The best translation that a beam finds, for each sentence of a batch.

    source:  (batch, seq), padded with 0
    returns: ids (batch, longest answer), without BOS, each ended by EOS and padded after it; and scores (batch,), each
             the summed log-probability over length_penalty(length, alpha), EOS counted
    """
    ### BEGIN SOLUTION
    batch, never = len(source), float("-inf")
    encoder_output = model.encode(source).repeat_interleave(beam_size, dim=0)  # each sentence beam_size times in a row
    sources = source.repeat_interleave(beam_size, dim=0)
    first_rows = beam_size * torch.arange(batch, device=source.device).unsqueeze(1)  # (batch, 1)
    beams = source.new_full((batch * beam_size, 1), BOS)  # (batch·beam_size, 1 + length)
    sums = torch.full((batch, beam_size), never, device=source.device)
    sums[:, 0] = 0.0  # one hypothesis to begin with, not beam_size copies of it
    scores, ids = sums[:, -1] + never, source.new_full((batch, max_len), PAD)
    for length in range(1, max_len + 1):
        logits = model.decode(beams, encoder_output, sources)[:, -1]  # (batch·beam_size, vocab)
        log_probabilities = torch.log_softmax(logits, dim=-1).view(batch, beam_size, -1)
        candidates = sums.unsqueeze(-1) + log_probabilities  # (batch, beam_size, vocab)
        sums, places = candidates.flatten(1).topk(beam_size)  # both (batch, beam_size)
        parents, tokens = places // candidates.shape[-1], places % candidates.shape[-1]
        rows = (first_rows + parents).flatten()
        beams = torch.cat([beams[rows], tokens.view(-1, 1)], dim=1)
        ended = (tokens == EOS) | (length == max_len)
        score, which = (sums / length_penalty(length, alpha)).masked_fill(~ended, never).max(dim=1)
        better = score > scores
        scores = torch.where(better, score, scores)
        ids[better, :length] = beams[first_rows[:, 0] + which][better, 1:]
        sums = sums.masked_fill(ended, never)
        if (sums.amax(dim=1) / length_penalty(max_len, alpha) <= scores).all():
            break  # sums only fall, and no penalty is larger than the one for max_len
    return ids[:, : (ids != PAD).sum(dim=1).max()], scores
    ### END SOLUTION

# %% exercise="beam_search" part="check"
check(beam_search, keeps_inputs, no_bos, ends_at_eos, searches_each_sentence_by_itself, finite, same_sentences)

# %% [markdown] exercise="beam_search" part="hints"
# - Write it for one sentence first: a list of live hypotheses (ids, sum), a list of finished ones (ids, score). The batch
#   can be a loop around it; what each sentence needs is `encoder_output[i : i + 1]` and `source[i : i + 1]`.
# - All live hypotheses have the same length, so one call of `decode` serves all: stack them to rows, and repeat the
#   encoder's output and the source so that each row has its own (`expand`, or `repeat_interleave` for a whole batch).
# - Add the sums `(beam, 1)` to `log_softmax` of the last logits `(beam, vocab)`, flatten, `topk(beam_size)`. A place p in the
#   flat row belongs to hypothesis `p // vocab` and to token `p % vocab`. The new beam is *that* hypothesis plus that token.
# - In a batch, all rows must have the same number of hypotheses. A place without one can have the sum −∞: nothing that comes
#   from it is ever among the best. At the start, all places but one are such places; so are those of finished hypotheses.
# - Keep for each sentence the best finished answer so far and its score. Padding at the end: ids that start as all 0.

# %% [markdown]
# ## How good is it? BLEU
#
# Your search finds better scores than greedy decoding. But a better score is not yet a better translation. For that, somebody
# must look at the words.
#
# **Exact match** is the strict judge: all words right, or nothing. It is fair where each source has one translation, as in
# our own corpus. In real language there are many, and a sentence with one other word would count as much as nonsense.
#
# **BLEU** (Papineni et al., 2002) counts instead how many pieces of the translation also stand in the reference. A piece is
# an **n-gram**: $n$ tokens in a row. Long pieces can only agree where the order agrees.
#
# Why it became the standard: it costs nothing, it needs no human, and over a whole test set its ranking of systems agreed
# with people's in the paper's experiments. What it does not see: meaning. "Not" is one word among others.
#
# ### The formula, and each of its parts
#
# Over a test set of hypotheses $h$, each with its reference $r$:
#
# $$p_n = \frac{\sum_{(h, r)} \sum_{g \,\in\, h} \min\big(c_h(g),\, c_r(g)\big)}{\sum_{h} \sum_{g \,\in\, h} c_h(g)}
# \qquad BP = \min\big(1,\; e^{\,1 - R/H}\big) \qquad
# \text{BLEU} = 100 \cdot BP \cdot \Big(p_1\, p_2\, p_3\, p_4\Big)^{1/4}$$
#
# | symbol | meaning |
# |---|---|
# | $g$ | an n-gram of the hypothesis, each different one once |
# | $c_h(g)$, $c_r(g)$ | how often it stands in the hypothesis, and in that hypothesis's reference |
# | $p_n$ | the precision for length $n$: matches over all n-grams of the hypotheses |
# | $H$, $R$ | tokens in all hypotheses together, and in all references together |
# | $BP$ | the brevity penalty; below 1 only where the hypotheses are shorter |
#
# Matches and totals are summed over **all** sentences first; the division comes once, at the end. If one of the $p_n$ is 0, BLEU
# is 0.
#
# ### "the the the"
#
# The reference is *the cat sat on the mat*. A lazy model writes *the the the*. Each of its three words stands in the
# reference: a plain precision would be 3/3, full marks. But the reference has only two of them. So each n-gram counts at
# most as often as the reference has it: $p_1 = \min(3, 2)/3 = 2/3$. This is called **clipping**.
#
# Another lazy model writes *the cat*. Its $p_1 = 2/2$ and $p_2 = 1/1$: nothing that it says is wrong. It only says very little.
# Precision cannot see what is missing; the brevity penalty can. $BP = e^{1 - 6/2} = e^{-2} = 0.135$.
#
# **Predict first.** *the cat sat on a mat* has one wrong word out of six. What is its BLEU?

# %% part="demo"
predict("11-one-word", "BLEU of 'the cat sat on a mat'?", choices=("about 80", "about 50", "about 30"))

# %% part="demo" folded=True
import sacrebleu  # the tool by which papers report BLEU shows its parts

from autograder.lab.tables import table

rows, scores = [], {}
for text in ("the the the", "the cat", "the cat sat on a mat", "the mat sat on the cat"):
    found = sacrebleu.corpus_bleu([text], [["the cat sat on the mat"]], tokenize="none", smooth_method="none")
    rows.append((text, *(f"{matches}/{pieces}" for matches, pieces in zip(found.counts, found.totals)), found.bp))
    scores[text] = found.score
nearest = min((80, 50, 30), key=lambda guess: abs(guess - scores["the cat sat on a mat"]))
outcome("11-one-word", f"about {nearest}")
table(rows, ["hypothesis", "p₁", "p₂", "p₃", "p₄", "BP"])

# %% [markdown]
# For *the cat sat on a mat*: $\big(\tfrac{5}{6}\cdot\tfrac{3}{5}\cdot\tfrac{2}{4}\cdot\tfrac{1}{3}\big)^{1/4} = 0.537$, BLEU 53.7. One wrong word takes
# away one word, two pairs, two triples and two pieces of four.
#
# The last line is the same words in another order, and another meaning. $p_1$ is 6/6. Only the longer pieces notice. And
# $p_4 = 0/3$, so this sentence alone has BLEU 0: that is why BLEU is computed over a whole test set.

# %% [markdown] exercise="ngram_counts" part="prompt" points=3 difficulty=2 minutes=8
# ## Exercise 3 · `ngram_counts`
#
# Count the n-grams of one sentence. This is $c_h(g)$.
#
# | argument | | meaning |
# |---|---|---|
# | `tokens` | a list | the tokens of a sentence: words, or ids |
# | `n` | a number, 1 or more | the length of a piece |
# | returns | a dict; a `Counter` is one | each n-gram, **as a tuple** of $n$ tokens, and how often it stands there |
#
# For `["the", "the", "the"]` and `n=2` that is `{("the", "the"): 2}`. For `n=1` a key is a tuple too, `("the",)`. Where the
# sentence has fewer than `n` tokens, there is nothing to count: an empty dict.

# %% exercise="ngram_counts" part="solution"
def ngram_counts(tokens: list, n: int) -> dict[tuple, int]:
    """How often each n-gram stands in a sentence.

    tokens:  the sentence, a list of words or ids
    n:       how many tokens a piece has
    returns: a count for each different n-gram, a tuple of n tokens
    """
    ### BEGIN SOLUTION
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))
    ### END SOLUTION

# %% exercise="ngram_counts" part="check"
check(ngram_counts, keeps_inputs, same_counts)

# %% [markdown] exercise="ngram_counts" part="hints"
# - The piece that begins at place `i` is `tokens[i : i + n]`. Where does the last piece begin, in a sentence of 6 with `n=4`?
# - A list cannot be the key of a dict; `tuple(...)` of it can.
# - `Counter` of the standard library counts whatever it is given, and is a dict.

# %% [markdown] exercise="corpus_bleu" part="prompt" points=5 difficulty=3 minutes=15 relative=5e-6 absolute=5e-6 forbids="sacrebleu.* nltk.* torchmetrics.* torcheval.* evaluate.*"
# ## Exercise 4 · `corpus_bleu`
#
# Write BLEU from the formula, for a whole test set.
#
# | argument | | meaning |
# |---|---|---|
# | `hypotheses` | a list of token lists | the translations |
# | `references` | a list of token lists | for each of them its one reference, in the same order |
# | returns | a number from 0 to 100 | BLEU, unsmoothed: 0 where a precision is 0, or where there is nothing to count |
#
# `ngram_counts` is there. Your numbers should be those of sacrebleu, the tool by which papers report BLEU (Post, 2018), on the
# same tokens. A hypothesis may be empty, or shorter than four tokens.

# %% exercise="corpus_bleu" part="solution"
def corpus_bleu(hypotheses: list[list[str]], references: list[list[str]]) -> float:
    """BLEU with pieces of one to four tokens, one reference each (Papineni et al., 2002), unsmoothed.

    hypotheses: the translations, a list of token lists
    references: one for each, in the same order
    returns:    from 0 to 100
    """
    ### BEGIN SOLUTION
    matches, totals = [0, 0, 0, 0], [0, 0, 0, 0]
    for hypothesis, reference in zip(hypotheses, references):
        for n in range(1, 5):
            found, wanted = ngram_counts(hypothesis, n), ngram_counts(reference, n)
            matches[n - 1] += sum(min(count, wanted.get(ngram, 0)) for ngram, count in found.items())
            totals[n - 1] += sum(found.values())
    if min(matches) == 0:
        return 0.0
    hypothesis_length, reference_length = sum(map(len, hypotheses)), sum(map(len, references))
    brevity_penalty = min(1.0, math.exp(1 - reference_length / hypothesis_length))
    mean_logarithm = sum(math.log(match / total) for match, total in zip(matches, totals)) / 4
    return 100 * brevity_penalty * math.exp(mean_logarithm)
    ### END SOLUTION

# %% exercise="corpus_bleu" part="check"
check(corpus_bleu, keeps_inputs, finite, matches)

# %% [markdown] exercise="corpus_bleu" part="hints"
# - Four numerators and four denominators, all 0 at first. One loop over the sentences adds to them, one loop inside over n.
# - Clipping: for each n-gram of the hypothesis, the smaller of its two counts. A piece that the reference lacks has the count 0
#   there: `counts.get(piece, 0)`.
# - Only after all sentences are counted come the four fractions. If one of the four numerators is 0, the answer is 0; say so
#   before you take a logarithm or divide.
# - The fourth root of a product is `exp` of the mean of the four logarithms. The brevity penalty compares the total lengths.

# %% [markdown]
# ## A model that makes mistakes
#
# Now there is something to measure with. The next cells train a small translator on three kinds of phrases: dates, measure
# phrases, clock times. On the CPUs that were tried it took 15 to 30 seconds of one core; an older or a busy one takes longer. We
# stop early, on purpose: a model without mistakes has nothing to teach here.

# %% part="demo" folded=True
from dataclasses import replace

from autograder.lab.corpus import english_text, sample
from autograder.lab.training import (
    RECIPE, batches, best_device, course_vocabularies, error_table, new_model, new_optimizer, translate,
)

KINDS = ("dates", "measures", "clock_times")
torch.set_num_threads(1)  # on a CPU, tensors as small as these are faster without sharing the work
vocabularies = course_vocabularies(use_part("build_vocabulary"))
collate, train_on, greedy = use_part("collate"), use_part("train"), use_part("greedy_decode")
search, bleu = use_part("beam_search"), use_part("corpus_bleu")


def train(model, shares, steps, peak, seed):
    """Train in place on fresh pairs; `shares` says how often each kind is drawn."""
    recipe = replace(RECIPE, steps=steps, peak=peak, warmup=steps // 10, batch_size=32, weights=shares)
    data = batches(vocabularies, collate, recipe, kinds=KINDS, seed=seed)
    return train_on(model, data, new_optimizer(model, recipe), recipe.rate)

# %% part="demo"
first_shares = {"dates": 1.0, "measures": 1.0, "clock_times": 0.03}
small = replace(RECIPE, d_model=48, d_ff=96)
model = new_model(use_part("Transformer"), vocabularies, small)
losses = train(model, first_shares, steps=600, peak=8e-3, seed=1)
even = dict.fromkeys(KINDS, 1.0)
test = sample(KINDS, 240, seed=7, split="test", unique=True, weights=even)  # sources that training never draws
references = [pair.target for pair in test]
print(f"loss: {losses[0]:.2f} at first, {sum(losses[-20:]) / 20:.2f} over the last 20 steps (smoothed labels, so never near 0)")

# %% [markdown]
# ## The experiment: what does a wider beam buy?
#
# Four searches over the same 240 unseen sources, with 1, 2, 4 and 8 hypotheses. Five numbers for each: the mean score that
# the model itself gives its answer, the share of exact matches, BLEU, the words of an answer, and the seconds that it took.
#
# **Predict first.** One step of a beam of 8 sends 8 times as many rows through the decoder as greedy decoding. Which of
# these numbers rise with the beam, which stay, which may fall?
#
# (If your `beam_search` goes sentence by sentence, this cell takes a minute or more. A batch is what makes it quick.)

# %% part="demo"
predict("11-wider-beam", "From a beam of 1 to one of 4, exact match:",
        choices=("rises by more than 5 points", "moves by 5 points at most", "falls by more than 5 points"))

# %% part="demo" folded=True
from time import perf_counter


def measured(beam_size):
    """Translations, and what the table shows of them."""
    scores = []

    def decode(model, source, max_len):
        ids, found = search(model, source, beam_size, max_len)
        scores.extend(found.tolist())
        return ids

    start = perf_counter()
    found = translate(model, [pair.source for pair in test], vocabularies, decode)
    seconds = perf_counter() - start
    exact = sum(one == other for one, other in zip(found, references)) / len(test)
    words = sum(map(len, found)) / len(test)
    return found, (sum(scores) / len(scores), exact, bleu(found, references), words, seconds)


measured(1)  # the first run of anything is slower: not counted
sizes = (1, 2, 4, 8)
runs = {size: measured(size) for size in sizes}
gain = runs[4][1][1] - runs[1][1][1]
outcome("11-wider-beam", "moves by 5 points at most" if abs(gain) <= 0.05
        else "rises by more than 5 points" if gain > 0 else "falls by more than 5 points")
rows = [(size, f"{score:.3f}", f"{exact:.1%}", f"{value:.1f}", f"{words:.2f}", f"{seconds:.2f}")
        for size, (_, (score, exact, value, words, seconds)) in runs.items()]
table(rows, ["beam size", "mean score", "exact match", "BLEU", "words a sentence", "seconds for all"])

# %% part="demo" folded=True
from autograder.lab.figures import lines, panels

figure, axes = panels(1, 2, width=6.8, height=3.2)
numbers = {size: values for size, (_, values) in runs.items()}
lines(sizes, {"BLEU": [numbers[k][2] for k in sizes], "exact match (%)": [100 * numbers[k][1] for k in sizes]},
      "beam size", "BLEU, exact match in %", ax=axes[0, 0])
lines(sizes, {"time": [numbers[k][4] for k in sizes]}, "beam size", "seconds for 240 sources", ax=axes[0, 1])
axes[0, 1].set_ylim(bottom=0)
show(figure)

# %% [markdown]
# Read it column by column.
#
# - **The model's own score** can only show that the search works: a wider beam finds answers that the model likes better.
# - **BLEU and exact match need not agree.** On two processors where this was run, BLEU rose by seven points from 1 to 4, or fell by
#   one; exact match stayed in both. From 4 to 8 next to nothing happened, and the time went on growing.
# - Where can points of BLEU come from, if hardly a sentence more is right? Look at the words a sentence: greedy answers are
#   *longer*. Here are some, and they have something of a poem.

# %% part="demo" folded=True
rows, tally = [], Counter()
for pair, one, four in zip(test, runs[1][0], runs[4][0]):
    tally["both right" if one == four == pair.target else "only greedy right" if one == pair.target
          else "only the beam right" if four == pair.target else "both wrong"] += 1
    if one != four:
        rows.append((pair.chinese, english_text(one), english_text(four), pair.english))
print(" · ".join(f"{name}: {count}" for name, count in tally.items()))
table(sorted(rows, key=lambda row: -len(row[1]))[:8], ["source", "greedy", "beam of 4", "right"])

# %% [markdown]
# Once greedy decoding has taken a wrong turn it cannot leave it, and where the model is lost it may go on and on. The beam has a
# way out: a shorter hypothesis that ends. That answer is often still wrong, but there is less of it. **A search cannot know what
# the model has not learnt.**
#
# The paper took beams of 4. Much wider ones can even do harm: the most probable sentence of a model may be a bad one, an empty
# one for instance (Stahlberg and Byrne, 2019).
#
# BLEU is only worth something when all compute it alike. Here are your number and sacrebleu's, on the same tokens.

# %% part="demo"
texts = [[" ".join(tokens) for tokens in sentences] for sentences in (runs[4][0], references)]
theirs = sacrebleu.corpus_bleu(texts[0], [texts[1]], tokenize="none", smooth_method="none", force=True)
print(f"this course: {bleu(runs[4][0], references):.10f}\nsacrebleu:   {theirs.score:.10f}")

# %% [markdown]
# ## Where are the errors? A table by kind
#
# BLEU says that something is wrong, not what. The next step is always the same: **sort the errors.**
#
# **Predict first.** Which of the three kinds is worst, and why?

# %% part="demo"
predict("11-worst", "Most of its sources translated wrong:", choices=KINDS)

# %% part="demo"
before = translate(model, [pair.source for pair in test], vocabularies, greedy)
shares_wrong = {kind: sum(p.kind == kind and found != p.target for p, found in zip(test, before)) / sum(p.kind == kind for p in test)
                for kind in KINDS}
outcome("11-worst", max(shares_wrong, key=shares_wrong.__getitem__))
error_table(test, before)

# %% [markdown]
# One kind stands out. Is it harder than the others, or is there another cause? The first place to look is the training data.

# %% part="demo" folded=True
seen = Counter(pair.kind for pair in sample(KINDS, 600 * 32, seed=1, weights=first_shares))
table([(kind, seen[kind], f"{seen[kind] / (600 * 32):.1%}") for kind in KINDS], ["kind", "training pairs", "share"])

# %% [markdown]
# Only about one pair in sixty was a clock time. **The guess:** they fail because they were too rare. The cure would be to draw
# all kinds equally often. But whoever simply trains on changes two things, the shares *and* the number of steps. So we train two
# copies of the model, 200 steps more each, on as many pairs:
#
# - **more of the same:** the old shares;
# - **even shares:** each kind equally often.
#
# **Predict first.** What happens to clock times in each? And do the other two kinds pay for it?

# %% part="demo"
predict("11-cure", "Which copy has fewer clock times wrong in the end?",
        choices=("more of the same", "even shares", "about the same (within 10 points)"))

# %% part="demo" folded=False
from copy import deepcopy


def wrong_by_kind(translations):
    wrong = Counter(pair.kind for pair, found in zip(test, translations) if found != pair.target)
    total = Counter(pair.kind for pair in test)
    return [wrong[kind] / total[kind] for kind in KINDS]


outcomes, copies = {"before": before}, {}
for name, shares in {"more of the same": first_shares, "even shares": even}.items():
    copies[name] = deepcopy(model)
    train(copies[name], shares, steps=200, peak=6e-3, seed=2)
    outcomes[name] = translate(copies[name], [pair.source for pair in test], vocabularies, greedy)
clocks = {name: wrong_by_kind(found)[KINDS.index("clock_times")] for name, found in outcomes.items()}
lead = clocks["more of the same"] - clocks["even shares"]
outcome("11-cure", "about the same (within 10 points)" if abs(lead) <= 0.1 else "even shares" if lead > 0 else "more of the same")
rows = [(name, *(f"{share:.0%}" for share in wrong_by_kind(found)), f"{bleu(found, references):.1f}")
        for name, found in outcomes.items()]
table(rows, ["model", *(f"{kind} wrong" for kind in KINDS), "BLEU"])

# %% [markdown]
# The last two lines differ in nothing but the shares. Look also at what the cure costs the other kinds. And set this beside the
# beam: **sort the errors before you tune the search.**
#
# ## And your own translator?
#
# If you have trained the model of unit 10, its weights lie beside that notebook. The cell sorts its errors, over all kinds,
# with greedy decoding and with your beam of 4. If not, this unit's model goes on in its place.

# %% part="demo" folded=True
from pathlib import Path

from safetensors.torch import load_file

weights, kinds = Path("../10_training/translator.safetensors"), KINDS
own = copies["even shares"]
if weights.exists():
    own, kinds = new_model(use_part("Transformer"), vocabularies), None
    own.load_state_dict(load_file(weights), strict=False)
print("the translator of unit 10" if weights.exists() else f"no {weights} yet: the model of this unit")
everything = sample(kinds, 300, seed=11, split="test", unique=True)
sources, right = [pair.source for pair in everything], [pair.target for pair in everything]
for name, decode in (("greedy", greedy), ("a beam of 4", lambda m, s, n: search(m, s, 4, n)[0])):
    found = translate(own, sources, vocabularies, decode)
    print(f"{name}: BLEU {bleu(found, right):.2f}, {sum(map(tuple.__eq__, found, right))} of 300 right")
error_table(everything, found)

# %% [markdown]
# ## Or draw the next word
#
# Search always gives the same answer. Whoever wants another one each time (a story, a conversation) **samples**: the next word
# is drawn at random, with the decoder's probabilities. A **temperature** $T$ says how boldly,
#
# $$P(w) = \text{softmax}(\text{logits} / T)_w$$
#
# It is unit 02's factor at another place: dividing scores by $\sqrt{d_k}$ keeps a softmax from becoming all or nothing, and
# so does dividing by $T > 1$. With $T < 1$ it becomes sharper; at $T \to 0$ it is greedy. **Top-$k$** draws among the $k$ most probable
# words only.

# %% part="demo" folded=False
@torch.no_grad()
def sampled(model: nn.Module, source: Tensor, max_len: int, temperature: float, top_k: int | None = None) -> Tensor:
    """Like greedy decoding, but each word is drawn. (batch, at most max_len), ids; what stands behind EOS is of no use."""
    encoded, written = model.encode(source), source.new_full((len(source), 1), BOS)
    while written.shape[1] <= max_len and not (written == EOS).any(dim=1).all():
        logits = model.decode(written, encoded, source)[:, -1] / temperature  # (batch, vocab)
        if top_k is not None:
            logits = logits.masked_fill(logits < logits.topk(top_k).values[:, -1:], -math.inf)
        written = torch.cat([written, torch.multinomial(logits.softmax(dim=-1), 1)], dim=1)
    return written[:, 1:]

# %% [markdown]
# **Predict first.** Eight answers are drawn for each of 60 sources. At $T = 1$, how many are right in every word? (Label smoothing has
# taught the model to keep a tenth of the probability for other words.)

# %% part="demo"
predict("11-temperature", "At temperature 1, what share of the answers is right?", unit="%")

# %% part="demo" folded=True
DRAWS, few = 8, everything[:60]
longest = max(range(len(few)), key=lambda i: len(few[i].target))


def drawn(temperature, top_k=None):
    """The share of right answers, and how many of a source's eight answers differ."""
    torch.manual_seed(0)
    decode = lambda m, s, n: sampled(m.eval(), s, n, temperature, top_k)
    found = translate(own, [pair.source for pair in few for _ in range(DRAWS)], vocabularies, decode)
    answers = [found[i : i + DRAWS] for i in range(0, len(found), DRAWS)]
    exact = sum(one == pair.target for pair, eight in zip(few, answers) for one in eight) / len(found)
    return exact, sum(len(set(eight)) for eight in answers) / len(few), [english_text(one) for one in answers[longest][:3]]


temperatures = (0.1, 0.3, 0.5, 0.7, 1.0, 1.5)
at = {temperature: drawn(temperature) for temperature in temperatures}
outcome("11-temperature", 100 * at[1.0][0], "%")
figure, axes = panels(1, 2, width=6.8, height=3.2)
lines(temperatures, {"exact match": [at[t][0] for t in temperatures]}, "temperature", "exact match", percent=True, ax=axes[0, 0])
lines(temperatures, {"different": [at[t][1] for t in temperatures]}, "temperature", "different answers of 8", ax=axes[0, 1])
axes[0, 1].set_ylim(0, 8.3)
show(figure)
rows = [(name, f"{exact:.0%}", f"{different:.1f}", " / ".join(some)) for name, (exact, different, some) in
        {"T = 0.3": at[0.3], "T = 1": at[1.0], "T = 1, the best 2 only": drawn(1.0, 2), "T = 1.5": at[1.5]}.items()]
print(f"some answers to {few[longest].chinese} ({few[longest].english})")
table(rows, ["drawn with", "exact match", "different of 8", "three of them"])

# %% [markdown]
# Variety is bought with mistakes. Where a source has one right translation, search; where many answers will do, draw, with $T$ a
# little below 1 or among few words.
#
# ## Epilogue: half of it writes by itself (not graded)
#
# Take your **encoder**, give it the causal mask and an output layer, and leave the source out. What remains predicts the next word from
# those before it: a **language model**. Yours learns from the corpus's English for less than a minute.

# %% part="demo" folded=False
Embedding, Stack, causal_mask = use_part("TransformerEmbedding"), use_part("Encoder"), use_part("causal_mask")


class LanguageModel(nn.Module):
    """An encoder that does not see the future, and an output layer."""

    def __init__(self, vocab_size: int, d_model: int = 64) -> None:
        super().__init__()
        self.embedding = Embedding(vocab_size, d_model, 64)
        self.encoder = Stack(2, d_model, 4, 2 * d_model, norm_first=True)
        self.output = nn.Linear(d_model, vocab_size)

    def forward(self, source: Tensor, read: Tensor) -> Tensor:
        """Your `train_step` hands over a source; nothing looks at it. read: (batch, seq); returns logits."""
        return self.output(self.encoder(self.embedding(read), causal_mask(read.shape[1], read.device)))


torch.manual_seed(0)
recipe = replace(RECIPE, steps=500, warmup=50)
writer = LanguageModel(len(vocabularies.target)).to(best_device())
losses = train_on(writer, batches(vocabularies, collate, recipe, kinds=("sentences", "questions", "negations", "comparisons"), seed=3),
                  new_optimizer(writer, recipe), recipe.rate)
print(f"loss: {losses[0]:.2f} at first, {sum(losses[-20:]) / 20:.2f} at the end")

# %% part="demo" folded=True
torch.manual_seed(1)
read = torch.full((6, 1), BOS, device=best_device())
with torch.no_grad():
    for _ in range(16):
        logits = writer.eval()(None, read)[:, -1] / 0.7
        read = torch.cat([read, torch.multinomial(logits.softmax(dim=-1), 1)], dim=1)
for row in read[:, 1:].tolist():
    print(english_text(vocabularies.target_tokens(row)))

# %% [markdown]
# Nobody asked it anything, so it says whatever sounds like its corpus. Its grammar is better than its knowledge.
#
# GPT is this machine. What it has more of: pieces of words in place of a word list, so that any text can be read; a long text before
# the first word that it writes, the prompt; and size, 1.5 billion weights and 40 GB of text for GPT-2 (Radford et al., 2019). Later
# units go there.

# %% [markdown]
# ## What you built
#
# - `length_penalty` and `beam_search`: a search that keeps several hypotheses, for a whole batch, with an end.
# - `ngram_counts` and `corpus_bleu`: the standard measure, to the last digit.
# - A way to work on errors: a table by kind, one guess, one change, and a control beside it.
# - Without a grade: sampling, and a language model made of your encoder.
#
# ## Test yourself
#
# <details><summary>1. With beam_size=1, why is beam search the same as greedy decoding?</summary>
#
# One hypothesis is kept after each step: the one with the largest sum. All candidates share the same old sum, so it is the
# one with the most probable next word. When that word is EOS, nothing is live any more.
# </details>
#
# <details><summary>2. A search begins with beam_size copies of BOS. What does it find?</summary>
#
# What greedy decoding finds. All copies have the same best word with the same sum, so the best candidates are again copies of
# one hypothesis, in every step.
# </details>
#
# <details><summary>3. Live hypotheses of one step all have the same length. Does the length penalty change which of them are
# kept?</summary>
#
# No. All sums are divided by the same number, and the order stays. It matters only between hypotheses that ended at different
# lengths.
# </details>
#
# <details><summary>4. Two systems translate the same test set. One has BLEU 31.0, one 31.4. Is the second one better?</summary>
#
# Nobody can say from that. A difference so small may be chance (test it by resampling the sentences), and BLEU counts pieces
# of text, not meaning. Look at the sentences on which the two differ.
# </details>
#
# ## Sources
#
# - Hung-yi Lee (李宏毅), *Machine Learning 2021*, lecture "Transformer" (second part): beam search, drawn as a tree of two
#   tokens, and when it helps and when not.
# - Papineni, Roukos, Ward and Zhu, "BLEU: a Method for Automatic Evaluation of Machine Translation" (2002): clipping, brevity
#   penalty, and the comparison with human judgement.
# - Wu et al., "Google's Neural Machine Translation System" (2016), section 7: the length penalty.
# - Vaswani et al., "Attention Is All You Need" (2017), section 6.1: beam size 4, α = 0.6.
# - Post, "A Call for Clarity in Reporting BLEU Scores" (2018): sacrebleu.
# - Radford et al., "Language Models are Unsupervised Multitask Learners" (2019): GPT-2.
# - Stahlberg and Byrne, "On NMT Search Errors and Model Errors: Cat Got Your Tongue?" (2019): the most probable translation
#   is often the empty one.
#
# **Next:** unit 12 makes all this fast. Your search computes every hypothesis anew from BOS in every step; a cache ends that.
