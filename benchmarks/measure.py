"""One child process: `python measure.py CAP_GIB LOG COMMAND...` prints wall and CPU seconds, peak memory and exit code.

It stays small, because a child's peak memory is never below that of the process that started it.
"""

import json
import os
import sys
import threading
import time


def main() -> None:
    """Run the command, its output to LOG; past the cap it is killed and its exit code is -9."""
    cap, log, command = float(sys.argv[1]) * 2**30, sys.argv[2], sys.argv[3:]
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    actions = [(os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)]
    began = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    ended = threading.Event()
    threading.Thread(target=_guard, args=(child, cap, ended), daemon=True).start()
    _, status, used = os.wait4(child, 0)
    wall = time.perf_counter() - began
    ended.set()
    result = {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / 2**20}
    print(json.dumps(result | {"code": os.waitstatus_to_exitcode(status)}))


def _guard(child: int, cap: float, ended: threading.Event) -> None:
    page = os.sysconf("SC_PAGE_SIZE")
    while not ended.wait(0.1):
        try:
            with open(f"/proc/{child}/statm") as file:  # noqa: PTH123  # pathlib would load too much
                resident = int(file.read().split()[1]) * page
        except (OSError, IndexError):
            return
        if resident > cap:
            os.kill(child, 9)
            return


if __name__ == "__main__":
    main()
