"""An OTLP receiver behind TLS: otlp-receiver.py FOLDER

Takes its certificate from FOLDER (server.crt, server.key), writes its port to FOLDER/port, and for each
log record that it was sent a line with the record's `log.record.uid` to FOLDER/records. Ends when it is
killed.
"""

import gzip
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

folder = Path(sys.argv[1])
records = (folder / "records").open("a", buffering=1)


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        request = ExportLogsServiceRequest.FromString(body)
        logs = (log for resource in request.resource_logs for scope in resource.scope_logs for log in scope.log_records)
        uids = (a.value.string_value for log in logs for a in log.attributes if a.key == "log.record.uid")
        records.write("".join(f"{uid}\n" for uid in uids))
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        # Who does not trust the certificate hangs up.
        print("refused by", client_address, sys.exc_info()[1], file=sys.stderr)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder / "server.crt", folder / "server.key")
server = Server(("127.0.0.1", 0), Receiver)
# The handshake is left to each connection's own thread.
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
# Whole at once, since somebody waits for it.
(folder / "port.new").write_text(str(server.server_port))
(folder / "port.new").rename(folder / "port")
server.serve_forever()
