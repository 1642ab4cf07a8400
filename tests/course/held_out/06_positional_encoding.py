"""Held-out pieces of unit 06; see __init__.py."""

# %% before
import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Table(nn.Module):
    """The starter's __init__ of LearnedPositions, for pieces that leave it as it is."""

    def __init__(self, max_len, d_model):
        super().__init__()
        self.table = nn.Parameter(0.02 * torch.randn(max_len, d_model))


class Embedding(nn.Module):
    """The starter's __init__ of TransformerEmbedding, for pieces that leave it as it is."""

    def __init__(self, vocab_size, d_model, max_len):
        super().__init__()
        self.d_model = d_model
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=d_model**-0.5)
        self.register_buffer("positions", sinusoidal_positions(max_len, d_model), persistent=False)


# %% sinusoidal_positions wrong [exponent-per-column] · a loop with i/d for every column
def sinusoidal_positions(max_len, d_model):
    pe = torch.zeros(max_len, d_model)
    for pos in range(max_len):
        for i in range(d_model):
            angle = pos / 10000 ** (i / d_model)
            pe[pos, i] = math.sin(angle) if i % 2 == 0 else math.cos(angle)
    return pe


# %% sinusoidal_positions wrong [exponent-twice-too-large] · 2i, where i is the column already
def sinusoidal_positions(max_len, d_model):
    pe = torch.zeros(max_len, d_model)
    places = torch.arange(max_len, dtype=torch.float64)
    for i in range(0, d_model, 2):
        w = 10000.0 ** (-2 * i / d_model)
        pe[:, i] = (places * w).sin()
        if i + 1 < d_model:
            pe[:, i + 1] = (places * w).cos()
    return pe


# %% sinusoidal_positions wrong [halves] · concatenated, as in some libraries
def sinusoidal_positions(max_len, d_model):
    half = (d_model + 1) // 2
    w = torch.exp(-math.log(10000.0) * 2 * torch.arange(half) / d_model)
    x = torch.arange(max_len).float()[:, None] * w[None]
    return torch.cat([x.sin(), x.cos()[:, : d_model // 2]], dim=1)


# %% sinusoidal_positions wrong [over-d-minus-two] · linspace from 1 to 10000
def sinusoidal_positions(max_len, d_model):
    pairs = (d_model + 1) // 2
    rounds = 10000 ** (2 * torch.arange(pairs).double() / (d_model - 2))
    angles = torch.outer(torch.arange(max_len).double(), rounds.reciprocal())
    both = torch.stack([angles.sin(), angles.cos()], -1).flatten(1)
    return both[:, :d_model].float()


# %% sinusoidal_positions wrong [odd-crashes] · the tutorial's code, for an even width
def sinusoidal_positions(max_len, d_model):
    pe = torch.zeros(max_len, d_model)
    position = torch.arange(0, max_len, dtype=torch.float).unsqueeze(1)
    div_term = torch.exp(torch.arange(0, d_model, 2).float() * (-math.log(10000.0) / d_model))
    pe[:, 0::2] = torch.sin(position * div_term)
    pe[:, 1::2] = torch.cos(position * div_term)
    return pe


# %% sinusoidal_positions wrong [batch-axis] · the tutorial's code to its end, with a batch axis
def sinusoidal_positions(max_len, d_model):
    pe = torch.zeros(1, max_len, d_model)
    angles = torch.arange(max_len).view(-1, 1) * 10000 ** (-torch.arange(0, d_model, 2) / d_model)
    pe[0, :, ::2] = angles.sin()
    pe[0, :, 1::2] = angles.cos()[:, : d_model // 2]
    return pe


# %% sinusoidal_positions wrong [cosine-first] · where() with the branches exchanged
def sinusoidal_positions(max_len, d_model):
    column = torch.arange(d_model)
    angles = torch.arange(max_len)[:, None] / 10000 ** (2 * (column // 2) / d_model)
    return torch.where(column % 2 == 1, angles.sin(), angles.cos())


# %% sinusoidal_positions wrong [one-frequency] · integer division makes each exponent 0
def sinusoidal_positions(max_len, d_model):
    j = torch.arange((d_model + 1) // 2)
    slow = 10000.0 ** (2 * j // d_model)
    angles = torch.arange(max_len)[:, None] / slow
    return torch.stack((angles.sin(), angles.cos()), dim=2).reshape(max_len, -1)[:, :d_model]


# %% sinusoidal_positions wrong [positions-from-one] · a running sum of steps, one step too far
def sinusoidal_positions(max_len, d_model):
    steps = 10000.0 ** (-(torch.arange(d_model) // 2) * 2 / d_model)
    angles = steps.expand(max_len, d_model).cumsum(dim=0)
    table = angles.sin()
    table[:, 1::2] = angles[:, 1::2].cos()
    return table


# %% sinusoidal_positions wrong [exponent-without-two] · j over d_model, in NumPy
def sinusoidal_positions(max_len, d_model):
    p, c = np.mgrid[0:max_len, 0:d_model]
    angles = p / np.power(10000.0, (c // 2) / d_model)
    return torch.tensor(np.where(c % 2, np.cos(angles), np.sin(angles)), dtype=torch.float32)


# %% sinusoidal_positions wrong · one frequency a row: places and pairs change roles in the exponent
def sinusoidal_positions(max_len, d_model):
    table = torch.zeros(max_len, d_model)
    for p in range(max_len):
        for c in range(d_model):
            angle = c / 10000 ** (2 * (p // 2) / max_len)
            table[p, c] = math.sin(angle) if c % 2 == 0 else math.cos(angle)
    return table


# %% sinusoidal_positions wrong [cosine-one-pair-late] · counts j up at the wrong moment: cosine gets the next pair's frequency
def sinusoidal_positions(max_len, d_model):
    table = torch.empty(max_len, d_model)
    for p in range(max_len):
        j = 0
        for c in range(d_model):
            if c % 2 == 0:
                table[p, c] = math.sin(p / 10000 ** (2 * j / d_model))
                j += 1
            else:
                table[p, c] = math.cos(p / 10000 ** (2 * j / d_model))
    return table


# %% sinusoidal_positions wrong [half-precision] · float16 table
def sinusoidal_positions(max_len, d_model):
    angles = torch.arange(max_len)[:, None] / 10000 ** (2 * torch.arange(d_model).div(2, rounding_mode="floor") / d_model)
    table = angles.sin()
    table[:, 1::2] = angles.cos()[:, 1::2]
    return table.to(torch.float16)


# %% sinusoidal_positions wrong [opposite-cosines] · the table's sine is a phase, with the shift the wrong way
def sinusoidal_positions(max_len, d_model):
    column = torch.arange(d_model)
    angles = torch.arange(max_len)[:, None] / 10000 ** (2 * (column // 2) / d_model)
    return torch.sin(angles - (column % 2) * math.pi / 2)


# %% sinusoidal_positions wrong · keeps one table for all calls
def sinusoidal_positions(max_len, d_model, tables={}):
    if max_len not in tables:
        column = torch.arange(d_model)
        angles = torch.arange(max_len)[:, None] / 10000 ** (2 * (column // 2) / d_model)
        tables[max_len] = torch.where(column % 2 == 0, angles.sin(), angles.cos())
    if "first" not in tables:
        tables["first"] = tables[max_len]
    return tables["first"]


# %% sinusoidal_positions wrong · a parameter that would be learned, random from its start
def sinusoidal_positions(max_len, d_model):
    torch.manual_seed(0)
    return nn.Embedding(max_len, d_model).weight.detach()


# %% sinusoidal_positions right · the sine with a quarter turn
def sinusoidal_positions(max_len, d_model):
    column = torch.arange(d_model, dtype=torch.float64)
    speed = torch.exp(-math.log(10000) * 2 * torch.floor(column / 2) / d_model)
    turn = (column % 2) * (math.pi / 2)
    return torch.sin(torch.arange(max_len, dtype=torch.float64)[:, None] * speed + turn).float()


# %% sinusoidal_positions right · complex exponentials
def sinusoidal_positions(max_len, d_model):
    pairs = math.ceil(d_model / 2)
    speed = 10000.0 ** (-2 * torch.arange(pairs, dtype=torch.float64) / d_model)
    hands = torch.exp(1j * torch.arange(max_len, dtype=torch.float64)[:, None] * speed)
    return torch.stack([hands.imag, hands.real], dim=-1).reshape(max_len, 2 * pairs)[:, :d_model].to(torch.float32)


# %% sinusoidal_positions right · Python lists, number by number
def sinusoidal_positions(max_len, d_model):
    def entry(p, c):
        wave = (math.sin, math.cos)[c % 2]
        return wave(p / math.pow(10000, (c - c % 2) / d_model))

    return torch.tensor([[entry(p, c) for c in range(d_model)] for p in range(max_len)])


# %% sinusoidal_positions right · NumPy, repeated frequencies
def sinusoidal_positions(max_len, d_model):
    frequencies = np.repeat(1 / 10000 ** (np.arange(0, d_model, 2) / d_model), 2)[:d_model]
    angles = np.outer(np.arange(max_len), frequencies)
    angles[:, 0::2], angles[:, 1::2] = np.sin(angles[:, 0::2]), np.cos(angles[:, 1::2])
    return torch.from_numpy(angles)


# %% sinusoidal_positions right · columns stacked, odd width by dropping the last
def sinusoidal_positions(max_len, d_model):
    p = torch.arange(max_len).float()
    columns = []
    for two_j in range(0, d_model, 2):
        angle = p / 10000 ** (two_j / d_model)
        columns += [torch.sin(angle), torch.cos(angle)]
    return torch.stack(columns[:d_model], dim=1)


# %% sinusoidal_positions right · from place to place by turning
def sinusoidal_positions(max_len, d_model):
    pairs = (d_model + 1) // 2
    w = 10000.0 ** (-2 * torch.arange(pairs).double() / d_model)
    sine, cosine = torch.zeros(pairs).double(), torch.ones(pairs).double()
    rows = []
    for _ in range(max_len):
        rows.append(torch.stack([sine, cosine], dim=1).flatten())
        sine, cosine = sine * w.cos() + cosine * w.sin(), cosine * w.cos() - sine * w.sin()
    return torch.stack(rows)[:, :d_model].float()


# %% shift_matrix wrong [transposed] · blocks for column vectors, by block_diag
def shift_matrix(offset, d_model):
    blocks = []
    for j in range(d_model // 2):
        a = offset / 10000 ** (2 * j / d_model)
        blocks.append(torch.tensor([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]]))
    return torch.block_diag(*blocks)


# %% shift_matrix wrong [both-sines-plus] · a minus forgotten, in a loop
def shift_matrix(offset, d_model):
    M = torch.zeros(d_model, d_model)
    for i in range(0, d_model, 2):
        w = 1 / 10000 ** (i / d_model)
        s, c = math.sin(w * offset), math.cos(w * offset)
        M[i : i + 2, i : i + 2] = torch.tensor([[c, s], [s, c]])
    return M


# %% shift_matrix wrong [exponent-twice-too-large] · exponent 2i/d with i the column
def shift_matrix(offset, d_model):
    M = torch.eye(d_model)
    for i in range(0, d_model, 2):
        a = torch.tensor(offset * 10000 ** (-2 * i / d_model))
        M[i, i] = M[i + 1, i + 1] = a.cos()
        M[i + 1, i], M[i, i + 1] = a.sin(), -a.sin()
    return M


# %% shift_matrix wrong [absolute] · negative offsets as positive
def shift_matrix(offset, d_model):
    w = 10000.0 ** (-torch.arange(0, d_model, 2).double() / d_model)
    a = w * abs(offset)
    rotation = torch.stack([torch.stack([a.cos(), -a.sin()], -1), torch.stack([a.sin(), a.cos()], -1)], -2)
    return torch.block_diag(*rotation).float()


# %% shift_matrix wrong · solved by least squares from two positions: not enough of them
def shift_matrix(offset, d_model):
    p = torch.arange(2).double()
    def table(q):
        a = q[:, None] / 10000 ** (torch.arange(0, d_model, 2).double() / d_model)
        return torch.stack([a.sin(), a.cos()], -1).flatten(1)
    return (torch.linalg.pinv(table(p)) @ table(p + offset)).float()


# %% shift_matrix wrong [not-divided-by-d] · one block, the rest left as it is
def shift_matrix(offset, d_model):
    M = torch.eye(d_model)
    s, c = math.sin(offset), math.cos(offset)
    M[0, 0], M[0, 1], M[1, 0], M[1, 1] = c, -s, s, c
    return M


# %% shift_matrix wrong · places as blocks: a matrix that moves the rows of the table
def shift_matrix(offset, d_model):
    return torch.eye(d_model).roll(offset, dims=0)


# %% shift_matrix wrong [halves] · shape by max: halves instead of pairs
def shift_matrix(offset, d_model):
    n = d_model // 2
    a = offset * 10000.0 ** (-2 * torch.arange(n) / d_model)
    top = torch.cat([torch.diag(a.cos()), torch.diag(-a.sin())], dim=1)
    bottom = torch.cat([torch.diag(a.sin()), torch.diag(a.cos())], dim=1)
    return torch.cat([top, bottom])


# %% shift_matrix right · a power of the one-step matrix
def shift_matrix(offset, d_model):
    w = 10000.0 ** (-torch.arange(0, d_model, 2).double() / d_model)
    step = torch.zeros(d_model, d_model, dtype=torch.float64)
    for j, a in enumerate(w):
        step[2 * j : 2 * j + 2, 2 * j : 2 * j + 2] = torch.tensor([[a.cos(), -a.sin()], [a.sin(), a.cos()]])
    return torch.linalg.matrix_power(step, offset).float()


# %% shift_matrix right · kronecker products
def shift_matrix(offset, d_model):
    a = offset / 10000 ** (torch.arange(0, d_model, 2) / d_model)
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    return torch.kron(torch.diag(a.cos()), torch.eye(2)) + torch.kron(torch.diag(a.sin()), turn)


# %% shift_matrix right · least squares over many places
def shift_matrix(offset, d_model):
    def rows(p):
        a = p[:, None] / 10000 ** (torch.arange(0, d_model, 2).double() / d_model)
        return torch.stack([a.sin(), a.cos()], dim=-1)

    p = torch.arange(400).double() * 97.0
    M = torch.zeros(d_model, d_model, dtype=torch.float64)
    here, there = rows(p), rows(p + offset)
    for j in range(d_model // 2):
        M[2 * j : 2 * j + 2, 2 * j : 2 * j + 2] = torch.linalg.lstsq(here[:, j], there[:, j]).solution
    return M.float()


# %% shift_matrix right · NumPy, three diagonals
def shift_matrix(offset, d_model):
    angle = np.repeat(offset * 10000.0 ** (-np.arange(0, d_model, 2) / d_model), 2)
    beside = np.sin(angle)[:-1] * (np.arange(d_model - 1) % 2 == 0)
    return torch.tensor(np.diag(np.cos(angle)) + np.diag(beside, -1) - np.diag(beside, 1))


# %% LearnedPositions wrong [batch-axis] · a row for each sequence
class LearnedPositions(Table):
    def forward(self, x):
        rows = self.table[torch.arange(len(x)) % len(self.table)]
        return x + rows[:, None, :]


# %% LearnedPositions wrong [positions-from-one] · an index from 1, with a loop
class LearnedPositions(Table):
    def forward(self, x):
        out = x.clone()
        for t in range(x.shape[1]):
            out[:, t] = out[:, t] + self.table[(t + 1) % len(self.table)]
        return out


# %% LearnedPositions wrong · x plus the table
class LearnedPositions(Table):
    def forward(self, x):
        return torch.add(self.table, x)


# %% LearnedPositions wrong [detached] · through .data
class LearnedPositions(Table):
    def forward(self, x):
        return x + F.embedding(torch.arange(x.size(1)), self.table.data)


# %% LearnedPositions wrong · += on the argument
class LearnedPositions(Table):
    def forward(self, x):
        with torch.no_grad():
            x[:] += self.table[: x.shape[1]]
        return x


# %% LearnedPositions wrong · a table of its own type: nn.Embedding under another name
class LearnedPositions(nn.Module):
    def __init__(self, max_len, d_model):
        super().__init__()
        self.places = nn.Embedding(max_len, d_model)

    def forward(self, x):
        return x + self.places(torch.arange(x.shape[1]))


# %% LearnedPositions wrong [counting-on] · the place by the batch: counts tokens over the whole batch
class LearnedPositions(Table):
    def forward(self, x):
        places = torch.arange(x.shape[0] * x.shape[1]).view(x.shape[:2]) % len(self.table)
        return x + self.table[places]


# %% LearnedPositions wrong [remembers] · a pointer into the table that moves on with each token
class LearnedPositions(nn.Module):
    def __init__(self, max_len, d_model):
        super().__init__()
        self.table = nn.Parameter(0.02 * torch.randn(max_len, d_model))
        self.place = 0

    def forward(self, x):
        tokens = []
        for t in range(x.shape[1]):
            tokens.append(x[:, t] + self.table[self.place])
            self.place = (self.place + 1) % self.table.shape[0]
        return torch.stack(tokens, dim=1)


# %% LearnedPositions wrong · keeps the rows for its first sequence
class LearnedPositions(Table):
    rows = None

    def forward(self, x):
        if self.rows is None:
            self.rows = self.table[: x.shape[1]]
        return x + self.rows


# %% LearnedPositions right · by einsum with one-hot rows
class LearnedPositions(Table):
    def forward(self, x):
        places = F.one_hot(torch.arange(x.shape[1]), len(self.table)).to(x.dtype)
        return x + torch.einsum("sp,pd->sd", places, self.table)


# %% LearnedPositions right · by loop, stacked
class LearnedPositions(Table):
    def forward(self, x):
        return torch.stack([x[:, t] + row for t, row in enumerate(self.table) if t < x.shape[1]], dim=1)


# %% LearnedPositions right · expand to the batch, narrow
class LearnedPositions(nn.Module):
    def __init__(self, max_len: int, d_model: int) -> None:
        super().__init__()
        self.max_len = max_len
        self.table = nn.Parameter(torch.empty(max_len, d_model))
        nn.init.normal_(self.table, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        assert x.size(1) <= self.max_len
        return x.add(self.table.narrow(0, 0, x.size(1)).unsqueeze(0).expand(x.size(0), -1, -1))


# %% LearnedPositions right · padded tokens, cut again
class LearnedPositions(Table):
    def forward(self, x):
        seq = x.shape[1]
        longer = F.pad(x, (0, 0, 0, len(self.table) - seq))
        return (longer + self.table)[:, :seq]


# %% TransformerEmbedding wrong [no-scale] · token plus position
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        return F.embedding(ids, self.embedding.weight).add(self.positions[None, : ids.size(1)])


# %% TransformerEmbedding wrong [scaled-by-d] · d_model, taken from the weights
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        width = self.embedding.weight.shape[1]
        return torch.stack([width * self.embedding(row) + self.positions[: len(row)] for row in ids])


# %% TransformerEmbedding wrong [sum-scaled] · the factor around both
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        x = self.embedding(ids)
        x = x + self.positions[: x.shape[1]]
        return x * self.d_model**0.5


# %% TransformerEmbedding wrong [divided-by-root-d] · divides, as in attention
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        batch, seq = ids.size()
        return self.embedding(ids) * self.d_model**-0.5 + self.positions[:seq].expand(batch, seq, -1)


# %% TransformerEmbedding wrong · the position of the id
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        return self.embedding(ids) * math.sqrt(self.d_model) + F.embedding(ids, self.positions)


# %% TransformerEmbedding wrong [batch-axis] · ids.shape[0] places, an axis in the middle
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        n = ids.shape[0]
        return math.sqrt(self.d_model) * self.embedding(ids) + self.positions[:n].reshape(n, 1, -1)


# %% TransformerEmbedding wrong [no-positions] · scaled tokens alone
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        self.positions[: ids.shape[1]]
        return self.embedding.weight[ids] * torch.tensor(self.d_model).sqrt()


# %% TransformerEmbedding wrong [trainable-table] · positions as a parameter
class TransformerEmbedding(nn.Module):
    def __init__(self, vocab_size, d_model, max_len):
        super().__init__()
        self.scale = math.sqrt(d_model)
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Parameter(sinusoidal_positions(max_len, d_model), requires_grad=True)

    def forward(self, ids):
        return self.scale * self.embedding(ids) + self.positions[: ids.size(-1)]


# %% TransformerEmbedding wrong [plain-attribute] · a table outside the module's buffers
class TransformerEmbedding(nn.Module):
    def __init__(self, vocab_size, d_model, max_len):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.rows = list(sinusoidal_positions(max_len, d_model))

    def forward(self, ids):
        x = self.embedding(ids) * self.embedding.embedding_dim**0.5
        return x + torch.stack(self.rows[: ids.shape[1]])


# %% TransformerEmbedding wrong [plain-attribute] · the table made anew on the CPU in each call
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        table = sinusoidal_positions(ids.shape[1], self.d_model)
        return self.embedding(ids) * math.sqrt(self.d_model) + table


# %% TransformerEmbedding wrong [remembers] · goes on counting where the call before ended
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        start = getattr(self, "start", 0)
        places = (start + torch.arange(ids.shape[1], device=ids.device)) % len(self.positions)
        self.start = start + ids.shape[1]
        return self.embedding(ids) * math.sqrt(self.d_model) + self.positions[places]


# %% TransformerEmbedding wrong [remembers] · keeps the rows of its first sequence
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        if not hasattr(self, "rows"):
            self.rows = self.positions[: ids.shape[1]]
        return self.embedding(ids) * math.sqrt(self.d_model) + self.rows.to(self.embedding.weight.device)[: ids.shape[1]]


# %% TransformerEmbedding wrong [whole-table] · no cut
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        return self.embedding(ids) * math.sqrt(self.d_model) + self.positions


# %% TransformerEmbedding wrong · rows 1 to seq, where there are so many
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        places = torch.arange(1, ids.shape[1] + 1).clamp(max=len(self.positions) - 1)
        return self.embedding(ids) * math.sqrt(self.d_model) + self.positions[places]


# %% TransformerEmbedding wrong · dropout at the end that is always on
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        x = self.embedding(ids) * math.sqrt(self.d_model) + self.positions[: ids.shape[1]]
        return F.dropout(x, 0.1)


# %% TransformerEmbedding wrong [detached] · embedding's gradient cut by a lookup in .data
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        return self.embedding.weight.data[ids] * math.sqrt(self.d_model) + self.positions[: ids.shape[1]]


# %% TransformerEmbedding wrong · counts padding out: places only for ids above 0
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        places = ((ids != ids[:, :1]).cumsum(dim=1)).clamp(max=len(self.positions) - 1)
        return self.embedding(ids) * math.sqrt(self.d_model) + self.positions[places]


# %% TransformerEmbedding right · one-hot product
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        one_hot = F.one_hot(ids, self.embedding.num_embeddings).to(self.embedding.weight.dtype)
        return one_hot @ (self.embedding.weight * self.d_model**0.5) + self.positions[: ids.size(1)]


# %% TransformerEmbedding right · index_select, shapes put back
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        batch, seq = ids.shape
        flat = self.embedding.weight.index_select(0, ids.reshape(-1)).view(batch, seq, -1)
        return torch.addcmul(self.positions[:seq].expand_as(flat), flat, torch.full_like(flat, math.sqrt(flat.size(-1))))


# %% TransformerEmbedding right · sentence by sentence
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        scale = float(self.d_model) ** 0.5
        return torch.stack([scale * self.embedding(sentence) + self.positions[: len(sentence)] for sentence in ids])


# %% TransformerEmbedding right · the positions looked up by place
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        places = torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)
        return F.embedding(places, self.positions) + self.embedding(ids).mul(np.sqrt(self.d_model))


# %% TransformerEmbedding right · starter written out, a table that grows with the sequence on its device
class TransformerEmbedding(nn.Module):
    def __init__(self, vocab_size: int, d_model: int, max_len: int) -> None:
        super().__init__()
        self.d_model, self.max_len = d_model, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.register_buffer("positions", sinusoidal_positions(max_len, d_model), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        table = sinusoidal_positions(ids.shape[1], self.d_model).to(self.embedding.weight)
        return torch.add(table, self.embedding(ids), alpha=self.d_model**0.5)


# %% TransformerEmbedding right · functional, in double inside
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        weight = self.embedding.weight.double() * math.sqrt(self.d_model)
        summed = F.embedding(ids, weight) + self.positions[: ids.shape[1]].double()
        return summed.to(self.embedding.weight.dtype)


# %% one_hot_view wrong [positions-from-one] · ones on the diagonal beside
def one_hot_view(x, W_input, W_position):
    seq, places = x.shape[0], W_position.shape[0]
    hot = torch.zeros(seq, places)
    for p in range(seq):
        hot[p, (p + 1) % places] = 1.0
    return torch.hstack((x, hot)) @ torch.vstack((W_input, W_position))


# %% one_hot_view wrong [orders-differ] · place before token
def one_hot_view(x, W_input, W_position):
    hot = F.one_hot(torch.arange(len(x)), len(W_position)).float()
    return torch.cat((hot, x), dim=-1) @ torch.cat((W_input, W_position))


# %% one_hot_view wrong [places-by-seq] · an eye of seq columns
def one_hot_view(x, W_input, W_position):
    longer = torch.cat([x, torch.eye(x.size(0))], 1)
    return longer.mm(torch.cat([W_input, W_position], 0))


# %% one_hot_view wrong [up-to-here] · a triangle instead of a diagonal
def one_hot_view(x, W_input, W_position):
    hot = torch.ones(len(x), len(W_position)).tril()
    return x @ W_input + hot @ W_position


# %% one_hot_view wrong · one more number, the place itself
def one_hot_view(x, W_input, W_position):
    places = torch.arange(len(x)).float().unsqueeze(1)
    return torch.cat([x, places], 1) @ torch.cat([W_input, W_position[:1]], 0)


# %% one_hot_view wrong [by-content] · one-hot of the largest entry of the token, not of its place
def one_hot_view(x, W_input, W_position):
    hot = F.one_hot(x.argmax(dim=1), len(W_position)).float()
    return torch.cat([x, hot], 1) @ torch.cat([W_input, W_position])


# %% one_hot_view right · baddbmm, a batch of one
def one_hot_view(x, W_input, W_position):
    return torch.baddbmm(W_position[None, : len(x)], x[None], W_input[None])[0]


# %% one_hot_view right · pad the tokens, write the ones
def one_hot_view(x, W_input, W_position):
    hot = F.pad(torch.zeros_like(x[:, :1]), (0, len(W_position) - 1))
    hot[range(len(x)), range(len(x))] = 1
    return F.linear(torch.cat([x, hot], dim=1), torch.cat([W_input.T, W_position.T], dim=1))


# %% one_hot_view right · sum of outer products
def one_hot_view(x, W_input, W_position):
    hot = torch.diag(torch.ones(len(W_position)))[: len(x)]
    longer, tall = torch.cat([x, hot], 1), torch.cat([W_input, W_position], 0)
    return sum(torch.outer(longer[:, i], tall[i]) for i in range(len(tall)))


# %% one_hot_view right · einsum in double
def one_hot_view(x, W_input, W_position):
    places = (torch.arange(len(x))[:, None] == torch.arange(len(W_position))).double()
    return (torch.einsum("si,id->sd", x.double(), W_input.double()) + torch.einsum("sp,pd->sd", places, W_position.double())).float()


# %% TransformerEmbedding right · keeps its last tokens and places, to look at them later
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        self.tokens = self.embedding(ids) * math.sqrt(self.d_model)
        self.places = self.positions[: ids.shape[1]]
        self.calls = getattr(self, "calls", 0) + 1
        return self.tokens + self.places


# %% sinusoidal_positions wrong · the base is the length
def sinusoidal_positions(max_len, d_model):
    column = torch.arange(d_model)
    angles = torch.arange(max_len)[:, None] / float(max_len) ** (2 * (column // 2) / d_model)
    return torch.where(column % 2 == 0, angles.sin(), angles.cos())


# %% sinusoidal_positions wrong · sines and cosines added to the same columns
def sinusoidal_positions(max_len, d_model):
    table = torch.zeros(max_len, d_model)
    for p in range(max_len):
        for j in range((d_model + 1) // 2):
            angle = p / 10000 ** (2 * j / d_model)
            table[p, 2 * j] = math.sin(angle)
            if 2 * j + 1 < d_model:
                table[p, 2 * j] = math.cos(angle)
    return table


# %% sinusoidal_positions wrong · places every other row
def sinusoidal_positions(max_len, d_model):
    column = torch.arange(d_model)
    angles = torch.arange(0, 2 * max_len, 2)[:, None] / 10000 ** (2 * (column // 2) / d_model)
    return torch.where(column % 2 == 0, angles.sin(), angles.cos())


# %% sinusoidal_positions wrong · float16 angles
def sinusoidal_positions(max_len, d_model):
    column = torch.arange(d_model)
    speed = (10000.0 ** (-2 * (column // 2) / d_model)).half()
    angles = (torch.arange(max_len).half()[:, None] * speed).float()
    return torch.where(column % 2 == 0, angles.sin(), angles.cos())


# %% shift_matrix wrong · the angles of places, not of the step: a row of the table on the diagonal
def shift_matrix(offset, d_model):
    p = torch.arange(d_model)
    a = (p + offset) / 10000 ** (2 * (p // 2) / d_model)
    M = torch.diag(a.cos())
    for i in range(0, d_model, 2):
        M[i + 1, i], M[i, i + 1] = a[i].sin(), -a[i].sin()
    return M


# %% shift_matrix wrong · one offset only: the sign by Python's //
def shift_matrix(offset, d_model):
    M = torch.zeros(d_model, d_model)
    for i in range(0, d_model, 2):
        a = offset // 10000 ** (i / d_model)
        M[i, i] = M[i + 1, i + 1] = math.cos(a)
        M[i + 1, i] = math.sin(a)
        M[i, i + 1] = -math.sin(a)
    return M


# %% TransformerEmbedding wrong · the root of the largest id, not of the width
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        scale = math.sqrt(self.embedding.weight.shape[0])
        return F.embedding(ids, self.embedding.weight, scale_grad_by_freq=False) * scale + self.positions[: ids.shape[1]]


# %% TransformerEmbedding wrong · max_norm: the embedding is cut to length 1
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        vectors = F.normalize(self.embedding(ids), dim=-1)
        return vectors * math.sqrt(self.d_model) + self.positions[: ids.shape[1]]


# %% TransformerEmbedding wrong · the way back to the embedding is scaled by how often an id stands in the batch
class TransformerEmbedding(Embedding):
    def forward(self, ids):
        rows = F.embedding(ids, self.embedding.weight, scale_grad_by_freq=True)
        return rows * math.sqrt(self.d_model) + self.positions[: ids.shape[1]]


# %% one_hot_view wrong · positions enter twice, once by the table and once by the one-hot
def one_hot_view(x, W_input, W_position):
    hot = torch.eye(len(W_position))[: len(x)]
    together = torch.cat([x, hot], 1) @ torch.cat([W_input, W_position])
    return together + W_position[: len(x)]
