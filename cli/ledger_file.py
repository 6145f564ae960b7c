"""`audit98968 cases verify`, `repair` and `restore`: the file of the ledger, rather than what is in it."""

from pathlib import Path

from auditor.cases import chain, proof, queries, replay, store
from auditor.cases import restore as restoring
from auditor.errors import InputRefused
from auditor.reading.files import shown
from auditor.reports import folder
from auditor.schema.names import counted
from cli.cases import print_line


def verify(location: Path, head: str | None) -> int:
    """Prove the history, or name every place where it does not hold. `head` is a hash that it printed earlier."""
    path = queries.ledger_of(location)
    with store.opened(path, any_schema=True) as ledger:
        faults = list(proof.faults(ledger, path.parent))
        if head and not chain.known_hashes(ledger, {head}):
            faults.append("no entry has the hash of --head: the history was cut short or written anew since")
        entries, last = chain.last(ledger)
    for fault in faults:
        print_line(fault)
    if faults:
        raise InputRefused(f"{path}: the history does not hold, as listed above; keep this file as evidence")
    print_line(f"{entries:,} entries: the history holds, up to the hash {last}")
    return 0


def repair(location: Path) -> int:
    """Make the cases anew from the history, with a copy of the ledger kept."""
    path = queries.ledger_of(location)
    with store.opened(path, any_schema=True) as ledger:
        copy = store.back_up(ledger, path)
        with store.writing(ledger):
            store.remake_schema(ledger)
            changed = replay.repair(ledger, path.parent)
        faults = list(proof.faults(ledger, path.parent))
    print_line(f"{counted(changed, 'case')} put right; the ledger as it was: {copy}")
    for fault in faults:
        print_line(fault)
    return 0


def restore(location: Path) -> int:
    """Make a ledger anew from the run folders; one that is there is kept aside."""
    path = queries.ledger_of(location)
    if not path.parent.is_dir():
        raise InputRefused(f"{path.parent}: no such folder; name the one that was given to --out")
    unfinished = path.with_name(f".unfinished-{path.name}")
    with folder.locked(path.parent):
        try:
            with store.opened(unfinished, create=True) as ledger:
                with store.writing(ledger):
                    cases, runs, last = restoring.restore(ledger, path.parent)
                ledger.execute("PRAGMA journal_mode = DELETE")  # one file, which can be moved
            archived = store.archive(path)
            unfinished.rename(path)
            proof.note_entered(path.parent, last)
        finally:
            for rest in ("", "-wal", "-shm"):
                unfinished.with_name(unfinished.name + rest).unlink(missing_ok=True)
    if archived:
        print_line(f"the ledger that was there: {shown(archived)}")
    print_line(
        f"{counted(cases, 'case')} restored from {counted(runs, 'run')}; enter again what was decided after {last}"
    )
    return 0
