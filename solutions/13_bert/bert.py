# %% [markdown]
# # 13 · BERT: what plain text teaches
#
# **By the end you can**
#
# - make an exercise out of any text: hide some tokens and ask for them;
# - build BERT (its input, its encoder, its head) and show that its numbers are PyTorch's;
# - pre-train it on Chinese that nobody has labelled, and see what that is worth when labels are few;
# - use one encoder in four ways, and say which output each of them reads.
#
# **Time:** about two and a half hours, 75 minutes of them for the exercises.
# **You need:** units 06 (embedding, learned positions), 07 (`padding_mask`) and 08 (the encoder).

# %% part="setup"
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder import (
    begin, check, chooses_the_share, draws_evenly, draws_from, finite, hears, hides_by_ordinary_ids, hint,
    keeps_inputs, labels_what_it_chose, matches, outcome, predict, right_shape, same_in_eval, shares_out, use_part,
)

begin("13_bert")

# %% part="setup"
# Earlier units' parts: your own where they passed their checks.
padding_mask = use_part("padding_mask")
LayerNorm, FeedForward, Encoder = use_part("LayerNorm"), use_part("FeedForward"), use_part("Encoder")

# %% [markdown]
# ## The idea: a hole in a sentence
#
# Labels cost money. Somebody has to read each sentence and write down what it is. Text costs nothing: there is more of it
# than anybody can read. Can a model learn from text **alone**, with no label at all?
#
# Look at this: 三[MASK]书, "three ▢ books". Whoever knows Chinese fills the hole with 本, the word for counting bound
# things. Nobody had to label anything. The text was whole before we made the hole, so the answer is known.
#
# To fill such holes well, a model must find out what goes with what: which words count which things, where a date has its month,
# that 比 compares. BERT (Devlin and others, 2019) is a Transformer **encoder** that is trained on holes. This is called
# *pre-training*. Afterwards you put a small layer on top and train on the few labels that you have: *fine-tuning*.
#
# The picture shows what BERT reads and what it can be used for. An encoder gives one vector for each token, and each vector has seen
# the whole sentence, left and right. A use of BERT is a choice of **which vectors to read**.

# %% part="demo" folded=True
from autograder.lab.figures import Arrow, Box, flow, lines, show
from autograder.lab.tables import table

boxes = {
    "token": Box("token\n三", 0, 0, "blue"), "position": Box("position\n0", 1, 0, "blue"),
    "segment": Box("segment\nsentence A", 2, 0, "blue"), "sum": Box("sum, then norm", 1, 1, "orange"),
    "encoder": Box("encoder\na vector for each token", 1, 2, "grey"), "fill": Box("pre-training:\nfill the holes", 1, 3.1, "green"),
}
arrows = [Arrow("token", "sum"), Arrow("position", "sum"), Arrow("segment", "sum"), Arrow("sum", "encoder"),
          Arrow("encoder", "fill", "vectors at the holes")]
show(flow(boxes, arrows, title="What BERT reads, and what it is first trained for"))

# %% part="demo" folded=True
boxes = {
    "one": Box("the mean, one sentence", 0, 0, "blue"), "one label": Box("one label\nWhat kind of phrase?", 0, 1, "green"),
    "each": Box("every vector", 1.15, 0, "blue"), "labels": Box("a label for each token\nDoes a word begin here?", 1.15, 1, "green"),
    "two": Box("the mean, two sentences", 0, -1.3, "blue"), "relation": Box("one label for the two\nThe same kind?", 0, -0.45, "green"),
    "span": Box("every vector of the text", 1.15, -1.3, "blue"), "extract": Box("start and end\nWhere is the answer?", 1.15, -0.45, "green"),
}
arrows = [Arrow("one", "one label"), Arrow("each", "labels"), Arrow("two", "relation"), Arrow("span", "extract")]
show(flow(boxes, arrows, title="Four uses: which vectors are read (blue), and what is said of them (green)"))

# %% [markdown]
# ## Making the holes
#
# BERT chooses 15 % of the tokens. Special tokens, padding among them, are never chosen: there is nothing to learn from guessing them. Of
# the **chosen** ones,
#
# - 80 % become `[MASK]`,
# - 10 % become another token, drawn at random,
# - 10 % stay as they are.
#
# The model is asked for all chosen tokens, whatever became of them. Why not `[MASK]` for all? Later, in fine-tuning, there is no
# `[MASK]` in any sentence. So the model must not learn to think at holes alone: any token it reads may be wrong, and it has to give an opinion.
#
# In numbers, with `[MASK]` = 4: of the sentence `12 7 31 9`, the second and the fourth token are chosen. One is masked, one
# stays. The model reads `12 4 31 9`. The labels are `−100 7 −100 9`: what stood there, and −100 where nobody asks.

# %% [markdown] exercise="mask_tokens" part="prompt" points=8 difficulty=3 minutes=20 returns="corrupted labels"
# ## Exercise 1 · `mask_tokens`
#
# | argument | | meaning |
# |---|---|---|
# | `ids` | `(batch, seq)`, integers | sentences, padded |
# | `vocab_size` | a number | ids run from 0 to `vocab_size` − 1 |
# | `mask_id` | a number | the id of `[MASK]` |
# | `special_ids` | a list of ids | these are never chosen and never drawn; `mask_id` is one of them. All other ids are *ordinary* |
# | `generator` | a `torch.Generator` | where **all** random numbers come from |
# | `probability` | a number | the chance of each ordinary token to be chosen |
# | returns | two tensors like `ids`, integers | `corrupted`, what the model reads; `labels`, the original id where a token was chosen, −100 elsewhere |
#
# - Each token is chosen by itself, and what becomes of it (80, 10, 10 %) is drawn for each chosen token by itself. Random tokens are drawn for each place, all ordinary
#   ids equally likely. The one that stood there may come again.
# - A chosen token that stays has a label too. A token that is not chosen stays as it is.
# - `special_ids` can be any ids, not only the first ones. Leave `ids` unchanged.
#
# `torch.rand(shape, generator=generator)` draws numbers from 0 to 1, and `torch.randint(n, shape, generator=generator)` whole numbers below n.
#
# How can chance be judged? The check asks what must hold of *every* token, and it counts: over more than 20,000 tokens, the
# shares of a right answer stray beyond the check's bounds less than once in a million times.

# %% exercise="mask_tokens" part="solution"
def mask_tokens(
    ids: Tensor, vocab_size: int, mask_id: int, special_ids: Sequence[int], generator: torch.Generator,
    probability: float = 0.15,
) -> tuple[Tensor, Tensor]:
    """Hide some tokens, and keep what stood there.

    ids:     (batch, seq)
    returns: corrupted, labels, both like ids; labels hold −100 where no token was chosen
    """
    ### BEGIN SOLUTION
    special = torch.isin(ids, torch.tensor(special_ids, device=ids.device))
    chosen = (torch.rand(ids.shape, generator=generator, device=ids.device) < probability) & ~special
    labels = ids.masked_fill(~chosen, -100)
    ordinary = torch.tensor([i for i in range(vocab_size) if i not in special_ids], device=ids.device)
    other = ordinary[torch.randint(len(ordinary), ids.shape, generator=generator, device=ids.device)]
    fate = torch.rand(ids.shape, generator=generator, device=ids.device)
    corrupted = torch.where(chosen & (fate < 0.8), mask_id, ids)
    corrupted = torch.where(chosen & (fate >= 0.9), other, corrupted)
    return corrupted, labels
    ### END SOLUTION

# %% exercise="mask_tokens" part="check"
check(
    mask_tokens, keeps_inputs, labels_what_it_chose, hides_by_ordinary_ids, chooses_the_share, shares_out, draws_evenly,
    draws_from("generator"),
)

# %% [markdown] exercise="mask_tokens" part="hints"
# - Work with tables of True and False that have the shape of `ids`: which tokens are special, which are chosen. `torch.isin(ids, some_ids)` makes
#   the first one; comparing random numbers with `probability` is half of the second.
# - Draw a second table of random numbers for what becomes of a token. Cut the line from 0 to 1 into three pieces of length 0.8, 0.1 and 0.1.
# - Random ordinary tokens: make a tensor that lists all ordinary ids, draw *places in this list*, and look them up.
# - `torch.where(condition, this, that)` takes `this` where the condition is True. Two of them, one after the other, make `corrupted` out of
#   `ids`, and `ids` stays as it is.

# %% [markdown]
# ### The corpus, with holes
#
# The course's corpus (unit 10) has Chinese on one side and English on the other. From here on we only look at the Chinese. The
# English, and the name of each phrase's kind, are put aside.

# %% part="demo" folded=False
from autograder.lab.corpus import SOURCE_TOKENS, Pair, chinese_tokens, kinds, sample

torch.set_num_threads(1)  # on a CPU, tensors as small as these are faster without sharing the work
NAMES = ["·", "<bos>", "<eos>", "<unk>", "▢", *SOURCE_TOKENS]  # ▢ is [MASK], a dot is padding
PAD, EOS, MASK, SPECIAL = 0, 2, 4, [0, 1, 2, 3, 4]
ID = {token: number for number, token in enumerate(NAMES)}


def padded(rows: Sequence[Sequence[int]]) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in rows])


def ids_of(text: str) -> list[int]:
    return [ID["▢"] if token == "▢" else ID[token] for token in chinese_tokens(text)]


hide = use_part("mask_tokens")
draws = torch.Generator().manual_seed(0)
texts = [pair.chinese for pair in sample(["sentences", "comparisons", "dates", "money"], 12, seed=2)]
corrupted, labels = hide(padded([ids_of(text) for text in texts]), len(NAMES), MASK, SPECIAL, draws)
for text, row, asked in zip(texts, corrupted.tolist(), labels.tolist(), strict=True):
    read = "".join(NAMES[i] for i in row if i != PAD)
    print(text, "→", read, "  asked for:", "".join(NAMES[i] for i in asked if i >= 0) or "nothing")

# %% [markdown]
# Look for a token that is asked for and has not changed: one of those that stay. The model cannot know that either.
#
# ## The loss
#
# The model gives logits at every place. Only chosen places count, and the loss is the mean of their cross-entropies:
#
# $$\text{loss} = -\frac{1}{|C|} \sum_{(b, t) \in C} \log \text{softmax}\big(\text{logits}_{b,t}\big)_{\text{labels}_{b,t}} \qquad C = \{(b, t) : \text{labels}_{b,t} \ne -100\}$$
#
# Why −100? PyTorch's `cross_entropy` leaves out labels of this value, unless it is told another one.

# %% [markdown] exercise="masked_lm_loss" part="prompt" points=5 difficulty=2 minutes=8
# ## Exercise 2 · `masked_lm_loss`
#
# | argument | shape | meaning |
# |---|---|---|
# | `logits` | `(batch, seq, vocab_size)` | raw scores, before any softmax |
# | `labels` | `(batch, seq)`, integers | as `mask_tokens` makes them |
# | returns | `()`, a tensor | the mean over the chosen tokens of the **whole batch**; **0 where none was chosen** |
#
# In a batch of short sentences it happens that nothing is chosen. Then the mean is 0 divided by 0, and one such NaN in the loss ruins all
# weights. Logits may be large; the loss stays finite. Gradients flow to the logits of the chosen places. PyTorch's `cross_entropy` is allowed.

# %% exercise="masked_lm_loss" part="solution"
def masked_lm_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy, a mean over the tokens that have a label.

    logits:  (batch, seq, vocab_size)
    labels:  (batch, seq), −100 where nothing is asked
    returns: ()
    """
    ### BEGIN SOLUTION
    total = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")
    return total / (labels != -100).sum().clamp(min=1)
    ### END SOLUTION

# %% exercise="masked_lm_loss" part="check"
check(masked_lm_loss, keeps_inputs, right_shape, finite, matches)

# %% [markdown] exercise="masked_lm_loss" part="hints"
# - `F.cross_entropy` wants one row for each token: `(tokens, vocab_size)` and `(tokens,)`. `flatten(0, 1)` joins the first two axes.
# - Its own mean over no tokens is NaN. What do you get from its sum? And by which number do you divide, so that no zero can stand there?

# %% [markdown]
# ## What BERT reads
#
# Unit 06 added a sinusoid to √d_model times the embedding. BERT does it another way: **three** tables, all of them learned, and a norm.
#
# $$\text{input}_t = \text{LN}\big(\text{token}[\text{ids}_t] + \text{position}[t] + \text{segment}[s_t]\big)$$
#
# | | unit 06, the 2017 paper | BERT |
# |---|---|---|
# | position | a formula, any length | a learned row for each place, up to `max_len` |
# | size | the token times √d_model | no factor: the norm brings all to one size |
# | two sentences | no | a segment's number for each token: 0 for the first sentence, 1 for the second |

# %% [markdown] exercise="TokenEmbedding" part="prompt" points=6 difficulty=2 minutes=10
# ## Exercise 3 · `TokenEmbedding`
#
# Write `forward`: the sum of three rows for each token, then `self.norm`. There is no factor.
#
# | argument | shape | meaning |
# |---|---|---|
# | `ids` | `(batch, seq)` | token ids; `seq` at most `max_len` |
# | `segments` | `(batch, seq)` or `None` | a segment's number for each token; `None` means **segment 0 everywhere**, and its row is added |
# | returns | `(batch, seq, d_model)` | what the encoder reads |
#
# The tables are `self.token`, `self.position` and `self.segment`, each an `nn.Embedding`; leave `__init__` as it is. Each sentence begins at
# place 0. Padding gets its rows like any token: hiding it is the mask's business.

# %% exercise="TokenEmbedding" part="solution"
class TokenEmbedding(nn.Module):
    """BERT's input: token, position and segment, then a norm."""

    def __init__(self, vocab_size: int, d_model: int, max_len: int, num_segments: int = 2) -> None:
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.segment = nn.Embedding(num_segments, d_model)
        self.norm = LayerNorm(d_model)
        for rows in (self.token, self.position, self.segment):
            nn.init.normal_(rows.weight, std=0.02)

    def forward(self, ids: Tensor, segments: Tensor | None = None) -> Tensor:
        """ids, segments: (batch, seq)   returns: (batch, seq, d_model)"""
        ### BEGIN SOLUTION
        if segments is None:
            segments = torch.zeros_like(ids)
        places = torch.arange(ids.shape[1], device=ids.device)
        return self.norm(self.token(ids) + self.position(places) + self.segment(segments))
        ### END SOLUTION

# %% exercise="TokenEmbedding" part="check"
check(TokenEmbedding, keeps_inputs, right_shape, finite, matches)

# %% [markdown] exercise="TokenEmbedding" part="hints"
# - The position table wants numbers too: which numbers are the places of a sentence? `torch.arange` counts, and `device=ids.device` keeps the
#   result where `ids` is.
# - `(batch, seq, d_model) + (seq, d_model)` broadcasts.
# - For `segments=None`, make segments that are 0 everywhere, in the shape of `ids`. Then both cases go the same way.

# %% [markdown]
# ## The model
#
# Three parts: `embedding` (yours, just now), `encoder` and `head`.
#
# **The encoder** is unit 08's, post-norm, as in BERT, with one change: BERT has a **GELU** where unit 08 has a ReLU. The GELU multiplies $x$ by
# the share of a normal distribution that lies below $x$. It is smooth, and slightly negative for small negative $x$.
# The cell below makes a feed-forward layer with it, from unit 08's two linear layers.
#
# **The head** turns a vector into logits: a linear layer, a GELU, a norm, and a last linear layer whose weight is **tied** to the token
# table (unit 09): what reads a token also writes it.
#
# **No causal mask.** The decoder of unit 09 must not see what comes next. BERT must: the word behind the hole tells as much as the word before
# it. Only padding is hidden.

# %% part="setup"
class GELUFeedForward(FeedForward):
    """Unit 08's feed-forward layer with a GELU in place of the ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        return self.linear2(F.gelu(self.linear1(x)))

# %% [markdown] exercise="MaskedLanguageModel" part="prompt" points=8 difficulty=4 minutes=20
# ## Exercise 4 · `MaskedLanguageModel`
#
# Write the two methods, and the line that ties the weights.
#
# | method | takes | returns |
# |---|---|---|
# | `encode(ids, segments=None)` | ids and segments, `(batch, seq)`, as in exercise 3 | the encoder's output, `(batch, seq, d_model)` |
# | `forward(ids)` | ids, all in segment 0 | logits at every place, `(batch, seq, vocab_size)` |
#
# - `encode`: the embedding, then the encoder, with **the padding hidden and nothing else**. Padding is `self.pad_id`, which need not be 0.
#   `self.encoder(x, mask)` takes unit 07's mask.
# - The head is `self.head`, whole: call it on the encoder's output.
# - Tying: the weight of the head's last layer, `self.head[3]`, *is* the token table's weight, `self.embedding.token.weight`: one tensor. Its bias is its own.
#
# The starter's `__init__` builds the parts, GELU included, and they work as they are.

# %% exercise="MaskedLanguageModel" part="solution"
class MaskedLanguageModel(nn.Module):
    """BERT, trained to fill holes: `logits = model(ids)`."""

    def __init__(
        self, vocab_size: int, d_model: int, num_heads: int, num_layers: int, d_ff: int, max_len: int, pad_id: int = 0
    ) -> None:
        super().__init__()
        self.pad_id = pad_id
        self.embedding = TokenEmbedding(vocab_size, d_model, max_len)
        self.encoder = Encoder(num_layers, d_model, num_heads, d_ff)
        for block in self.encoder.blocks:
            block.feed_forward = GELUFeedForward(d_model, d_ff)
        self.head = nn.Sequential(
            nn.Linear(d_model, d_model), nn.GELU(), LayerNorm(d_model), nn.Linear(d_model, vocab_size)
        )
        nn.init.zeros_(self.head[3].bias)
        ### BEGIN SOLUTION
        self.head[3].weight = self.embedding.token.weight
        ### END SOLUTION

    def encode(self, ids: Tensor, segments: Tensor | None = None) -> Tensor:
        """ids, segments: (batch, seq)   returns: (batch, seq, d_model)"""
        ### BEGIN SOLUTION
        x = self.embedding(ids, segments)
        return self.encoder(x, padding_mask(ids, self.pad_id))
        ### END SOLUTION

    def forward(self, ids: Tensor) -> Tensor:
        """ids: (batch, seq)   returns: logits (batch, seq, vocab_size)"""
        ### BEGIN SOLUTION
        return self.head(self.encode(ids))
        ### END SOLUTION

# %% exercise="MaskedLanguageModel" part="check"
check(MaskedLanguageModel, keeps_inputs, right_shape, finite, same_in_eval, hears("ids"), matches)

# %% [markdown] exercise="MaskedLanguageModel" part="hints"
# - Compare with `encode` in unit 09's `Transformer`. What is the same? What is the name of the padding here?
# - `forward` has nothing to do but to call two things in order.
# - A layer's weight is an attribute, and an attribute can be assigned. Afterwards `a.weight is b.weight` should be True; copied numbers would be two
#   tensors.

# %% [markdown]
# ### The proof: PyTorch's encoder, your weights
#
# PyTorch has this encoder ready, `nn.TransformerEncoder`, with `activation="gelu"`. We copy the weights over (the three projections stand in
# one matrix there), and compare what both give for padded sentences. The mask means the opposite there: True hides.

# %% part="demo" folded=False
def pytorchs_encoder(encoder: nn.Module, num_heads: int) -> nn.Module:
    """`nn.TransformerEncoder` with the weights of a course's encoder."""
    d_ff, d_model = encoder.blocks[0].feed_forward.linear1.weight.shape
    layer = nn.TransformerEncoderLayer(d_model, num_heads, d_ff, 0.0, activation="gelu", batch_first=True)
    other = nn.TransformerEncoder(layer, len(encoder.blocks), enable_nested_tensor=False)
    for block, theirs in zip(encoder.blocks, other.layers, strict=True):
        attention = block.self_attention
        parts = [attention.q_proj, attention.k_proj, attention.v_proj]
        weights = {f"self_attn.in_proj_{kind}": torch.cat([getattr(p, kind) for p in parts]) for kind in ("weight", "bias")}
        weights |= {f"self_attn.out_proj.{kind}": getattr(attention.out_proj, kind) for kind in ("weight", "bias")}
        for name in ("linear1", "linear2", "norm1", "norm2"):
            ours = getattr(block.feed_forward if name.startswith("linear") else block, name)
            weights |= {f"{name}.{kind}": getattr(ours, kind) for kind in ("weight", "bias")}
        theirs.load_state_dict(weights)
    return other.eval()


bert = use_part("MaskedLanguageModel")  # yours, where it has passed
torch.manual_seed(0)
model = bert(len(NAMES), d_model=64, num_heads=4, num_layers=2, d_ff=128, max_len=40).eval()
ids = padded([ids_of(text) for text in texts])
with torch.no_grad():
    theirs = pytorchs_encoder(model.encoder, 4)(model.embedding(ids), src_key_padding_mask=ids == PAD)
    difference = (theirs - model.encode(ids)).abs()[ids != PAD].max()
print(f"largest difference: {difference:.1e}")

# %% [markdown]
# The same numbers, up to rounding: your encoder is BERT's.
#
# ## Pre-training
#
# Fresh holes in every batch: the same sentence comes back with other holes, so the text lasts longer than it is. The rate climbs, then falls, as in unit 10.

# %% part="demo" folded=False
loss_of, STEPS = use_part("masked_lm_loss"), 1500


def new_bert(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return bert(len(NAMES), d_model=64, num_heads=4, num_layers=2, d_ff=128, max_len=40)


def optimizer_of(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01)


def pre_train(model: nn.Module, batches: Sequence[Tensor], steps: int) -> list[float]:
    draws, losses = torch.Generator().manual_seed(0), []
    optimizer = optimizer_of(model, 3e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: min((i + 1) / 100, (steps - i) / (steps - 100)))
    for _ in range(steps):
        ids = batches[int(torch.randint(len(batches), (), generator=draws))]
        corrupted, labels = hide(ids, len(NAMES), MASK, SPECIAL, draws)
        loss = loss_of(model(corrupted), labels)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


unlabelled = sorted((ids_of(pair.chinese) for pair in sample(None, 12_800, seed=1)), key=len)
batches = [padded(unlabelled[i : i + 64]) for i in range(0, len(unlabelled), 64)]  # of like length
pre_trained = new_bert(0)
losses = pre_train(pre_trained, batches, STEPS)

# %% part="demo" folded=True
steps = list(range(50, STEPS + 1, 50))
show(lines(steps, {"masked_lm_loss": [sum(losses[i - 50 : i]) / 50 for i in steps]}, "step", "loss, mean of 50 steps",
           title="Pre-training on holes: nobody has labelled anything", markers=False))

# %% [markdown]
# A model that knows nothing and takes all ids for equally likely has a loss of about 6.4, the logarithm of the vocabulary's size. It will never reach 0:
# nobody can know *which* number stood in a price.
#
# **Predict first.** 三[MASK]书. Each of these characters counts something: 本 bound things, 张 flat ones, 只 animals, 个 anything. Which one does the
# model put first?

# %% part="demo"
predict("13-hole", "Which character comes first in the hole of 三▢书?", choices=("本", "张", "只", "个", "another one"))

# %% part="demo" folded=False
@torch.no_grad()
def fill(model: nn.Module, text: str, best: int = 4) -> list[tuple[str, float]]:
    """The likeliest tokens at the first hole (▢) of a text, each with its probability."""
    ids = torch.tensor([ids_of(text)])
    chances = model.eval()(ids)[0, text.index("▢")].softmax(dim=-1)
    return [(NAMES[i], float(chances[i])) for i in chances.topk(best).indices.tolist()]


holes = ["三▢书", "昨天我买了三▢书", "十一▢二十日", "百分▢三点五", "星期▢下午", "我▢他高"]
table([(hole, *(f"{name} {100 * chance:.0f} %" for name, chance in fill(pre_trained, hole))) for hole in holes],
      ["with a hole", "first", "second", "third", "fourth"])

# %% part="demo"
first = fill(pre_trained, "三▢书")[0][0]
outcome("13-hole", first if first in ("本", "张", "只", "个") else "another one")

# %% part="demo"
from autograder.notebook.my_filler import keep_bert

keep_bert(pre_trained)

# %% [markdown]
# The last cell keeps the weights. In a terminal, in the folder `notebooks`, your own parts now fill other holes:
# `python -m my_transformer --fill "三[MASK]书"`.
#
# Read the table for what is *grammar* and what is knowledge. Some holes leave one answer, and the model is sure. Others leave many, and a good model shares its
# chances among them. Where it is wrong it is often wrong in the right way: a character that counts something, a digit for a digit. (It has read 12,800 short phrases.
# BERT read 3.3 billion words.)
#
# ## One label for a sentence
#
# Now the first use. The encoder gives a vector for each token; a classifier wants **one** vector. We take the mean over the real tokens. (BERT puts a
# special token `[CLS]` in front and reads its vector. The mean needs no such token.)

# %% [markdown] exercise="SequenceClassifier" part="prompt" points=6 difficulty=3 minutes=15
# ## Exercise 5 · `SequenceClassifier`
#
# Write `forward`.
#
# | argument | shape | meaning |
# |---|---|---|
# | `ids` | `(batch, seq)` | sentences, padded; at least one real token in each |
# | returns | `(batch, num_classes)` | raw scores for the classes |
#
# - `self.encoder_model` is a `MaskedLanguageModel`: its `encode(ids)` gives the vectors. The head that fills holes is not used.
# - The mean runs over the **real** tokens of each sentence: padding counts neither in the sum nor in the number. What is padding says
#   `self.encoder_model.pad_id`.
# - Then `self.output`, a linear layer. No softmax.

# %% exercise="SequenceClassifier" part="solution"
class SequenceClassifier(nn.Module):
    """A label for a sentence: the mean of the encoder's vectors, then a linear layer."""

    def __init__(self, encoder_model: nn.Module, num_classes: int) -> None:
        super().__init__()
        self.encoder_model = encoder_model
        self.output = nn.Linear(encoder_model.embedding.token.embedding_dim, num_classes)

    def forward(self, ids: Tensor) -> Tensor:
        """ids: (batch, seq)   returns: (batch, num_classes)"""
        ### BEGIN SOLUTION
        vectors = self.encoder_model.encode(ids)
        real = (ids != self.encoder_model.pad_id).unsqueeze(-1)  # (batch, seq, 1)
        mean = (vectors * real).sum(dim=1) / real.sum(dim=1)
        return self.output(mean)
        ### END SOLUTION

# %% exercise="SequenceClassifier" part="check"
check(SequenceClassifier, keeps_inputs, right_shape, finite, same_in_eval, matches)

# %% [markdown] exercise="SequenceClassifier" part="hints"
# - A table that is 1 at real tokens and 0 at padding does two things: it takes padding out of the sum, and its own sum is the number of real tokens.
# - `(batch, seq)` does not broadcast against `(batch, seq, d_model)`. `unsqueeze(-1)` adds an axis at the end.

# %% [markdown]
# ### What are labels worth?
#
# The task: what kind of phrase is it (a date, a price, a comparison, ...)? There are 13 kinds. Two encoders of the same size:
#
# - **from scratch**: new weights, trained on the labels alone;
# - **pre-trained**: the encoder that has filled holes, then trained on the same labels, with the same rate, for the same 120 steps.
#
# Each of them with 50, 200 and 1,000 labels, three times with other labels and other first weights of the top layer. Measured on 600 phrases that none of them has
# read, not even unlabelled.
#
# **Predict first.** With 50 labels there are about four for each kind. By how many percentage points is the pre-trained encoder better there? And where is its lead
# largest?

# %% part="demo"
predict("13-lead-50", "How many percentage points does pre-training add at 50 labels?", unit="points")

# %% part="demo"
predict("13-where", "At how many labels is the lead of the pre-trained encoder largest?", choices=("50", "200", "1000"))

# %% part="demo" folded=False
import copy

classify = use_part("SequenceClassifier")
KINDS = [kind.name for kind in kinds() if kind.held_out]  # hand-written phrases have no test side


def with_kinds(pairs: Sequence[Pair]) -> tuple[Tensor, Tensor]:
    return padded([ids_of(pair.chinese) for pair in pairs]), torch.tensor([KINDS.index(pair.kind) for pair in pairs])


def fine_tune(model: nn.Module, ids: Tensor, labels: Tensor, seed: int, steps: int = 120) -> nn.Module:
    """`model` gives logits, of which the last axis is the classes; labels of −100 do not count."""
    draws, optimizer = torch.Generator().manual_seed(seed), optimizer_of(model, 1e-3)
    for _ in range(steps):
        some = torch.randint(len(ids), (32,), generator=draws)
        loss = F.cross_entropy(model(ids[some]).flatten(0, -2), labels[some].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


@torch.no_grad()
def accuracy(model: nn.Module, ids: Tensor, labels: Tensor) -> float:
    right = model(ids).argmax(dim=-1) == labels
    return float(right[labels >= 0].float().mean())


unseen = with_kinds(sample(KINDS, 600, seed=5, split="test", unique=True))
COUNTS, RUNS = (50, 200, 1000), 3
found: dict[str, dict[int, list[float]]] = {"from scratch": {}, "pre-trained": {}}
for count in COUNTS:
    for seed in range(RUNS):
        ids, labels = with_kinds(sample(KINDS, count, seed=100 + seed))
        for name in found:
            encoder = new_bert(1 + seed) if name == "from scratch" else copy.deepcopy(pre_trained)
            torch.manual_seed(seed)
            classifier = fine_tune(classify(encoder, len(KINDS)), ids, labels, seed)
            found[name].setdefault(count, []).append(accuracy(classifier, *unseen))

# %% part="demo" folded=True
def told(shares: Sequence[float]) -> tuple[float, float, float]:
    return sum(shares) / len(shares), min(shares), max(shares)


show(lines(COUNTS, {name: tuple(zip(*(told(by[count]) for count in COUNTS), strict=True)) for name, by in found.items()},
           "labels", "right, of 600 unseen phrases", logx=True, percent=True, title=f"Mean of {RUNS} runs; the band runs from the worst to the best"))
mean = {name: {count: told(by[count])[0] for count in COUNTS} for name, by in found.items()}
spread = {name: {count: max(by[count]) - min(by[count]) for count in COUNTS} for name, by in found.items()}
table([(count, *(f"{100 * mean[name][count]:.1f} % (spread {100 * spread[name][count]:.1f})" for name in found)) for count in COUNTS],
      ["labels", *found])

# %% part="demo"
lead = {count: mean["pre-trained"][count] - mean["from scratch"][count] for count in COUNTS}
outcome("13-lead-50", 100 * lead[50], unit="points")
outcome("13-where", str(max(lead, key=lambda count: lead[count])))

# %% [markdown]
# Compare the lead with the spread before you believe it: a lead that is smaller than the spread between two runs says little. And compare along the
# other axis: how many labels does the model from scratch need to be as good as the pre-trained one with 50?
#
# Then look at 1,000 labels. Is there any lead left, or has it turned round? Pre-training is a loan for those who have few labels. Who has many may
# learn the same from them.
#
# What was pre-training told about kinds of phrase? Nothing. But to fill a hole in a price, it helps to know that this *is* a price.
#
# ## Two more uses, tried
#
# **A label for each token.** Written Chinese has no spaces. Where does a word begin? 昨天|我|买|了|三|本|书. The corpus knows its words, so the
# labels are there: 1 where a word begins, 0 inside a word, −100 at padding. The top layer reads **every** vector, no mean.
#
# **Two sentences.** Are these two phrases of the same kind? Both go in as one row, 昨天我买了三本书⟨eos⟩两点半⟨eos⟩, and the segments say which token
# belongs to which: 0 for the first sentence, 1 for the second. One encoder reads both, so tokens of one can attend to tokens of the other. The top layer
# reads the mean.
#
# **Predict first.** 200 labelled sentences each, pre-trained against scratch. (Our pre-training has seen one sentence at a time, never two, and
# segment 1 not once. BERT's own had a second task, whether one sentence follows another in a text; Liu and others, 2019, left it out and lost nothing.) For which use does pre-training add more?

# %% part="demo"
predict("13-uses", "Which use gains more from pre-training?", choices=("a label for each token", "two sentences", "about the same"))

# %% part="demo" folded=False
class TokenLabels(nn.Module):
    """Two scores for each token."""

    def __init__(self, encoder_model: nn.Module) -> None:
        super().__init__()
        self.encoder_model, self.output = encoder_model, nn.Linear(64, 2)

    def forward(self, ids: Tensor) -> Tensor:
        return self.output(self.encoder_model.encode(ids))  # (batch, seq, 2)


class TwoSentences(TokenLabels):
    """Two scores for a row that holds two sentences, each ended by EOS."""

    def forward(self, ids: Tensor) -> Tensor:
        ends = (ids == EOS).cumsum(dim=1)
        segments = (ends - (ids == EOS).long()).clamp(max=1)  # the first EOS belongs to the first sentence
        real = (ids != PAD).unsqueeze(-1)
        return self.output((self.encoder_model.encode(ids, segments) * real).sum(dim=1) / real.sum(dim=1))


def word_starts(pairs: Sequence[Pair]) -> tuple[Tensor, Tensor]:
    starts = [[int(i == 0) for word in pair.words for i, _ in enumerate(word.partition("/")[0])] for pair in pairs]
    ids = padded([ids_of(pair.chinese) for pair in pairs])
    return ids, (padded(starts).masked_fill(ids == PAD, -100))


def same_kind(pairs: Sequence[Pair], seed: int) -> tuple[Tensor, Tensor]:
    """Half of the rows hold two phrases of one kind."""
    by_kind = {kind: [pair for pair in pairs if pair.kind == kind] for kind in KINDS}
    draws, rows, labels = torch.Generator().manual_seed(seed), [], []
    for k, pair in enumerate(pairs):
        others = by_kind[pair.kind] if k % 2 else pairs
        other = others[int(torch.randint(len(others), (), generator=draws))]
        rows.append([*ids_of(pair.chinese), EOS, *ids_of(other.chinese), EOS])
        labels.append(int(pair.kind == other.kind))
    return padded(rows), torch.tensor(labels)


long_enough = [pair for pair in sample(KINDS, 800, seed=31, split="test", unique=True) if len(pair.source) < 18]
gains, rows = {}, []
for use, kind_of_model, train, test in (
    ("a label for each token", TokenLabels, word_starts(sample(KINDS, 200, seed=30)), word_starts(long_enough)),
    ("two sentences", TwoSentences, same_kind([p for p in sample(KINDS, 220, seed=32) if len(p.source) < 18][:200], 0), same_kind(long_enough, 1)),
):
    scores = {}
    for name in found:
        encoders = [new_bert(11 + seed) if name == "from scratch" else copy.deepcopy(pre_trained) for seed in range(2)]
        scores[name] = sum(accuracy(fine_tune(kind_of_model(e), *train, seed), *test) for seed, e in enumerate(encoders)) / 2
    always = float(test[1][test[1] >= 0].float().mean())
    rows.append((use, *(f"{100 * scores[name]:.1f} %" for name in found), f"{100 * max(always, 1 - always):.1f} %"))
    gains[use] = scores["pre-trained"] - scores["from scratch"]
table(rows, ["200 labelled sentences", *found, "always the commoner answer"])

# %% part="demo"
token, two = gains["a label for each token"], gains["two sentences"]
outcome("13-uses", "about the same" if abs(token - two) < 0.02 else max(gains, key=lambda use: gains[use]))

# %% [markdown]
# The last column is what you get without looking: a model below it has learnt nothing. ("About the same" means within 2 points.)
#
# The fourth use, **extraction**, is a label for each token in disguise: two scores for each token of the text, one for "the answer starts here" and one for "it ends here".
#
# ## What you built
#
# - `mask_tokens` and `masked_lm_loss`: a task that any text sets by itself.
# - `TokenEmbedding` and `MaskedLanguageModel`: BERT, equal to PyTorch's encoder.
# - `SequenceClassifier`: one label, from the same encoder that filled holes.
#
# ## Test yourself
#
# **1.** 15 % of the ordinary tokens are chosen. Which share of them shows `[MASK]` to the model, and for which share does the loss ask?
#
# <details><summary>Answer</summary>
#
# 12 % show `[MASK]` (80 % of 15 %). The loss asks for all 15 %.
# </details>
#
# **2.** What would a model with a causal mask make of [MASK]本书?
#
# <details><summary>Answer</summary>
#
# At the hole it would have seen nothing but the hole: what comes behind is hidden. So it could only give the most frequent first characters.
# </details>
#
# **3.** A batch holds six tokens, and none is chosen. How likely is that, and what does your loss give?
#
# <details><summary>Answer</summary>
#
# 0.85⁶, about 38 %. The loss gives 0, and no weight gets a gradient from it.
# </details>
#
# **4.** Two sentences in one row: why would positions alone not tell which token belongs to which?
#
# <details><summary>Answer</summary>
#
# The first sentence can be of any length, so place 5 is sometimes in the first and sometimes in the second. Segments say it at each token.
# </details>
#
# **5.** You fine-tune on 50 labels and reach 90 %; your friend, with other 50 labels, 84 %. Is your model better?
#
# <details><summary>Answer</summary>
#
# Not shown. With so few labels, runs differ by points from the choice of labels and first weights alone. Compare means over several runs, beside their spread.
# </details>
#
# ## Sources
#
# - Devlin, Chang, Lee, Toutanova, *BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding* (2019): the task in section 3.1, the uses in figure 4.
# - Hung-yi Lee, *Machine Learning 2021*: the lectures on self-supervised learning and BERT, with the four cases of use.
# - Liu et al., *RoBERTa: A Robustly Optimized BERT Pretraining Approach* (2019), section 4.2.
# - Hendrycks, Gimpel, *Gaussian Error Linear Units* (2016).
# - Vaswani et al., *Attention Is All You Need* (2017), section 3.4: tied weights.
#
# **Next:** unit 14, GPT. The other half of the machine, alone, with the parts of today.
