"""Prints what SAM's own translator makes of the template on standard input, as JSON."""
import json
import sys
from collections import OrderedDict

from samtranslator.parser.parser import Parser
from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoPolicies:
    """Stands for the list of managed policies, which only AWS can give."""

    def load(self):
        return {}


try:
    print(json.dumps(transform(yaml_parse(sys.stdin.read()), {}, NoPolicies())))
except InvalidDocumentException as e:
    sys.exit(f"refused: {e.message} {[c.message for c in e.causes]}")
