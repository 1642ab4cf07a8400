"""A learner opens unit 02 in Chinese, checks a wrong softmax and a right one, and reads both panels in Chinese."""

import textwrap

from tests.browser.notebook_page import NotebookPage

UNIT = "02_attention_scores"
SETUP = f'begin("{UNIT}", language="zh")'
OVERFLOWING = textwrap.dedent("""\
    def softmax(x, axis=-1):
        exponentials = np.exp(x)
        return exponentials / exponentials.sum(axis=axis, keepdims=True)
    """)
RIGHT = OVERFLOWING.replace("np.exp(x)", "np.exp(x - x.max(axis=axis, keepdims=True))")


def test_a_wrong_softmax_and_a_right_one_are_told_in_chinese(
    notebook: NotebookPage, outside_requests: list[str]
) -> None:
    notebook.open(f"notebooks/zh/{UNIT}/attention_scores.ipynb")
    notebook.run(SETUP)
    assert "分数" in notebook.output_text(SETUP)
    notebook.run('where_you_are("02_attention_scores")')
    notebook.replace_source("softmax", OVERFLOWING)
    notebook.run("softmax")
    notebook.run("softmax-check")
    notebook.show("softmax-check")
    notebook.screenshot("chinese_wrong")
    wrong = notebook.output_text("softmax-check")
    assert "还没有 · softmax" in wrong and "上溢" in wrong and "见于：" in wrong and "提示 1/3" in wrong
    assert notebook.result("softmax-check") == "0.0"
    notebook.replace_source("softmax", RIGHT)
    notebook.run("softmax")
    notebook.run("softmax-check")
    assert "通过 · softmax" in notebook.output_text("softmax-check")
    assert outside_requests == []


def test_the_start_page_leads_to_the_other_language_and_back(notebook: NotebookPage) -> None:
    notebook.open("notebooks/zh/start.ipynb")
    notebook.run("progress")
    notebook.screenshot("chinese_start")
    assert "检查得分" in notebook.output_text("progress")
    assert notebook.page.get_by_role("link", name="English").first.get_attribute("href")
