"""What a credential says."""

import pytest

from auditor import policy
from auditor.rules import select
from auditor.schema.codes import credential_parts

_MEANINGS = policy.load("default", select, "UTC").credentials.words


@pytest.mark.parametrize(
    ("credential", "parts"),
    [
        ("PA-C", {"PA", "C"}),
        ("Ph.D., Clinical Psychologist", {"PHD", "CLINICAL", "PSYCHOLOGIST", "PSYD"}),
        ("207NP0225X", {"physician"}),
        ("207PT0002X", {"physician"}),
        ("208000000X", {"physician"}),
        ("2251X0800X", {"PT"}),
        ("363lf0000x", {"NP"}),
        ("PT 225100000X", {"PT"}),
        ("101YM0800X; 207Q00000X", {"LPC", "physician"}),
        ("163WP0809X", set()),
        ("Qualified", {"QUALIFIED"}),
    ],
)
def test_words_and_taxonomy_codes(credential: str, parts: set[str]) -> None:
    assert credential_parts(credential, _MEANINGS) == parts


def test_the_longest_beginning_of_a_code_decides() -> None:
    meanings = {"2251": "qualified", "225": "physician", "225100000X": "OT"}
    assert credential_parts("2251X0800X", meanings) == {"qualified"}
    assert credential_parts("225100000X", meanings) == {"OT"}
    assert credential_parts("225400000X", meanings) == {"physician"}
