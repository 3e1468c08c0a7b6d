"""Print a command of the README, word for word: readme_commands.py README.md run

A command is the fenced block that follows a line ``<!-- command: NAME -->``.
"""

import re
import sys
from pathlib import Path

COMMAND = re.compile(r"^<!-- command: (?P<name>[\w-]+) -->\n+```(?:bash|sh|console)?\n(?P<text>.*?)^```$", re.M | re.S)


def commands(text: str) -> dict[str, str]:
    """Commands by name; ValueError if a name is used twice, or a marker has no block."""
    found = [(match["name"], match["text"].strip()) for match in COMMAND.finditer(text)]
    names = re.findall(r"^<!-- command: ([\w-]+) -->$", text, re.M)
    if sorted(names) != sorted({name for name, command in found if command}):
        raise ValueError(f"markers {names}, but commands {[name for name, _ in found]}: each marker needs one block")
    return dict(found)


def main() -> None:
    readme, name = sys.argv[1:]
    known = commands(Path(readme).read_text(encoding="utf-8"))
    if name not in known:
        sys.exit(f"{readme} has no command {name!r}; there are: {', '.join(known) or 'none'}")
    print(known[name])


if __name__ == "__main__":
    main()
