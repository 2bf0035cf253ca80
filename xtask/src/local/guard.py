"""Runs the server in a Python module until whoever started it goes away: guard.py MODULE [ARGUMENT...]

xtask holds the other end of our standard input. When xtask ends, however it ends, the read below
returns, and the whole process group is killed: the server, and the processes that it has started.
"""

import importlib
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

sys.argv = sys.argv[1:]
importlib.import_module(sys.argv[0]).main()
