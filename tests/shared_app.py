"""What an application compiles when it starts, shared by all applications of a process: the rules of its addresses, its templates.

Each test has an application of its own over its database; Werkzeug would compile 420 addresses anew for it, and Jinja each template
that its pages use. Both depend on their text and a few settings alone, which are in the keys.
"""

from types import CodeType
from typing import Any

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule

COMPILED = ("arguments", "_parts", "_trace", "_converters", "_build", "_build_unknown")
"""What `Rule.compile` writes."""


def share_apps() -> None:
    """Let every Flask application made from now on in this process use what the first one compiled."""
    Flask.url_rule_class = SharedRule
    Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": SharedTemplates()}


class SharedRule(Rule):
    """An address that is compiled once for each text, whatever the number of applications it is bound to."""

    _known: dict[object, dict[str, Any]] = {}  # noqa: RUF012 - one for the process, on purpose

    def compile(self) -> None:
        """Take what an equal rule compiled, or compile and keep it."""
        assert self.map is not None
        defaults = tuple(sorted((self.defaults or {}).items()))
        converters = tuple(self.map.converters.items())
        key = (self.rule, defaults, self.subdomain, self.host, self.map.host_matching, self.merge_slashes, converters)
        known = self._known.get(key)
        if known is None:
            super().compile()
            self._known[key] = {name: self.__dict__[name] for name in COMPILED}
        else:
            self.__dict__.update(known)


class SharedTemplates(BytecodeCache):
    """The code of each template, kept in memory; Jinja compares the source before it takes it."""

    def __init__(self) -> None:
        """Begin with none."""
        self._codes: dict[str, tuple[str, CodeType]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give the code of a template, if its source is the same."""
        checksum, code = self._codes.get(bucket.key, ("", None))
        if checksum == bucket.checksum:
            bucket.code = code

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of a template."""
        assert bucket.code is not None
        self._codes[bucket.key] = bucket.checksum, bucket.code
