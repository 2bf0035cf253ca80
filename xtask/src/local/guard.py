"""Runs MiniStack until whoever started it goes away.

xtask holds the other end of our standard input. When xtask ends, however it ends, the read below
returns, and the whole process group is killed: MiniStack, and the functions' processes with it.
"""

import os
import signal
import sys
import threading


def end_with_starter():
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


# A group that is not ours would be killed with us.
if os.getpgid(0) != os.getpid():
    sys.exit("expected to lead a process group")
threading.Thread(target=end_with_starter, daemon=True).start()

from ministack.app import main  # noqa: E402

sys.argv = ["ministack"]
main()
