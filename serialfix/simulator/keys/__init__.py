"""RSA keys that ship with the simulator, so that a start costs no key generation and a seed gives the same key.

They are public by being here: simulator-only, never used for anything real (design.md, "The simulator").
"""

from importlib import resources

POOL = ("rdp-1.pem", "rdp-2.pem", "rdp-3.pem")


def key_pem(seed: int) -> bytes:
    """The pool's key for ``seed``: PKCS#8 PEM behind one comment line, which every PEM reader skips."""
    return resources.files(__name__).joinpath(POOL[seed % len(POOL)]).read_bytes()
