"""Diagnostics: how a mistake is shown."""

from __future__ import annotations

import html
import pickle
import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from nnfp_kernel.language.diagnostics import Diagnostic, Label, NnfpError
from nnfp_kernel.language.misfit import Misfit, drawing
from nnfp_kernel.language.source import Source, Span

PROGRAM = Source(
    "rep Picture = R[128]\n"
    "encode = fold cell zero >> Thought\n"
    "decode = unfold[10] step\n"
    "translate = encode >> decode\n",
    "cell 3",
)


def at(line: int, start: int, stop: int, end_line: int | None = None) -> Span:
    return Span(PROGRAM, line, start, end_line or line, stop)


def test_a_mistake_looks_as_the_conventions_show_it() -> None:
    diagnostic = Diagnostic(
        "representation-mismatch",
        "these representations do not compose",
        Label(at(4, 23, 29), "takes a Picture"),
        (Label(at(4, 13, 19), "gives a Thought (line 2)"),),
        ("Both are R[128], but a Thought is not a Picture. If you mean it, convert:",),
        r"encode >> (\(Thought t) -> Picture t) >> decode",
    )
    assert diagnostic.render() == (
        "error: these representations do not compose                "
        "cell 3, line 4, columns 23-28\n"
        "  4 │ translate = encode >> decode\n"
        "    │             ------    ^^^^^^ takes a Picture\n"
        "    │             gives a Thought (line 2)\n"
        "Both are R[128], but a Thought is not a Picture. If you mean it, convert:\n"
        "    encode >> (\\(Thought t) -> Picture t) >> decode"
    )


def test_other_lines_stand_after_the_line_of_the_mistake() -> None:
    diagnostic = Diagnostic(
        "x", "title", Label(at(4, 13, 19), "here"), (Label(at(2, 1, 7), "defined here"),)
    )
    assert diagnostic.render().split("\n")[1:] == [
        "  4 │ translate = encode >> decode",
        "    │             ^^^^^^ here",
        "    │",
        "  2 │ encode = fold cell zero >> Thought",
        "    │ ------ defined here",
    ]


def test_another_source_is_named() -> None:
    other = Source("\nstep h = h", "cell 1")
    diagnostic = Diagnostic(
        "x", "title", Label(at(3, 21, 25)), (Label(Span(other, 2, 1, 2, 5), "defined here"),)
    )
    assert diagnostic.render().split("\n")[3:] == [
        "    │",
        "    ┌ cell 1",
        "  2 │ step h = h",
        "    │ ---- defined here",
    ]


def test_labels_of_one_line_stand_on_lines_of_their_own() -> None:
    diagnostic = Diagnostic(
        "x",
        "title",
        Label(at(2, 15, 19), "second"),
        (
            Label(at(2, 10, 14), "first"),
            Label(at(2, 20, 24), "third"),
            Label(at(2, 10, 24), "all of it"),
        ),
    )
    assert diagnostic.render().split("\n")[1:] == [
        "  2 │ encode = fold cell zero >> Thought",
        "    │          ---- ^^^^ ---- third",
        "    │          │    second",
        "    │          first",
        "    │          -------------- all of it",
    ]


def test_a_span_over_lines_has_a_bar_beside_it() -> None:
    diagnostic = Diagnostic("x", "title", Label(at(2, 10, 9, 4), "this runs on"))
    assert diagnostic.render().split("\n")[1:] == [
        "  2 │ ╭ encode = fold cell zero >> Thought",
        "  3 │ │ decode = unfold[10] step",
        "  4 │ │ translate = encode >> decode",
        "    │ ╰─ this runs on",
    ]


def test_tabs_and_wide_characters_keep_the_caret_in_place() -> None:
    source = Source("\tf 漢字 e\u0301 x", "cell 1")
    span = Span(source, 1, 10, 1, 11)
    assert span.text == "x"
    _, shown, marks = Diagnostic("x", "title", Label(span)).render().split("\n")
    assert shown == "  1 │     f 漢字 e\u0301 x"
    before = shown[: shown.index("x")]
    columns = sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) == "W" else 1
        for c in before
    )
    assert marks.index("^") == columns


def test_a_long_line_is_cut_around_the_place() -> None:
    source = Source("x = " + " + ".join(f"a{i}" for i in range(3000)), "cell 1")
    start = source.text.index("a1500")
    span = Span(source, 1, start + 1, 1, start + 6)
    rendered = Diagnostic(
        "x", "title", Label(span, "here"), (Label(Span(source, 1, 1, 1, 2), "the name"),)
    ).render()
    assert max(map(len, rendered.split("\n"))) <= 100
    _, shown, marks, *more = rendered.split("\n")
    assert shown[marks.index("^") :].startswith("a1500")
    assert any("the name (column 1)" in line for line in [marks, *more])


def test_a_mistake_without_a_text_is_named_and_not_quoted() -> None:
    span = Span(Source("", "the weights"), 1, 1, 1, 1)
    rendered = Diagnostic("x", "no such path", Label(span)).render()
    assert rendered.startswith("error: no such path")
    assert rendered.endswith("the weights")
    assert len(rendered.split("\n")) == 1


def test_all_mistakes_are_shown_by_position() -> None:
    error = NnfpError(
        [Diagnostic("x", f"mistake on {line}", Label(at(line, 1, 2))) for line in (4, 1, 3)]
    )
    found = re.findall(r"mistake on (\d)", error.render())
    assert found == ["1", "3", "4"]
    assert re.findall(r"mistake on (\d)", error.render_html()) == found
    assert error.render().endswith("3 errors")
    assert error.span.line == 1


def test_an_error_survives_pickling() -> None:
    error = NnfpError(Diagnostic("x", "title", Label(at(2, 1, 7), "here"), notes=("a note",)))
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is NnfpError
    assert again.diagnostics == error.diagnostics
    assert again.render() == error.render() == str(error)


def test_ipython_gets_lines_and_html() -> None:
    error = NnfpError(Diagnostic("x", "title", Label(at(2, 1, 7), "here")))
    lines = error._render_traceback_()
    plain = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in lines]
    assert "\n".join(plain) == error.render()
    assert lines != plain
    assert error._repr_html_() == error.render_html()


def test_html_is_readable_without_a_notebook_and_in_it() -> None:
    rendered = Diagnostic("x", "`f` is unknown", Label(at(2, 1, 7))).render_html()
    for property in re.findall(r"--jp-[\w-]+(.)", rendered):
        assert property == ","  # every colour of the notebook's has a fallback
    assert "prefers-color-scheme:dark" in rendered
    assert "<code>f</code>" in rendered


anything = st.text(st.characters(codec="utf-8"), max_size=40)


@given(anything, anything, anything, anything, st.data())
def test_whatever_is_quoted_is_escaped_and_shown(
    text: str, title: str, label: str, note: str, data: st.DataObject
) -> None:
    source = Source(text, "<cell>")
    lines = text.split("\n")
    spans = []
    for _ in range(data.draw(st.integers(1, 4))):
        line = data.draw(st.integers(1, len(lines)))
        end_line = data.draw(st.integers(line, len(lines)))
        column = data.draw(st.integers(1, len(lines[line - 1]) + 1))
        least = column if line == end_line else 1
        stop = data.draw(st.integers(least, max(least, len(lines[end_line - 1]) + 1)))
        spans.append(Span(source, line, column, end_line, stop))
    diagnostic = Diagnostic(
        "x",
        title,
        Label(spans[0], label),
        tuple(Label(span, "<b>&") for span in spans[1:]),
        (note,),
        note,
    )
    rendered, page = diagnostic.render(), diagnostic.render_html()
    assert "^" in rendered or "╰" in rendered or not text
    body = page.split("</style>")[1]
    tags = set(re.findall(r"<[^>]*>", body))
    assert tags <= {
        '<section class="nnfp-error">', "</section>", "</div>", "<p>", "</p>", "<b>", "</b>",
        "<i>", "</i>", "<em>", "</em>", "<pre>", "</pre>", "<code>", "</code>", "<br>",
        '<pre class="nnfp-suggestion">',
    }  # fmt: skip
    if label.strip().isalnum() and text:
        assert label.strip() in html.unescape(re.sub(r"<[^>]*>", "", body))


def test_html_underlines_representations_and_sets_types_as_code() -> None:
    told = Diagnostic(
        "x", "a Thought is R[2,3] -> (R, Thought)", Label(at(2, 1, 7)), notes=("[Thought] @ R[3].",)
    )
    shown = NnfpError(told, ["Word", "Thought"]).render_html().split("</style>")[1]
    thought = '<span class="rep r2">Thought</span>'
    assert f"a <code>{thought}</code> is <code>R[2,3] -&gt; (R, {thought})</code>" in shown
    assert f"<p><code>[{thought}] @ R[3]</code>.</p>" in shown


def test_html_shows_the_line_above() -> None:
    source = Source("first = 1\nsecond = tnah first", "cell 1")
    told = Diagnostic("x", "unknown", Label(Span(source, 2, 10, 2, 14), "not in scope"))
    assert "<i>first = 1</i>" in told.render_html()
    assert "first = 1" not in told.render()


def test_a_wire_that_does_not_fit_is_drawn_in_html_and_what_is_written_on_it_is_escaped() -> None:
    span = Span(Source("f = <g> >> h"), 1, 5, 1, 8)
    told = Diagnostic("do-not-compose", "no", Label(span), misfit=Misfit("<g>", "A&B", "C", "h"))
    shown = told.render_html()
    assert "<svg" in shown
    assert "&lt;g&gt;" in shown
    assert "<g>" not in shown
    assert "A&amp;B" in shown
    assert "svg" not in told.render()


def test_a_misfit_has_the_colours_of_its_representations() -> None:
    shown = drawing(Misfit("f", "Thought", "[Word]", "g"), ("Word", "Thought"))
    assert shown.index("--rep2") < shown.index("--rep1")
