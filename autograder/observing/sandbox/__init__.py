"""The Linux sandbox that a submission runs in. `warm` forks a child for each and has `confine` put the walls up around it.

Rules for the warm process
1. It never runs a parallel region. A child hangs for ever in its first parallel operation when the parent
   ever ran one with more than one thread (measured with PyTorch 2.13 and libgomp: one large matmul or one
   elementwise operation on a large tensor is enough). `torch.set_num_threads(1)` before the first operation
   prevents it; the same call *after* a parallel operation does not help. The child may raise the number
   again: its pool is its own.
2. It forks from its main thread, and that thread lives as long as the children: the kernel's "death with the
   parent" means the thread that forked.
3. It is started with a clean environment and holds nothing secret: a child inherits all of its memory.
   `confine` overwrites the environment block, but not what was copied into Python objects. Expected values,
   hidden cases, variants and the gradebook's address stay in other processes.
4. It has already imported what must not be looked for in the sandbox, and `readable` names what lessons still
   import lazily, the `autograder` package for one. Never give it the course folder.
5. It keeps no log file or socket open that it minds losing in the child: `confine` closes every descriptor
   but `keep`.
6. It never opens a file that a submission left behind. With namespaces there is none: the working folder is
   private and dies with the submission, so answers come back through a pipe.
"""
