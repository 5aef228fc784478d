"""The page's files as they are served: the same code without comments, kept by browsers."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter_javascript
from tree_sitter import Language, Node, Parser

from routes.page import VENDORED, without_comments
from tests.support.waiting import ROOT

WEB = ROOT / "web"
PARSER = Parser(Language(tree_sitter_javascript.language()))
MODULES = sorted(path for path in WEB.rglob("*.js") if not path.is_relative_to(WEB / VENDORED))
# Comments of shaders are inside of strings.
SHADER_COMMENT = re.compile(rb"^\s*//[^\n]*", re.MULTILINE)
Token = tuple[str, bytes]


def tokens(node: Node) -> Iterator[Token]:
    """Yield the tokens of a module in order, with the text between the expressions of templates."""
    if node.type == "comment":
        return
    if node.type == "template_string":
        yield from template(node)
    elif not node.children or node.type in ("string", "regex"):
        yield node.type, node.text or b""
    else:
        yield node.type, b""
        for child in node.children:
            yield from tokens(child)


def template(node: Node) -> Iterator[Token]:
    text, begin = node.text or b"", node.start_byte
    at = begin
    for child in node.children:
        if child.type == "template_substitution":
            yield "text", one_space(text[at - begin : child.start_byte - begin])
            yield from tokens(child)
            at = child.end_byte
    yield "text", one_space(text[at - begin :])


def one_space(text: bytes) -> bytes:
    """HTML and shaders read any space around the end of a line as one."""
    return re.sub(rb"\s*\n\s*", b"\n", SHADER_COMMENT.sub(b"", text))


def parsed(module: bytes) -> list[Token]:
    root = PARSER.parse(module).root_node
    assert not root.has_error
    return list(tokens(root))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(WEB)))
def test_served_module_is_the_same_code(path: Path) -> None:
    module = path.read_bytes()
    assert parsed(without_comments(module)) == parsed(module)


def test_comments_and_indentation_are_not_served() -> None:
    module = b"""// First.
/** @param {string} name */
export function hello(name) {
  // Why.
  const at = "http://example.org/*";

  return html`<p title=${/** @type {any} */ (name)}>
    ${name} ${`// ${at}`}</p>`;
}
"""
    served = b"""export function hello(name) {
const at = "http://example.org/*";
return html`<p title=${ (name)}>
${name} ${`// ${at}`}</p>`;
}
"""
    assert without_comments(module) == served


def test_text_that_looks_like_a_comment_is_noticed() -> None:
    """The check above fails for code that the service would change."""
    module = b"const text = '/** no comment */';\n"
    assert parsed(without_comments(module)) != parsed(module)
