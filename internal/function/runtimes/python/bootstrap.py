"""The Runtime API client for functions in Python.

Gatepost runs it with the machine's python3: it loads the handler and then, one
after the other, asks for an event, calls the handler with it and posts what
came of it.
"""

import http.client
import importlib
import json
import logging
import os
import sys
import time
import traceback

# Their names are not ones that a function's own modules have.
from gatepost_context import LambdaContext
from gatepost_response import encode

VERSION = "/2018-06-01/runtime"


class Fault(Exception):
    """An error that Lambda itself has a type for."""

    def __init__(self, kind, message, trace=()):
        super().__init__(message)
        self.kind = kind
        self.trace = list(trace)


class RuntimeAPI:
    """The client's side of the Runtime API (version 2018-06-01)."""

    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address)

    def next(self):
        answer, body = self.exchange("GET", "/invocation/next")
        if answer.status != 200:
            raise RuntimeError("the Runtime API answered %d %s" % (answer.status, body.decode()))
        return answer.headers, body

    def succeed(self, request_id, body, content_type):
        self.post("/invocation/%s/response" % request_id, body, {"Content-Type": content_type})

    def fail(self, request_id, error):
        self.post_error("/invocation/%s/error" % request_id, error)

    def fail_init(self, error):
        self.post_error("/init/error", error)

    def post_error(self, path, error):
        headers = {"Content-Type": "application/json"}
        if error["errorType"].isascii() and error["errorType"].isprintable():
            headers["Lambda-Runtime-Function-Error-Type"] = error["errorType"]
        self.post(path, json.dumps(error).encode(), headers)

    def post(self, path, body, headers):
        """Posts what has come of an event. What the Runtime API refuses is said
        in the log: it has dealt with the event then."""
        flush()
        answer, text = self.exchange("POST", path, body, headers)
        if answer.status >= 300:
            print("the Runtime API refused %s: %s" % (path, text.decode()), file=sys.stderr)

    def exchange(self, method, path, body=None, headers={}):
        self.connection.request(method, VERSION + path, body, headers)
        answer = self.connection.getresponse()
        return answer, answer.read()


def flush():
    """What is written to the log before an answer must be in the pipe before it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass  # replaced or closed by the function


def load_handler(name):
    """Finds the handler: a module, as a path or with dots, and a name in it."""
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        raise Fault("Runtime.MalformedHandlerName",
                    "Bad handler '%s': not enough values to unpack (expected 2, got 1)" % name)
    if module_name.split(".")[0] in sys.builtin_module_names:
        raise Fault("Runtime.BuiltInModuleConflict",
                    "Cannot use built-in module %s as a handler module" % module_name)
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as e:
        suggest(e)
        raise Fault("Runtime.ImportModuleError",
                    "Unable to import module '%s': %s" % (module_name, e)) from e
    except SyntaxError as e:
        raise Fault("Runtime.UserCodeSyntaxError", "Syntax error in module '%s': %s" % (module_name, e),
                    ['  File "%s" Line %s\n    %s' % (e.filename, e.lineno, e.text)]) from e
    try:
        return getattr(module, function_name)
    except AttributeError:
        raise Fault("Runtime.HandlerNotFound",
                    "Handler '%s' missing on module '%s'" % (function_name, module_name)) from None


def suggest(error):
    """Says what to do about the packages that Lambda has and a machine may not."""
    package = (error.name or "").split(".")[0]
    if package in ("boto3", "botocore"):
        print('%s comes with Lambda\'s own Python and not with yours: run "pip install %s".'
              % (package, package), file=sys.stderr)


def frames(error):
    """The stack of an error without the frames of this client and of imports."""
    own = os.path.dirname(__file__)
    stack = traceback.extract_tb(error.__traceback__)
    while stack and (stack[0].filename.startswith(own) or "importlib" in stack[0].filename):
        del stack[0]
    return traceback.format_list(stack)


def describe(error, request_id=""):
    """Returns the payload of an error, and says it in the log."""
    if isinstance(error, Fault):
        kind, trace = error.kind, error.trace
        shown = trace or (frames(error.__cause__) if error.__cause__ else [])
    else:
        kind, trace = type(error).__name__, frames(error)
        shown = trace
    text = "[ERROR] %s: %s" % (kind, error)
    if shown:
        text += "\nTraceback (most recent call last):\n" + "".join(shown).rstrip("\n")
    print(text)
    return {"errorMessage": str(error), "errorType": kind, "requestId": request_id, "stackTrace": trace}


class RequestID(logging.Filter):
    """Puts the id of the event that is dealt with into every log record."""

    def __init__(self):
        super().__init__()
        self.current = ""

    def filter(self, record):
        record.aws_request_id = self.current
        return True


def set_up_logging():
    """Gives the root logger the handler that it has on Lambda, in the same
    format and with the same level, WARNING. Returns what sets the request id."""
    logging.Formatter.converter = time.gmtime
    request_id = RequestID()
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"))
    handler.addFilter(request_id)
    root = logging.getLogger()
    root.addHandler(handler)
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    if level in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
        root.setLevel(level)
    return request_id


def serve(api, handler, headers, body):
    """Deals with one event. An exception that is no Exception, such as that of
    sys.exit, ends the process, and so the event."""
    request_id = headers["Lambda-Runtime-Aws-Request-Id"]
    trace_id = headers["Lambda-Runtime-Trace-Id"]
    if trace_id:
        os.environ["_X_AMZN_TRACE_ID"] = trace_id
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
    try:
        context = LambdaContext(headers)
        result = handler(read(body), context)
        answer, content_type = write(result)
    except Exception as e:
        api.fail(request_id, describe(e, request_id))
    else:
        api.succeed(request_id, answer, content_type)


def read(body):
    try:
        return json.loads(body)
    except Exception as e:
        raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % e) from e


def write(result):
    if isinstance(result, bytes):
        return result, "application/unknown"
    try:
        return encode(result), "application/json"
    except Exception as e:
        raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % e) from e


def main():
    # The function's own folder comes first, as on Lambda, and not this one.
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    request_id = set_up_logging()
    api = RuntimeAPI(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        handler = load_handler(os.environ["_HANDLER"])
    except Exception as e:
        api.fail_init(describe(e))
        sys.exit(1)
    while True:
        headers, body = api.next()
        request_id.current = headers["Lambda-Runtime-Aws-Request-Id"]
        serve(api, handler, headers, body)


if __name__ == "__main__":
    main()
