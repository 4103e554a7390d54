"""Checkpoints against foreign vectors and tools, forged notes and careless key files."""

import base64
import shutil
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from bailiwick.audit import checkpoint as module
from bailiwick.audit.checkpoint import Checkpoint, Signer, Verifier, parse_and_verify
from bailiwick.audit.merkle import ProofError
from bailiwick.core import errors

ORIGIN = "bailiwick.example/audit"
CHECKPOINT = Checkpoint(ORIGIN, 42, bytes(range(32)))


def a_signer(seed: int = 1, name: str = ORIGIN) -> Signer:
    return Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


SIGNER = a_signer()
NOTE = SIGNER.sign(CHECKPOINT)


def test_a_signed_checkpoint_has_the_lines_of_the_specification() -> None:
    origin, size, root, empty, signature, end = NOTE.split("\n")
    assert (origin, size, empty, end) == (ORIGIN, "42", "", "")
    assert base64.b64decode(root) == bytes(range(32))
    assert signature.startswith(f"\u2014 {ORIGIN} ")
    assert len(base64.b64decode(signature.split(" ")[2])) == 4 + 64


def test_a_checkpoint_verifies_with_the_key_as_text() -> None:
    assert parse_and_verify(NOTE, SIGNER.vkey) == CHECKPOINT
    assert str(Verifier.parse(SIGNER.vkey + "\n")) == SIGNER.vkey


def test_keys_and_a_note_of_the_go_project_are_read_as_go_reads_them() -> None:
    # From golang.org/x/mod/sumdb/note's documentation and cmd/go's built-in key.
    database = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
    assert str(Verifier.parse(database)) == database
    peter = Verifier.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    note = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
        "\n"
        "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXg"
        "KvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    )
    body, [(name, key_id, signature)] = module._split(note)
    assert (name, key_id) == (peter.name, peter.key_id)
    peter.key.verify(signature, body.encode())


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_accepts_the_signature_over_the_body_and_refuses_another(tmp_path: Path) -> None:
    body, _, signature = NOTE.rpartition("\n\n")
    raw = base64.b64decode(signature.split(" ")[2])
    pem = SIGNER.verifier.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "signature").write_bytes(raw[4:])

    def verified(text: str) -> bool:
        (tmp_path / "body").write_text(text, "utf-8")
        command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "key.pem"]
        command += ["-in", "body", "-sigfile", "signature"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
        return done.returncode == 0

    assert verified(body + "\n")
    assert not verified(body.replace("42", "43") + "\n")


def test_signatures_of_other_keys_are_ignored_in_any_order() -> None:
    body, _, signature = NOTE.rpartition("\n\n")
    other = a_signer(2, "witness.example").verifier
    witness = base64.b64encode(other.key_id + bytes(64)).decode()
    line = f"\u2014 witness.example {witness}"
    assert parse_and_verify(f"{body}\n\n{line}\n{signature}", SIGNER.vkey) == CHECKPOINT
    assert parse_and_verify(f"{body}\n\n{signature}{line}\n", SIGNER.vkey) == CHECKPOINT


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("\n42\n", "\n43\n", "altered"),
        ("AAECAw", "AAECAg", "altered"),
        (ORIGIN + "\n", "another.example\n", "is of the log 'another.example'"),
        ("\n42\n", "\n042\n", "three lines"),
        ("\n42\n", "\n-42\n", "three lines"),
        ("\n42\n", "\n" + "9" * 5000 + "\n", "three lines"),
        ("\n42\n", "\n\u0664\u0662\n", "three lines"),
        ("\n42\n", "\n", "three lines"),
        ("\n42\n", "\n42\r\n", "signed note"),
        ("\u2014 ", "- ", "signed note"),
        ("AAECAw", "AAEC", "length|base64"),
        ("AAECAw", "!!", "base64"),
        ("\u2014 " + ORIGIN, "\u2014 stranger", "not signed by"),
    ],
)
def test_an_altered_note_is_refused(old: str, new: str, says: str) -> None:
    assert old in NOTE
    with pytest.raises(ProofError, match=says):
        parse_and_verify(NOTE.replace(old, new, 1), SIGNER.vkey)


@pytest.mark.parametrize(
    "note", ["", "\n", "\n\n", NOTE[:-1], NOTE + "\n", NOTE + "x", "x" * 70_000]
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(ProofError):
        parse_and_verify(note, SIGNER.vkey)


def test_a_note_by_another_key_of_the_same_name_is_refused() -> None:
    with pytest.raises(ProofError, match="not signed by"):
        parse_and_verify(a_signer(2).sign(CHECKPOINT), SIGNER.vkey)


def test_a_root_in_a_second_spelling_of_base64_is_refused() -> None:
    root = base64.b64encode(bytes(range(32))).decode()
    assert root.endswith("8=")
    with pytest.raises(ProofError, match="length"):
        Checkpoint.parse(NOTE.replace(root, root[:-2] + "9="))


@pytest.mark.parametrize(
    ("vkey", "says"),
    [
        ("", r"name\+id\+key"),
        ("a+b", r"name\+id\+key"),
        (SIGNER.vkey.replace("example", "elsewhere"), "id does not fit"),
        ("a+00000000+" + base64.b64encode(b"\x02" + bytes(32)).decode(), "Only Ed25519"),
        ("a+00000000+AAAA", "wrong length"),
        ("a+00000000+????", "not base64"),
    ],
)
def test_a_wrong_verifier_key_is_refused(vkey: str, says: str) -> None:
    with pytest.raises(ProofError, match=says):
        Verifier.parse(vkey)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "new\nline"])
def test_a_name_that_would_break_the_format_is_refused(name: str) -> None:
    with pytest.raises(errors.Invalid, match="cannot name an audit log"):
        a_signer(name=name)


def test_a_signer_signs_for_its_own_log_only() -> None:
    with pytest.raises(errors.Invalid, match="signs for"):
        SIGNER.sign(Checkpoint("another.example", 1, bytes(32)))


def test_a_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "audit.pem"
    first = Signer.load_or_create(path, ORIGIN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Signer.load_or_create(path, ORIGIN).vkey == first.vkey
    assert [file.name for file in path.parent.iterdir()] == ["audit.pem"]


def test_processes_that_start_together_end_up_with_one_key(tmp_path: Path) -> None:
    path = tmp_path / "audit.pem"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: Signer.load_or_create(path, ORIGIN).vkey, range(32)))
    assert len(keys) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["audit.pem"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_a_key_file_open_to_others_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "audit.pem"
    Signer.load_or_create(path, ORIGIN)
    path.chmod(mode)
    with pytest.raises(errors.Invalid, match="chmod 600"):
        Signer.load_or_create(path, ORIGIN)


def test_a_file_that_holds_no_such_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "audit.pem"
    other = X25519PrivateKey.generate()
    other_kind = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content, says in ((b"nonsense", "no unencrypted PEM"), (other_kind, "no Ed25519 key")):
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(errors.Invalid, match=says):
            Signer.load_or_create(path, ORIGIN)


def test_a_key_that_cannot_be_written_is_unavailable_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(errors.Unavailable, match="out of reach"):
        Signer.load_or_create(tmp_path / "file" / "audit.pem", ORIGIN)
