"""The ways an audit can stop, each with the exit code that docs/specification.md#exit-codes gives it.

Messages say where, what, and what to do; they never quote a cell's value.
"""

from auditor.schema.names import without_credentials


class AuditError(Exception):
    """An audit that stopped on purpose. Its message contains no user or password of a URL."""

    exit_code = 4

    def __init__(self, message: str) -> None:
        """`message`: for the user."""
        super().__init__(without_credentials(message))


class UsageError(AuditError):
    """Wrong usage or an invalid policy file."""

    exit_code = 2


class InputRefused(AuditError):
    """Inputs that cannot be audited reliably."""

    exit_code = 3


class OutputFailed(AuditError):
    """The output could not be written."""

    exit_code = 4


class LedgerDamaged(AuditError):
    """The case ledger is damaged, or is not the one that the last run used."""

    exit_code = 4


class FolderLocked(AuditError):
    """Another run uses the output folder."""

    exit_code = 75
