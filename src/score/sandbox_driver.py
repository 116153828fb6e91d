# Runs inside the sandbox, twice, in two sandboxes that see nothing of each other:
#   program   holds the code under test. It loads it and answers calls on descriptor 3.
#   tests     holds the tests. Whatever they name of the program they reach by such calls, and
#             only plain values come back. It alone has the pipe that the verdict goes through.
# So the program's process has nothing to forge with: no test, no expected value, no secret, no way
# to the verdict. It can only return values, and the comparison happens where it cannot reach.
import builtins
import collections
import decimal
import fractions
import json
import os
import sys

MOST_BYTES = 64 << 20  # of one message


class Lost(BaseException):
    """The other side is gone, or speaks nonsense."""


class Unusable(BaseException):
    """The tests ask for what cannot be carried between the two sides."""


class Link:
    """One JSON object a line, in both directions."""

    def __init__(self):
        self.incoming = open(3, "rb", closefd=False)
        self.outgoing = open(3, "wb", closefd=False)

    def send(self, message):
        try:
            self.outgoing.write(json.dumps(message).encode() + b"\n")
            self.outgoing.flush()
        except OSError:
            raise Lost("the program ended") from None

    def receive(self):
        try:
            line = self.incoming.readline(MOST_BYTES)
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            raise Lost("the program ended" if len(line) < MOST_BYTES else "an answer of over 64 MiB")
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            raise Lost("an answer that cannot be read") from None


SEQUENCES = {"l": list, "t": tuple, "s": set, "f": frozenset, "q": collections.deque}


def pack(value, other):
    """Plain values by value; `other` says what becomes of the rest."""
    if value is None or isinstance(value, (bool, str, float)):
        return value
    if isinstance(value, int):
        return ["i", hex(value)] if abs(value) >> 53 else int(value)
    if isinstance(value, dict):
        return ["d", [[pack(k, other), pack(v, other)] for k, v in dict.items(value)]]
    for tag, kind in SEQUENCES.items():
        if isinstance(value, kind):
            return [tag, [pack(entry, other) for entry in kind.__iter__(value)]]
    if isinstance(value, (bytes, bytearray)):
        return ["b" if isinstance(value, bytes) else "a", value.hex()]
    if isinstance(value, complex):
        return ["c", value.real, value.imag]
    if isinstance(value, range):
        return ["r", value.start, value.stop, value.step]
    if isinstance(value, fractions.Fraction):
        return ["/", hex(value.numerator), hex(value.denominator)]
    if isinstance(value, decimal.Decimal):
        return [".", str(value)]
    return other(value)


def unpack(data, other):
    if not isinstance(data, list):
        return data
    tag, *rest = data
    if tag in SEQUENCES:
        return SEQUENCES[tag]([unpack(entry, other) for entry in rest[0]])
    if tag == "d":
        return {unpack(k, other): unpack(v, other) for k, v in rest[0]}
    if tag == "i":
        return int(rest[0], 16)
    if tag in ("b", "a"):
        return (bytes if tag == "b" else bytearray).fromhex(rest[0])
    if tag == "c":
        return complex(*rest)
    if tag == "r":
        return range(*rest)
    if tag == "/":
        return fractions.Fraction(int(rest[0], 16), int(rest[1], 16))
    if tag == ".":
        return decimal.Decimal(rest[0])
    if tag == "o":
        return other(rest[0])
    raise ValueError(tag)


# --- the program's side ---------------------------------------------------------------------------

OPERATIONS = {
    "call": lambda f, *a, **k: f(*a, **k),
    "get": getattr,
    "set": setattr,
    "iter": iter,
    "next": next,
    "len": len,
    "bool": bool,
    "str": str,
    "repr": repr,
    "item": lambda o, i: o[i],
    "put": lambda o, i, v: o.__setitem__(i, v),
    "in": lambda o, v: v in o,
}


def program_side():
    import types

    link = Link()
    objects = []

    def by_handle(value):
        objects.append(value)
        return ["o", len(objects) - 1]

    def load(source):
        module = types.ModuleType("program")
        sys.modules["program"] = module
        exec(compile(source, "<program>", "exec"), module.__dict__)
        names = {}
        for name, value in list(module.__dict__.items()):
            if not name.startswith("__"):
                kind = isinstance(value, types.ModuleType)
                names[name] = ["m", value.__name__] if kind else pack(value, by_handle)
        return names

    def answer(message):
        if message["op"] == "load":
            return {"names": load(message["source"])}
        args = [unpack(entry, objects.__getitem__) for entry in message["args"]]
        named = {k: unpack(v, objects.__getitem__) for k, v in message["named"].items()}
        value = pack(OPERATIONS[message["op"]](*args, **named), by_handle)
        after = {}
        for i, arg in enumerate(args):  # what the call did to the tests' own lists
            if isinstance(arg, (list, dict, set, bytearray, collections.deque)):
                now = pack(arg, by_handle)
                if now != message["args"][i]:
                    after[i] = now
        return {"value": value, "after": after}

    while True:
        try:
            message = link.receive()
        except Lost:
            return
        try:
            reply = answer(message)
        except Exception as problem:
            reply = {"error": type(problem).__name__, "text": str(problem)[:1000]}
        link.send(reply)


# --- the tests' side ------------------------------------------------------------------------------


class Remote:
    """An object of the program. Comparisons are this side's: an object equals only itself."""

    def __init__(self, link, handle):
        object.__setattr__(self, "_link", link)
        object.__setattr__(self, "_handle", handle)

    def __call__(self, *args, **named):
        return ask(self._link, "call", [self, *args], named)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return ask(self._link, "get", [self, name])

    def __setattr__(self, name, value):
        ask(self._link, "set", [self, name, value])

    def __iter__(self):
        return ask(self._link, "iter", [self])

    def __next__(self):
        return ask(self._link, "next", [self])

    def __len__(self):
        return ask(self._link, "len", [self])

    def __bool__(self):
        return ask(self._link, "bool", [self])

    def __str__(self):
        return ask(self._link, "str", [self])

    def __repr__(self):
        return ask(self._link, "repr", [self])

    def __getitem__(self, index):
        return ask(self._link, "item", [self, index])

    def __setitem__(self, index, value):
        ask(self._link, "put", [self, index, value])

    def __contains__(self, value):
        return ask(self._link, "in", [self, value])


def reference(value):
    if isinstance(value, Remote):
        return ["o", value._handle]
    raise Unusable(f"the tests hand over a {type(value).__name__}, which cannot be carried")


def raised(name, text):
    """The program's exception as the builtin of that name; never one that ends this process."""
    kind = getattr(builtins, str(name), None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        return RuntimeError(f"{name}: {text}")
    try:
        return kind(str(text))
    except TypeError:  # UnicodeDecodeError and its like want more
        return RuntimeError(f"{name}: {text}")


def received(link, unpacked):
    """The reply, made into values by `unpacked`; what it cannot be made into is nonsense."""
    reply = link.receive()
    try:
        if "error" in reply:
            problem, values = raised(reply["error"], reply["text"]), None
        else:
            problem, values = None, unpacked(reply)
    except Exception:
        raise Lost("an answer that cannot be read") from None
    if problem is not None:
        raise problem
    return values


def ask(link, operation, args, named={}):
    link.send({"op": operation, "args": [pack(entry, reference) for entry in args],
               "named": {k: pack(v, reference) for k, v in named.items()}})

    def values(reply):
        handle = lambda number: Remote(link, int(number))
        after = {int(i): unpack(v, handle) for i, v in reply["after"].items()}
        return unpack(reply["value"], handle), after

    value, after = received(link, values)
    for index, now in after.items():
        change(args[index], now)
    return value


def change(mine, now):
    if type(mine) is not type(now):
        raise Lost("an answer that cannot be read")
    if isinstance(mine, (list, bytearray)):
        mine[:] = now
    elif isinstance(mine, (dict, set)):
        mine.clear()
        mine.update(now)
    elif isinstance(mine, collections.deque):
        mine.clear()
        mine.extend(now)


def defined(source):
    """The functions that a solution of the data set defines."""
    import ast

    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError):
        return set()
    return {node.name for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


def run_tests(job):
    import importlib
    import random

    random.seed(0)
    link = Link()
    scope = {"__name__": "tests"}
    exec(compile(job["prelude"], "<prelude>", "exec"), scope)
    link.send({"op": "load", "source": job["program"]})
    own = set(job["own"])
    mine = own | defined(job["reference"])
    handle = lambda number: Remote(link, int(number))
    names = received(link, lambda reply: dict(reply["names"]))
    for name, value in names.items():
        if name.startswith("__") or (name in scope and name not in mine):
            continue
        if hasattr(builtins, name) and name not in mine:  # a test's abs() is not the program's
            continue
        if isinstance(value, list) and value[:1] == ["m"]:  # never the program's own
            if value[1] in sys.stdlib_module_names:
                scope[name] = importlib.import_module(value[1])
            continue
        try:
            scope[name] = unpack(value, handle)
        except Exception:
            raise Lost("an answer that cannot be read") from None
    for name in own:
        if not isinstance(scope.get(name), Remote):
            raise NameError(f"the program defines no {name}")
    exec(compile(job["tests"], "<tests>", "exec"), scope)


def tests_side():
    job = json.loads(sys.stdin.buffer.read())
    try:
        run_tests(job)
        verdict = ("passed", "")
    except AssertionError as problem:
        verdict = ("failed", str(problem))
    except Lost as problem:
        verdict = ("ended", str(problem))
    except Unusable as problem:
        verdict = ("unusable", str(problem))
    except Exception as problem:
        verdict = ("error", f"{type(problem).__name__}: {problem}")
    out = {"nonce": job["nonce"], "kind": verdict[0], "detail": verdict[1][:300]}
    os.write(4, json.dumps(out).encode() + b"\n")


if sys.argv[1] == "program":
    program_side()
else:
    tests_side()
