"""Turns what a handler returns into JSON, as Lambda does."""

import decimal
import json
import os
import uuid

# From Python 3.12 on Lambda leaves letters outside of ASCII as they are.
_version = os.environ.get("AWS_EXECUTION_ENV", "").rpartition("python3.")[2]
_ascii = not (_version.isdigit() and int(_version) >= 12)


def encode(value):
    """Returns the bytes of a value's JSON. Decimals, which DynamoDB's client
    gives, become numbers with all their digits."""
    numbers = {}

    def number(o):
        if not isinstance(o, decimal.Decimal):
            raise TypeError("Object of type %s is not JSON serializable" % type(o).__name__)
        if o.is_nan():
            return float("nan")
        # The standard encoder has no way to give digits, so it gets a text
        # that nobody can have foreseen, which is replaced below.
        mark = uuid.uuid4().hex
        numbers['"%s"' % mark] = str(o)
        return mark

    text = json.dumps(value, default=number, ensure_ascii=_ascii)
    for mark, digits in numbers.items():
        text = text.replace(mark, digits, 1)
    return text.encode("utf-8", "surrogatepass")
