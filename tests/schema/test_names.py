"""Text that is safe to show: URLs without their users and passwords."""

import pytest

from auditor.schema.names import counted, found_of, without_credentials


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("postgresql://ann:s3cret@db.example/claims", "postgresql://db.example/claims"),
        ("postgresql:/ann:s3cret@db.example/claims", "postgresql://db.example/claims"),
        ("postgresql://ann@db.example/claims", "postgresql://db.example/claims"),
        ("postgresql://ann:p@ss/w:rd@db.example/claims", "postgresql://db.example/claims"),
        ("postgresql://ann:my s3cret@db.example/claims", "postgresql://db.example/claims"),
        ("postgresql://:s3cret@db.example/claims", "postgresql://db.example/claims"),
        ("jdbc:postgresql://db.example/claims?user=ann&password=s3cret", "jdbc:postgresql://db.example/claims"),
        ("sqlserver://db.example;user=ann;password=s3cret", "sqlserver://db.example"),
        ("https://host.example/x.csv?sig=s3cret&se=2026", "https://host.example/x.csv"),
        ("calls: POSTGRESQL://ann:s3cret@h/db: no such file; check", "calls: POSTGRESQL://h/db: no such file; check"),
        ("['https://h/x?token=s3cret', 'y']", "['https://h/x', 'y']"),
    ],
)
def test_a_url_shows_its_host_and_path_alone(written: str, shown: str):
    assert without_credentials(written) == shown
    assert without_credentials(shown) == shown


@pytest.mark.parametrize(
    "text",
    ["s3://bucket/calls-?.csv", "s3://bucket/table@5", "https://host:8443/calls.csv", "/data/ann@home/calls.csv",
     "sqlite:///claims.db", "calls: /data/a@b.csv: no such file", "see postgresql://h/db; give a=b", "spark://host:7077"],
)  # fmt: skip
def test_what_holds_no_credential_stays_as_it_is(text: str):
    assert without_credentials(text) == text


def test_numbers_have_their_nouns():
    assert (counted(1, "claim"), counted(2_000, "claim")) == ("1 claim", "2,000 claims")
    assert found_of(1, 1, "visits that calls name") == "1 of 1 visit that calls name"
    assert found_of(0, 1, "diagnosis categories of calls") == "0 of 1 diagnosis category of calls"
    assert found_of(1, 2, "patients of audited claims") == "1 of 2 patients of audited claims"
