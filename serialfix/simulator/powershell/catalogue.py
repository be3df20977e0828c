"""What this PowerShell knows, as the page docs/simulated-powershell.md: made from the code's own tables.

``python -m serialfix.simulator.powershell.catalogue`` prints it; a test compares the page with it.
"""

import sys

from serialfix.simulator.powershell.binding import COMMON
from serialfix.simulator.powershell.cmdlets import ALIASES, CMDLETS
from serialfix.simulator.powershell.constructors import CONSTRUCTORS, METHODS
from serialfix.simulator.powershell.evaluator import STATEMENTS
from serialfix.simulator.powershell.members import CASTS, INSTANCE, STATIC
from serialfix.simulator.powershell.operators import BITWISE, COMPARISON

_HEAD = """# The PowerShell of the simulator

What the simulated Windows PowerShell 5.1 knows. Anything else answers as Windows answers a command it does not have, or
`This is not modelled by this simulator.` The text is parsed with tree-sitter-powershell.

This page is made from the code: `python -m serialfix.simulator.powershell.catalogue`.
"""
_ARITHMETIC = ("+", "-", "*", "/", "%", "..", "-f", "=", "+=", "-=", "*=", "/=", "%=", "++", "--", "!", ",")
_LOGICAL = ("-and", "-or", "-xor", "-not")


def _codes(names: object) -> str:
    return ", ".join(f"`{name}`" for name in names)  # type: ignore[attr-defined]


def page() -> str:
    """Return the whole page."""
    kinds = sorted(name.removesuffix("_statement").replace("_", " ") for name in STATEMENTS)
    lines = [_HEAD, "## Statements\n", _codes(kinds) + "\n", "## Operators\n", _codes(_ARITHMETIC) + "\n"]
    lines.append(_codes(_LOGICAL) + "\n")
    lines.append(_codes(f"-{name}" for name in (*BITWISE, "bnot")) + "\n")
    lines.append(_codes(f"-{name}" for name in COMPARISON) + " (also with `i` and `c` before)\n")
    lines += ["## Casts\n", _codes(f"[{name}]" for name in CASTS) + "\n", "## Cmdlets\n"]
    lines.append(f"Every cmdlet also takes {_codes(f'-{name}' for name in COMMON)}.\n")
    for cmdlet in sorted(CMDLETS.values(), key=lambda each: each.name.lower()):
        parameters = ", ".join(f"-{name}" + ("" if takes else " (switch)") for name, takes in cmdlet.parameters.items())
        lines.append(f"- `{cmdlet.name}`: {parameters or 'no parameters'}")
    lines += ["\n## Aliases\n", ", ".join(f"`{alias}` = `{name}`" for alias, name in sorted(ALIASES.items())) + "\n"]
    lines.append("## Constructors\n")
    lines.append("With `New-Object` or `::new()`: " + _codes(f"[{name}]" for name in CONSTRUCTORS) + "\n")
    lines.append("## Methods\n")
    lines += [f"- `{kind}`: {_codes(methods)}" for kind, methods in INSTANCE.items()]
    lines += [f"- `System.{kind}`: {_codes(methods)}" for kind, methods in METHODS.items()]
    lines.append("\n## Static members\n")
    lines += [f"- `[{kind}]`: {_codes(names)}" for kind, names in STATIC.items()]
    lines.append(
        "\nProperties of objects are those of the cmdlet that gives them. Programs of the VM run as from cmd; `sc` is"
        " Set-Content here, as in real PowerShell."
    )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
