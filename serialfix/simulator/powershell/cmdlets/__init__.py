"""The cmdlets, by lower-cased name, and the aliases 5.1 has for them."""

from serialfix.simulator.powershell.binding import Cmdlet
from serialfix.simulator.powershell.cmdlets import connections, items, network, objects, services, system

CMDLETS: dict[str, Cmdlet] = {
    each.name.lower(): each
    for each in (
        *objects.CMDLETS,
        *services.CMDLETS,
        *items.CMDLETS,
        *network.CMDLETS,
        *system.CMDLETS,
        *connections.CMDLETS,
    )
}

# sc is Set-Content here and not the program: rdp-repair.md 1 C6.
ALIASES = {
    "%": "ForEach-Object", "foreach": "ForEach-Object", "?": "Where-Object", "where": "Where-Object",
    "select": "Select-Object", "sort": "Sort-Object", "measure": "Measure-Object", "fl": "Format-List",
    "ft": "Format-Table", "oh": "Out-Host", "echo": "Write-Output", "write": "Write-Output", "sls": "Select-String",
    "sleep": "Start-Sleep", "gsv": "Get-Service", "sasv": "Start-Service", "spsv": "Stop-Service",
    "gci": "Get-ChildItem", "ls": "Get-ChildItem", "dir": "Get-ChildItem", "gi": "Get-Item", "ri": "Remove-Item",
    "rm": "Remove-Item", "del": "Remove-Item", "erase": "Remove-Item", "rd": "Remove-Item", "rmdir": "Remove-Item",
    "gc": "Get-Content", "cat": "Get-Content", "type": "Get-Content", "sc": "Set-Content", "ac": "Add-Content",
    "ni": "New-Item", "md": "mkdir", "cp": "Copy-Item", "copy": "Copy-Item", "cpi": "Copy-Item", "ren": "Rename-Item",
    "rni": "Rename-Item", "mv": "Move-Item", "move": "Move-Item", "cd": "Set-Location", "sl": "Set-Location",
    "chdir": "Set-Location", "gl": "Get-Location", "pwd": "Get-Location", "gp": "Get-ItemProperty",
    "gpv": "Get-ItemPropertyValue", "sp": "Set-ItemProperty", "rp": "Remove-ItemProperty", "gps": "Get-Process",
    "ps": "Get-Process", "kill": "Stop-Process", "spps": "Stop-Process", "ipmo": "Import-Module",
    "rmo": "Remove-Module", "gmo": "Get-Module", "gcim": "Get-CimInstance", "gwmi": "Get-CimInstance",
    "get-wmiobject": "Get-CimInstance", "cls": "Clear-Host", "clear": "Clear-Host", "gcm": "Get-Command",
    "sv": "Set-Variable", "gv": "Get-Variable", "tnc": "Test-NetConnection",
}  # fmt: skip

__all__ = ["ALIASES", "CMDLETS"]
