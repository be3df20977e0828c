"""What ARM says about the VM, and what of it stands in the way of its serial console.

The fields come from ``GET virtualMachines/{vm}?$expand=instanceView`` and its network interfaces
(azure-serial-console.md 1.1, 1.5). Facts are facts: a VM that is off is no error here; ``obstacles`` says what they
mean.
"""

from dataclasses import asdict, dataclass
from typing import Any

from serialfix.errors import AzureError


@dataclass(frozen=True, slots=True)
class VmFacts:
    """One VM as ARM sees it. Empty strings and tuples: ARM did not say.

    ``power``: "running", "stopped", "deallocated", "starting", ... ``provisioning``: "Succeeded", "Failed",
    "Creating", ... ``agent``: the VM agent's own word, "Ready" or "Not Ready". ``addresses_note``: why
    ``public_addresses`` is empty or may not be complete.
    """

    id: str
    name: str
    subscription: str
    resource_group: str
    location: str
    vm_id: str
    os_type: str
    os_name: str
    power: str
    provisioning: str
    agent: str
    boot_diagnostics: bool
    public_addresses: tuple[str, ...]
    private_addresses: tuple[str, ...]
    size: str
    computer_name: str
    addresses_note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The facts as JSON can hold them, in the order of the fields."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @property
    def windows(self) -> bool:
        """Whether this is a Windows VM: its disk says so, or its agent where the disk does not."""
        if self.os_type:
            return self.os_type.lower() == "windows"
        return "windows" in self.os_name.lower()


def obstacles(vm: VmFacts) -> list[AzureError]:
    """What will keep the serial console of ``vm`` from working, worst first; not raised, so that all can be shown.

    Conditions: azure-serial-console.md 1.5 and 1.6. Provisioning "Failed" and "Updating" are left to the service to
    judge: a VM whose Windows is broken is often "Failed", and its console may work.
    """
    named = f"--resource-group {shell_word(vm.resource_group)} --name {shell_word(vm.name)}"
    found: list[AzureError] = []
    if not vm.windows:
        found.append(
            AzureError(
                f"{vm.name} is not a Windows VM ({vm.os_type or vm.os_name or 'its system is unknown'}).",
                why="serialfix speaks to Windows' Special Administration Console only.",
                advice=f"For Linux use: az serial-console connect {named}",
                code="NotWindows",
            )
        )
    if vm.power in ("deallocated", "deallocating", "stopped", "stopping"):
        found.append(
            AzureError(
                f"{vm.name} is {vm.power}.",
                why="Azure's serial console needs a virtual machine that is running.",
                advice=f"Start it with: az vm start {named}",
                code="NotRunning",
            )
        )
    elif vm.power != "running":
        found.append(
            AzureError(
                f"{vm.name} is {vm.power}." if vm.power else f"Azure does not say whether {vm.name} is running.",
                why="Azure's serial console needs a virtual machine that is running.",
                advice=f"Look again in a minute with: az vm get-instance-view {named} --query instanceView.statuses",
                code="NotRunning",
            )
        )
    if vm.provisioning.lower() in ("creating", "deleting", "migrating"):
        found.append(
            AzureError(
                f"{vm.name} is being provisioned ({vm.provisioning}).",
                why="The serial console refuses a VM that is not fully deployed.",
                advice=f"Wait for it with: az vm wait {named} --created",
                code="NotProvisioned",
            )
        )
    if not vm.boot_diagnostics:
        found.append(
            AzureError(
                f"Boot diagnostics are off for {vm.name}.",
                why="Azure's serial console requires boot diagnostics to be enabled.",
                advice=f"Switch them on, without a restart, with: az vm boot-diagnostics enable {named}",
                code="BootDiagnosticsOff",
            )
        )
    return found


def shell_word(name: str) -> str:
    """A resource's name as one word of a command that a person pastes into cmd, PowerShell or bash.

    Azure's names hold letters, digits, ``-_.()``; anything else was not a name, and is left out.
    """
    kept = "".join(letter for letter in name if letter.isalnum() or letter in "-_.()")
    return kept if kept and not set(kept) & set("()") else f'"{kept}"'
