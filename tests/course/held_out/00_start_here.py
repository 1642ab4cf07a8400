# %% before
import numpy as np

# %% pairwise_dot wrong [transposed] · loops, the table filled the wrong way round
def pairwise_dot(a, b):
    table = np.zeros((b.shape[0], a.shape[0]))
    for r in range(a.shape[0]):
        for s in range(b.shape[0]):
            total = 0.0
            for c in range(a.shape[1]):
                total = total + a[r, c] * b[s, c]
            table[s, r] = total
    return table

# %% pairwise_dot wrong [transposed] · einsum with the output letters swapped
def pairwise_dot(a, b):
    return np.einsum("nd,md->mn", a, b)

# %% pairwise_dot wrong [one-size-twice] · loops over the rows of a for both
def pairwise_dot(a, b):
    n, d = a.shape
    out = np.empty((n, n))
    for i, first in enumerate(a):
        for j in range(n):
            out[i, j] = np.dot(first, b[j])
    return out

# %% pairwise_dot wrong [last-number-lost] · dot product skips the last number
def pairwise_dot(a, b):
    rows = []
    for left in a:
        rows.append([sum(left[c] * right[c] for c in range(len(left) - 1)) for right in b])
    return np.array(rows)

# %% pairwise_dot wrong [matching-rows-zip] · only pairs of rows with one index, in a loop
def pairwise_dot(a, b):
    out = []
    for i in range(min(a.shape[0], b.shape[0])):
        out.append(float(np.dot(a[i], b[i])))
    return np.asarray(out)

# %% pairwise_dot wrong [not-reset] · the sum is not reset for the next pair
def pairwise_dot(a, b):
    result, s = np.zeros((len(a), len(b))), 0
    for i in range(len(a)):
        for j in range(len(b)):
            for x, y in zip(a[i], b[j]):
                s += x * y
            result[i][j] = s
    return result

# %% pairwise_dot wrong [only-the-first-row-filled] · returns inside the loop
def pairwise_dot(a, b):
    (n, d), m = a.shape, b.shape[0]
    table, i = np.zeros([n, m]), 0
    while i < n:
        table[i, :] = [np.dot(a[i, :], b[j, :]) for j in range(m)]
        i += 1
        return table

# %% pairwise_dot wrong [cosine] · cosine similarity as from a library
def pairwise_dot(a, b):
    unit_a = a / np.sqrt((a**2).sum(-1))[:, np.newaxis]
    unit_b = b / np.sqrt((b**2).sum(-1))[:, np.newaxis]
    return np.matmul(unit_a, np.transpose(unit_b))

# %% pairwise_dot wrong [rows-centred] · centres each row first, as a covariance does
def pairwise_dot(a, b):
    a0 = a - np.mean(a, axis=1)[:, None]
    b0 = b - np.mean(b, axis=1)[:, None]
    return a0.dot(b0.transpose())

# %% pairwise_dot wrong [keeps_inputs] · turns b in place
def pairwise_dot(a, b):
    b.shape = (b.shape[1], b.shape[0])
    return a @ b

# %% pairwise_dot wrong [whole-numbers] · integers in the table
def pairwise_dot(a, b):
    out = np.zeros((len(a), len(b)), dtype=int)
    for i in range(len(a)):
        out[i] = b.dot(a[i])
    return out

# %% pairwise_dot wrong [divided-by-d] · averaged where it should be summed
def pairwise_dot(a, b):
    return np.mean(np.expand_dims(a, 1) * np.expand_dims(b, 0), axis=2)

# %% pairwise_dot wrong [summed-over-a] · summed over the wrong axis after broadcasting
def pairwise_dot(a, b):
    products = np.expand_dims(a, 1) * np.expand_dims(b, 0)
    return np.sum(products, axis=0)

# %% pairwise_dot wrong [one-dot-product] · vdot of everything
def pairwise_dot(a, b):
    return np.vdot(a, b)

# %% pairwise_dot wrong [flattened] · flattened at the end
def pairwise_dot(a, b):
    values = []
    for u in a:
        for v in b:
            values.append((u * v).sum())
    return np.array(values)

# %% pairwise_dot wrong [nothing-returned] · prints and forgets the return
def pairwise_dot(a, b):
    out = np.inner(a, b)
    print(out.shape)

# %% pairwise_dot wrong · remembers the first table
_table = {}

def pairwise_dot(a, b):
    if "table" not in _table:
        _table["table"] = a @ b.T
    return _table["table"]

# %% pairwise_dot wrong [overwritten] · column by column, one number of each row only
def pairwise_dot(a, b):
    out = np.zeros((len(a), len(b)))
    for c in range(a.shape[1]):
        out = np.outer(a[:, c], b[:, c])
    return out

# %% pairwise_dot wrong [transposed+divided-by-d] · averaged, and rows and columns exchanged
def pairwise_dot(a, b):
    return np.array([[np.mean(v * u) for u in a] for v in b])

# %% pairwise_dot right · inner
def pairwise_dot(a, b):
    return np.inner(a, b)

# %% pairwise_dot right · tensordot
def pairwise_dot(a, b):
    return np.tensordot(a, b, axes=(1, 1))

# %% pairwise_dot right · outer products added up
def pairwise_dot(a, b):
    total = np.zeros((len(a), len(b)))
    for c in range(a.shape[1]):
        total += np.outer(a[:, c], b[:, c])
    return total

# %% pairwise_dot right · Python numbers only
def pairwise_dot(a, b):
    return np.array([[sum(x * y for x, y in zip(u, v)) for v in b.tolist()] for u in a.tolist()])

# %% pairwise_dot right · by lengths of differences
def pairwise_dot(a, b):
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :]
    distances = ((a[:, None, :] - b[None, :, :]) ** 2).sum(-1)
    return (squares - distances) / 2

# %% pairwise_dot right · the other product, turned
def pairwise_dot(left, right):
    return np.transpose(np.dot(right, np.transpose(left)))

# %% pairwise_dot right · torch inside, an array out
def pairwise_dot(a, b):
    import torch

    return torch.einsum("nd,md->nm", torch.tensor(a), torch.tensor(b)).numpy()

# %% outer_sum wrong [transposed] · loops, indices swapped
def outer_sum(column, row):
    out = np.zeros((len(row), len(column)))
    for i, c in enumerate(column):
        for j, r in enumerate(row):
            out[j, i] = c + r
    return out

# %% outer_sum wrong [transposed] · newaxis on the wrong one
def outer_sum(column, row):
    return column[np.newaxis, :] + row[:, np.newaxis]

# %% outer_sum wrong [both-flat] · both in front
def outer_sum(column, row):
    c = np.expand_dims(column, 0)
    r = np.expand_dims(row, 0)
    return c + r

# %% outer_sum wrong [product] · the products instead
def outer_sum(column, row):
    return column.reshape(-1, 1) * row.reshape(1, -1)

# %% outer_sum wrong [product] · a matrix product of column and row
def outer_sum(column, row):
    return column.reshape(-1, 1) @ row.reshape(1, -1)

# %% outer_sum wrong [plain-sum] · transposes a 1-D array, which does nothing
def outer_sum(column, row):
    return column.T + row

# %% outer_sum wrong · hard-coded size of the example
def outer_sum(column, row):
    return column.reshape(3, 1) + row.reshape(1, 2)

# %% outer_sum wrong [keeps_inputs] · adds in place
def outer_sum(column, row):
    table = np.zeros((len(column), len(row)))
    for i in range(len(column)):
        row += column[i]
        table[i] = row
    return table

# %% outer_sum wrong [whole-numbers] · integers
def outer_sum(column, row):
    table = np.empty((len(column), len(row)), dtype=np.int64)
    table[:] = column[:, None] + row[None, :]
    return table

# %% outer_sum wrong [difference] · the difference
def outer_sum(column, row):
    return np.subtract.outer(column, row)

# %% outer_sum wrong [transposed] · meshgrid the usual way
def outer_sum(column, row):
    c, r = np.meshgrid(column, row)
    return c + r

# %% outer_sum wrong [column-cumulated] · adds the row in every line of the loop, on top of the lines before
def outer_sum(column, row):
    table, line = [], row
    for c in column:
        line = line + c
        table.append(line)
    return np.array(table)

# %% outer_sum wrong [row-repeated] · repeats where it should tile
def outer_sum(column, row):
    n, m = len(column), len(row)
    left, right = np.repeat(column, m), np.array([r for r in row for _ in range(n)])
    return (left + right).reshape(n, m)

# %% outer_sum wrong [flattened] · flat list of sums
def outer_sum(column, row):
    return np.array([c + r for c in column for r in row])

# %% outer_sum wrong [filled-where-the-places-agree] · writes along the table's diagonal only
def outer_sum(column, row):
    table = np.zeros((column.size, row.size))
    for i, (c, r) in enumerate(zip(column, row)):
        table[i, i] = c + r
    return table

# %% outer_sum right · add.outer
def outer_sum(column, row):
    return np.add.outer(column, row)

# %% outer_sum right · grid of indices
def outer_sum(column, row):
    i, j = np.indices((column.size, row.size))
    return column[i] + row[j]

# %% outer_sum right · a matrix product with ones
def outer_sum(column, row):
    left = np.stack([column, np.ones_like(column)], axis=1)
    right = np.stack([np.ones_like(row), row])
    return left @ right

# %% outer_sum right · transposed twice
def outer_sum(column, row):
    return (np.atleast_2d(row).T + column).T

# %% outer_sum right · broadcast_to, then add
def outer_sum(column, row):
    shape = (column.shape[0], row.shape[0])
    return np.broadcast_to(column.reshape(-1, 1), shape) + np.broadcast_to(row, shape)

# %% outer_sum right · meshgrid by matrix indices
def outer_sum(column, row):
    return sum(np.meshgrid(column, row, indexing="ij"))

# %% group_last_axis wrong [groups-of-that-size] · k and g swapped
def group_last_axis(x, num_groups):
    size = x.shape[-1] // num_groups
    new_shape = list(x.shape[:-1]) + [size, num_groups]
    return np.reshape(x, new_shape)

# %% group_last_axis wrong [dealt-out] · takes every g-th number
def group_last_axis(x, num_groups):
    return np.stack([x[..., g::num_groups] for g in range(num_groups)], axis=-2)

# %% group_last_axis wrong [groups-of-that-size] · groups of num_groups numbers, in a loop
def group_last_axis(x, num_groups):
    pieces = []
    for start in range(0, x.shape[-1], num_groups):
        pieces.append(x[..., start : start + num_groups])
    return np.stack(pieces, axis=-2)

# %% group_last_axis wrong [two-unpacked] · two axes only
def group_last_axis(x, num_groups):
    n, width = x.shape
    return x.reshape(n, num_groups, width // num_groups)

# %% group_last_axis wrong [three-unpacked] · three axes only
def group_last_axis(x, num_groups):
    batch, seq, width = x.shape
    return np.reshape(x, (batch, seq, num_groups, width // num_groups))

# %% group_last_axis wrong [groups-in-front] · groups in front
def group_last_axis(x, num_groups):
    return np.array(np.split(x, num_groups, axis=-1))

# %% group_last_axis wrong [turned] · groups behind
def group_last_axis(x, num_groups):
    return np.stack(np.split(x, num_groups, axis=-1), axis=-1)

# %% group_last_axis wrong [float-size] · real division
def group_last_axis(x, num_groups):
    return x.reshape(x.shape[:-1] + (num_groups, x.shape[-1] / num_groups))

# %% group_last_axis wrong [leading-axes-merged] · leading axes joined
def group_last_axis(x, num_groups):
    return x.reshape((-1, num_groups, x.shape[-1] // num_groups))

# %% group_last_axis wrong [heads-before-tokens] · groups moved before the sequence, as heads are later
def group_last_axis(x, num_groups):
    cut = x.reshape(*x.shape[:-1], num_groups, -1)
    return np.swapaxes(cut, -3, -2)

# %% group_last_axis wrong [first-axis-grouped] · splits the first axis
def group_last_axis(x, num_groups):
    k = x.shape[0] // num_groups
    return x.reshape(num_groups, k, *x.shape[1:])

# %% group_last_axis wrong [three-groups] · three groups as in the example
def group_last_axis(x, num_groups):
    return x.reshape(*x.shape[:-1], 3, x.shape[-1] // 3)

# %% group_last_axis wrong [dealt-out] · column-major order
def group_last_axis(x, num_groups):
    k = x.shape[-1] // num_groups
    return np.reshape(x, x.shape[:-1] + (num_groups, k), order="F")

# %% group_last_axis wrong [in-place] · changes the caller's shape
def group_last_axis(x, num_groups):
    x.shape = x.shape[:-1] + (num_groups, x.shape[-1] // num_groups)
    return x

# %% group_last_axis wrong [group-missing] · the last group is left out
def group_last_axis(x, num_groups):
    k = x.shape[-1] // num_groups
    return np.stack([x[..., i * k : (i + 1) * k] for i in range(num_groups - 1)], axis=-2)

# %% group_last_axis wrong [list-of-groups] · a list of groups
def group_last_axis(x, num_groups):
    k = x.shape[-1] // num_groups
    return [x[..., i * k : i * k + k] for i in range(num_groups)]

# %% group_last_axis wrong · a fixed number of leading axes
def group_last_axis(x, num_groups):
    rows = [np.array(np.array_split(row, num_groups)) for row in x]
    return np.array(rows)

# %% group_last_axis wrong [dealt-out] · groups of that size, and behind
def group_last_axis(x, num_groups):
    blocks = [x[..., s : s + num_groups] for s in range(0, x.shape[-1], num_groups)]
    return np.stack(blocks, axis=x.ndim)

# %% group_last_axis right · stacked slices
def group_last_axis(x, num_groups):
    k = x.shape[-1] // num_groups
    return np.stack([x[..., start : start + k] for start in range(0, x.shape[-1], k)], axis=-2)

# %% group_last_axis right · flat and cut again
def group_last_axis(x, num_groups):
    return x.flatten().reshape(list(x.shape[:-1]) + [num_groups, -1])

# %% group_last_axis right · the groups' size by numpy's division
def group_last_axis(x, num_groups):
    size, rest = divmod(x.shape[-1], num_groups)
    assert rest == 0
    return np.reshape(np.ascontiguousarray(x), (*x.shape[:-1], num_groups, size))

# %% group_last_axis right · recursion over the leading axes
def group_last_axis(x, num_groups):
    if x.ndim == 1:
        k = len(x) // num_groups
        return np.array([x[g * k : (g + 1) * k] for g in range(num_groups)])
    return np.array([group_last_axis(inner, num_groups) for inner in x])

# %% group_last_axis right · torch's view
def group_last_axis(x, num_groups):
    import torch

    t = torch.tensor(x)
    return t.view(*t.shape[:-1], num_groups, t.shape[-1] // num_groups).numpy()

# %% group_last_axis right · filled in place of empty
def group_last_axis(x, num_groups):
    out = np.empty(x.shape[:-1] + (num_groups, x.shape[-1] // num_groups), dtype=x.dtype)
    out.ravel()[:] = x.ravel()
    return out
