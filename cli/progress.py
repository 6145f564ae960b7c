"""The progress of a stage on a terminal: the time it has taken, and the time it may still take."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_TEXTS = {"reading": "Looking through the", "typing": "Checking the", "judging": "Judging the claims",
          "writing": "Writing the report"}  # fmt: skip


class Bar(Progress):
    """The bar of one stage, such as `reading calls`, on standard error."""

    def __init__(self, stage: str) -> None:
        columns = (TextColumn("{task.description}", markup=False), BarColumn(20), TaskProgressColumn(),
                   TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())  # fmt: skip
        super().__init__(*columns, console=Console(stderr=True), transient=True)
        self.stage, (name, _, table) = stage, stage.partition(" ")
        self._only = self.add_task(f"{_TEXTS.get(name, name)} {table}".rstrip(), total=None)
        self.start()

    def show(self, share: float | None) -> None:
        """Show that this share of the stage is done; None: unknown yet."""
        if share is not None:
            self.update(self._only, total=1.0, completed=min(share, 1.0))
