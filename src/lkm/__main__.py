# SPDX-License-Identifier: MIT
"""`python -m lkm`, and the entry point of the command."""

import signal

# Until there is code that can answer it, Ctrl-C just ends us; where it is ignored (nohup), it stays so.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from lkm.cli import main

if __name__ == "__main__":
    main()
