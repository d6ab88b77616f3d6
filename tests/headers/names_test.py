"""Every type name in namespace grym is defined once over all rooms.

Two types of one name in two rooms compile and link, and then one room destroys the other's objects: the linker keeps
a single copy of their inline functions. Types in anonymous namespaces are free.

Usage: names_test.py SOURCE_DIR
"""
import collections
import re
import sys
from pathlib import Path

TYPE = re.compile(r"(?:struct|class|enum class)\s+(?:GRYM_EXPORT\s+)?(\w+)\s*(?:final\s*)?(?::[^:].*)?\{")


def types_of(path):
    anonymous = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        if re.match(r"namespace \{", line):
            anonymous += 1
        elif anonymous and re.match(r"\}  // namespace$", line):
            anonymous -= 1
        elif not anonymous and (found := TYPE.match(line)):
            yield found.group(1)


def main(root):
    where = collections.defaultdict(list)
    for folder in ("include", "src"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".h", ".cc"):
                for name in types_of(path):
                    where[name].append(str(path.relative_to(root)))
    twice = {name: paths for name, paths in where.items() if len(paths) > 1}
    for name, paths in twice.items():
        print(f"{name} is defined in {' and '.join(paths)}")
    print(f"{len(where)} types")
    return 1 if twice or len(where) < 100 else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
