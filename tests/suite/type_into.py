"""Types into a command on a pseudo-terminal of 40 lines and 120 columns, and prints what it showed.

Arguments: how many words the command has, its words, then pairs of a text to wait for and a text to type; of
the latter, one such as `SIGTERM` is sent as that signal. Last, a line on stderr says how the terminal was left.
"""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

words = int(sys.argv[1])
command, steps = sys.argv[2 : 2 + words], sys.argv[2 + words :]
process, terminal = pty.fork()
if process == 0:
    os.environ["TERM"] = "xterm"
    os.execv(command[0], command)
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))

screen, seen = "", 0


def read(seconds):
    """What the prompt shows within that time; None once it has ended."""
    global screen
    if not select.select([terminal], [], [], seconds)[0]:
        return True
    try:
        screen += os.read(terminal, 65536).decode("utf-8", "replace")
        return True
    except OSError:
        return None


for wanted, typed in zip(steps[::2], steps[1::2]):
    until = time.monotonic() + 60
    while wanted not in screen[seen:]:
        if time.monotonic() > until or read(1) is None:
            sys.exit(f"waited in vain for {wanted!r}; the screen shows:\n{screen}")
    seen = len(screen)
    # A line that was sent before the prompt reads again would be echoed twice.
    time.sleep(0.3)
    if typed.startswith("SIG"):
        os.kill(process, signal.Signals[typed])
    else:
        os.write(terminal, typed.encode())
while read(30) is not None:
    pass
print(screen)
modes = termios.tcgetattr(terminal)[3]
has = lambda mode: "yes" if modes & mode else "no"
print(f"left with echo {has(termios.ECHO)}, line by line {has(termios.ICANON)}", file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
