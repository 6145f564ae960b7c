"""Yes and no, and what documents something."""

from tests.support.parsing import typed


def test_a_word_that_is_neither_yes_nor_no_is_unknown_and_listed() -> None:
    parser, values = typed("calls", "established", "Y", "no", "perhaps", None)
    assert values == [True, False, None, None]
    assert parser.unrecognised == [("calls", "established", "perhaps", 1)]


def test_documentation_is_never_unknown() -> None:
    parser, values = typed("calls", "doc_advice", "see note", "no", "N/A", "-", None)
    assert values == [True, False, False, False, False] and not parser.unrecognised
