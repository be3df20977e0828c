import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from serialfix.simulator import keys, pki


@pytest.mark.parametrize("seed", range(len(keys.POOL)))
def test_each_key_is_rsa_2048_and_says_what_it_is_for(seed: int) -> None:
    pem = keys.key_pem(seed)
    assert pem.startswith(b"# simulator-only")
    key = pki.private_key(pem)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 2048


def test_the_seed_chooses_and_the_keys_differ() -> None:
    assert len({keys.key_pem(seed) for seed in range(30)}) == len(keys.POOL) == 3
    assert keys.key_pem(30) == keys.key_pem(0)
