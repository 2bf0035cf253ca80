"""Starts a function's binary under a Lambda Runtime API and prints its answer to one event.

Reads {"binary": PATH, "variables": {NAME: VALUE}, "event": {…}, "seconds": NUMBER} from standard input and
writes {"outcome": "response" or "error", "answer": {…}, "ms": NUMBER} to standard output; `ms` is the time
from start to answer. If no answer comes in time, standard error holds what the process has printed, and
the exit status is 1. Every other request gets status 400, so AWS is not there for the function.

Protocol: "Using the Lambda runtime API for custom runtimes", AWS Lambda developer guide.
"""

import ctypes
import http.server
import json
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time

order = json.load(sys.stdin)
events, answers = queue.Queue(), queue.Queue()
events.put(order["event"])


class RuntimeApi(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if not self.path.endswith("/runtime/invocation/next"):
            return self.reply(400)
        # The second request waits until the process is killed.
        event = events.get()
        deadline = int((time.time() + order["seconds"]) * 1000)
        self.reply(
            200,
            json.dumps(event).encode(),
            {
                "lambda-runtime-aws-request-id": "1",
                "lambda-runtime-deadline-ms": str(deadline),
                "lambda-runtime-invoked-function-arn": "arn:aws:lambda:us-east-1:1:function:f",
                "lambda-runtime-trace-id": "Root=1-0-0;Sampled=0",
            },
        )

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        outcome = self.path.rsplit("/", 1)[-1]
        if "/invocation/" not in self.path or outcome not in ("response", "error"):
            return self.reply(400)
        answers.put({"outcome": outcome, "answer": json.loads(body)})
        self.reply(202)

    def reply(self, status, body=b"", headers={}):
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def end_with_this_process():
    """Runs in the child before its program: Linux kills it when its parent ends, however that ends."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(binary, variables, log):
    try:
        return subprocess.Popen(
            [binary],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=end_with_this_process,
        )
    except OSError as error:
        sys.exit(f"{binary} cannot be started: {error.strerror}")


def ask():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), RuntimeApi)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{server.server_port}"
    variables = {
        "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_LOG_GROUP_NAME": "g",
        "AWS_LAMBDA_LOG_STREAM_NAME": "s",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": f"http://{address}",
        **order["variables"],
    }
    with tempfile.TemporaryFile() as log:
        began = time.monotonic()
        process = start(order["binary"], variables, log)
        try:
            waits = True
            while waits:
                # After its end, one more look: it may have answered just before.
                waits = process.poll() is None and time.monotonic() < began + order["seconds"]
                try:
                    answer = answers.get(timeout=0.1)
                    return {**answer, "ms": round((time.monotonic() - began) * 1000)}
                except queue.Empty:
                    pass
            log.seek(0)
            said = log.read().decode(errors="replace")
            ended = "no answer came" if process.poll() is None else f"it ended with {process.returncode}"
            sys.exit(f"{ended}; it printed:\n{said}")
        finally:
            process.kill()
            process.wait()


json.dump(ask(), sys.stdout)
