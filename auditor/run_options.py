"""The options of `run` and `check`, each declared once: flag, variable, policy key, default, help and manual are made of it.

Light, so that help is quick.

Source: docs/specification.md#options.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from auditor.choices import EngineName, FailOn, Format, LogFormat
from auditor.schema.codes import FAMILY

REQUIRED_RULES = ("DUR001", "LBK001", "LAH001", "FRQ001")
WRITABLE = ("html", "xlsx", "csv", "evidence")
"""Parts of a run folder that `--write` may leave out."""

_GROUPS = {
    "What to audit": (
        "as_of", "visits_since", "claims_since", "service_from", "service_to", "codes", "select", "ignore", "require",
    ),
    "When to refuse the inputs": ("max_rejects", "allow_empty", "allow_unjoined", "max_shrink"),
    "Outputs": ("out", "write", "format", "fail_on", "ledger", "show_ids", "pseudonymize"),
    "How to run": ("memory", "engine", "master", "quiet", "log_format", "log_file"),
}  # fmt: skip

Kind = Literal["paths", "text", "day", "size", "list", "rules", "switch", "policy", "timezone"]
"""What a value is: paths of a table; a local date; a number with a unit; words or rules with commas; yes or no."""


@dataclass(frozen=True, kw_only=True)
class RunOption:
    """One option. `choices`: all that it may be; `check`: `check` has it too; `in_policy`: the policy's [run] may set it."""

    name: str
    help: str
    kind: Kind = "text"
    metavar: str = ""
    default: Any = None
    choices: tuple[str, ...] = ()
    check: bool = False
    in_policy: bool = True

    @property
    def flag(self) -> str:
        """As on the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def group(self) -> str:
        """The heading under which help shows it."""
        return next((heading for heading, names in _GROUPS.items() if self.name in names), "Inputs")

    @property
    def variable(self) -> str:
        """As in the environment."""
        return f"AUDIT98968_{self.name.upper()}"

    @property
    def help_text(self) -> str:
        """The help, with the default, if there is one."""
        if not self.default or isinstance(self.default, bool):
            return self.help
        shown = self.default if isinstance(self.default, str) else ",".join(self.default)
        return f"{self.help.removesuffix('.')} [default: {shown}]."


def _table(name: str, help: str) -> RunOption:
    return RunOption(name=name, help=help, kind="paths", metavar="PATH...", check=True)


RUN_OPTIONS = (
    _table("calls", "Calls: files, globs, folders, or - for CSV on standard input."),
    _table("visits", "Visits; paths as for --calls."),
    _table("claims", "Claim lines, if exported separately; --calls and --visits are then optional."),
    _table("providers", "Providers."),
    _table("phone_log", "Records of the telephone system."),
    RunOption(name="database", help="Database for tables that are queries (.sql files): postgresql://, sqlite:/// or "
              "duckdb:///.", metavar="URL", check=True),
    RunOption(name="source", help="System that wrote a table, such as phone_log=twilio; its columns, zone, words and rows "
              "are known.", kind="list", metavar="TABLE=NAME", default=(), check=True),
    RunOption(name="policy", help="Policy file, or name of a built-in policy.", kind="policy", metavar="FILE|NAME",
              default="default", check=True, in_policy=False),
    RunOption(name="out", help="Folder for the reports; `check` only compares with its last run.", metavar="DIR",
              check=True),
    RunOption(name="write", help="Optional files to write, or none.", kind="list", metavar="LIST", default=WRITABLE,
              choices=(*WRITABLE, "none")),
    RunOption(name="format", help="What to print on standard output.", default="text", choices=get_args(Format)),
    RunOption(name="as_of", help="Date or time up to which the visits export is complete.", kind="day", metavar="T",
              check=True),
    RunOption(name="visits_since", help="First local date that the visits cover.", kind="day", metavar="D", check=True),
    RunOption(name="claims_since", help="First local date that the claim lines cover.", kind="day", metavar="D",
              check=True),
    RunOption(name="service_from", help="First service date to audit.", kind="day", metavar="D"),
    RunOption(name="service_to", help="Last service date to audit.", kind="day", metavar="D"),
    RunOption(name="codes", help="Codes to audit.", kind="list", metavar="LIST", default=("98968",), choices=FAMILY,
              check=True),
    RunOption(name="select", help="Evaluate only these rules: codes, prefixes or names, separated by commas.",
              kind="rules", metavar="RULES", check=True),
    RunOption(name="ignore", help="Leave out these rules.", kind="rules", metavar="RULES", default=(), check=True),
    RunOption(name="require", help="Refuse the inputs if one of these rules cannot be evaluated.", kind="rules",
              metavar="RULES", default=REQUIRED_RULES, check=True),
    RunOption(name="fail_on", help="Exit 1 if there are findings of this level or worse; `new` counts only findings "
              "that are new, worse or reopened.", default="review", choices=get_args(FailOn)),
    RunOption(name="max_rejects", help="Refuse a table with more rejected rows than this.", kind="size", metavar="N|P%",
              default="1%", check=True),
    RunOption(name="allow_empty", help="Accept a table without rows.", kind="switch", default=False, check=True),
    RunOption(name="allow_unjoined", help="Accept two tables whose ids hardly ever match.", kind="switch",
              default=False, check=True),
    RunOption(name="max_shrink", help="Refuse a table if a month has lost more rows than this since the last run.",
              kind="size", metavar="P%", default="20%", check=True),
    RunOption(name="timezone", help="IANA time zone of the exports.", kind="timezone", metavar="TZ", default="UTC",
              check=True, in_policy=False),
    RunOption(name="show_ids", help="Allow identifiers on the terminal and in logs.", kind="switch", default=False,
              check=True),
    RunOption(name="pseudonymize", help="Replace identifiers with keyed tokens in all outputs; dates remain, so the "
              "outputs remain PHI.", metavar="KEYFILE"),
    RunOption(name="ledger", help="File of the case ledger [default: ledger.sqlite in --out]; `new` starts a new one.",
              metavar="FILE|none|new[:FILE]", check=True),
    RunOption(name="memory", help="Memory to use, such as 2GB; the rest goes to disk.", kind="size", metavar="SIZE",
              default="50%", check=True),
    RunOption(name="engine", help="Engine that processes the data.", default="local", choices=get_args(EngineName),
              check=True),
    RunOption(name="master", help="Address of the Spark master, such as spark://HOST:7077 [default: local[*]].",
              metavar="URL", check=True),
    RunOption(name="quiet", help="Hide progress and warnings.", kind="switch", default=False, check=True),
    RunOption(name="log_format", help="Format of messages and the log; json is JSON Lines.", default="text",
              choices=get_args(LogFormat), check=True),
    RunOption(name="log_file", help="Append the full log to this file.", metavar="FILE", check=True),
)  # fmt: skip
BY_NAME = {option.name: option for option in RUN_OPTIONS}
LOG = ("log_format", "log_file", "quiet")
"""Known before there is a policy."""
TABLES = tuple(option.name for option in RUN_OPTIONS if option.kind == "paths")
