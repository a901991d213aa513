"""A bucket on loopback (moto's server), archives as jobs leave them, and a proxy that spoils what it passes on."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import socket
import struct
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

import boto3
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from psa_tui.cli.app import main
from psa_tui.method.variants import PUBLISHED
from psa_tui.studies.grids import parse_network

ACCOUNT = "210987654321"
BUCKET = f"sagemaker-eu-west-1-{ACCOUNT}"
"""Like SageMaker's default bucket, it has the account's number in its name."""
PREFIX = "runs/study"
REGION = "eu-west-1"
KEY_ID = "AKIACANARYCANARY0001"
SECRET = "canarySECRET0123456789+/abcdefABCDEF0123"
TOKEN = "CANARYtoken0123456789/" * 8
ROLE = f"arn:aws:iam::{ACCOUNT}:role/canary-role"
CANARIES = (ACCOUNT, KEY_ID, SECRET, TOKEN, "canary-role", "CANARY", "canarySECRET")


def published() -> dict[tuple[str, str], list[str]]:
    """The published trials of every cell, in percent as they were printed."""
    found: dict[tuple[str, str], list[str]] = {}
    with files("psa_tui.analysis").joinpath("published", "trials.csv").open() as file:
        for row in csv.DictReader(file):
            cell = found.setdefault((row["architecture"], row["mode"]), [])
            cell.append(row["best_validation_accuracy_pct"])
            assert int(row["trial"]) == len(cell)
    return found


def tar_gz(members: dict[str, bytes] | list[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    """An archive with these members, in this order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=form) as archive:
        for member, content in members.items() if isinstance(members, dict) else members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member)
            if not isinstance(member, tarfile.TarInfo):
                info.size, info.mtime = len(content), 1_750_000_000.5
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def job_archive(values: list[str], comprehensive: bool = False) -> bytes:
    """What a job leaves: weights, ``results.txt``, and in newer jobs ``comprehensive_results.json``."""
    members = {"./": b"", "./results.txt": "".join(f"{value}\n" for value in values).encode()}
    if comprehensive:
        entries = [
            {
                "best_validation_accuracy": float(value),
                "best_validation_epoch": 7,
                "final_test_accuracy": float(value),
                "bounty": float(value),
            }
            for value in values
        ]
        members["./comprehensive_results.json"] = json.dumps(entries).encode()
    members["./mnist_lkg.safetensors"] = os.urandom(300)
    folder = tarfile.TarInfo("./")
    folder.type = tarfile.DIRTYPE
    return tar_gz([(folder, b""), *((_info(name, text), text) for name, text in list(members.items())[1:])])


def _info(name: str, content: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime = len(content), 1_750_000_000.5
    return info


def job(architecture: str, mode: str, stamp: str = "20250801-120000") -> str:
    return f"psa-{architecture.replace('*', 'x')}-{mode}-{stamp}"


class Bucket:
    """The bucket, empty but for what the test puts there."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        self.clear()

    def clear(self) -> None:
        from moto.s3.models import s3_backends

        for backends in s3_backends.values():
            backends["aws"].reset()
        self.client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})

    def put(self, name: str, content: bytes, path: str = "output/model.tar.gz", **options: object) -> None:
        self.client.put_object(Bucket=BUCKET, Key=f"{PREFIX}/{name}/{path}", Body=content, **options)

    def put_quickly(self, key: str, content: bytes) -> None:
        """Past HTTP, for very many."""
        from moto.s3.models import s3_backends

        for backends in s3_backends.values():
            if BUCKET in backends["aws"].buckets:
                backends["aws"].put_object(BUCKET, key, content)

    def put_published(self) -> None:
        """Every job of the published study."""
        for name, content in published_jobs().items():
            self.put_quickly(f"{PREFIX}/{name}/output/model.tar.gz", content)


@cache
def published_jobs() -> dict[str, bytes]:
    """The archive of every job of the published study; the later half are newer jobs, with both files."""
    cells = published()
    return {
        job(architecture, mode, f"202508{1 + i // 50:02}-12{i % 50:02}00"): job_archive(values, 2 * i >= len(cells))
        for i, ((architecture, mode), values) in enumerate(cells.items())
    }


@contextmanager
def bucket_server() -> Iterator[Bucket]:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield Bucket("http://{}:{}".format(*server.get_host_and_port()))
    finally:
        server.stop()


Fault = Callable[[str, bytes], bytes | None]
"""Given a request's first line and the whole true answer: the bytes to send instead; None resets the connection."""


@dataclass
class Proxy:
    """Passes requests on to ``target``, one a connection, and sends what ``fault`` makes of each answer."""

    target: str
    fault: Fault = lambda request, answer: answer
    requests: list[str] = field(default_factory=list)
    pause_s: float = 0
    """Between the bytes of an answer's last part, for a connection that drips."""

    def __post_init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def downloads(self) -> list[str]:
        return [line for line in self.requests if "model.tar.gz" in line]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            head = b""
            while b"\r\n\r\n" not in head:
                received = connection.recv(65536)
                if not received:
                    return
                head += received
            line = head.split(b"\r\n", 1)[0].decode("latin-1")
            self.requests.append(line)
            answer = self.fault(line, self._ask(head))
            if answer is None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            try:
                if not self.pause_s:
                    connection.sendall(answer)
                    return
                start = answer.index(b"\r\n\r\n") + 4
                connection.sendall(answer[:start])
                for byte in answer[start:]:
                    connection.sendall(bytes([byte]))
                    time.sleep(self.pause_s)
            except OSError:
                return

    def _ask(self, head: bytes) -> bytes:
        host, port = self.target.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as server:
            server.sendall(head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            answer = b""
            while received := server.recv(65536):
                answer += received
        return answer


def xml_answer(status: int, code: str, message: str = "", more: str = "", headers: str = "") -> bytes:
    """An answer of S3's that says no."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>".encode()
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}Connection: close\r\n\r\n".encode() + body


def split_answer(answer: bytes) -> tuple[bytes, bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", body


SOURCES = [
    "psa: S3_BUCKET_NAME is sagemaker-eu-west-1-[account] (aws/sagemaker/.env)",
    "psa: S3_PREFIX is runs/study (aws/sagemaker/.env)",
]
"""What fetch says of where it looks, in the folder of ``use_environment``."""


def environment(url: str) -> dict[str, str]:
    """The environment of a user with credentials, whose AWS is at ``url``."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": TOKEN,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }


def use_environment(monkeypatch: object, tmp_path: object, url: str) -> None:
    """An empty folder with ``aws/sagemaker/.env``, and nothing else that could bend a command."""
    for name in [name for name in os.environ if name.startswith(("PSA_", "AWS_", "S3_"))]:
        monkeypatch.delenv(name)
    for name, value in environment(url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("psa_tui.aws.download.PAUSE_S", 0.0)
    folder = tmp_path / "aws" / "sagemaker"
    folder.mkdir(parents=True)
    settings = {"S3_BUCKET_NAME": BUCKET, "S3_PREFIX": PREFIX, "AWS_REGION": REGION, "AWS_SAGEMAKER_ROLE": ROLE}
    settings["AWS_ACCOUNT_ID"] = ACCOUNT
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))


def run_psa(monkeypatch: object, capsys: object, *arguments: object) -> tuple[int, str, str]:
    """Run ``psa`` in this process: exit code, stdout, stderr."""
    monkeypatch.setattr(sys, "argv", ["psa", *map(str, arguments)])
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    out, err = capsys.readouterr()
    return code, out, err


def parameters(architecture: str) -> int:
    return parse_network(f"[{architecture}]").parameters


MODES = tuple(map(str, PUBLISHED))
