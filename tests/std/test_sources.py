"""The library's text: it parses, every definition has documentation and the type it says."""

import pytest

from nnfp_kernel import std
from nnfp_kernel.language import syntax
from nnfp_kernel.language.infer import show_type
from nnfp_kernel.language.parser import parse
from nnfp_kernel.language.printer import show
from nnfp_kernel.library import library


def definitions(name: str) -> list[syntax.Definition]:
    items = parse(std.source(name)).program.items
    return [item for item in items if isinstance(item, syntax.Definition)]


@pytest.mark.parametrize("name", std.FILES)
def test_a_library_file_has_no_syntax_errors(name):
    parsed = parse(std.source(name))
    assert parsed.diagnostics == ()
    assert parsed.program.items


@pytest.mark.parametrize("name", std.FILES)
def test_every_definition_has_a_signature_with_its_brackets(name):
    items = parse(std.source(name)).program.items
    signatures = {i.name: i.brackets for i in items if isinstance(i, syntax.Signature)}
    assert signatures == {item.name: item.brackets for item in definitions(name)}


@pytest.mark.parametrize("name", std.FILES)
def test_every_definition_says_what_it_is_by_itself(name):
    for definition in definitions(name):
        assert len(definition.comment) > 12, definition.name
        assert definition.comment.endswith("."), definition.name
        assert not definition.comment.startswith("The same"), definition.name


@pytest.mark.parametrize("name", std.FILES)
def test_a_library_file_prints_and_reads_back(name):
    program = parse(std.source(name)).program
    assert parse(show(program)).program == program


@pytest.mark.parametrize("name", std.FILES)
def test_every_definition_has_exactly_the_type_it_is_declared_with(name):
    """But for the constraints that travel with it, which a signature cannot say."""
    checked = library()
    for item in parse(std.source(name)).program.items:
        if isinstance(item, syntax.Signature):
            declared = item.span.text.split(" : ", 1)[1]
            inferred = show_type(checked.definitions[item.name]).split(" where ")[0]
            assert inferred == declared, item.name


def test_names_are_taken_once():
    names = [definition.name for name in std.FILES for definition in definitions(name)]
    assert len(names) == len(set(names))


def test_an_unknown_file_is_refused():
    with pytest.raises(KeyError):
        std.source("nothing")
