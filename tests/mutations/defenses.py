"""Finds what a marker marks, and takes it out: by the structure of Rust, so that neither a name nor a place matters.

A marker is a comment on the line above: `// defense: S37 ask-once-more`. The item that begins below it is a statement, an
arm of a match, a field, an argument, a call in a chain, or the expression that a block ends with. How it goes:

remove   the whole item
>>> show("remove", "door.abort(); evict();")
'evict();'
>>> show("remove", ".redirect(none()) .timeout(all)")
'.timeout(all)'
>>> show("remove", "(Err(e), Some(at)) if fits(&e) => { get(at); } _ => first,")
'_ => first,'
>>> show("remove", "#[cfg(unix)] if a { b() } else { c(';') } *d = e;")
'*d = e;'

never, always    the condition of its `if`, in a statement or before an arm, still runs, but decides nothing
>>> show("never", "if open.insert(name).is_some() { refuse() }")
'if (open.insert(name).is_some()) && false { refuse() }'
>>> show("never", "let it = if let Some(a) = b && a.c() { d } else { e };")
'let it = if let Some(a) = b && a.c() && false { d } else { e };'
>>> show("always", "[host] if ours.any(|it| { it == host }) => host, _ => other")
'[host] if (ours.any(|it| { it == host })) || true => host, _ => other'

when = "…"    another condition; `$` is what it was
>>> show({"when": "$ && now > 0"}, "if now >= end { over() }")
'if (now >= end) && now > 0 { over() }'

value = "…"    another value for a variable, a constant, a field or an arm; where it names none, for the whole expression
>>> show({"value": "0"}, "pub const OPEN: usize = 256; // few")
'pub const OPEN: usize = 0; // few'
>>> show({"value": "0"}, "let Some(open) = all.get(&name) else { return };")
'let Some(open) = 0 else { return };'
>>> show({"value": "0"}, "Some(a) if a == b => c(a, '}'), None => d,")
'Some(a) if a == b => 0, None => d,'
>>> show({"value": "0"}, "pub refresh: answer.refresh.or_else(|| own(a == b)), }")
'pub refresh: 0, }'
>>> show({"value": "$.max(0)"}, 'told.min(/* ) */ by("}")) }')
'told.min(/* ) */ by("}")).max(0) }'

swap = ["…", "…"]    other words for some that stand once in the item; meant for those that aren't the program's own
>>> show({"swap": ["min", "max"]}, "a.min(b) }")
'a.max(b) }'
>>> show({"swap": ["min", "max"]}, "min(a.min(b)) }")
Traceback (most recent call last):
ValueError: the item holds `min` 2 times

Markers and other comments may stand between a marker and its item. What isn't Rust is taken by the line.
>>> show("remove", "// defense: S2 another\\n// Because.\\nb(); c();")
'// defense: S2 another\\n// Because.\\n c();'
>>> show({"swap": ["deny", "allow"]}, 'yanked = "deny"\\nx = 1', rust=False)
'yanked = "allow"\\nx = 1'
"""

import re

MARKER = re.compile(r"^[ \t]*(?://|--|#) defense: (S\d+(?: S\d+)*) ([a-z0-9]+(?:-[a-z0-9]+)*)\n", re.M)
NO_CODE = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)|b?r(?P<hashes>\#*)".*?"(?P=hashes)|b?"(?:[^"\\]|\\.)*"
    |b?'(?:[^'\\\n]|\\x..|\\u\{\w+\}|\\.)'""",
    re.S | re.X,
)
# An item's first word, behind its attributes.
FIRST = re.compile(r"(?:#\[\s*\]\s*)*(?:pub(?:\(\s*\))?\s+)?(\w*)")
# What begins with one of these ends with its last `}`,
CONTROL = "if match for while loop".split()
BLOCKS = "unsafe async fn impl struct enum mod trait".split()
# and what begins with one of these with a `;` alone: a type may have a comma.
DECLARED = "let const static use type return".split()
# Where a value begins, but for an arm's.
FIELD = rf"^{FIRST.pattern}\s*:(?!:)\s*"
ASSIGNED = r"(?<![=!<>.+*/%^&|-])=(?![=>])\s*"
CONDITIONS = {"never": "$ && false", "always": "$ || true"}


def code_of(text):
    """The text without what comments and literals say; each character stays where it is."""
    return NO_CODE.sub(lambda found: (" " if found["comment"] else '"') * len(found[0]), text)


def shallow(code):
    """As far as the bracket around it closes, with nothing inside of brackets."""
    depth, kept = 0, []
    for c in code:
        depth -= c in ")]}"
        if depth < 0:
            break
        kept.append(c if depth == 0 else " ")
        depth += c in "([{"
    return "".join(kept)


def length(top):
    """How long the item is that begins here."""
    word = FIRST.match(top)[1]
    if top.startswith("."):
        return re.match(r"\.[^(]*\(\s*\)\??", top).end()
    for found in re.finditer(r"[;}]" if word in DECLARED else r"[;,}]", top):
        before, behind = top[: found.end()], top[found.end() :]
        if found[0] != "}":
            return found.end()
        if word in CONTROL or word in BLOCKS or re.search(r"=>\s*\{\s*\}$", before):
            if not re.match(r"\s*(else\b|[.?;,])", behind):
                return found.end()
    return len(top.rstrip())


def condition(top):
    """Where the condition of the item's `if` stands."""
    begins = re.search(r"\bif\b\s*", top)
    ends = begins and re.compile(r"\s*(\{|=>)").search(top, begins.end())
    if not ends:
        raise ValueError("the item has no condition")
    return begins.end(), ends.start()


def value(top):
    """Where the item's value stands."""
    word = FIRST.match(top)[1]
    names = [ASSIGNED] if word in DECLARED else [] if word in CONTROL else [r"=>\s*", FIELD, ASSIGNED]
    begins = next(filter(None, (re.search(name, top) for name in names)), None)
    at = begins.end() if begins else 0
    otherwise = word == "let" and not re.match(r"if\b", top[at:]) and re.search(r"\s+else\b", top)
    return at, (otherwise or re.search(r"\s*[;,]?$", top)).start()


def change(text, name, how, rust=True):
    """What is changed where that defense goes: where it begins and ends, and what comes into its place."""
    at = next((found.end() for found in MARKER.finditer(text) if found[2] == name), None)
    if at is None:
        raise ValueError("no marker")
    while further := not rust and MARKER.match(text, at):
        at = further.end()
    code = code_of(text[at:]) if rust else text[at:]
    at += len(code) - len(code.lstrip())
    top = shallow(code.lstrip()) if rust else text[at:].partition("\n")[0]
    end = length(top) if rust else len(top)
    item = text[at : at + end]
    kind, what = next(iter(how.items())) if isinstance(how, dict) else (how, CONDITIONS.get(how))
    match kind:
        case "remove":
            return at, at + end, ""
        case "swap":
            if item.count(what[0]) != 1:
                raise ValueError(f"the item holds `{what[0]}` {item.count(what[0])} times")
            return at, at + end, item.replace(*what)
        case "value":
            begins, ends = value(top[:end])
            was = item[begins:ends]
        case "when" | "never" | "always":
            begins, ends = condition(top[:end])
            was = item[begins:ends]
            was = was if re.match(r"let\b|.*&& let\b", was, re.S) else f"({was})"
        case _:
            raise ValueError(f"nothing is taken out by {kind}")
    return at + begins, at + ends, what.replace("$", was)


def show(how, text, rust=True):
    """What the examples show."""
    marker = "// defense: S1 it\n" if rust else "# defense: S1 it\n"
    begins, ends, words = change(marker + text, "it", how, rust)
    return ((marker + text)[:begins] + words + (marker + text)[ends:]).removeprefix(marker).strip()
