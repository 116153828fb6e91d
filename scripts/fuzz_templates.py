#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares the template engine with jinja2 on random templates. For developers; not a test.

    pip install jinja2==3.1.6
    python3 scripts/fuzz_templates.py --keju build/release/keju --seconds 120 [--seed N] [--messages]

Each template is rendered by `keju render --template FILE` and by jinja2, set up as transformers sets
it up. Texts must be equal; where jinja2 raises, keju must name the same class of error (and the same
message with --messages). What keju refuses by a limit of its own (64-bit integers, nesting) is counted
and passed over. Exit 1 if anything differs.

    python3 scripts/fuzz_templates.py --record tests/text/template_cases.jsonl

renders every case of that file ({"template", "context"?}) with jinja2 and writes the answer beside it.
"""
import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time

import jinja2
import jinja2.ext
import jinja2.nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(jinja2.ext.Extension):
    """The `generation` blocks of transformers, which only mark their text."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_render"), [], [], body).set_lineno(line)

    def _render(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


class SafeDict:
    """What transformers puts in place of the class dict."""

    def __call__(self, *args, **kwargs):
        return dict(*args, **kwargs)

    def fromkeys(self, *args, **kwargs):
        return dict.fromkeys(*args, **kwargs)


class SafeNamespace(jinja2.utils.Namespace):
    """Refuses names that begin with an underscore, as that of transformers does."""

    def __init__(*args, **kwargs):
        self, args = args[0], args[1:]
        attributes = dict(*args, **kwargs)
        for name in attributes:
            SafeNamespace._check(name)
        jinja2.utils.Namespace.__init__(self, attributes)

    def __setitem__(self, name, value):
        SafeNamespace._check(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)

    @staticmethod
    def _check(name):
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError(
                "Chat templates cannot store underscore-prefixed attributes on a namespace, but got "
                f"{name!r}. Please rename the attribute.")


def environment():
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["dict"] = SafeDict()
    env.globals["namespace"] = SafeNamespace
    return env


STRINGS = ["", "a", "Hello World", "  padded\t", "line one\nline two\n", "你好，世界", "naïve Ünïcode", "<b>&'\"</b>",
           "a,b,,c", "x=1;y=2", "user", "3", "-4.5", "0x1F", "1e3", "aaa", "ﬁß İ", "tab\there", "\\n", "{0} {x}", "%s-%d",
           "trailing \n\n", "\r\nmixed\rends\n", "Ωμέγα ΣΑΣ", "🙂 smile", "</think>answer", "don't", "1_000", "a b  c"]
MESSAGES = [{
    "role": "user", "content": "Hi", "s": "Hello, Wörld", "t": " trim me \n", "n": 7, "m": -3, "f": 2.5, "g": 1e20,
    "b": True, "z": None, "l": [3, 1, 2], "w": ["b", "A", "c", "a"], "e": [], "d": {"b": 1, "a": [1, {"c": "x"}], "items": 5},
    "r": [{"k": "x", "v": 2}, {"k": "Y", "v": 1}, {"k": "x", "v": 3}], "p": [["a", 1], ["b", 2]], "x": "a<b>&c",
}, {"role": "assistant", "content": "你好"}, {"role": "user", "content": "bye\n"}]
NAMES = ["s", "t", "n", "m", "f", "b", "z", "l", "w", "e", "d", "r", "p", "x", "g"]
PREAMBLE = "".join("{%% set %s = messages[0].%s %%}" % (n, n) for n in NAMES) + "{% set ns = namespace(c=0, q='') %}"


class Maker:
    """Makes random templates. Expressions lean to a wanted type, so that most of them evaluate."""

    def __init__(self, rng):
        self.rng = rng
        self.scope = list(NAMES)
        self.loops = 0
        self.macros = []

    def pick(self, *options):
        return self.rng.choice(options)

    def literal(self, text):
        quote = self.pick("'", '"')
        out = ""
        for c in text:
            if c == "\\":
                out += "\\\\"
            elif c == quote:
                out += "\\" + c
            elif c == "\n" and self.rng.random() < 0.8:
                out += "\\n"
            elif ord(c) > 127 and self.rng.random() < 0.1:
                out += "\\U%08x" % ord(c)
            else:
                out += c
        return quote + out + quote

    def string(self, depth):
        if depth <= 0:
            return self.pick("s", "t", "x", self.literal(self.rng.choice(STRINGS)), "messages[1].content",
                             "messages[2]['content']", "w[0]")
        d = depth - 1
        kind = self.rng.randrange(20)
        if kind < 3:
            return f"{self.string(d)} + {self.string(d)}"
        if kind < 5:
            return f"{self.any(d)} ~ {self.any(d)}"
        if kind < 9:
            name = self.pick("upper", "lower", "title", "capitalize", "trim", "string", "e", "safe", "urlencode", "tojson",
                             "center(12)", "indent", "indent(2, true)", "indent('>', first=True, blank=true)",
                             "replace('a', 'bb')", f"replace({self.string(0)}, {self.string(0)})", "replace('l', 'L', 1)",
                             "truncate(5)", "truncate(9, true, '..')", "reverse", "trim('a ')", "forceescape",
                             "default('dflt')", "d('x', true)", "format(1, 2)", "first", "last", "tojson(ensure_ascii=true)")
            return f"({self.string(d)})|{name}"
        if kind < 14:
            a = self.string(0)
            name = self.pick("upper()", "lower()", "strip()", "lstrip()", "rstrip()", f"strip({a})", f"rstrip({a})",
                             f"replace({a}, {self.string(0)})", "title()", "capitalize()", "swapcase()", f"split({a})[0]",
                             "split()[-1]", f"split({a}, 1)|last", f"rsplit({a}, 1)[0]", "splitlines()|join('|')",
                             "zfill(8)", "ljust(7, '.')", "rjust(7)", "center(9, '*')", f"removeprefix({a})",
                             f"removesuffix({a})", f"partition({a})[2]", f"rpartition({a})[0]", f"join({self.list(0)})",
                             "expandtabs(4)", f"format({self.any(0)}, x={self.any(0)})", "casefold()", "split('\\n')|string")
            return f"({self.string(d)}).{name}"
        if kind < 16:
            return f"({self.string(d)})[{self.slice()}]"
        if kind < 17:
            return f"({self.string(d)}) * {self.pick('0', '2', '3', '-1', 'n', 'b')}"
        if kind < 18:
            return f"{self.literal(self.pick('%s|%r', '%d-%s', '%5.2f%%', '%-6s|%s', '%x %s', '%05d%s', '%+.3e%s', '%s'))} % " + \
                self.pick(f"({self.any(0)}, {self.any(0)})", f"({self.number(0)}, {self.string(0)})", self.any(0))
        if kind < 19:
            return f"({self.list(d)})|join({self.pick('', repr(', '), self.string(0))})"
        return f"({self.string(d)} if {self.boolean(d)} else {self.string(d)})"

    def slice(self):
        part = lambda: self.pick("", "", "0", "1", "2", "-1", "-2", "5", "100", "-100", "n", "none")
        return self.pick(f"{part()}:{part()}", f"{part()}:{part()}:{self.pick('', '1', '2', '-1', '-2', '3')}", "::-1")

    def number(self, depth):
        if depth <= 0:
            return self.pick("n", "m", "f", "b", "0", "1", "2", "10", "3.5", "1e3", "0.1", "-1", "1_0", "0x1f", "l[0]", "d.b")
        d = depth - 1
        kind = self.rng.randrange(12)
        if kind < 5:
            op = self.pick("+", "-", "*", "/", "//", "%", "**")
            return f"{self.number(d)} {op} {self.number(0 if op == '**' else d)}"
        if kind < 6:
            return f"-{self.number(0)}" if self.rng.random() < 0.5 else f"+({self.number(d)})"
        if kind < 9:
            name = self.pick("abs", "int", "float", "round", "round(1)", "round(2, 'floor')", "round(0, method='ceil')",
                             "int(-1)", "round(-1)")
            return f"({self.pick(self.number, self.number, self.string)(d)})|{name}"
        if kind < 10:
            return f"({self.list(d)})|{self.pick('length', 'count', 'sum', 'max', 'min', 'first', 'last')}"
        if kind < 11:
            a = self.string(0)
            return f"({self.string(d)}).{self.pick('count', 'find', 'rfind', 'index')}({a})"
        return f"(({self.string(d)})|length)"

    def list(self, depth):
        if depth <= 0:
            return self.pick("l", "w", "e", "r", "p", "[1, 2, 3]", "range(4)", "(1, 'a')", "d.a", "range(5, 0, -2)", "[]", "()",
                             "messages", "d.keys()", "d.values()", "d.items()", "[none, true]", "['x']", "range(3)|list")
        d = depth - 1
        kind = self.rng.randrange(14)
        if kind < 2:
            return f"[{', '.join(self.any(d) for _ in range(self.rng.randrange(4)))}]"
        if kind < 4:
            return f"({self.list(d)})[{self.slice()}]"
        if kind < 10:
            t = self.pick("'string'", "'odd'", "'defined'", "'in', [1, 'a']", "'gt', 1", "'equalto', 'x'", "")
            name = self.pick("list", "reverse|list", "sort", "sort(reverse=true)", "sort(attribute='k')", "unique|list",
                             "map('upper')|list", "map('string')|list", "map(attribute='k')|list",
                             "map(attribute='k', default='?')|list", f"select({t})|list", f"reject({t})|list",
                             "selectattr('v', 'gt', 1)|list", "rejectattr('k', 'equalto', 'x')|list", "selectattr('k')|list",
                             "batch(2)|list", "batch(2, 'f')|list", "slice(2)|list", "slice(3, 0)|list",
                             "groupby('k')|list", "groupby('v')|map('last')|list", "map('first')|list",
                             "map('default', 'q')|list", "map('length')|list", "sort(case_sensitive=true)", "items|list",
                             "unique(true)|list", "groupby('k', case_sensitive=true)|list", "map('replace', 'a', 'b')|list")
            return f"({self.list(d)})|{name}"
        if kind < 11:
            return f"{self.list(d)} + {self.list(d)}"
        if kind < 12:
            return f"({self.string(d)}).{self.pick('split()', 'splitlines()', 'splitlines(true)', 'split(none, 1)', 'rsplit(none, 1)', 'partition(s[0])')}"
        if kind < 13:
            return f"{self.dict(d)}|{self.pick('dictsort', 'items|list', 'list', 'dictsort(true)', 'dictsort(by=' + repr('value') + ')', 'dictsort(reverse=true)')}"
        return f"({self.list(d)}) * {self.pick('0', '1', '2')}"

    def dict(self, depth):
        if depth <= 0:
            return self.pick("d", "{}", "messages[1]", "{'a': 1, 'b': none}", "dict(q=1)", "{1: 2, 'k': [1]}", "{true: 1, 1: 2}")
        d = depth - 1
        keys = ", ".join(f"{self.pick(self.string, self.number)(0)}: {self.any(d)}" for _ in range(self.rng.randrange(3)))
        return self.pick("{" + keys + "}", f"dict({self.dict(d)}, z={self.any(d)})", f"({self.list(d)})|first", f"dict({self.list(0)})")

    def boolean(self, depth):
        if depth <= 0:
            return self.pick("b", "true", "false", "z", "n", "e", "undef", "not b", "s", "n > 3", "'a' in s")
        d = depth - 1
        kind = self.rng.randrange(10)
        if kind < 3:
            return f"{self.any(d)} {self.pick('==', '!=', '<', '>=', 'in', 'not in', '>', '<=')} {self.any(d)}"
        if kind < 5:
            return f"({self.boolean(d)} {self.pick('and', 'or')} {self.boolean(d)})"
        if kind < 6:
            return f"not {self.boolean(d)}"
        if kind < 9:
            test = self.pick("defined", "undefined", "none", "string", "number", "mapping", "sequence", "iterable", "boolean",
                             "true", "false", "integer", "float", "odd", "even", "divisibleby(3)", "divisibleby 2", "lower",
                             "upper", "callable", "escaped", "sameas none", "in [1, 2]", "eq 1", "ne('a')", "gt 2", "equalto(s)")
            return f"({self.any(d)}) is {self.pick('', 'not ')}{test}"
        return f"{self.number(0)} {self.pick('<', '<=')} {self.number(0)} {self.pick('<', '==')} {self.number(0)}"

    def any(self, depth):
        if depth <= 0 and self.rng.random() < 0.25:
            return self.pick("undef", "z", "none", "ns.c", "ns.q", "d.nope", "messages[0].role", "add_generation_prompt", "bos_token",
                             "'%s' % 1", "loop.index" if self.loops else "n", self.rng.choice(self.scope))
        return self.rng.choice([self.string, self.string, self.number, self.list, self.dict, self.boolean])(depth)

    def text(self):
        return self.pick("", "", " ", "\n", "  \n", "text", "a\n  ", "\n\n", " x ", "\t", "{ %", "}}", "\n    ", "é\n")

    def tag(self, body):
        return "{%" + self.pick("", "", "-", "+") + self.pick(" ", "", "\n ") + body + self.pick(" ", "") + self.pick("", "", "-", "+") + "%}"

    def output(self, depth):
        return "{{" + self.pick("", "", "-", "+") + " " + self.any(depth) + " " + self.pick("", "", "-") + "}}"

    def block(self, depth, size=3):
        return "".join(self.text() + self.statement(depth) for _ in range(self.rng.randrange(1, size + 1))) + self.text()

    def call_args(self):
        parts = [self.any(1) for _ in range(self.rng.randrange(3))]
        parts += [f"{n}={self.any(0)}" for n in self.rng.sample(["a", "b", "c"], self.rng.randrange(2))]
        return ", ".join(parts)

    def statement(self, depth):
        kind = self.rng.randrange(28)
        if depth <= 0 or kind < 9:
            return self.output(self.rng.randrange(4))
        d = depth - 1
        if kind < 13:
            out = self.tag("if " + self.boolean(2)) + self.block(d)
            for _ in range(self.rng.randrange(2)):
                out += self.tag("elif " + self.boolean(1)) + self.block(d)
            if self.rng.random() < 0.5:
                out += self.tag("else") + self.block(d)
            return out + self.tag("endif")
        if kind < 17:
            return self.loop(d)
        if kind < 20:
            name = self.pick("v1", "v2", "s", "n", "undef")
            self.scope.append(name)
            return self.tag(self.pick(f"set {name} = {self.any(2)}", f"set {name}, v3 = {self.any(1)}, {self.any(1)}",
                                      f"set ns.c = ns.c + {self.number(0)}", f"set ns.q = {self.any(1)}",
                                      f"set ns._p = {self.any(0)}",
                                      f"set ({name}, v3) = {self.list(0)}"))
        if kind < 21:
            name = self.pick("v1", "v2")
            return self.tag(f"set {name}{self.pick('', ' | upper', ' | trim | length')}") + self.block(d) + self.tag("endset")
        if kind < 23:
            name = self.pick("m1", "m2")
            self.macros.append(name)
            special = self.pick("", "", "{{ varargs }}", "{{ kwargs }}", "{{ caller is defined }}")
            sig = self.pick("", "a", "a, b=1", "a, b=a, c='z'", "a='q'")
            return self.tag(f"macro {name}({sig})") + special + "{{ a }}" + self.block(d) + self.tag("endmacro")
        if kind < 24 and self.macros:
            return "{{ " + f"{self.rng.choice(self.macros)}({self.call_args()})" + " }}"
        if kind < 25 and self.macros:
            return self.tag(f"call{self.pick('', '(v)')} {self.rng.choice(self.macros)}({self.call_args()})") + self.block(d) + self.tag("endcall")
        if kind < 26:
            return self.tag(self.pick("filter upper", "filter replace('a', 'b') | trim", "filter indent(2)", "filter length")) + \
                self.block(d) + self.tag("endfilter")
        if kind < 27:
            return self.pick(self.tag(f"with v1 = {self.any(1)}, v2 = {self.any(0)}") + self.block(d) + self.tag("endwith"),
                             self.tag("generation") + self.block(d) + self.tag("endgeneration"))
        return self.pick("{#" + self.pick("", "-", "+") + " note " + self.pick("", "-", "+") + "#}",
                         self.tag("raw") + self.text() + "{{ x }}" + self.tag("endraw"))

    def loop(self, d):
        target = self.pick("i", "i", "i", "i, j", "(i, j)")
        items = "r" if target == "i" and self.rng.random() < 0.2 else self.pick("p", "d.items()", "{'q': 1}|items") if "," in target else self.list(1)
        head = f"for {target} in {items}"
        if self.rng.random() < 0.25:
            head += f" if {self.boolean(1)}"
        recursive = self.rng.random() < 0.1
        self.loops += 1
        before = list(self.scope)
        self.scope += ["i"] + (["j"] if "," in target else [])
        body = self.block(d)
        for _ in range(self.rng.randrange(2)):
            body += "{{ " + self.pick("loop.index", "loop.index0", "loop.first", "loop.last", "loop.length", "loop.revindex",
                                      "loop.revindex0", "loop.previtem", "loop.nextitem", "loop.cycle('a', 'b')",
                                      "loop.changed(i)", "loop.depth", "loop.depth0", "loop") + " }}"
        if recursive:
            head += " recursive"
            body += "{% if loop.depth < 3 %}{{ loop([1, 2]" + self.pick("", "[:1]", " if false else []") + ") }}{% endif %}"
        if self.rng.random() < 0.15:
            body += self.tag(f"if {self.boolean(0)}") + self.tag(self.pick("break", "continue")) + self.tag("endif") + self.block(0)
        self.loops -= 1
        self.scope = before
        out = self.tag(head) + body
        if self.rng.random() < 0.2:
            out += self.tag("else") + self.block(d)
        return out + self.tag("endfor")

    def template(self):
        return PREAMBLE + self.block(self.pick(0, 1, 1, 2), self.pick(1, 1, 2, 4))

    def mutated(self):
        """A valid template with a few characters changed: mostly errors of syntax."""
        source = list(self.block(2, 2))
        for _ in range(self.rng.randrange(1, 4)):
            if not source:
                break
            at = self.rng.randrange(len(source))
            source[at] = self.pick("", "{", "}", "%", "(", ")", "'", "|", ".", "-", " ", "1", "x", "]", "[", ",", ":", source[at] * 2)
        return PREAMBLE + "".join(source)


def reference(env, source, message_lists):
    answers = []
    try:
        template = env.from_string(source)
    except RecursionError:
        return None
    except Exception as error:  # the class is what we compare
        return [("error", type(error).__name__, str(error))] * len(message_lists)
    for messages in message_lists:
        try:
            given = [{k: v for k, v in m.items() if v is not None} for m in messages]  # apply_chat_template
            answers.append(("text", template.render(messages=given, add_generation_prompt=True, bos_token="<s>",
                                                    eos_token="</s>", tools=None, documents=None), ""))
        except (RecursionError, MemoryError):
            return None
        except Exception as error:
            answers.append(("error", type(error).__name__, str(error)))
    return answers


def ours(keju, source, message_lists):
    with tempfile.NamedTemporaryFile("w", suffix=".jinja", delete=False, encoding="utf-8", newline="") as file:
        file.write(source)
    lines = "".join(json.dumps({"messages": m, "add_generation_prompt": True}) + "\n" for m in message_lists)
    command = [keju, "render", "--template", file.name, "--bos-token", "<s>", "--eos-token", "</s>"]
    try:
        done = subprocess.run(command, input=lines.encode(), capture_output=True, timeout=20)
    except subprocess.TimeoutExpired:
        return [("crash", "timeout", "")] * len(message_lists)
    finally:
        os.unlink(file.name)
    out = done.stdout.decode("utf-8", "replace").rstrip("\n").split("\n")
    if len(out) != len(message_lists):
        return [("crash", str(done.returncode), done.stderr.decode("utf-8", "replace")[-2000:])] * len(message_lists)
    answers = []
    for line in out:
        answer = json.loads(line)
        if "text" in answer:
            answers.append(("text", answer["text"], ""))
            continue
        match = re.search(r":\d+: (?:(\w+): )?(.*)", answer["error"], re.S)
        answers.append(("error", match.group(1) or "", match.group(2)) if match else ("error", "?", answer["error"]))
    return answers


def record(path):
    """Fills in "text" or "error" of every line of a case table."""
    env = environment()
    lines = []
    with open(path, encoding="utf-8") as file:
        for line in filter(str.strip, file):
            case = json.loads(line)
            case = {key: case[key] for key in ("template", "context") if key in case}
            try:
                case["text"] = env.from_string(case["template"]).render(**case.get("context", {}))
            except Exception as error:
                text = re.sub(r" \(<template>, line \d+\)$", "", str(error))
                case["error"] = f"{type(error).__name__}: {text}"
            lines.append(json.dumps(case, ensure_ascii=False) + "\n")
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(lines)


UNPRINTABLE = re.compile(r" at 0x[0-9a-f]+|<bound method|<built-in method|<function|<class|'jinja2\.|object at|Markup\(")


def verdict(want, got, messages):
    if got[0] == "error" and got[1] == "":
        return "refused"
    if want[0] == "text" and UNPRINTABLE.search(want[1]):
        return "passed over"
    if want[0] != got[0]:
        return "DIFFERS"
    if want[0] == "text":
        return "equal" if want[1] == got[1] else "DIFFERS"
    if want[1] != got[1]:  # another class of error
        return "DIFFERS"
    place = re.compile(r"sequence item \d+| \(<template>, line \d+\)")  # depends on jinja2's own pieces
    return "equal error" if not messages or place.sub("", want[2]) == place.sub("", got[2]) else "DIFFERS"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keju", default="build/release/keju")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--messages", action="store_true", help="compare the texts of errors, too")
    parser.add_argument("--show", type=int, default=5, help="differences to print")
    parser.add_argument("--record", metavar="FILE", help="renew the answers of a case table")
    args = parser.parse_args()
    if args.record:
        record(args.record)
        return 0
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    env = environment()
    counts = {}
    shown = 0
    end = time.time() + args.seconds
    number = 0
    while time.time() < end:
        maker = Maker(random.Random(seed * 1000003 + number))
        source = maker.mutated() if number % 8 == 7 else maker.template()
        number += 1
        lists = [MESSAGES]
        want = reference(env, source, lists)
        if want is None:
            continue
        for w, g in zip(want, ours(args.keju, source, lists)):
            result = verdict(w, g, args.messages)
            counts[result] = counts.get(result, 0) + 1
            if result == "DIFFERS" and shown < args.show:
                shown += 1
                print(f"--- template {number - 1}\n{source[len(PREAMBLE):]}\n... jinja2 {w!r}\n... keju   {g!r}")
    print(json.dumps(counts))
    return 1 if counts.get("DIFFERS") else 0


if __name__ == "__main__":
    sys.exit(main())
