"""An S3 server for the tests and the demonstration, on a free port, which it prints; it ends with its standard input.

With an argument it writes a line for each request into that file.
"""

import logging
import sys

from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
log = logging.getLogger("werkzeug")
if sys.argv[1:]:
    log.setLevel(logging.INFO)
    log.addHandler(logging.FileHandler(sys.argv[1]))
    log.propagate = False
else:
    log.setLevel(logging.ERROR)
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
