# %% [markdown]
# # 09 · The decoder: the whole machine
#
# **By the end you can**
#
# - say why a translator built from two RNNs forgets long sentences, and what attention does about it;
# - write the decoder block: masked self-attention, cross-attention, feed-forward;
# - put encoder and decoder together into the Transformer of "Attention Is All You Need", and let it write a sentence;
# - compare your model with PyTorch's `nn.Transformer`, and show that no word of it peeks at the future.
#
# **Time:** about two hours, 80 minutes of them for the exercises.
# **You need:** units 05 to 08 (multi-head attention, embedding, masks, encoder).

# %% part="setup"
import math

import torch
from torch import Tensor, nn

from autograder import (
    begin, blind_to_padding, blind_to_the_future, check, decodes_in_eval_mode, encodes_once, finite, hears, hint,
    keeps_inputs, matches, nothing_after_eos, outcome, predict, restores_the_mode, right_sentences, right_shape, same_sentence_alone,
    same_twice, stops_in_time, use_part,
)

begin("09_decoder")

# %% part="setup"
# Earlier units' parts: your own where they passed their checks.
MultiHeadAttention = use_part("MultiHeadAttention")
TransformerEmbedding = use_part("TransformerEmbedding")
padding_mask, decoder_mask = use_part("padding_mask"), use_part("decoder_mask")
LayerNorm, FeedForward = use_part("LayerNorm"), use_part("FeedForward")
Encoder = use_part("Encoder")

# %% [markdown]
# ## The idea: read all, then write one word at a time
#
# A translator gets a sentence of one length and owes you a sentence of another. The encoder of unit 08 gives one vector for
# each token that it reads: it cannot write three words for five characters, and nobody knows in advance how many words there
# will be. The lecture calls this *sequence to sequence*, and the answer has two parts:
#
# - The **encoder** reads the whole source.
# - The **decoder** writes the target, one token at a time. What it has written so far, it reads again before each step.
#
# The decoder begins with a special token, BOS ("beginning of sentence"). It ends by writing another one, EOS ("end of
# sentence"). So the model itself decides how long its answer is.

# %% part="demo" folded=True
from autograder.lab.figures import Arrow, Box, flow, show

boxes = {
    "source": Box("机 器 学 习 EOS", 0.5, 0, shape="text"), "encoder": Box("encoder", 0.5, 1, "blue"),
    "memory": Box("one vector for\neach source token", 0.5, 2, "grey"), "decoder": Box("decoder", 2.5, 2, "orange"),
    "so far": Box("BOS machine", 2.5, 1, shape="text"), "next": Box("learning", 2.5, 3, "green"),
}
arrows = [
    Arrow("source", "encoder"), Arrow("encoder", "memory"), Arrow("memory", "decoder", "looks at"),
    Arrow("so far", "decoder"), Arrow("decoder", "next", "next token"),
    Arrow("next", "so far", "written so far", bend=0.9, at=0.8, dashed=True),
]
show(flow(boxes, arrows, title="The encoder reads once, the decoder writes token by token"))

# %% [markdown]
# ## What the decoder reads: shifted right
#
# While it trains, the decoder is asked for **all** next tokens at once. At place $t$ it should predict token $t$ of the
# target, and it may read only what stands before it. So what it reads is the target moved one place to the right, with
# BOS in front:
#
# | place | 0 | 1 | 2 |
# |---|---|---|---|
# | the decoder reads | BOS | machine | learning |
# | it should write | machine | learning | EOS |
#
# The last token falls off the end: nothing comes after it.

# %% [markdown] exercise="shift_right" part="prompt" points=4 difficulty=1 minutes=6
# ## Exercise 1 · `shift_right`
#
# Make what the decoder reads out of what it should write.
#
# | argument | shape | meaning |
# |---|---|---|
# | `ids` | `(batch, seq)`, integers | the targets, each ended by its EOS and padded |
# | `bos_id` | a number | the id of BOS |
# | returns | `(batch, seq)`, integers | each row moved one place to the right, BOS in front, its last entry gone |
#
# All rows move alike, whatever stands in them. A padded row loses only a 0, so its EOS remains; the loss ignores the
# places after it. Leave `ids` as it is, and return a new tensor.

# %% exercise="shift_right" part="solution"
def shift_right(ids: Tensor, bos_id: int = 1) -> Tensor:
    """What the decoder reads, out of what it should write.

    ids:     (batch, seq), integers
    returns: (batch, seq), integers: BOS, then each row without its last entry
    """
    ### BEGIN SOLUTION
    bos = torch.full_like(ids[:, :1], bos_id)
    return torch.cat([bos, ids[:, :-1]], dim=1)
    ### END SOLUTION

# %% exercise="shift_right" part="check"
check(shift_right, keeps_inputs, right_shape, matches)

# %% [markdown] exercise="shift_right" part="hints"
# - Write one row on paper: 7 8 9 EOS. What does the decoder read at place 0? At place 1? Which token does it never read?
# - `ids[:, :-1]` is every row without its last entry. A column has the shape `(batch, 1)`, and `torch.cat` joins along
#   an axis.
# - `torch.full_like(x, value)` makes a tensor with the shape, type and device of `x`.

# %% [markdown]
# ## How it came about: two RNNs
#
# Before the Transformer, both parts were RNNs (Sutskever and others, 2014). The encoder's **last state** was handed to
# the decoder as its first state. Everything that the decoder would ever know of the source had to fit into this one
# vector.
#
# Bahdanau and others (2015) removed this limit: **all** encoder states are kept. At each step the decoder makes a query,
# compares it with each of them, and takes a weighted sum: attention, years before the Transformer. Their score was unit
# 02's `additive_score`, and what was found went into the RNN's next step. The model below has the simpler form of Luong and
# others (2015): the RNN steps first, its state is the query, the score is a product, and what was found is joined to the state.
#
# **The task.** The source is a row of letters, up to 12 of them. The target is the same row, **reversed**. There is
# nothing to understand here, but every letter counts. That makes it a good test of memory.

# %% part="demo" folded=True
PAD, BOS, EOS = 0, 1, 2
LETTERS = "abcdefgh"  # ids 4 to 11; id 3 is the course's "unknown"
VOCAB, LONGEST = 4 + len(LETTERS), 12
torch.set_num_threads(1)  # on a CPU, tensors as small as these are faster without sharing the work


def letter_rows(count: int, lengths: tuple[int, int], seed: int) -> tuple[Tensor, Tensor]:
    """Sources and their reversals, each ended by EOS and padded, (count, longest + 1)."""
    drawn = torch.Generator().manual_seed(seed)
    length = torch.randint(lengths[0], lengths[1] + 1, (count, 1), generator=drawn)
    place = torch.arange(int(length.max()) + 1).expand(count, -1)
    source = torch.randint(4, VOCAB, place.shape, generator=drawn) * (place < length)
    target = source.gather(1, (length - 1 - place).clamp(min=0)) * (place < length)
    return source + EOS * (place == length), target + EOS * (place == length)


def spelled(ids: Tensor) -> str:
    names = ["·", "BOS", "EOS", "?", *LETTERS]
    return " ".join(names[i] for i in ids.tolist())


for source, target in zip(*letter_rows(2, (3, 6), seed=8), strict=True):
    print(f"source {spelled(source):24} target {spelled(target)}")

# %% [markdown]
# Here is the model, once without and once with attention. A GRU is an RNN with gates that help it to remember (Cho and
# others, 2014). Both models have the same layers; the one without attention leaves `ask` and `join` unused.

# %% part="demo" folded=False
attend = use_part("masked_attention")  # unit 07


class TwoRNNs(nn.Module):
    """An RNN that reads and an RNN that writes, with or without attention between them."""

    def __init__(self, with_attention: bool, d_model: int = 64) -> None:
        super().__init__()
        self.with_attention = with_attention
        self.reads, self.writes = nn.Embedding(VOCAB, d_model), nn.Embedding(VOCAB, d_model)
        self.reader = nn.GRU(d_model, d_model, batch_first=True)
        self.writer = nn.GRU(d_model, d_model, batch_first=True)
        self.ask, self.join = nn.Linear(d_model, d_model), nn.Linear(2 * d_model, d_model)
        self.output = nn.Linear(d_model, VOCAB)

    def encode(self, source: Tensor) -> Tensor:
        return self.reader(self.reads(source))[0]  # one state for each source token

    def decode(self, target: Tensor, states: Tensor, source: Tensor) -> Tensor:
        last = (source != PAD).sum(dim=1) - 1
        summary = states[torch.arange(len(states)), last]  # the state after the last real token
        written = self.writer(self.writes(target), summary[None])[0]
        if self.with_attention:
            found, self.weights = attend(self.ask(written)[:, None], states[:, None], states[:, None], padding_mask(source))
            written = torch.tanh(self.join(torch.cat([written, found[:, 0]], dim=-1)))
        return self.output(written)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        states = self.encode(source)
        return self.decode(target, states, source)

# %% [markdown]
# Training goes as it will in unit 10: the decoder reads the *right* target so far (this is called **teacher forcing**)
# and is asked for the next token at every place at once. `greedy_decode`, which lets a model write, is the last exercise of
# this unit; a working one stands in.

# %% part="demo" folded=True
shifted, write = use_part("shift_right"), use_part("greedy_decode")


def train(model: nn.Module, steps: int = 400, peak: float = 4e-3) -> float:
    """The last loss after `steps` batches of 64 rows; the rate climbs for 50 steps, then falls to 0."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: min((i + 1) / 50, (steps - i) / (steps - 50)))
    for step in range(steps):
        source, target = letter_rows(64, (2, LONGEST), seed=step)
        logits = model(source, shifted(target))
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=PAD)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return loss.item()


def exact_match(model: nn.Module, length: int, count: int = 200) -> float:
    """The share of fresh rows of this length that come out right to the last letter."""
    source, target = letter_rows(count, (length, length), seed=1_000_000 + length)
    answer = write(model, source, length + 1)
    answer = nn.functional.pad(answer, (0, length + 1 - answer.shape[1]))
    return float((answer == target).all(dim=1).float().mean())

# %% [markdown]
# **Predict first.** A row counts only if all of it is right. Sketch exact match against the length of the row, from 2 to 15, for
# both models. Training rows have at most 12 letters. Does attention help short rows too, or only long ones? What happens at 13?

# %% part="demo"
predict("09-bottleneck", "Without attention: the longest rows of which half come out right?", unit="letters")

# %% part="demo" folded=True
from autograder.lab.figures import lines

lengths, curves, models = list(range(2, 16)), {}, {}
for name, with_attention in (("two RNNs", False), ("two RNNs with attention", True)):
    torch.manual_seed(0)
    models[name] = TwoRNNs(with_attention)
    loss = train(models[name])
    curves[name] = [exact_match(models[name], length) for length in lengths]
    print(f"{name}: last loss {loss:.4f}")
show(lines(lengths, curves, "length of the row (letters)", "exact match", percent=True,
           title="Reversing rows of letters: trained on 2 to 12"))
outcome("09-bottleneck", max((n for n, right in zip(lengths, curves["two RNNs"]) if right >= 0.5), default=0), "letters")

# %% [markdown]
# The model without attention starts well and then loses its grip: one vector of 64 numbers has to hold the whole row.
# This is the **bottleneck**. More training or a wider state would probably push it further out, so do not read the curve as a law; but
# the state has a fixed size, and rows do not. With attention, the decoder goes back and looks, and the number of
# vectors grows with the row.
#
# ### Where it looks: the alignment
#
# For each letter that is being **written** (a row), the weights over the source. Bahdanau and others drew the same picture
# for French and English and called it the *alignment*. What shape do you expect for a reversal?

# %% part="demo" folded=True
from autograder.lab.figures import attention_map

source, target = letter_rows(1, (8, 8), seed=5)
model = models["two RNNs with attention"].eval()
model(source, shifted(target))
show(attention_map(model.weights[0, 0].detach(), spelled(target[0]).split(), spelled(source[0]).split(),
                   axes=("letters written", "source letters"), title="Alignment: where each letter comes from"))

# %% [markdown]
# A copy would give a falling diagonal; a reversal gives one from top right to bottom left. Nobody told it to run backwards: the loss
# asked only for the right letters. (Here the darkest cell mostly stands one place behind the letter itself: an RNN's state still
# remembers there what it has just read.)
#
# So attention between decoder and encoder is older than the Transformer, which drops the RNNs. **Reading** becomes
# self-attention (unit 08's encoder), **writing** becomes self-attention with a mask, and only the bridge between the two
# stays. Today it is called **cross-attention**.

# %% [markdown]
# ## The decoder block
#
# Three sub-layers, each with a residual connection and a norm. With $x$ the target so far, one row for each token, and
# $m$ the encoder's output, one row for each source token:
#
# $$x \leftarrow \text{norm}_1\big(x + \text{SelfAttention}(x, x, x)\big)$$
# $$x \leftarrow \text{norm}_2\big(x + \text{CrossAttention}(x, m, m)\big)$$
# $$x \leftarrow \text{norm}_3\big(x + \text{FeedForward}(x)\big)$$
#
# | symbol | meaning | shape |
# |---|---|---|
# | $x$ | target tokens, as the block before left them | `(batch, seq_target, d_model)` |
# | $m$ | the encoder's output, the same in every block | `(batch, seq_source, d_model)` |
# | SelfAttention | queries, keys, values from $x$; **the future is hidden** | |
# | CrossAttention | **queries from $x$, keys and values from $m$**; the source's padding is hidden | |
# | FeedForward | unit 08's, each place by itself | |
#
# This is post-norm, the order of the lecture and the paper. Pre-norm, as in unit 08, puts the norm in front of each
# sub-layer, $x \leftarrow x + \text{SubLayer}(\text{norm}(x))$, and in cross-attention only $x$ goes through the norm. It also
# needs a final norm, behind the last block.

# %% [markdown]
# ### Cross-attention in numbers
#
# The lecture's picture: the decoder makes one query $q$ and the encoder has three outputs $a^1, a^2, a^3$. Say
# $q = (2, 0)$, and the keys of the three outputs are $k^1 = (0, 1)$, $k^2 = (\sqrt2\,\ln 2, 0)$, $k^3 = (0, 3)$.
#
# - Scores $q \cdot k^i / \sqrt{2}$: 0, $2 \ln 2$, 0. (A key has 2 numbers, so the scale is $\sqrt2$.)
# - $e^0 = 1$, $e^{2 \ln 2} = 4$, $e^0 = 1$, together 6. The weights are $\frac16, \frac46, \frac16$.
# - With values $v^1 = (6, 0)$, $v^2 = (0, 6)$, $v^3 = (6, 6)$ the answer is $\frac16 v^1 + \frac46 v^2 + \frac16 v^3 = (2, 5)$.
#
# The cell does the same with PyTorch (`@` multiplies matrices, `.T` transposes). One query, three keys: nothing says that the
# two lengths must agree.

# %% part="demo"
query, keys = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0], [math.sqrt(2) * math.log(2), 0.0], [0.0, 3.0]])
values = torch.tensor([[6.0, 0.0], [0.0, 6.0], [6.0, 6.0]])
weights = torch.softmax(query @ keys.T / math.sqrt(2), dim=-1)
print("weights", weights.numpy().round(4), " answer", (weights @ values).numpy().round(4))

# %% [markdown] exercise="DecoderBlock" part="prompt" points=10 difficulty=3 minutes=20 forbids="scaled_dot_product_attention MultiheadAttention"
# ## Exercise 2 · `DecoderBlock`
#
# Write `forward` for both orders, post-norm and pre-norm. The parts are there: `self.self_attention`,
# `self.cross_attention` (both unit 05's, so each returns `output, weights`), `self.feed_forward`, `self.norm1`,
# `self.norm2`, `self.norm3`. The norms belong to the three sub-layers in this order.
#
# | argument | shape | meaning |
# |---|---|---|
# | `x` | `(batch, seq_target, d_model)` | the target so far |
# | `encoder_output` | `(batch, seq_source, d_model)` | what the encoder made of the source |
# | `target_mask` | broadcasts to `(batch, num_heads, seq_target, seq_target)` | which target places each target place may see, or `None` |
# | `source_mask` | broadcasts to `(batch, num_heads, seq_target, seq_source)` | which source places each target place may see, or `None` |
# | returns | `(batch, seq_target, d_model)` | |
#
# - `self.norm_first` is False for post-norm, True for pre-norm.
# - `self.dropout` goes on the output of each sub-layer, before the residual is added. It does nothing in evaluation mode;
#   two cases of the check look at it in training mode.
# - The block makes no mask of its own. It passes on what it gets.
#
# Call the attention layers as `self.cross_attention(...)`. Later cells listen to this call to draw the weights.

# %% exercise="DecoderBlock" part="solution"
class DecoderBlock(nn.Module):
    """Masked self-attention, cross-attention, feed-forward; each with a residual and a norm."""

    def __init__(
        self, d_model: int, num_heads: int, d_ff: int, dropout: float = 0.0, norm_first: bool = False
    ) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, num_heads)
        self.cross_attention = MultiHeadAttention(d_model, num_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = LayerNorm(d_model), LayerNorm(d_model), LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)
        self.norm_first = norm_first

    def forward(
        self, x: Tensor, encoder_output: Tensor, target_mask: Tensor | None = None, source_mask: Tensor | None = None
    ) -> Tensor:
        """x: (batch, seq_target, d_model)   encoder_output: (batch, seq_source, d_model)

        target_mask: boolean, broadcastable to (batch, num_heads, seq_target, seq_target), True where visible
        source_mask: boolean, broadcastable to (batch, num_heads, seq_target, seq_source), True where visible
        returns:     (batch, seq_target, d_model)
        """
        ### BEGIN SOLUTION
        if self.norm_first:
            y = self.norm1(x)
            x = x + self.dropout(self.self_attention(y, y, y, target_mask)[0])
            y = self.norm2(x)
            x = x + self.dropout(self.cross_attention(y, encoder_output, encoder_output, source_mask)[0])
            return x + self.dropout(self.feed_forward(self.norm3(x)))
        x = self.norm1(x + self.dropout(self.self_attention(x, x, x, target_mask)[0]))
        found, _ = self.cross_attention(x, encoder_output, encoder_output, source_mask)
        x = self.norm2(x + self.dropout(found))
        return self.norm3(x + self.dropout(self.feed_forward(x)))
        ### END SOLUTION

# %% exercise="DecoderBlock" part="check"
check(
    DecoderBlock, keeps_inputs, right_shape, finite, blind_to_the_future("x", mask="target_mask"),
    hears("encoder_output"), matches,
)

# %% [markdown] exercise="DecoderBlock" part="hints"
# - Take unit 08's encoder block and put a second attention between the two sub-layers. What is different about it: its
#   keys and values come from somewhere else, and so does its mask.
# - Each attention returns two things, and you need the first. Which two of the three arguments of `cross_attention` are
#   the same tensor?
# - Pre-norm: keep `x` as it is for the residual and give the sub-layer the normed copy. The encoder's output has been
#   normed at the end of the encoder, so it goes in as it comes.

# %% [markdown] exercise="Decoder" part="prompt" points=5 difficulty=2 minutes=8 forbids="scaled_dot_product_attention MultiheadAttention"
# ## Exercise 3 · `Decoder`
#
# The stack: `num_layers` blocks, one after the other. **Every block looks at the same encoder output**, the one that
# the encoder's last block left (and, in pre-norm, its last norm). Both masks go to every block.
#
# `forward(x, encoder_output, target_mask=None, source_mask=None)` takes the same arguments as a block. In pre-norm there is a
# last norm, `self.norm`, behind the last block. In post-norm `self.norm` is None.

# %% exercise="Decoder" part="solution"
class Decoder(nn.Module):
    """`num_layers` decoder blocks; in pre-norm, one norm more at the end."""

    def __init__(
        self, num_layers: int, d_model: int, num_heads: int, d_ff: int, dropout: float = 0.0, norm_first: bool = False
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)
        )
        self.norm = LayerNorm(d_model) if norm_first else None

    def forward(
        self, x: Tensor, encoder_output: Tensor, target_mask: Tensor | None = None, source_mask: Tensor | None = None
    ) -> Tensor:
        """x: (batch, seq_target, d_model)   encoder_output: (batch, seq_source, d_model)   masks: as in DecoderBlock

        returns: (batch, seq_target, d_model)
        """
        ### BEGIN SOLUTION
        for block in self.blocks:
            x = block(x, encoder_output, target_mask, source_mask)
        return x if self.norm is None else self.norm(x)
        ### END SOLUTION

# %% exercise="Decoder" part="check"
check(
    Decoder, keeps_inputs, right_shape, finite, blind_to_the_future("x", mask="target_mask"),
    hears("encoder_output"), matches,
)

# %% [markdown] exercise="Decoder" part="hints"
# - Unit 08's encoder with two more arguments on the way. What comes out of one block goes into the next. What does not
#   change from block to block?
# - `self.norm` is None in post-norm. Ask for that before you call it.

# %% [markdown]
# ## The whole machine
#
# Here is all of it, each box with the unit that builds it and the shape of what it hands on. Both stacks begin at the bottom.

# %% part="demo" folded=True
from autograder.lab.machine import whole_machine

show(whole_machine("09", shapes=True))

# %% [markdown]
# What is missing now is small:
#
# - an **embedding** for each language (unit 06's, with positions), and dropout behind it;
# - the **masks**: padding in the source, padding and future in the target (unit 07's);
# - the **output layer**, which turns each of the decoder's vectors into one number for each token of the target
#   vocabulary. These numbers are called **logits**. The softmax makes probabilities of them.
#
# **Tied weights.** The target embedding is a table of `(target_vocab, d_model)`: a vector for each token. The output
# layer's matrix has the same shape: a vector for each token, with which the decoder's output is multiplied. The paper
# (section 3.4) uses *one* table for both. That saves `target_vocab · d_model` weights. One table means: one tensor, not two
# with equal numbers, so that each training step changes both uses together. (The paper ties the source embedding too.
# Chinese and English share few tokens, so here it stays apart.)
#
# On the way in, the embedding multiplies by $\sqrt{d_\text{model}}$. That is unit 06's business: the output layer uses the table
# as it is.

# %% [markdown] exercise="Transformer" part="prompt" points=12 difficulty=4 minutes=25 forbids="scaled_dot_product_attention MultiheadAttention"
# ## Exercise 4 · `Transformer`
#
# Write the three methods, and the line that ties the weights.
#
# | method | takes | returns |
# |---|---|---|
# | `encode(source)` | source ids `(batch, seq_source)` | the encoder's output `(batch, seq_source, d_model)` |
# | `decode(target, encoder_output, source)` | target ids `(batch, seq_target)`, what `encode` made, and the source ids for their padding | logits `(batch, seq_target, target_vocab)` |
# | `forward(source, target)` | both ids | the same logits |
#
# - `target` is **what the decoder reads**. It has been shifted right already (exercise 1), so nothing in here shifts.
# - `encode` hides the source's padding. `decode` hides the future and the target's padding in its self-attention, and the source's padding
#   in its cross-attention. Padding is 0.
# - `self.dropout` goes on the embedded ids, tokens and positions together, on both sides.
# - `tie_weights=True`: the output layer's weight *is* the target embedding's, `self.target_embedding.embedding.weight`. The output layer's
#   bias is its own.
#
# The last lines of `__init__` give the linear layers their starting weights (Xavier) and leave the embeddings alone. Their own start,
# small enough for $\sqrt{d_\text{model}}$ to make them as large as the positions, helps the model to train.

# %% exercise="Transformer" part="solution"
class Transformer(nn.Module):
    """Encoder and decoder: `logits = model(source, target)`."""

    def __init__(
        self, source_vocab: int, target_vocab: int, d_model: int = 128, num_heads: int = 4, num_layers: int = 2,
        d_ff: int = 512, dropout: float = 0.1, max_len: int = 256, norm_first: bool = False, tie_weights: bool = True,
    ) -> None:
        super().__init__()
        self.source_embedding = TransformerEmbedding(source_vocab, d_model, max_len)
        self.target_embedding = TransformerEmbedding(target_vocab, d_model, max_len)
        self.encoder = Encoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.decoder = Decoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.output = nn.Linear(d_model, target_vocab)
        self.dropout = nn.Dropout(dropout)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
        if tie_weights:
            ### BEGIN SOLUTION
            self.output.weight = self.target_embedding.embedding.weight
            ### END SOLUTION

    def encode(self, source: Tensor) -> Tensor:
        """source: (batch, seq_source), ids; returns (batch, seq_source, d_model)"""
        ### BEGIN SOLUTION
        x = self.dropout(self.source_embedding(source))
        return self.encoder(x, padding_mask(source))
        ### END SOLUTION

    def decode(self, target: Tensor, encoder_output: Tensor, source: Tensor) -> Tensor:
        """target: (batch, seq_target), ids, already shifted right; returns logits (batch, seq_target, target_vocab)"""
        ### BEGIN SOLUTION
        x = self.dropout(self.target_embedding(target))
        x = self.decoder(x, encoder_output, decoder_mask(target), padding_mask(source))
        return self.output(x)
        ### END SOLUTION

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Both ids; returns logits (batch, seq_target, target_vocab)"""
        ### BEGIN SOLUTION
        return self.decode(target, self.encode(source), source)
        ### END SOLUTION

# %% exercise="Transformer" part="check"
check(
    Transformer, keeps_inputs, right_shape, finite, blind_to_the_future("target"), blind_to_padding("source"),
    hears("source"), matches,
)

# %% [markdown] exercise="Transformer" part="hints"
# - `encode` is two steps: ids to vectors, vectors through the encoder. Which of unit 07's masks depends on padding alone?
# - `decode` needs two masks, and each is made from the ids whose places are the *keys* of its attention. Whose places
#   are the keys in cross-attention?
# - `forward` has nothing left to do but to call the other two in order.
# - A weight of a PyTorch layer is an attribute, and an attribute can be assigned. Afterwards `a.weight is b.weight`
#   should be True. Copying the numbers makes two tensors that part at the first training step.

# %% [markdown]
# ## Writing: one token at a time
#
# While it trains, the model predicts all places at once, since the right target is known. When it translates, there is
# no target. So:
#
# 1. Encode the source, **once**.
# 2. Start the target with BOS.
# 3. Decode. The logits at the **last** place say what comes next. Take the best token and put it behind the others.
# 4. Go on, until the sentence ends.
#
# Always taking the best token is called **greedy** decoding. (Unit 11 searches wider. Unit 12 makes it faster: here,
# each step reads the whole target again.)
#
# **When does a sentence end?** The lecture's model stops when it writes its full stop, 句號. Ours stops at **EOS**, a token that
# stands for nothing else and ends every target: a number has no full stop at its end, and a text has many.
#
# **In a batch**, sentences end at different steps. The short ones have to wait for the long ones, and the model will
# write *something* behind their EOS. That must not stay: behind a sentence's EOS there is padding, 0.

# %% [markdown] exercise="greedy_decode" part="prompt" points=9 difficulty=4 minutes=20
# ## Exercise 5 · `greedy_decode`
#
# | argument | | meaning |
# |---|---|---|
# | `model` | | has `encode(source)` and `decode(target, encoder_output, source)`, as in exercise 4 |
# | `source` | `(batch, seq_source)`, integers | source ids |
# | `max_len` | a number | a sentence has at most so many tokens, its EOS counted |
# | `bos_id`, `eos_id` | numbers | what starts and what ends a target |
# | returns | `(batch, length)`, integers | the sentences, **without BOS**, each with its EOS and 0 behind it |
#
# - Stop when every sentence has ended, however short or long its source is, or after `max_len` tokens. So `length` is that of the longest sentence. (A
#   result that is filled up to `max_len` with 0 passes as well: columns of nothing but padding are not judged.)
# - Only `eos_id` ends a sentence: a 0 that the model itself writes is a token like any other. A sentence that has not ended after
#   `max_len` tokens stays as it is. No EOS is forced on it.
# - The encoder runs **once**, not at each step. Running it again would cost time and give the same output.
# - The model may come in training mode, where dropout is on. Decode in evaluation mode (`model.eval()`), and **leave the model in the
#   mode in which it came** (`model.training` tells, `model.train(...)` sets it).
#
# `@torch.no_grad()` is there: nobody needs gradients of a translation.

# %% exercise="greedy_decode" part="solution"
@torch.no_grad()
def greedy_decode(model: nn.Module, source: Tensor, max_len: int, bos_id: int = 1, eos_id: int = 2) -> Tensor:
    """The best next token, again and again, until each sentence has ended.

    source:  (batch, seq_source), ids
    returns: (batch, length), ids without BOS, each sentence ended by EOS and padded with 0; length at most max_len
    """
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    encoder_output = model.encode(source)
    ids = torch.full_like(source[:, :1], bos_id)  # (batch, 1)
    ended = torch.zeros(len(source), dtype=torch.bool, device=source.device)
    for _ in range(max_len):
        logits = model.decode(ids, encoder_output, source)  # (batch, places so far, target_vocab)
        best = logits[:, -1].argmax(dim=-1)
        best = best.masked_fill(ended, 0)
        ids = torch.cat([ids, best[:, None]], dim=1)
        ended = ended | (best == eos_id)
        if ended.all():
            break
    model.train(was_training)
    return ids[:, 1:]
    ### END SOLUTION

# %% exercise="greedy_decode" part="check"
check(
    greedy_decode, keeps_inputs, same_twice, decodes_in_eval_mode, restores_the_mode, nothing_after_eos, encodes_once,
    stops_in_time, same_sentence_alone, right_sentences,
)

# %% [markdown] exercise="greedy_decode" part="hints"
# - Write it for one sentence first: a tensor of ids that begins as one column of BOS and grows by one column in each
#   round of a loop. `logits[:, -1]` is the last place.
# - For a batch, keep one boolean for each sentence: has it ended? What should a sentence that has ended write next?
#   `masked_fill` can see to that before the new column is joined.
# - Two moments matter for the boolean: a sentence that has ended stays ended, and its own EOS must still be written.
# - The loop ends early when all sentences have ended, not when the first one has. BOS is cut off at the very end.

# %% [markdown]
# ## An experiment: the same task, without RNNs
#
# The reversed rows once more, now with the Transformer: two layers, width 64, pre-norm, the same 400 steps on the same rows. (It has
# about 169,000 weights, the RNNs with attention 65,000.)
# (The line above the curves says whose: `use_part` takes yours once its check has passed.)
#
# **Predict first.** Up to 12 letters: better than the RNNs with attention, or worse? And beyond, where nobody has trained, which
# holds on longer?

# %% part="demo"
predict("09-beyond", "On rows of 13 letters, one more than in training, which one gets more right?",
        choices=("two RNNs with attention", "the Transformer", "about the same (within 5 points)"))

# %% part="demo" folded=True
torch.manual_seed(0)
own_transformer = use_part("Transformer")
transformer = own_transformer(VOCAB, VOCAB, d_model=64, num_heads=4, num_layers=2, d_ff=128, dropout=0.0, norm_first=True)
loss = train(transformer)
curves["Transformer"] = [exact_match(transformer, length) for length in lengths]
print(f"Transformer: last loss {loss:.4f}")
show(lines(lengths, curves, "length of the row (letters)", "exact match", percent=True,
           title="Reversing rows of letters: trained on 2 to 12"))
lead = curves["Transformer"][lengths.index(13)] - curves["two RNNs with attention"][lengths.index(13)]
outcome("09-beyond", "about the same (within 5 points)" if abs(lead) <= 0.05 else "the Transformer" if lead > 0 else "two RNNs with attention")
source, target = letter_rows(1, (15, 15), seed=9)
print(f"15 letters      {spelled(source[0])}\nit should write {spelled(target[0])}")
for name, model in (("RNNs, attention", models["two RNNs with attention"]), ("Transformer", transformer)):
    print(f"{name:<15} {spelled(write(model, source, 20)[0])}")

# %% [markdown]
# Up to 12 letters there is no bottleneck in either of the two. Beyond, both fall, and fast: exact match asks for every letter. Count
# the letters that each wrote of the 15. To an RNN a place is just the next one, however far away. The Transformer knows places by their
# vectors, and no training row reached place 13: it never learned to use that place's vector. Long rows to train on are the usual cure.
#
# So what was won, if both can do the task? An RNN takes one step after another, in training too. In the Transformer, all places of a
# layer are computed at once (unit 01 measured what that is worth on your machine), and any two tokens are one step apart.
#
# ### Cross-attention, drawn
#
# A *forward hook* is a function that PyTorch calls whenever a layer has run. It listens to `cross_attention` of each block and keeps the
# weights, mean over the heads. A row is named by the letter that is being **written** there. Which block does the looking-up?

# %% part="demo" folded=True
from autograder.lab.figures import attention_maps

heard = []
hooks = [
    block.cross_attention.register_forward_hook(lambda layer, given, output: heard.append(output[1][0].mean(dim=0)))
    for block in transformer.decoder.blocks
]
source, target = letter_rows(1, (8, 8), seed=5)
with torch.no_grad():
    transformer.eval()(source, shifted(target))
for hook in hooks:
    hook.remove()
show(attention_maps(heard, ["block 1", "block 2"], spelled(target[0]).split(), spelled(source[0]).split(),
                    axes=("letters written", "source letters"), title="Cross-attention of both blocks", values=False))

# %% [markdown]
# The alignment may stand in one of the pictures, or in the two together. A mean also hides what single heads do.
#
# The course's **explorer** shows them one by one. Choose a row of letters, a layer and a head in its menus. (Where nothing can be
# chosen, you see one still figure.) The decoder's self-attention has the letters that it **reads** at its columns, beginning with BOS.

# %% part="demo" folded=True
from autograder.lab.explorer import explore, record

recordings = []
for seed in (5, 6, 7):
    source, target = letter_rows(1, (8, 8), seed=seed)
    letters, written = spelled(source[0]).split(), spelled(target[0]).split()
    recordings.append(record(transformer, source, shifted(target), tokens=letters, written=written, bos="BOS", name=" ".join(letters)))
explore(recordings, layer="decoder, block 2, cross-attention")

# %% [markdown]
# ## The comparison with `nn.Transformer`
#
# PyTorch has the whole model too, without embeddings and output layer. Its masks mean the opposite (True is hidden), its query, key and
# value matrices are stacked into one, and in post-norm it puts **one norm more** behind each stack, which we remove. The
# paper has none there. The first cell copies the weights under PyTorch's names, the second compares. The class is the one of
# the experiment above (yours, if `use_part` said so there); the model is a fresh, small one, in post-norm.

# %% part="demo" folded=True
NAMES = {"blocks": "layers", "self_attention": "self_attn", "cross_attention": "multihead_attn", "feed_forward.": ""}


def in_pytorchs_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    named = {}
    for name, weight in weights.items():
        for ours, theirs in NAMES.items():
            name = name.replace(ours, theirs)
        named[name] = weight
    for name in [name for name in named if "q_proj" in name]:
        three = [named.pop(name.replace("q_proj", f"{letter}_proj")) for letter in "qkv"]
        named[name.replace("q_proj.", "in_proj_")] = torch.cat(three)
    return {name: weight for name, weight in named.items() if name.startswith(("encoder", "decoder"))}


torch.manual_seed(0)
ours = own_transformer(11, 13, d_model=16, num_heads=4, num_layers=3, d_ff=32, dropout=0.0)
theirs = nn.Transformer(16, 4, 3, 3, 32, dropout=0.0, batch_first=True)
theirs.encoder.norm = theirs.decoder.norm = None
print(theirs.load_state_dict(in_pytorchs_names(ours.state_dict())))

# %% part="demo" folded=False
source = torch.tensor([[4, 9, 7, 5, 2], [6, 8, 2, 0, 0]])  # the second sentence is padded
target = torch.tensor([[1, 5, 7, 12], [1, 9, 0, 0]])
future = torch.ones(4, 4, dtype=torch.bool).triu(1)
states = theirs(
    ours.source_embedding(source), ours.target_embedding(target), tgt_mask=future, src_key_padding_mask=source == 0,
    tgt_key_padding_mask=target == 0, memory_key_padding_mask=source == 0,
)
logits, same = ours(source, target), ours.output(states)
weights_of_loss = torch.randn(logits.shape)
gradients = [
    torch.autograd.grad((result * weights_of_loss).sum(), weight)[0]
    for result, weight in ((logits, ours.encoder.blocks[0].feed_forward.linear1.weight),
                           (same, theirs.encoder.layers[0].linear1.weight))
]
for name, one, other in (("logits", logits, same), ("a gradient in the encoder", *gradients)):
    print(f"{name:26} largest difference {(one - other).abs().max():.1e}   (largest number {one.abs().max():.2f})")

# %% [markdown]
# float32 keeps about seven digits, so expect differences around $10^{-6}$, not 0. The gradient was taken in the encoder's first block: it has
# come all the way from the logits, through the decoder and its cross-attention.
#
# ### No leak anywhere
#
# Now a property worth seeing directly. Change one of the tokens that the decoder **reads**, and see at which
# places the logits move, that is, which predictions of the next token.
#
# **Predict first.** Where in the picture may something be coloured?

# %% part="demo"
predict("09-leak", "When the token read at place 3 is changed, logits move at:",
        choices=("places 3 and later", "places 4 and later only", "places up to 3", "all places"))

# %% part="demo" folded=False
from autograder.lab.figures import leak_map

model = transformer.eval()
source, target = letter_rows(1, (6, 6), seed=11)
reads = shifted(target)
with torch.no_grad():
    before = model(source, reads)[0]
    moved = []
    for place in range(reads.shape[1]):
        changed = reads.clone()
        changed[0, place] = 4 + (changed[0, place] - 3) % len(LETTERS)  # another letter
        moved.append((model(source, changed)[0] - before).abs().amax(dim=-1))
names = [f"{place}: reads {token}" for place, token in enumerate(spelled(reads[0]).split())]
show(leak_map(torch.stack(moved), names, title="Which logits move when one token that is read is changed"))
places = (moved[3] > 0).nonzero().flatten().tolist()
answers = {(3, 4, 5, 6): "places 3 and later", (4, 5, 6): "places 4 and later only", (0, 1, 2, 3): "places up to 3"}
outcome("09-leak", answers.get(tuple(places), "all places"))
print("largest movement before the changed token:", float(torch.stack(moved).tril(-1).max()))

# %% [markdown]
# The number below the picture is exactly 0, not small: a weight that the mask hides is exactly 0, and 0 times anything adds nothing.
#
# ### Alone, and beside longer sentences
#
# The last property: a sentence is translated the same, whatever else is in the batch. Here are 50 rows of different lengths,
# each once alone and once in the padded batch.

# %% part="demo"
source, target = letter_rows(50, (2, LONGEST), seed=77)
together = write(transformer, source, LONGEST + 1)
different = 0
for row, sentence in enumerate(together):
    alone = write(transformer, source[row : row + 1, : int((source[row] != PAD).sum())], LONGEST + 1)[0]
    different += not torch.equal(alone, sentence[: len(alone)]) or bool(sentence[len(alone) :].any())
print(f"{different} of {len(source)} rows are written differently alone and in the batch")

# %% [markdown]
# ## What you built
#
# - `shift_right`: what the decoder reads while it trains.
# - `DecoderBlock` and `Decoder`: self-attention without the future, cross-attention to the source, feed-forward.
# - `Transformer`: the whole model of the paper, with tied weights; equal to PyTorch's within rounding (compared in post-norm).
# - `greedy_decode`: it writes, one token after the other, for a whole batch at once.
#
# Unit 10 trains this model on Chinese and English. Until then it reverses letters.
#
# ## Questions to test yourself
#
# <details><summary>1. In cross-attention, seq_target = 4 and seq_source = 9. What is the shape of one head's weights, and which axis sums to 1?</summary>
#
# (4, 9): a row for each target place, a column for each source place. Each row sums to 1.
# </details>
#
# <details><summary>2. Why does cross-attention need no causal mask?</summary>
#
# Its keys are source places. The whole source is known before the first target token is written, so there is no future in it.
# </details>
#
# <details><summary>3. Somebody forgets shift_right in training. The loss falls to almost 0 in no time. Why, and what does the model write?</summary>
#
# At each place the decoder reads the very token that it should write, and learns to copy it. Writing by itself it starts from BOS, copies
# what it reads, and has learned nothing about what comes next.
# </details>
#
# <details><summary>4. Why must the loop of greedy_decode go on when the first sentence of a batch has ended?</summary>
#
# The others have not. The one that has ended waits, and padding is written for it.
# </details>
#
# <details><summary>5. tie_weights=True with target_vocab = 10,000 and d_model = 128: how many weights are saved?</summary>
#
# 10,000 · 128 = 1,280,000: one table in place of two. The output layer's bias stays, 10,000 numbers.
# </details>
#
# <details><summary>6. In pre-norm, why does the encoder's output not go through norm2?</summary>
#
# It has been through the encoder's last norm already.
# </details>
#
# ## Sources
#
# - Hung-yi Lee (李宏毅), lecture "Transformer" (Machine Learning, 2021), both parts: sequence to sequence, the autoregressive decoder, masked
#   self-attention, cross-attention, when to stop.
# - Vaswani et al., "Attention Is All You Need" (2017), sections 3.1 (stacks), 3.2.3 (the three uses of attention), 3.4 (shared
#   embedding and output weights).
# - Sutskever, Vinyals and Le, "Sequence to Sequence Learning with Neural Networks" (2014): two RNNs and one vector between them.
# - Cho et al., "Learning Phrase Representations using RNN Encoder–Decoder" (2014): the GRU.
# - Bahdanau, Cho and Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate" (2015): attention between two RNNs, and
#   the alignment pictures.
# - Luong, Pham and Manning, "Effective Approaches to Attention-based Neural Machine Translation" (2015): the form that is trained here.
# - Press and Wolf, "Using the Output Embedding to Improve Language Models" (2017): tied weights.
# - PyTorch documentation of `torch.nn.Transformer`.
#
# **Next:** unit 10. The model is built. Now it learns to translate.
