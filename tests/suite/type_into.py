"""Types into a command on a pseudo-terminal of 40 lines and 120 columns, and prints what it showed.

Arguments: how many words the command has, its words, then pairs of a pattern to wait for and a text to type; of
the latter, one such as `SIGTERM` is sent as that signal. Last, a line on stderr says how the terminal was left.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

# How long something that has to happen may take, in s.
PATIENCE = 240

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


def wait_until(what, has_happened):
    until = time.monotonic() + PATIENCE
    while not has_happened():
        if time.monotonic() > until or read(0.02) is None:
            sys.exit(f"waited in vain for {what}; the screen shows:\n{screen}")


def takes_keys():
    """Does the command read the keys one by one? While it does not, the terminal shows what is typed, and the
    command would show it once more."""
    return not termios.tcgetattr(terminal)[3] & termios.ICANON


for wanted, typed in zip(steps[::2], steps[1::2]):
    wait_until(repr(wanted), lambda: re.search(wanted, screen[seen:]))
    seen = len(screen)
    if typed.startswith("SIG"):
        os.kill(process, signal.Signals[typed])
        continue
    # Ctrl-C is for a command that is busy, too.
    if typed != "\x03":
        wait_until(f"a prompt to type {typed!r} into", takes_keys)
    os.write(terminal, typed.encode())
until = time.monotonic() + PATIENCE
while read(1) is not None:
    if time.monotonic() > until:
        sys.exit(f"waited in vain for its end; the screen shows:\n{screen}")
print(screen)
modes = termios.tcgetattr(terminal)[3]
has = lambda mode: "yes" if modes & mode else "no"
print(f"left with echo {has(termios.ECHO)}, line by line {has(termios.ICANON)}", file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
