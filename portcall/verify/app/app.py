"""An app whose image decides its behaviour: it serves, exits at once, or listens on another port."""

import http.server
import json
import os
import sys
import threading

MODE = os.environ["MODE"]
PORT = int(os.environ["PORT"])


class Probe(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        said = json.dumps({"version": os.environ["VERSION"], "path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
        if self.path == "/crash":
            print("error: somebody asked for /crash", flush=True)
            threading.Timer(0.2, os._exit, (1,)).start()


if MODE == "exit":
    sys.exit("error: this image was built to fail")
# The health check does not try the next port, so this app runs but never answers.
port = PORT + 1 if MODE == "deaf" else PORT
print(f"listening on {port}", flush=True)
http.server.ThreadingHTTPServer(("", port), Probe).serve_forever()
