"""How much memory a tree of processes holds (Linux). A fork counts with what it does not share with its parent.

Summing the proportional sizes instead would be exact only if all processes stood still while they are read.
"""

from pathlib import Path


def peak_of_tree(root: int) -> int:
    """Bytes that a process and all below it hold now, rather too many than too few; 0 where the system does not tell."""
    return _sum(root, _children())


def peak_of_workers(root: int) -> int:
    """The largest tree below `root` that begins with a pool's worker."""
    children = _children()
    workers = [one for one in _tree(root, children) if "spawn_main" in _words(one)]
    return max((_sum(one, children) for one in workers), default=0)


def _sum(root: int, children: dict[int, list[int]]) -> int:
    total, queue = _held(root, ("Rss",)), [(root, _words(root))]
    while queue:
        parent, words = queue.pop()
        for child in children.get(parent, []):
            own = _words(child)
            total += _held(child, ("Private_Clean", "Private_Dirty") if own == words else ("Rss",))
            queue.append((child, own))
    return total


def _children() -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        children.setdefault(parent, []).append(int(entry.parent.name))
    return children


def _tree(root: int, children: dict[int, list[int]]) -> list[int]:
    found = [root]
    for one in found:
        found += children.get(one, [])
    return found


def _words(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _held(process: int, kinds: tuple[str, ...]) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.split(":")[0] in kinds)
