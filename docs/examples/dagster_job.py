"""Audit the night's exports with Dagster: an asset whose metadata are figures of the run, none of a patient."""

import json
import subprocess
from pathlib import Path

import dagster as dg

OUT = Path("/var/lib/audit98968/out")
POLICY = "/etc/audit98968/policy.toml"
"""It names the exports under [run]."""


class Audit98968(dg.ConfigurableResource):
    """The policy and the output folder of the runs."""

    policy: str = POLICY
    out: str = str(OUT)

    def run(self) -> int:
        """The exit code of a run: 0 without findings, 1 with new ones. Raises for any other."""
        options = ["run", "--policy", self.policy, "--out", self.out, "--fail-on", "new", "--format", "none", "--quiet"]
        code = subprocess.run(["audit98968", *options], check=False).returncode
        if code == 75:
            raise dg.RetryRequested(max_retries=12, seconds_to_wait=300)
        if code not in (0, 1):
            raise dg.Failure(f"audit98968 ended with {code}; see its log", allow_retries=False)
        return code


@dg.asset
def telephone_claims_audit(audit98968: Audit98968) -> dg.MaterializeResult:
    """The audit of one night."""
    code = audit98968.run()
    summary = json.loads((Path(audit98968.out) / "latest" / "summary.json").read_text(encoding="utf-8"))
    return dg.MaterializeResult(
        metadata={
            "new findings": code == 1,
            "claims audited": summary["claims"]["audited"],
            "claims in violation": summary["after_decisions"]["violation"],
            "at risk": summary["money"]["at_risk"],
        }
    )


nightly = dg.ScheduleDefinition(name="nightly", target=[telephone_claims_audit], cron_schedule="0 2 * * *")
defs = dg.Definitions(assets=[telephone_claims_audit], schedules=[nightly], resources={"audit98968": Audit98968()})
