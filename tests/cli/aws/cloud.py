"""AWS on loopback: moto's server, with what it lacks in front of it, a record of every request, and faults.

moto 5 has no StopTrainingJob and no price list, ends every training job at once, takes a name twice and counts
no billable seconds; ``Cloud`` adds those, over HTTP, so that the program under test speaks to a server throughout.
"""

from __future__ import annotations

import io
import json
import re
import socket
from collections.abc import Callable
from datetime import timedelta
from threading import Thread
from typing import Any
from xml.sax.saxutils import escape

import boto3
from moto.core.utils import utcnow
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.sagemaker.models import sagemaker_backends
from werkzeug.serving import make_server

ACCOUNT = "123456789012"
REGION = "us-east-1"
BUCKET = "psa-results"
PREFIX = "runs"
PRICE = "0.7360000000"
READS = re.compile(r"(s3|sagemaker|logs|pricing)\.(Get|List|Describe|Head)")


class Cloud:
    """One AWS account, as long as the tests run; ``reset`` empties it."""

    def __init__(self) -> None:
        self.operations: list[str] = []
        """What was asked for, ``sagemaker.CreateTrainingJob``, in order."""
        self.faults: list[tuple[str, str]] = []
        """(operation, fault): the next request of that operation meets it. ``503``: refused, nothing done;
        ``lost``: done, and answered with 500; ``cut``: done, and the connection closed without an answer;
        else a JSON error code, refused with 400."""
        self.quota: int | None = None
        """The most jobs that may be active at a time."""
        self.complaint = "no"
        """What a refusal says beside its code."""
        self.prices: list[str] = []
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._serve, True, request_handler=MotoRequestHandler)
        Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def client(self, service: str) -> Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, **keys)

    def reset(self) -> None:
        import urllib.request

        urllib.request.urlopen(urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")).close()
        self.client("s3").create_bucket(Bucket=BUCKET)
        self.prices = [price_list_entry(PRICE)]
        self.faults = []
        self.quota = None
        self.complaint = "no"
        self.operations = []

    @property
    def jobs(self) -> dict[str, Any]:
        """moto's training jobs by name; what a test sets on one is what SageMaker says of it."""
        return sagemaker_backends[ACCOUNT][REGION].training_jobs

    def writes(self) -> list[str]:
        return [operation for operation in self.operations if not READS.match(operation)]

    def end(self, name: str, status: str = "Completed", billable_s: int = 3600, **fields: Any) -> None:
        job = self.jobs[name]
        job.training_job_status = job.secondary_status = status
        job.training_end_time = job.creation_time + timedelta(seconds=billable_s)
        job.training_time_in_seconds = job.billable_time_in_seconds = billable_s
        for field, value in fields.items():
            setattr(job, field, value)

    def _serve(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        operation, body = _operation(environ)
        if "/moto-api/" in environ["PATH_INFO"]:
            return self._moto(environ, start_response)
        self.operations.append(operation)
        fault = next((fault for of, fault in self.faults if of == operation), None)
        if fault is not None:
            self.faults.remove((operation, fault))
            if fault not in ("lost", "cut"):
                code, status = ("InternalFailure", "503 Unavailable") if fault == "503" else (fault, "400 Bad")
                return _refuse(start_response, operation, status, code, self.complaint)
        answer = self._handle(operation, body, environ, start_response)
        if fault == "lost":
            return _answer(start_response, "500 Error", {"__type": "InternalFailure", "message": "no"})
        if fault == "cut":
            list(answer)
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return answer

    def _handle(self, operation: str, body: bytes, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if operation == "pricing.GetProducts":
            return _answer(start_response, "200 OK", {"FormatVersion": "aws_v1", "PriceList": self.prices})
        name = json.loads(body).get("TrainingJobName") if operation.startswith("sagemaker.") else None
        if operation == "sagemaker.StopTrainingJob":
            if name not in self.jobs or self.jobs[name].training_job_status != "InProgress":
                return _answer(start_response, "400 Bad", {"__type": "ValidationException", "message": "not running"})
            self.jobs[name].training_job_status = self.jobs[name].secondary_status = "Stopping"
            return _answer(start_response, "200 OK", {})
        if operation == "sagemaker.CreateTrainingJob" and name in self.jobs:
            return _answer(start_response, "400 Bad", {"__type": "ResourceInUse", "message": f"{name} exists"})
        if operation == "sagemaker.CreateTrainingJob" and self.quota is not None:
            active = [job for job in self.jobs.values() if job.training_job_status in ("InProgress", "Stopping")]
            if len(active) >= self.quota:
                return _answer(start_response, "400 Bad", {"__type": "ResourceLimitExceeded", "message": "quota"})
        answer = self._moto(environ, start_response)
        if operation == "sagemaker.CreateTrainingJob":
            job = self.jobs[name]
            job.training_job_status, job.secondary_status = "InProgress", "Starting"
            job.training_end_time = None
            job.creation_time = job.last_modified_time = utcnow()
        return answer


def _operation(environ: dict[str, Any]) -> tuple[str, bytes]:
    """The operation of a request, and its body, which stays readable."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    signed = re.search(r"Credential=[^/]*/[^/]*/[^/]*/([^/]*)/", environ.get("HTTP_AUTHORIZATION", ""))
    service = signed[1] if signed else "?"
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return f"{service}.{target.rpartition('.')[2]}", body
    verb = {"GET": "Get", "HEAD": "Head", "PUT": "Put", "POST": "Post", "DELETE": "Delete"}
    return f"{service}.{verb[environ['REQUEST_METHOD']]}", body


def _answer(start_response: Callable[..., Any], status: str, content: dict[str, Any]) -> list[bytes]:
    data = json.dumps(content).encode()
    start_response(status, [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(data)))])
    return [data]


def _refuse(start_response: Callable[..., Any], operation: str, status: str, code: str, message: str) -> list[bytes]:
    if not operation.startswith("s3."):
        return _answer(start_response, status, {"__type": code, "message": message})
    data = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>".encode()
    start_response(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(data)))])
    return [data]


def price_list_entry(usd: str, unit: str = "Hrs") -> str:
    """A product as the price list has it, with one on-demand price."""
    dimension = {"unit": unit, "pricePerUnit": {"USD": usd}}
    terms = {"OnDemand": {"SKU.TERM": {"priceDimensions": {"SKU.TERM.RATE": dimension}}}}
    return json.dumps({"product": {"attributes": {"instanceName": "ml.g4dn.xlarge"}}, "terms": terms})
