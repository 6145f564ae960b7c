"""The provider is a physician, or the credential is not on the policy's list.

What it checks: the provider's credential is on the policy's list of qualified nonphysician professionals.

Why it matters: physicians report other codes, and other professionals need the payer's approval.

Nurse practitioners, physician assistants, clinical nurse specialists and nurse midwives are clear, because they are no
physicians. The sources conflict about them: CMS paid the codes to practitioners who cannot report E/M services, which these
professionals can, and "nonphysician practitioner" is its word for them; CPT does not define the "qualified nonphysician
health care professional" of the codes, so that each payer decides (American Academy of Pediatrics). To ask for review of
these professionals, set `[credentials] may_report_em = "review"` in the policy; `[lists] may_report_em` has their
credentials.

How to resolve: correct the credential, or add it to the policy's list and cite the payer's source.

What it cannot see: state scope-of-practice rules.
"""

import polars as pl

from auditor.rules.reasons import always
from auditor.rules.rule import TELEPHONE_SERVICES, Rule

RULE = Rule(
    code="ELG003",
    name="physician-or-unlisted-credential",
    page=__doc__,
    over="claim",
    violation=pl.col("physician"),
    review=~pl.col("qualified") | pl.col("reviews_em"),
    conclusive=~pl.col("provider_rounded"),
    unknown=pl.col("credential").is_null() | pl.col("provider_unsure"),
    needs=(("calls.provider_credential", "providers.credential"),),
    message=pl.when(pl.col("physician"))
    .then(pl.lit("the provider's credential is that of a physician"))
    .when(pl.col("reviews_em") & pl.col("qualified"))
    .then(pl.lit("the provider may report E/M services, for which the policy asks for review"))
    .otherwise(pl.lit("the provider's credential is not on the policy's list of qualified professionals")),
    nothing="the provider's credential is on the policy's list of qualified professionals",
    why_unknown=always("the credential is blank, or the providers table writes the provider's id differently"),
    errs="over",
    cites=(
        f"{TELEPHONE_SERVICES}: guidelines, who may report the codes",
        "CMS-1744-IFC, 85 FR 19230 (April 6, 2020): telephone assessment by practitioners who cannot report E/M services",
        "American Academy of Pediatrics, Coding Newsletter, Telephone Services Provided by a Qualified Nonphysician Health "
        "Care Professional: CPT does not say who that is",
    ),
    examples="""
    record | patient | start            | provider_credential | expect
    k1     | p1      | 2026-03-02 09:00 | M.D., PhD           | violation
    k2     | p2      | 2026-03-02 09:00 | RN                  | review
    k3     | p3      | 2026-03-02 09:00 | PA-C                | clear
    k4     | p4      | 2026-03-02 09:00 |                     | unknown
    k5     | p5      | 2026-03-02 09:00 | PMHNP-BC            | clear
    k6     | p6      | 2026-03-02 09:00 | Physical Therapist  | clear
    k7     | p7      | 2026-03-02 09:00 | Physician Assistant | clear
    k8     | p8      | 2026-03-02 09:00 | 207Q00000X          | violation

    policy: credentials.may_report_em = "review"
    record | patient | start            | provider_credential | expect
    k1     | p1      | 2026-03-02 09:00 | PA-C                | review
    k2     | p2      | 2026-03-02 09:00 | 363L00000X          | review
    k3     | p3      | 2026-03-02 09:00 | DPT                 | clear
    k4     | p4      | 2026-03-02 09:00 | M.D.                | violation
    """,
)
