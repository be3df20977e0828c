"""Decisions, one file per symptom: pure generators that yield steps and are sent the answers."""

from serialfix.playbooks import rdp_internal_error
from serialfix.steps import Playbook

PLAYBOOKS: dict[str, Playbook] = {playbook.name: playbook for playbook in (rdp_internal_error.PLAYBOOK,)}
