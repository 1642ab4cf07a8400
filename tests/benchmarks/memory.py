"""How much memory a tree of processes holds, what they share counted once (Linux: the proportional set size)."""

from pathlib import Path


def peak_of_tree(root: int) -> int:
    """Bytes that a process and all below it hold now; 0 where the system does not tell."""
    return sum(map(_held, _tree(root, _children())))


def peak_of_workers(root: int) -> int:
    """The largest tree below `root` that begins with a pool's worker."""
    children = _children()
    workers = [one for one in _tree(root, children) if "spawn_main" in _words(one)]
    return max((sum(map(_held, _tree(one, children))) for one in workers), default=0)


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


def _held(process: int) -> int:
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
