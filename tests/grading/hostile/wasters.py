"""Submissions that hang, crash, use up or break things: by intent or, as often, by accident."""

from tests.grading.hostile.case import Collection
from tests.grading.small_course import Submission

_cases = Collection()
LATE = "did not finish"

# In a cell of the learner's own: it costs that cell, and the answers count.
for _name, _source, _says in (
    ("loops_for_ever_in_a_cell", "while True: pass", ""),
    ("sleeps_in_a_cell", "import time\ntime.sleep(3600)", ""),
    ("ignores_interrupts_in_a_cell", "import time\nwhile True:\n    try: time.sleep(10)\n    except: pass", "left out"),
    ("blocks_signals_in_a_cell", "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass", "left out"),
    ("ends_itself_in_a_cell", "import os\nos._exit(0)", "left out"),
    ("kills_itself_in_a_cell", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", ""),
    ("crashes_in_a_cell", "import ctypes\nctypes.string_at(0)", "left out"),
    ("exits_in_a_cell", "import sys\nsys.exit(1)", ""),
    ("quits_in_a_cell", "exit()", ""),
    ("asks_in_a_cell", "name = input('your name? ')", ""),
    ("forks_for_ever", "import os\nwhile True: os.fork()", ""),
    ("leaves_a_daemon", "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)'], start_new_session=True)", ""),
    ("uses_processes", "import multiprocessing\nwith multiprocessing.Pool(2) as pool: pool.map(str, range(4))", ""),
    ("starts_threads_for_ever", "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()", ""),
    ("lets_a_thread_go_on", "import threading\ndef spin():\n    while True: pass\nthreading.Thread(target=spin).start()", ""),
    ("takes_all_memory", "import torch\nkeep = [bytearray(1 << 34)]", ""),
    ("takes_all_memory_in_a_tensor", "import torch\nkeep = torch.ones(1 << 36)", ""),
    ("fills_the_disk", "with open('big', 'wb') as file:\n    while True: file.write(bytes(1 << 24))", ""),
    ("prints_fifty_megabytes", "line = 'x' * 1000\nfor _ in range(50_000): print(line)", ""),
    ("shows_a_thousand_figures", "import matplotlib.pyplot as plt\nfor n in range(30):\n    plt.figure(); plt.plot([1, n]); plt.show()", ""),
    ("shows_a_figure_too_large", "import matplotlib.pyplot as plt\nplt.figure(figsize=(5000, 5000)); plt.plot([1, 2])", ""),
    ("leaves_its_folder", "import os\nos.chdir('/')", ""),
    ("recurses_in_a_cell", "def down(): down()\ndown()", ""),
    ("warns_in_a_cell", "import sys, warnings, logging\nwarnings.warn('hm')\nlogging.error('hm')\nprint('hm', file=sys.stderr)", ""),
    ("uses_magics", "%matplotlib inline\n!rm -rf /\n%pip install nothing\n%time 1 + 1", ""),
    ("writes_no_python", "this is no Python (", ""),
    ("breaks_into_the_debugger", "breakpoint()", ""),
    ("lowers_the_recursion_limit", "import sys\nsys.setrecursionlimit(10 ** 6)", ""),
    ("awaits_in_a_cell", "import asyncio\nawait asyncio.sleep(0)", ""),
):  # fmt: skip
    _cases.own_cell(_name, 20, _source, _says, solved=True)
for _name, _source in (
    ("kills_everybody", "import os, signal\nfor pid in (os.getppid(), -1, 0, *range(2, 300)):\n    try:\n        if pid != os.getpid(): os.kill(pid, signal.SIGKILL)\n    except OSError: pass"),
    ("deletes_everything", "import shutil\nfor path in ('.', COURSE, '/tmp', '/root', '/home', '/'): shutil.rmtree(path, ignore_errors=True)"),
    ("replaces_print", "import builtins, sys\nbuiltins.print = None\nsys.stdout = sys.stderr = None"),
    ("ignores_the_alarm", "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)"),
):  # fmt: skip
    _cases.own_cell(_name, 20, _source, "", solved=True, last=True)

# In an exercise: it costs that exercise, 5 of 20 points.
for _name, _body, _says in (
    ("loops_for_ever", "    while True: pass", LATE),
    ("ignores_interrupts", "    while True:\n        try:\n            while True: pass\n        except: pass", LATE),
    ("blocks_signals", "    import signal\n    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n    while True: pass", LATE),
    ("counts_in_native_code", "    return sum(range(10 ** 13))", LATE),
    ("ends_the_process", "    import os\n    os._exit(0)", "ended while `centre` was checked"),
    ("exits", "    raise SystemExit(0)", "SystemExit"),
    ("interrupts_itself", "    raise KeyboardInterrupt", "interrupted"),
    ("crashes", "    import ctypes\n    ctypes.string_at(0)", "SIGSEGV"),
    ("crashes_by_recursion", "    import sys\n    sys.setrecursionlimit(10 ** 9)\n    def down(): return down()\n    return down()", ""),
    ("recurses", "    return centre(x)", "RecursionError"),
    ("asks", "    return float(input())", "EOFError"),
    ("takes_memory", "    return np.ones(1 << 37)", "emory"),
    ("returns_a_billion_numbers", "    return np.broadcast_to(np.float64(0), (10 ** 9,))", "MiB"),
    ("returns_too_much_on_each_call", "    return np.zeros(30_000_000)", ""),
    ("returns_a_list_of_itself", "    items = []\n    items.append(items)\n    return items", "list"),
    ("returns_a_wide_tree", "    items = [0]\n    for _ in range(22): items = [items] * 3\n    return items", ""),
    ("returns_a_generator", "    while True: yield 1", "generator"),
    ("prints_for_ever", "    while True: print('x' * 10_000)", ""),
    ("raises_an_odd_exception", "    class Odd(BaseException):\n        def __str__(self): raise self\n    raise Odd", "Odd"),
    ("raises_a_long_exception", "    raise ValueError('<script>alert(1)</script>' * 100_000)", "ValueError"),
    ("returns_what_it_was_not_asked", "    return {'<img src=x onerror=alert(1)>': object()}", "dict"),
):  # fmt: skip
    _cases.answer(_name, 15, "centre", f"def centre(x):\n{_body}\n", _says)
for _name, _body in (
    ("warns", "    import warnings\n    warnings.warn('an honest warning')"),
    ("prints_to_stderr", "    import os, sys\n    print('hm', file=sys.stderr)\n    os.write(2, b'hm')"),
    ("prints_much", "    print('x' * 1_000_000)"),
    ("starts_a_thread", "    import threading\n    threading.Thread(target=lambda: __import__('time').sleep(3600)).start()"),
):  # fmt: skip
    _cases.answer(_name, 20, "centre", f"def centre(x):\n{_body}\n    return x - x.mean(-1, keepdims=True)\n")


@_cases.notebook(20, "left out", solved=True)
def ends_itself_in_several_cells(submission: Submission) -> None:
    submission.own_before("softmax", "import os; os._exit(3)")
    submission.own_before("attend", "import os; os._exit(4)")


@_cases.notebook(0, "", solved=True)
def ends_itself_in_every_cell(submission: Submission) -> None:
    for exercise in ("centre", "softmax", "attend"):
        submission.write(exercise, f"import os\nos._exit(3)\ndef {exercise}(*a): pass")


@_cases.notebook(20, "", solved=True)
def loops_for_ever_in_many_cells(submission: Submission) -> None:
    for _ in range(5):
        submission.own_last("while True: pass")


WASTERS = tuple(_cases.cases)
