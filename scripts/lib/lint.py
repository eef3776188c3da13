"""The checks behind scripts/lint: one function each, all over the same files read once."""

import pathlib
import re
import sys
from collections import namedtuple

FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70

# code: the lines without comments and without the insides of strings, so that words in them do not count.
Source = namedtuple("Source", "path layer lines code")
Rules = namedtuple("Rules", "layers pure headers")
# where: a prefix of paths that the ban holds for; pure_only: of layers, the pure ones
Ban = namedtuple("Ban", "pattern instead where except_for pure_only", defaults=("", (), False))

CXX = ("src/", "include/", "tests/unit/", "tests/sim/", "tests/fuzz/", "tests/bench/")
PYTHON = ("scripts", "tests/e2e", "tests/suites")
BANS = [
    Ban(r"\bstd::function\b", "use a template parameter, an event or a function pointer", pure_only=True),
    Ban(r"\bshared_ptr\b", "own it in one place and pass references or handles",
        except_for=("src/config/", "include/pgweir/config/", "src/base/log.cc"), pure_only=True),
    Ban(r"^\s*default\s*:", "name every enumerator, so that a new one does not compile unseen", where="src/"),
    Ban(r"::now\(", "take the time as an argument; only net reads clocks",
        except_for=("src/net/", "include/pgweir/net/", "tests/bench/")),
    Ban(r"\bs?rand(om)?\(|\bstd::(mt19937|random_device)\b", "use base/prng.h"),
    Ban(r"\breinterpret_cast\b", "use base/bytes.h", except_for=("include/pgweir/base/bytes.h",)),
    Ban(r"\busing namespace (?!std::(chrono_literals|literals|string_literals|string_view_literals)\b)",
        "name what you use"),
    Ban(r"\.sqlstate = sqlstate::", "give it a row in src/base/error_catalogue.cc and use make_error()",
        where="src/", except_for=("src/session/settings.cc", "src/net/listener.cc", "src/admin/http.cc")),
    Ban(r"\bsleep_for\b|\busleep\(", "wait for the fact, or step the fake clock", where="tests/"),
]
WORDS = [  # looked for in comments as well
    Ban(r"\b(FIXME|XXX)\b", "finish it, or TODO(#issue)"),
    Ban(r"\bTODO\b(?!\(#\d+\))", "TODO(#issue)"),
]
PYTHON_BANS = [
    Ban(r"\btime\.sleep\(", "wait_until() of pgweir_e2e.waiting", where="tests/e2e/",
        except_for=("tests/e2e/pgweir_e2e/waiting.py",)),
]


def without_comments_and_strings(text):
    """Blanks them out in place: lines and columns stay where they are."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![\w])\'(?:\\.|[^\'\\\n])+\'',
                       re.DOTALL)

    def blank(match):
        found = match.group()
        inside = re.sub(r"[^\n]", " ", found)
        return inside if found.startswith("/") else found[0] + inside[1:-1] + found[-1]

    return token.sub(blank, text)


def layer_of(path):
    parts = path.split("/")
    if path.startswith("include/pgweir/"):
        return parts[2] if len(parts) > 3 else "main"
    if path.startswith("src/"):
        return parts[1] if len(parts) > 2 else "main"
    return None


def read_sources():
    for top in CXX:
        for file in sorted(pathlib.Path(top).rglob("*")):
            if file.suffix in (".h", ".cc"):
                text = file.read_text(encoding="utf-8")
                code = without_comments_and_strings(text).split("\n")
                yield Source(str(file), layer_of(str(file)), text.split("\n"), code)


def read_rules():
    rules = Rules({}, [], {})
    for line in pathlib.Path("scripts/layers.txt").read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        subject, allowed = line.split(":")
        kind, _, name = subject.partition(" ")
        if kind == "pure":
            rules.pure.extend(allowed.split())
        else:
            {"layer": rules.layers, "header": rules.headers}[kind][name] = allowed.split()
    return rules


def includes(source):
    """Line number, the bracket it was written with, and what is included."""
    for number, line in enumerate(source.lines, 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if match:
            yield number, match.group(1), match.group(2)


def check_layers(source, rules):
    if source.layer is None:
        return
    if source.layer not in rules.layers:
        yield 1, f"layer {source.layer} is not in scripts/layers.txt"
        return
    allowed = {source.layer, *rules.layers[source.layer]}
    for number, bracket, header in includes(source):
        ours = header.removeprefix("pgweir/")
        layer = ours.split("/")[0]
        if bracket == '"' and "/" not in header:
            yield number, f'include it from the top: "{source.layer}/{header}"'
        elif bracket == '"' and layer not in allowed and ours not in allowed:
            yield number, f"{source.layer} may not include {header}, see scripts/layers.txt"


def check_third_party(source, rules):
    if source.layer is None:
        return
    for number, bracket, header in includes(source):
        if bracket == '"' or not re.search(r"[./]", header):
            continue
        allowed = next((who for prefix, who in rules.headers.items() if header.startswith(prefix)), None)
        if allowed is None:
            yield number, f"<{header}> is not in scripts/layers.txt"
        elif source.layer not in allowed and source.path not in allowed:
            yield number, f"<{header}> is seen by {' '.join(allowed)} only"


def check_file_length(source, _):
    if len(source.lines) - 1 > FILE_LINES_MAX:
        yield FILE_LINES_MAX, f"{len(source.lines) - 1} lines: split it, the cap is {FILE_LINES_MAX}"


def functions(code):
    """First and last line of each function: a brace outside of any function, whose head has parentheses.

    The brace of an initializer, as in `: port_{5432} {`, follows its name without a space.
    """
    head, head_line, opened, parentheses = "", 0, [], 0
    for number, line in enumerate(code, 1):
        if line.lstrip().startswith("#"):
            continue
        for character in line + "\n":
            if character in "()":
                parentheses += 1 if character == "(" else -1
            if character == "{":
                inside = any(start for start, *_ in opened)
                is_function = not inside and ")" in head and parentheses == 0 and not re.search(
                    r"^\s*(namespace|class|struct|union|enum|extern)\b|=\s*$|[\w>]$", head)
                opened.append((head_line if is_function else 0, head, head_line))
                head = ""
            elif character == "}" and opened:
                start, head_before, line_before = opened.pop()
                if start and number > start:
                    yield start, number
                is_initializer = re.search(r"[\w>]$", head_before)
                head, head_line = (head_before, line_before) if is_initializer else ("", number)
            elif character == ";" and parentheses == 0:
                head = ""
            else:
                if not head.strip() and not character.isspace():
                    head, head_line = "", number
                head += character


def check_function_length(source, _):
    if source.path.startswith("tests/"):
        return
    for first, last in functions(source.code):
        if last - first + 1 > FUNCTION_LINES_MAX:
            yield first, f"a function of {last - first + 1} lines: split it, the cap is {FUNCTION_LINES_MAX}"


def broken(path, lines, bans, is_pure):
    for ban in bans:
        if not path.startswith(ban.where) or path.startswith(ban.except_for) or ban.pure_only and not is_pure:
            continue
        for number, line in enumerate(lines, 1):
            found = re.search(ban.pattern, line)
            if found:
                yield number, f"{found.group().strip()} is banned: {ban.instead}"


def check_bans(source, rules):
    is_pure = source.layer in rules.pure
    for number, complaint in (*broken(source.path, source.code, BANS, is_pure),
                              *broken(source.path, source.lines, WORDS, is_pure)):
        if not re.search(r"// lint: allow \w", source.lines[number - 1]):
            yield number, complaint


def check_has_test(source, rules):
    if source.path.startswith("src/") and source.path.endswith(".cc") and source.layer in rules.pure:
        name = source.path.removeprefix("src/").removesuffix(".cc")
        if not pathlib.Path(f"tests/unit/{name}_test.cc").exists():
            yield 1, f"write tests/unit/{name}_test.cc"


def check_python(_):
    for file in sorted(file for top in PYTHON for file in pathlib.Path(top).glob("**/*.py")):
        if "node_modules" in file.parts:
            continue
        lines = file.read_text(encoding="utf-8").split("\n")
        if len(lines) - 1 > FILE_LINES_MAX:
            yield f"{file}:{FILE_LINES_MAX}: {len(lines) - 1} lines: split it"
        bans = PYTHON_BANS if file.name == "lint.py" else PYTHON_BANS + WORDS
        for number, complaint in broken(str(file), lines, bans, is_pure=False):
            yield f"{file}:{number}: {complaint}"


CHECKS = (check_layers, check_third_party, check_file_length, check_function_length, check_bans, check_has_test)


def main():
    rules = read_rules()
    complaints = [f"{source.path}:{number}: {complaint}"
                  for source in read_sources() for check in CHECKS
                  for number, complaint in check(source, rules)]
    complaints += check_python(rules)
    print("\n".join(complaints), end="\n" if complaints else "")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
