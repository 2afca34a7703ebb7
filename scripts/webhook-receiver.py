#!/usr/bin/env python3
"""Prints what Alertmanager sends to a webhook, a line an alert: the receiver of the demo.

    scripts/webhook-receiver.py PORT
"""

import json
import sys
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        for alert in json.loads(body).get("alerts", []):
            told, labels = alert.get("annotations", {}), alert.get("labels", {})
            clock = datetime.now().strftime("%H:%M:%S")
            lines = [f"{clock}  {alert['status']:8}  {labels.get('alertname')}: {told.get('summary')}"]
            todo = told.get("remedy") or told.get("command")
            if todo and alert["status"] == "firing":
                lines.append(f"                    {todo}")
            # At once: several may come at the same time.
            sys.stdout.write("\n".join(lines) + "\n")
            sys.stdout.flush()
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
