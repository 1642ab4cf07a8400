# %% [markdown]
# # 10 · Training: 机器学习 → machine learning
#
# You have built the whole machine, and it knows nothing: ask it for a translation and it answers noise. In this unit it
# learns. At the end it turns 机器学习 into *machine learning* and 二〇二六年十一月二十日 into a date, with weights that you have
# trained yourself, within minutes, on the machine in front of you.
#
# - **You will be able to** turn text into batches, write the loss, the schedule and the step that train a Transformer, read
#   the two curves that tell whether it learns, and find a bug by what they show.
# - **Time:** about two hours, of which 75 minutes are exercises and a few are waiting.
# - **You need:** units 07 (masks) and 09 (the model, `shift_right`, `greedy_decode`). Whatever you have not finished there is
#   filled in by a working part.
#
# Special ids, as everywhere: `<pad>` 0, `<bos>` 1, `<eos>` 2, `<unk>` 3.

# %% part="setup"
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from autograder import (
    begin,
    check,
    finite,
    gives_the_loss,
    has_course_weights,
    hint,
    ignores_padding,
    keeps_inputs,
    knows_specials,
    matches,
    outcome,
    predict,
    right_shape,
    same_entries,
    tells_the_watcher,
    translates,
    updates_the_model,
    use_part,
)

begin("10_training")
shift_right = use_part("shift_right")

# %% [markdown]
# ## The data
#
# The course brings its own corpus: a generator of Chinese phrases, each with one English translation. Numbers, dates, times,
# prices, sentences whose time phrase moves. It never runs out, and its translations are exact. A tenth of all sources is kept for testing:
# they are never drawn for training.

# %% part="demo" folded=True
from autograder.lab.corpus import gloss, sample
from autograder.lab.tables import table

shown = [sample(kind, 1, seed=4)[0] for kind in ("numbers", "dates", "clock_times", "money", "sentences", "phrases")]
table([(pair.kind, pair.chinese, " ".join(f"{word}={meaning}" for word, meaning in gloss(pair)), pair.english) for pair in shown],
      ["kind", "Chinese", "word by word", "English"])

# %% [markdown]
# Chinese is cut into single characters, English into words, and figures into digits. The model sees only their numbers, so the
# way from text to training is
#
# **pairs of texts → ids → batches → logits → loss → gradients → a step**, again and again.
#
# You build each arrow. First the ids.

# %% [markdown] exercise="build_vocabulary" part="prompt" points=6 difficulty=2 minutes=10
# ## Exercise 1 · `build_vocabulary`
#
# Give every token a number. Frequent tokens get small numbers.
#
# | argument | meaning |
# |---|---|
# | `sequences` | a list of token sequences, for instance `[["three", "books"], ["two", "books"]]` |
# | `max_size` | `None`, or how many entries the dict may have at most, **the four special ones included** (it is at least 4) |
# | `min_count` | a token that is seen fewer times than this is left out |
# | returns | a dict: token → id, the ids running from 0 without a gap |
#
# The four special tokens come first: `<pad>` is 0, `<bos>` 1, `<eos>` 2, `<unk>` 3. Then come the tokens of the
# sequences, the most frequent first. Of two that are equally frequent, the one that **appears first** comes first. When
# there are more than `max_size` allows, the rarest fall out.
#
# With the example: `books` is seen twice and gets 4, then `three` 5 and `two` 6.

# %% exercise="build_vocabulary" part="solution"
def build_vocabulary(
    sequences: Sequence[Sequence[str]], max_size: int | None = None, min_count: int = 1
) -> dict[str, int]:
    """An id for each token.

    sequences: token sequences
    max_size:  the largest number of entries, special ones included; None for no limit
    min_count: tokens seen fewer times are left out
    returns:   token -> id: <pad> 0, <bos> 1, <eos> 2, <unk> 3, then by falling count, ties in order of appearance
    """
    ### BEGIN SOLUTION
    counts = Counter(token for sequence in sequences for token in sequence)
    frequent = [token for token, count in counts.most_common() if count >= min_count]
    names = ["<pad>", "<bos>", "<eos>", "<unk>", *frequent][:max_size]
    return {name: number for number, name in enumerate(names)}
    ### END SOLUTION

# %% exercise="build_vocabulary" part="check"
check(build_vocabulary, keeps_inputs, knows_specials, same_entries)

# %% [markdown] exercise="build_vocabulary" part="hints"
# - First count, then sort, then number. Python's `collections.Counter` counts, and a dict remembers the order in which its
#   keys came.
# - Python's sorting is stable: entries that compare as equal keep the order that they had. `Counter.most_common()` relies
#   on that as well.
# - Leave out what is too rare, put the four special names in front, cut the list to `max_size`, and only then number it.

# %% [markdown] exercise="collate" part="prompt" points=5 difficulty=2 minutes=8
# ## Exercise 2 · `collate`
#
# Make a batch: two rectangles of ids out of a list of pairs of different lengths.
#
# | argument | meaning |
# |---|---|
# | `pairs` | a list of pairs `(source_ids, target_ids)`: lists of ids that already end in `<eos>` |
# | `pad_id` | the id that fills up short sequences |
# | returns | `(source, target)`, integer tensors `(batch, seq_source)` and `(batch, seq_target)` |
#
# Padding stands at the end. Each side is as long as **its own** longest sequence, not longer. The order of the pairs stays.
# Add no `<bos>` and no second `<eos>`; leave the lists as they are.

# %% exercise="collate" part="solution"
def collate(pairs: Sequence[tuple[Sequence[int], Sequence[int]]], pad_id: int = 0) -> tuple[Tensor, Tensor]:
    """A batch from pairs of id lists.

    pairs:   (source ids, target ids), each ending in EOS
    pad_id:  fills up short sequences at their end
    returns: (batch, seq_source) and (batch, seq_target), integers
    """
    ### BEGIN SOLUTION
    def padded(sequences: list[Sequence[int]]) -> Tensor:
        longest = max(len(ids) for ids in sequences)
        return torch.tensor([[*ids, *[pad_id] * (longest - len(ids))] for ids in sequences])

    return padded([source for source, _ in pairs]), padded([target for _, target in pairs])
    ### END SOLUTION

# %% exercise="collate" part="check"
check(collate, keeps_inputs, right_shape, matches)

# %% [markdown] exercise="collate" part="hints"
# - Write a small function that pads one list of sequences, and call it once for each side.
# - A list times a number repeats the list: `[0] * 3` is `[0, 0, 0]`. A list plus a list is a new, longer list; the old ones
#   stay as they are.
# - `torch.tensor` makes a tensor of a list of lists, when all of them are equally long.

# %% [markdown]
# ## Batches of like length
#
# A batch is a rectangle, so short sequences are filled up with `<pad>`. Padding is computed like everything else, and thrown
# away. How much there is depends on which pairs share a batch.
#
# **Predict first.** We cut the same 6,400 pairs into batches of 64 twice: as they come, and sorted by length within groups of
# 3,200.

# %% part="demo"
predict("10-padding", "As they come: what share of all places is padding?", unit="%")

# %% part="demo" folded=False
from autograder.lab.training import by_length, course_vocabularies

vocabularies = course_vocabularies(use_part("build_vocabulary"))
collated = use_part("collate")
ids = [vocabularies.ids(pair) for pair in sample(None, 6400, seed=5)]
as_they_come = [ids[i : i + 64] for i in range(0, 6400, 64)]
padding = {}
for name, groups in {"as they come": as_they_come, "by length": by_length(ids, 64)}.items():
    places = torch.cat([tensor.flatten() for group in groups for tensor in collated(group)])
    padding[name] = (len(places), 100 * float((places == 0).float().mean()))
outcome("10-padding", padding["as they come"][1], "%")
table([(name, *found) for name, found in padding.items()], ["batches", "places", "padding (%)"])

# %% [markdown]
# The same words, in fewer places. From here on, batches are cut by length, and then come in random order.
#
# ## The loss
#
# At each place of the target, the model gives a probability to every word. The plain **cross-entropy** is minus the logarithm
# of the probability of the right word. It is content only when that probability is 1, so it pushes the logits apart for ever.
# **Label smoothing** (the paper, section 5.4) asks for a little less: the right word should get $1 - \varepsilon$, and all
# others share $\varepsilon$.
#
# $$q_w = \begin{cases} 1 - \varepsilon & w = y \\ 0 & w = \texttt{<pad>} \\ \dfrac{\varepsilon}{V - 2} & \text{otherwise}\end{cases}
# \qquad \text{loss} = -\frac{1}{N} \sum_{\text{real places}} \; \sum_w q_w \log p_w$$
#
# | symbol | meaning |
# |---|---|
# | $y$ | the right word at this place |
# | $V$ | `vocab_size`; the $V - 2$ others are all but the right word and padding |
# | $\varepsilon$ | the smoothing, 0.1 in the paper |
# | $q_w$, $p_w$ | the wanted probability of word $w$, and the model's: the softmax of its logits |
# | $N$ | the number of real places in the batch: padding is not counted |
#
# A small example, one place, five words, $\varepsilon = 0.1$. The right word is number 3.

# %% part="demo" folded=True
logits = torch.tensor([0.0, 1.0, 0.0, 3.0, 1.0])
wanted = torch.tensor([0.0, 0.1 / 3, 0.1 / 3, 0.9, 0.1 / 3])
log_p = logits.log_softmax(dim=0)
rows = [(w, float(logits[w]), float(log_p[w].exp()), float(wanted[w]), float(-wanted[w] * log_p[w])) for w in range(5)]
print(f"loss: {-(wanted * log_p).sum():.4f}, without smoothing: {-log_p[3]:.4f}")
table(rows, ["word", "logit", "p", "q", "−q log p"])

# %% [markdown]
# The smallest loss is now not 0 but the entropy of $q$, reached when $p = q$. In this unit, with 819 words, this floor is about 1.0.

# %% [markdown] exercise="label_smoothed_loss" part="prompt" points=8 difficulty=3 minutes=15
# ## Exercise 3 · `label_smoothed_loss`
#
# Compute the loss of the formula above.
#
# | argument | shape | meaning |
# |---|---|---|
# | `logits` | `(batch, seq, vocab_size)` | raw scores, before any softmax |
# | `targets` | `(batch, seq)`, integers | the right ids, padded |
# | `pad_id` | a number | the id of padding: its positions do not count, and it gets no probability mass |
# | `smoothing` | a number | $\varepsilon$, the mass that is taken from the right token |
# | returns | `()` | the mean over all real target tokens of the whole batch (there is at least one) |
#
# Logits may be large; the loss stays finite, and gradients flow to the logits. Padding positions get no gradient.

# %% exercise="label_smoothed_loss" part="solution"
def label_smoothed_loss(logits: Tensor, targets: Tensor, pad_id: int = 0, smoothing: float = 0.1) -> Tensor:
    """Cross-entropy against the smoothed labels, a mean over the real tokens.

    logits:    (batch, seq, vocab_size)
    targets:   (batch, seq), integers
    pad_id:    positions with this target do not count; its column gets no mass
    smoothing: the mass shared by the vocab_size − 2 other tokens
    returns:   ()
    """
    ### BEGIN SOLUTION
    log_probabilities = torch.log_softmax(logits, dim=-1)
    share = smoothing / (logits.shape[-1] - 2)
    wanted = torch.full_like(log_probabilities, share)
    wanted.scatter_(-1, targets.unsqueeze(-1), 1 - smoothing)
    wanted[..., pad_id] = 0.0
    losses = -(wanted * log_probabilities).sum(dim=-1)  # (batch, seq)
    return losses[targets != pad_id].mean()
    ### END SOLUTION

# %% exercise="label_smoothed_loss" part="check"
check(label_smoothed_loss, keeps_inputs, right_shape, finite, ignores_padding, matches)

# %% [markdown] exercise="label_smoothed_loss" part="hints"
# - Build the table of wanted probabilities first, `(batch, seq, vocab_size)`: everywhere the small share, then 1 − ε at the
#   right ids, then 0 in the column of padding. `scatter_` writes one number into each row, at the place that an index tensor
#   names.
# - `torch.log_softmax` gives logarithms of probabilities without overflow. `log(softmax(x))` is the same on paper only.
# - For the mean, leave the padding positions out of the sum *and* out of the count. A boolean tensor as an index keeps the
#   entries where it is True.

# %% [markdown]
# ## The schedule
#
# How large should a step be? The paper begins with tiny steps, lets the rate rise, and then lets it fall (section 5.3). One reason
# to begin small: Adam divides each gradient by its usual size, and in the first steps it does not know the usual size yet.
#
# $$\text{rate} = d_\text{model}^{-0.5} \cdot \min\left(\text{step}^{-0.5},\; \text{step} \cdot \text{warmup}^{-1.5}\right)$$
#
# Two curves: one rises with the step, the other falls with its square root. The smaller one counts. Both meet at
# $\text{step} = \text{warmup}$, where the rate is $1/\sqrt{d_\text{model} \cdot \text{warmup}}$.

# %% [markdown] exercise="warmup_schedule" part="prompt" points=4 difficulty=1 minutes=5 relative=1e-5 absolute=1e-9
# ## Exercise 4 · `warmup_schedule`
#
# The learning rate of one step, by the paper's formula above.
#
# | argument | meaning |
# |---|---|
# | `step` | the number of the step; **the first is 1** |
# | `d_model` | the width of the model |
# | `warmup_steps` | how many steps the rate rises |
# | returns | the rate, a number |

# %% exercise="warmup_schedule" part="solution"
def warmup_schedule(step: int, d_model: int, warmup_steps: int) -> float:
    """The paper's learning rate: rising in a straight line, then falling with the square root of the step.

    step:    from 1
    returns: the learning rate of this step
    """
    ### BEGIN SOLUTION
    rising = step * warmup_steps**-1.5
    falling = step**-0.5
    return d_model**-0.5 * min(rising, falling)
    ### END SOLUTION

# %% exercise="warmup_schedule" part="check"
check(warmup_schedule, matches)

# %% [markdown] exercise="warmup_schedule" part="hints"
# - There are two curves in the formula, one that rises with the step and one that falls. `min` takes the smaller.
# - Both meet at `step == warmup_steps`. Put the numbers in: what is each of them there?
# - `x ** -0.5` is one over the square root.

# %% [markdown]
# Here is the paper's schedule beside the one that this unit's recipe uses: up in 200 steps, then in a straight line to 0.

# %% part="demo" folded=True
from autograder.lab.figures import attention_map, lines, show
from autograder.lab.training import RECIPE

steps = list(range(1, RECIPE.steps + 1, 20))
schedule = use_part("warmup_schedule")
show(lines(steps, {
    "paper, 200 warm-up steps": [schedule(step, RECIPE.d_model, 200) for step in steps],
    "paper, 1,000 warm-up steps": [schedule(step, RECIPE.d_model, 1000) for step in steps],
    "this unit's recipe": [RECIPE.rate(step) for step in steps],
}, "step", "learning rate", markers=False))

# %% [markdown]
# The paper's rate never reaches 0. We know how many steps we have, so we let it go down to 0, and the weights settle.
#
# ## One step
#
# What does the decoder read, and what must it say? Write the rows for one sentence under one another.

# %% part="demo" folded=True
source, target = collated([vocabularies.ids(pair) for pair in sample("measures", 2, seed=8)])
names = {number: token for token, number in vocabularies.target.items()}
read = shift_right(target)
table([("the decoder reads", *(names[int(i)] for i in read[0])), ("it must say", *(names[int(i)] for i in target[0]))],
      ["place", *map(str, range(target.shape[1]))])

# %% [markdown]
# At each place it reads the word *before* the one it must say. This is unit 09's **teacher forcing**. All places are
# computed at once, and the causal mask keeps each from looking ahead.
#
# Now and then a batch has a huge gradient. **Clipping** limits it. When the norm of all gradients together,
# $\lVert g \rVert = \sqrt{\sum g_i^2}$, is above 1, all of them are divided by it. The direction stays.

# %% [markdown] exercise="train_step" part="prompt" points=8 difficulty=3 minutes=15
# ## Exercise 5 · `train_step`
#
# One step of training. In this order:
#
# 1. put the model into training mode (somebody may just have evaluated it);
# 2. compute the logits: the decoder reads the target **shifted right**, so that at each place it is to name the token that
#    it has not seen yet;
# 3. compute `label_smoothed_loss` of the logits and the target, with its default smoothing;
# 4. compute fresh gradients: whatever gradients were left over from before must not count;
# 5. **clip** them: where the norm of all gradients together is above 1.0, scale them all down to norm 1.0; where it is below,
#    leave them as they are;
# 6. let the optimizer take its step.
#
# | argument | meaning |
# |---|---|
# | `model` | called as `model(source, decoder_input)`, gives logits `(batch, seq, vocab_size)` |
# | `batch` | `(source, target)`, as `collate` makes it, padded with 0 |
# | `optimizer` | a PyTorch optimizer over the model's weights |
# | returns | the loss of this batch, a Python number |
#
# `shift_right` from unit 09 stands ready; your `label_smoothed_loss` is there as well.

# %% exercise="train_step" part="solution"
def train_step(model: nn.Module, batch: tuple[Tensor, Tensor], optimizer: torch.optim.Optimizer) -> float:
    """One step: loss, gradients, clipping to norm 1, update.

    batch:   source (batch, seq_source) and target (batch, seq_target), ids that end in EOS
    returns: the loss before the update
    """
    ### BEGIN SOLUTION
    source, target = batch
    model.train()
    logits = model(source, shift_right(target))  # (batch, seq_target, vocab_size)
    loss = label_smoothed_loss(logits, target)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
    optimizer.step()
    return loss.item()
    ### END SOLUTION

# %% exercise="train_step" part="check"
check(train_step, keeps_inputs, updates_the_model, gives_the_loss, matches)

# %% [markdown] exercise="train_step" part="hints"
# - `backward()` **adds** to the gradients that are there. When must they be cleared?
# - Write the three rows for one sentence on paper: what the decoder reads, what it must say, what the loss compares.
# - `torch.nn.utils.clip_grad_norm_` computes one norm over all parameters and scales in place, only downwards. It has
#   something to do only between `backward()` and `step()`.

# %% [markdown] exercise="train" part="prompt" points=5 difficulty=2 minutes=8
# ## Exercise 6 · `train`
#
# Many steps. Before each one, set the learning rate; after each one, and before the next, tell whoever is watching.
#
# | argument | meaning |
# |---|---|
# | `model`, `optimizer` | as in `train_step` |
# | `batches` | batches, one for each step (a list, or anything that a `for` loop can go through, once) |
# | `schedule` | `None`, or a function: `schedule(step)` is the learning rate of a step. **The first step is 1.** With `None` the optimizer keeps the rate that it has |
# | `watch` | `None`, or a function: call `watch(step, loss)` after each step |
# | returns | the list of losses, a number for each step |
#
# An optimizer keeps its learning rate in its parameter groups: `group["lr"]` for each `group` in `optimizer.param_groups`.

# %% exercise="train" part="solution"
def train(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
    schedule: Callable[[int], float] | None = None,
    watch: Callable[[int, float], None] | None = None,
) -> list[float]:
    """One `train_step` for each batch.

    schedule: step (from 1) -> learning rate, set before the step
    watch:    told the step and its loss after each step
    returns:  the losses
    """
    ### BEGIN SOLUTION
    losses = []
    for step, batch in enumerate(batches, start=1):
        if schedule is not None:
            for group in optimizer.param_groups:
                group["lr"] = schedule(step)
        loss = train_step(model, batch, optimizer)
        losses.append(loss)
        if watch is not None:
            watch(step, loss)
    return losses
    ### END SOLUTION

# %% exercise="train" part="check"
check(train, keeps_inputs, updates_the_model, gives_the_loss, tells_the_watcher, matches)

# %% [markdown] exercise="train" part="hints"
# - `enumerate(batches, start=1)` gives the number of the step together with its batch.
# - The rate is set **before** the step that uses it. An optimizer may have several groups.
# - `schedule` and `watch` may be `None`: ask before you call them.

# %% [markdown]
# ## Two cheap looks before the long run
#
# Training takes minutes, and a bug would waste them. Two looks take seconds and find many bugs.
#
# **Predict first.** A fresh model has no reason to prefer any of the 819 words. What is its loss on a batch,
# before the first step?

# %% part="demo"
predict("10-first-loss", "What is the loss before the first step?")

# %% part="demo" folded=False
from autograder.lab.training import (
    RECIPE, batches, best_device, error_free, error_table, exact_match, move, new_model, new_optimizer,
    teacher_forced_accuracy, translate, translate_text,
)

torch.set_num_threads(1)  # on a CPU, tensors as small as these gain nothing from sharing the work
greedy_decode, train_it, smoothed = use_part("greedy_decode"), use_part("train"), use_part("label_smoothed_loss")
model = new_model(use_part("Transformer"), vocabularies)
unseen = sample(None, 160, seed=10, split="test", unique=True)
asked = move(collated([vocabularies.ids(pair) for pair in unseen]))


@torch.no_grad()
def loss_of(model: nn.Module, **options: float) -> float:
    return float(smoothed(model(asked[0], shift_right(asked[1])), asked[1], **options))


first_loss = loss_of(model)
outcome("10-first-loss", first_loss)
print(f"{sum(weight.numel() for weight in model.parameters()):,} weights on {best_device()}")
print("机器学习 →", translate_text(model, "机器学习", vocabularies, greedy_decode))

# %% [markdown]
# Whoever gives all words the same probability has the loss $\ln 819 = 6.7$. One far above that says that something is wrong from
# the start. Ours is a little higher, for the fresh model has an opinion after all: whatever it reads, it says again. (The output
# layer is the table of the embeddings, and a vector is most like itself.)
#
# **One batch by heart.** Train on the same 32 pairs again and again. A model that cannot learn even these has a bug, and more data will
# not help.
#
# **Predict first.** After 120 such steps, which phrases can it translate?

# %% part="demo"
predict("10-one-batch", "Which phrases does it translate without a mistake?",
        choices=("most of the 32, hardly any other", "most of the 32, half of the others", "few of the 32"))

# %% part="demo" folded=False
few = sample(None, 32, seed=20)
learns_by_heart = new_model(use_part("Transformer"), vocabularies)
losses = train_it(learns_by_heart, [move(collated([vocabularies.ids(pair) for pair in few]))] * 120, new_optimizer(learns_by_heart))
own, others = (exact_match(learns_by_heart, pairs, vocabularies, greedy_decode) for pairs in (few, unseen))
outcome("10-one-batch", "few of the 32" if own < 0.7 else "most of the 32, hardly any other" if others < 0.1
        else "most of the 32, half of the others")
print(f"loss {losses[0]:.2f} → {losses[-1]:.2f}; right: {own:.0%} of the 32, {others:.0%} of unseen phrases")
print("机器学习 →", translate_text(learns_by_heart, "机器学习", vocabularies, greedy_decode))

# %% [markdown]
# It knows its few phrases by heart, and hardly anything else: look at its answer to 机器学习.
#
# ## Two numbers, always
#
# There are two ways to ask how good the model is.
#
# - **Teacher-forced accuracy**: it reads the right words, and we count how often it names the next one. Cheap: one pass.
# - **Greedy exact match**: it writes by itself, reading its own words, and we count the translations that are right in every
#   word. That is what you want to know.
#
# **Predict first.** A phrase has about seven words. When nine words in ten are named right, how many phrases will be right in
# every word?

# %% part="demo"
predict("10-nine-in-ten", "90 % of the words right: what share of the phrases?", unit="%")

# %% [markdown]
# Now the long run: a pre-norm Transformer with two layers on either side and 0.56 million weights, 4,000 steps of 64 freshly drawn
# pairs. It takes minutes on a CPU; the line below the curves says how long here. The same code runs on CUDA and MPS. Each point of the
# loss curve is a mean over some steps, so it starts below the first loss. The dotted lines are losses to compare with: all words alike;
# the best for somebody who knows how often each word occurs, and nothing of the source; and the floor.
#
# At each measurement the run is saved, with the optimizer's memory, in `checkpoint.pt`. If you stop it, or the machine sleeps, run
# the cells again: it goes on from there.

# %% part="demo" folded=True
from safetensors.torch import save_model

from autograder.lab.checkpoint import Checkpoint
from autograder.lab.curves import LiveCurves

data = batches(vocabularies, collated)
words = torch.cat([target[target != 0] for _, target in data[:200]]).bincount(minlength=len(vocabularies.target)).cpu()
share = words / words.sum()
wanted = share * 0.9 + (1 - share) * 0.1 / (len(share) - 2)  # the mean of the smoothed labels
wanted = wanted[1:] / wanted[1:].sum()  # padding gets nothing
levels = {
    "all words alike": math.log(len(share)),
    "word frequencies alone": float(-(wanted * wanted.log()).sum()),
    "floor": -0.9 * math.log(0.9) - 0.1 * math.log(0.1 / (len(share) - 2)),
}


def measure() -> dict[str, float]:
    return {
        "teacher-forced accuracy": teacher_forced_accuracy(model, asked, shift_right),
        "greedy exact match": exact_match(model, unseen, vocabularies, greedy_decode),
    }


def say() -> dict[str, str]:
    texts = ("机器学习", "差十分十点", "我昨天买了三本书")
    return {text: translate_text(model, text, vocabularies, greedy_decode) or "(nothing)" for text in texts}

# %% part="demo" folded=False
optimizer = new_optimizer(model)
watch = LiveCurves(RECIPE.steps, measure, say=say, levels=levels)
run = Checkpoint("checkpoint.pt", model, optimizer, watch)
train_it(model, data[run.done :], optimizer, lambda step: RECIPE.rate(run.done + step), run)
save_model(model, "translator.safetensors")

# %% part="demo" folded=True
import numpy as np

forced, exact = (watch.measured[name][1] for name in ("teacher-forced accuracy", "greedy exact match"))
outcome("10-nine-in-ten", 100 * float(np.interp(0.9, forced, exact)), "%")
print(f"perplexity on unseen phrases: {math.exp(loss_of(model, smoothing=0.0)):.2f}")

# %% [markdown]
# If words failed independently, $0.9^7 \approx 0.48$ of the phrases would be right. So the second curve starts late. (Your
# number, read off between two measurements, may be higher: mistakes cluster.) Given enough steps, a healthy model **catches up**.
#
# **Perplexity** is $e$ to the plain cross-entropy (your loss with `smoothing=0`): among how many words, as it were, the model still
# hesitates. Guessing gives 819. Label smoothing asks for $p = 0.9$ and no more, so $1/0.9 = 1.11$ is about as low as it gets here.

# %% [markdown] exercise="trained_weights" part="prompt" points=10 difficulty=2 minutes=15 files="translator.safetensors" time_limit=20
# ### Hand in what it has learnt
#
# Your model is its weights. You have trained it and saved them in the cell above, as `translator.safetensors` beside this
# notebook: a file of names and numbers, which runs no code when somebody else opens it. When you hand in this notebook,
# hand in the file with it.
#
# Write `trained_weights()`. It returns all the weights in the file as a dict from name to tensor. Nothing is trained
# while you are graded: your weights are loaded into the course's own Transformer, which translates sources that no
# training pair has. A translation counts when every word is right. From 90 % on you get all the points, up to 10 % none, and
# between them as many as your share of right translations.
#
# Your model may be larger or smaller than ours, up to 3 million numbers, post-norm or pre-norm. Its vocabularies must be the
# course's: an id means the same word to everybody.

# %% exercise="trained_weights" part="solution"
def trained_weights() -> dict[str, Tensor]:
    """The weights of your trained Transformer, by name, from the file beside this notebook.

    returns: every tensor of translator.safetensors, under the name it was saved with
    """
    ### BEGIN SOLUTION
    return load_file("translator.safetensors")
    ### END SOLUTION

# %% exercise="trained_weights" part="check"
check(trained_weights, has_course_weights, translates(0.9))

# %% [markdown] exercise="trained_weights" part="hints"
# - `from safetensors.torch import load_file` reads such a file; look at what it returns for yours.
# - Is the file beside the notebook? The cell that trains must have saved it, and the name is `translator.safetensors`.
# - Few right translations, and a low loss? Compare both curves: only the greedy one tells what the judge will see.

# %% [markdown]
# ## It translates
#
# A few sources. (机器学习 is a fixed phrase, and was in training.) The last two say the same, with the time in two places.

# %% part="demo" folded=True
texts = ["机器学习", "二〇二六年十一月二十日", "三百二十五", "差十分十点", "昨天我买了三本书", "我昨天买了三本书"]
table([(text, translate_text(model, text, vocabularies, greedy_decode)) for text in texts], ["Chinese", "your model"])

# %% [markdown]
# And on 1,000 sources that training never draws. Which kinds are hard?

# %% part="demo"
test = sample(None, 1000, seed=11, split="test", unique=True)
found = translate(model, [pair.source for pair in test], vocabularies, greedy_decode)
right = sum(one == pair.target for one, pair in zip(found, test))
print(f"exact match on {len(test)} unseen sources: {100 * right / len(test):.1f} %")
error_table(test, found)

# %% [markdown]
# Where there are many errors, the table says where to look. With two or three, no kind stands out: read the examples.
#
# ## A word in the making
#
# In pre-norm, each place of the decoder has one vector that runs through all blocks, and each sub-layer *adds* to it (unit 08).
# So you may stop early: take that vector after the embedding or after a block, and apply the last norm and the output
# layer at once: which word would the model say **now**?
#
# **Predict first.** Before any block has run, which word will it be?

# %% part="demo"
predict("10-early", "After the embedding alone, the model says at most places:",
        choices=("the word that it reads there", "the word that comes next", "some other word"))

# %% part="demo" folded=False
target_names = {number: token for token, number in vocabularies.target.items()}


@torch.no_grad()
def said_early(source: Tensor, read: Tensor) -> list[Tensor]:
    """The most probable word at each place, after the embedding and after each block; each (batch, seq)."""
    decoder, streams = model.eval().decoder, []
    hooks = [decoder.blocks[0].register_forward_pre_hook(lambda block, given: streams.append(given[0]))]
    hooks += [block.register_forward_hook(lambda block, given, found: streams.append(found)) for block in decoder.blocks]
    model(source, read)
    for hook in hooks:
        hook.remove()
    return [model.output(decoder.norm(x)).argmax(dim=-1) for x in streams]


source, target = move(collated([vocabularies.ids(pair) for pair in sample("sentences", 3, seed=5, split="test")]))
read = shift_right(target)
stages = said_early(source, read)
rows = [(name, *(target_names[int(word)] for word in words[0][target[0] != 0]))
        for name, words in zip(("it reads", "after the embedding", "after block 1", "after block 2"), (read, *stages))]
real = target != 0
same_as_read, same_as_next = (float((stages[0] == words)[real].float().mean()) for words in (read, target))
outcome("10-early", "the word that it reads there" if same_as_read > 0.5
        else "the word that comes next" if same_as_next > 0.5 else "some other word")
table(rows, ["place", *map(str, range(len(rows[0]) - 1))])

# %% [markdown]
# First the word that it has read; in the middle some words are right already, and others of the right kind; at the end the next word.
# Block 1 leaves half-finished thoughts in the vector, and block 2 corrects them.
#
# ## What it looks at
#
# Cross-attention says which Chinese characters the decoder reads while it writes an English word. Chinese puts the time before
# the verb, English at the end.
#
# **Predict first.** Where in the map of 昨天我买了三本书 will the row of *yesterday* be dark? And when 昨天 moves behind 我?

# %% part="demo"
predict("10-yesterday", "While it writes 'yesterday', it looks most at:",
        choices=("昨 or 天", "书, the last word of the sentence", "some other character"))

# %% part="demo" folded=True
from autograder.lab.explorer import explore, record


def looked_at(text: str):
    """What every attention layer looks at while the model writes its translation of `text`."""
    words = translate(model, [text], vocabularies, greedy_decode)[0]
    source = torch.tensor([vocabularies.source_ids(text)], device=best_device())
    target = torch.tensor([[vocabularies.target[word] for word in words] + [2]], device=best_device())
    return record(model, source, shift_right(target), tokens=[*text, "<eos>"], written=[*words, "<eos>"], name=text)


for text in ("我昨天买了三本书", "昨天我买了三本书"):
    layer = looked_at(text).layers["decoder, block 2, cross-attention"]
    weights = layer.weights.mean(axis=0)
    title = f"{text}: mean of the heads in the last layer"
    show(attention_map(weights, layer.queries, layer.keys, title=title, axes=layer.axes))
place = layer.queries.index("yesterday") if "yesterday" in layer.queries else -1
looks_at = layer.keys[int(weights[place].argmax())]
outcome("10-yesterday", "昨 or 天" if looks_at in "昨天" else "书, the last word of the sentence" if looks_at == "书"
        else "some other character")

# %% [markdown]
# Does the row of *yesterday* follow 昨天 in both maps? Attention has no fixed places; it finds the characters where they are. Not
# every row is as clear.
#
# Rows are named by the word that is being written there; the columns of the decoder's self-attention by the words that it reads,
# from `<bos>` on. Choose layers, heads and sentences in the explorer's menus. (Where nothing can be chosen, you see one still figure.)
# Is there a head in the encoder whose map is close to a diagonal, or a line beside it?

# %% part="demo" folded=True
texts = ("昨天我买了三本书", "机器学习", "二〇二六年十一月二十日", "三百二十五")
explore([looked_at(text) for text in texts], layer="encoder, block 1, self-attention")

# %% [markdown]
# ## One wrong word
#
# In training, the decoder has only ever read right words. Alone it reads its own. This mismatch is called
# **exposure bias**. Does your model have it?
#
# A test: the model gets the first two words of an unseen translation, both right, and then a third one that is drawn at
# random from the vocabulary. From there it writes on by itself. We count how many of its next six words are those of the right
# translation, place by place. (Without the wrong word, nearly all are.)

# %% part="demo"
predict("10-one-wrong-word", "What share of the six words behind the wrong one is right?", unit="%")

# %% part="demo" folded=True
PLACE, FAR, WORDS = 2, 6, len(vocabularies.target)
long_ones = [pair for pair in sample(None, 1200, seed=12, split="test", unique=True) if len(pair.target) >= PLACE + FAR]
source, target = move(collated([vocabularies.ids(pair) for pair in long_ones]))
wanted = target[:, PLACE + 1 : PLACE + 1 + FAR]
some_word = torch.randint(4, WORDS, (len(target), 1), generator=torch.Generator().manual_seed(0)).to(target.device)


@torch.no_grad()
def right_behind_it(model: nn.Module, it_reads_on: str) -> list[float]:
    """Share of right words at each distance behind the wrong one; it reads its own words from there, or the right ones."""
    model.eval()
    encoded = model.encode(source)
    read = torch.cat([shift_right(target)[:, : PLACE + 1], some_word], dim=1)
    said = []
    for distance in range(FAR):
        said.append(model.decode(read, encoded, source)[:, -1].argmax(dim=-1))
        following = said[-1] if it_reads_on == "its own" else target[:, PLACE + 1 + distance]
        read = torch.cat([read, following[:, None]], dim=1)
    right = (torch.stack(said, dim=1) == wanted) & (wanted != 0)
    return (right.sum(dim=0) / (wanted != 0).sum(dim=0)).tolist()


alone, led = right_behind_it(model, "its own"), right_behind_it(model, "the right ones")
outcome("10-one-wrong-word", 100 * sum(alone) / FAR, "%")
behind = {"it reads its own words": alone, "it reads the right words": led}
show(lines(range(1, FAR + 1), behind, "places behind the wrong word", "share right", percent=True))

# %% [markdown]
# Both curves start low: the word right behind the wrong one suffers most. Led back to the right words, the model is itself again at
# once. Left alone, it reads its own mistake, then the next, and recovers only in part. The lecture says it more sharply: one
# step wrong, every step wrong (一步错，步步错). (The count is strict: a right word that comes one place late is wrong too.)
#
# The lecture's suggestion: let it read a few wrong words **in training**. (With the model's own words this is
# called *scheduled sampling*; ours are random.) Two copies train 200 steps more: one as before, one with a seventh of the words that
# it reads replaced at random. What it has to say stays right.

# %% part="demo"
predict("10-used-to-mistakes", "The copy that has read wrong words, left alone behind one:",
        choices=("about the same", "clearly better, still often lost", "nearly all right"))

# %% part="demo" folded=False
from copy import deepcopy
from dataclasses import replace


class ReadsSomeWrong(nn.Module):
    """The model, but a share of the words that the decoder reads is replaced by random ones."""

    def __init__(self, model: nn.Module, share: float) -> None:
        super().__init__()
        self.model, self.share = model, share

    def forward(self, source: Tensor, read: Tensor) -> Tensor:
        wrong = (torch.rand(read.shape, device=read.device) < self.share) & (read > 2)
        return self.model(source, torch.where(wrong, torch.randint_like(read, 4, WORDS), read))


short = replace(RECIPE, steps=200, peak=2e-3, warmup=20)
more, rows = batches(vocabularies, collated, short, seed=99), [("before", sum(alone) / FAR, exact_match(model, unseen, vocabularies, greedy_decode))]
for name, share in {"200 steps more": 0.0, "200 steps, every seventh word wrong": 1 / 7}.items():
    copy = deepcopy(model)
    torch.manual_seed(0)
    train_it(ReadsSomeWrong(copy, share), more, new_optimizer(copy, short), short.rate)
    behind[name] = right_behind_it(copy, "its own")
    rows.append((name, sum(behind[name]) / FAR, exact_match(copy, unseen, vocabularies, greedy_decode)))
after = rows[-1][1]
outcome("10-used-to-mistakes", "nearly all right" if after > 0.9
        else "clearly better, still often lost" if after > max(rows[0][1], rows[1][1]) + 0.1 else "about the same")
table(rows, ["model", "right behind a wrong word", "exact match"])

# %% [markdown]
# More of the same changes little. A few wrong words change much: the copy practised just this kind of mistake. Is there a price?
# Compare both copies' exact match. (In our run it fell less with wrong words: no price there.)
#
# ## The break-it lab
#
# Now the other way round: a bug is in, and you see only the curves. `break_it()` lists what can be broken. Each bug runs in seconds,
# on a small model and a task of its own, with a loss without smoothing. First the healthy run.

# %% part="demo"
from autograder.lab.breaking import break_it

healthy = break_it("nothing")
break_it()

# %% [markdown]
# **Predict first.** The causal mask is gone: in training, each place sees the whole target. Which numbers will look good?

# %% part="demo"
predict("10-no-mask", "Without the causal mask, which number ends above 90 %?",
        choices=("both", "teacher-forced accuracy only", "exact match only", "neither"))

# %% part="demo"
leak = break_it("no causal mask")
good = (leak.teacher_forced[-1] > 0.9, leak.exact[-1] > 0.9)
outcome("10-no-mask", {(True, True): "both", (True, False): "teacher-forced accuracy only", (False, True): "exact match only"}.get(good, "neither"))

# %% [markdown]
# The loss is wonderful, and the model stammers. It has learnt to copy the word that it is to predict, and alone there is none to
# copy. One curve would have told you that all is well.
#
# **Predict first.** Now padding is counted in the loss. Which number tells?

# %% part="demo"
predict("10-padding-counted", "Against the healthy run, which number falls by more than 10 points?",
        choices=("both", "teacher-forced accuracy only", "exact match only", "neither"))

# %% part="demo"
padded = break_it("padding counted in the loss")
fell = (healthy.teacher_forced[-1] - padded.teacher_forced[-1] > 0.1, healthy.exact[-1] - padded.exact[-1] > 0.1)
outcome("10-padding-counted", {(True, True): "both", (True, False): "teacher-forced accuracy only", (False, True): "exact match only"}.get(fell, "neither"))

# %% [markdown]
# **The two numbers hardly show some bugs.** Training works around them. Read the translations: does one of the four stutter? A check of
# the part by itself, on inputs made for it, finds such a bug at once; that is why this course has so many.
#
# Now you: `break_it("heads merged without transposing")`, `break_it("no positions")`, `break_it("no norm")`. Guess both numbers before you
# look; what the curves show is told below them.

# %% [markdown] part="question"
# ## A question to answer in words
#
# *4 points, read by a person. Six to ten sentences are enough.*
#
# A colleague has trained a translator. On the test set its teacher-forced accuracy is 99.8 %, and its greedy exact match is 0 %. Name
# three different causes that fit both numbers, and for each a test that takes less than a minute and tells it from the other two.

# %% [markdown] part="answer" id="two-numbers-part" points=4
# ### BEGIN SOLUTION
# **Model answer.** With teacher forcing the model reads the right words; alone it reads its own. So the fault lies where the two
# situations differ.
#
# 1. *The future leaks* (no causal mask, or off by one). Test: change the last token of the decoder's input and see whether an output
#    before it moves. It must not.
# 2. *The target is not shifted*: input and label are the same token. Test: print the three rows for one sentence, what the decoder
#    reads, what it must say, and the ids' names. Here the mask is innocent: the test of cause 1 passes.
# 3. *It never stops*: `<eos>` was dropped from the labels, or the decoding loop does not stop there. Test: look at some
#    translations. The words at the beginning are right, and a tail follows; with causes 1 and 2 the first words are wrong already.
#
# Others that fit: decoding begins with another token than training (`<pad>` for `<bos>`); the weights were not loaded, or other
# vocabularies are used when decoding; dropout is on when decoding would rather lower it than bring it to 0.
#
# **Rubric (4 points).**
#
# - 1 point: says what differs between the two measures (own words or the right words as input).
# - 1 point each for up to three causes that fit *both* numbers, with a test that tells it apart. Half a point for a cause
#   without a test, or a test that would also fire for another cause named.
# - No point for causes that would lower teacher-forced accuracy as well (too little training, no positions, a bad rate).
# ### END SOLUTION

# %% [markdown]
# ## What you built
#
# - `build_vocabulary` and `collate`: from texts to batches.
# - `label_smoothed_loss` and `warmup_schedule`, as in the paper.
# - `train_step` and `train`, which train any model of this shape, on any device.
# - A Transformer that translates, with your weights, and the file that holds them.
#
# When your checks have passed, everything stands in your own package. In the folder `notebooks`, try
# `python -m my_transformer "三百二十五"`.
#
# ## Real sentences (optional)
#
# The same Transformer, a little larger, learns from people's sentences too: put a file of pairs, such as `cmn.txt` from
# <https://www.manythings.org/anki/> (Tatoeba), beside this notebook. It trains for 11 minutes and reports BLEU, the measure of unit 11;
# `docs/speed.md` says what it reached on two processors.

# %% part="demo"
from pathlib import Path

from autograder.__main__ import main

if Path("cmn.txt").exists():
    main(["real-data", "cmn.txt"])
else:
    print("There is no cmn.txt beside this notebook. Nothing that follows needs it.")

# %% [markdown]
# ## Test yourself
#
# **1.** Why does the loss not go to 0, although nearly all translations are right?
#
# <details><summary>Answer</summary>
#
# Because of label smoothing. The best that the model can do is $p = q$, and then the loss is the entropy of $q$. With
# $\varepsilon = 0.1$ and 819 words that is $-0.9 \ln 0.9 - 0.1 \ln(0.1/817) \approx 1.0$.
# </details>
#
# **2.** A friend tests on sources that were drawn from the same generator as the training pairs, without a split. What is wrong?
#
# <details><summary>Answer</summary>
#
# Small kinds repeat themselves: many test sources were in training. The number then measures memory as well.
# </details>
#
# ## Sources
#
# - Vaswani et al., *Attention Is All You Need* (2017): section 5.3 (Adam and the schedule), 5.4 (label smoothing).
# - Szegedy et al., *Rethinking the Inception Architecture for Computer Vision* (2016), section 7: label smoothing.
# - Pascanu, Mikolov, Bengio, *On the difficulty of training recurrent neural networks* (2013): clipping by the norm.
# - Bengio, Vinyals, Jaitly and Shazeer, *Scheduled Sampling for Sequence Prediction with Recurrent Neural Networks* (2015).
# - Hung-yi Lee (李宏毅), *Machine Learning 2021*, lecture "Transformer" (second part): teacher forcing, exposure bias, scheduled sampling.
#
# **Next:** unit 11 lets the model look further than one word ahead, and measures what that is worth.
