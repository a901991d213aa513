"""boto3 clients with timeouts and retries, and what AWS answers in one line with its remedy.

``AWS_ENDPOINT_URL``, ``AWS_PROFILE``, ``AWS_MAX_ATTEMPTS`` and all else boto3 knows from the environment hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psa_tui import __version__
from psa_tui.aws.failures import explain
from psa_tui.aws.redaction import redact, remember_secret, safe
from psa_tui.aws.settings import AwsSettings
from psa_tui.errors import ConfigError, PsaError

__all__ = ["aws_errors", "open_client", "redact", "safe"]
CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 30


def open_client(service: str, settings: AwsSettings, *, connections: int = 10) -> Any:
    """Return a boto3 client of ``service`` ("s3", "sagemaker", "logs", ...), safe to share between threads.

    No request is made yet. Its calls belong into ``aws_errors``.

    Args:
        connections: how many threads will use it at once.

    Raises:
        ConfigError: boto3 is not installed, or its configuration (a profile, an endpoint) is wrong.
        AwsError: credentials cannot be loaded.
    """
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise ConfigError('this command needs boto3; pip install "psa-tui[aws]"') from None
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard"},
        max_pool_connections=max(connections, 1),
        user_agent_extra=f"psa-tui/{__version__}",
    )
    with aws_errors(f"preparing {service}", settings):
        session: Any = boto3.session.Session(region_name=settings.region)
        credentials = session.get_credentials()
        if credentials is not None:
            for value in credentials.get_frozen_credentials():
                remember_secret(value)
        return session.client(service, config=config)


@contextmanager
def aws_errors(what: str, settings: AwsSettings | None = None) -> Iterator[None]:
    """Turn whatever boto3 raises in the block into one line that starts with ``what`` ("listing s3://...").

    The cause is suppressed, so that no traceback carries a request with its headers. The block should hold the
    calls of boto3 and little else: any exception of another kind is reported as boto3's.

    Args:
        settings: names the bucket and region in remedies where they are known.

    Raises:
        RetryableError: the network or the service failed, the same command may succeed later.
        ConfigError: credentials, a profile or the region are missing.
        AwsError: AWS refused.
    """
    try:
        yield
    except PsaError:
        raise
    except Exception as error:
        raise explain(error, safe(what, 300), settings) from None
