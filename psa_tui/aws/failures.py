"""What boto3 raises, in a user's words: cause, remedy and whether trying again helps."""

from __future__ import annotations

import re
from typing import Any

from psa_tui.aws.redaction import safe
from psa_tui.aws.settings import AwsSettings
from psa_tui.errors import AwsError, ConfigError, PsaError, RetryableError

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_WRONG_CREDENTIALS = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidToken",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "UnrecognizedClientException",
    "IncompleteSignature",
    "AuthFailure",
}
_SKEWED = {"RequestTimeTooSkewed", "SignatureExpired"}
_REFUSED = {"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "UnauthorizedOperation", "403"}
_ELSEWHERE = {
    "PermanentRedirect",
    "TemporaryRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "301",
    "307",
}
_BUSY = re.compile(
    r"Throttl|SlowDown|TooManyRequests|RequestLimit|ServiceUnavailable|InternalError|InternalFailure|RequestTimeout"
    r"|InternalServer|BandwidthLimit|^5\d\d$"
)
_RENEW = "renew them (aws sso login, or new keys), then repeat the command"
_REPEAT = "repeat the command; what has arrived is kept"


def explain(error: Exception, what: str, settings: AwsSettings | None = None) -> PsaError:
    """Return the error a user reads in place of ``error``, which boto3 raised while doing ``what``."""
    from botocore import exceptions as boto

    if isinstance(error, boto.ClientError):
        return _explain_answer(dict(error.response), what, settings)
    name = type(error).__name__
    if isinstance(error, boto.NoCredentialsError):
        return ConfigError(
            f"{what}: no AWS credentials; aws configure, aws sso login or AWS_PROFILE gives boto3 some "
            "(it does not look into aws/sagemaker/.env)"
        )
    if isinstance(error, boto.ProfileNotFound | boto.PartialCredentialsError | boto.ConfigParseError):
        return ConfigError(f"{what}: AWS credentials are incomplete ({safe(error)}); mend the profile or environment")
    if isinstance(error, boto.SSOError | boto.LoginError | boto.TokenRetrievalError):
        return AwsError(f"{what}: the sign-in to AWS has ended ({name}); {_RENEW}")
    if isinstance(error, boto.CredentialRetrievalError | boto.MetadataRetrievalError | boto.NoAuthTokenError):
        return AwsError(f"{what}: AWS credentials cannot be had ({safe(error)}); {_RENEW}")
    if isinstance(error, boto.NoRegionError | boto.InvalidRegionError):
        return ConfigError(f"{what}: no usable region; set AWS_REGION in aws/sagemaker/.env (us-east-1, ...)")
    if isinstance(error, boto.SSLError):
        return AwsError(f"{what}: no trusted connection ({safe(error)}); see to the clock, the proxy and AWS_CA_BUNDLE")
    if isinstance(error, boto.EndpointConnectionError):
        return RetryableError(
            f"{what}: AWS cannot be reached ({safe(error)}); see to the network, AWS_REGION and AWS_ENDPOINT_URL, "
            "then repeat the command"
        )
    if isinstance(error, boto.ConnectionError | boto.HTTPClientError | boto.IncompleteReadError | OSError):
        return RetryableError(f"{what}: the connection failed ({name}); {_REPEAT}")
    if isinstance(error, boto.FlexibleChecksumError | boto.ChecksumError) or name == "ResponseParserError":
        return RetryableError(f"{what}: the answer arrived altered ({name}); {_REPEAT}")
    if type(error).__module__.startswith("urllib3"):
        return RetryableError(f"{what}: the connection failed ({name}); {_REPEAT}")
    return AwsError(f"{what}: boto3 cannot do it ({name}: {safe(error)})")


def _explain_answer(response: dict[str, Any], what: str, settings: AwsSettings | None) -> PsaError:
    found = response.get("Error", {})
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = safe(found.get("Code", status) or status, 60)
    message = safe(found.get("Message", ""))
    if code in _EXPIRED:
        return AwsError(f"{what}: AWS credentials have expired; {_RENEW}")
    if code in _WRONG_CREDENTIALS:
        return AwsError(
            f"{what}: AWS does not accept the credentials ({code}); see to the keys or AWS_PROFILE, and AWS_REGION"
        )
    if code in _SKEWED:
        return AwsError(f"{what}: this machine's clock is wrong ({code}); set it, then repeat the command")
    if code in ("NoSuchBucket", "InvalidBucketName"):
        return AwsError(f"{what}: there is no such bucket; see to S3_BUCKET_NAME or --bucket")
    if code in _ELSEWHERE or status in (301, 307):
        return AwsError(f"{what}: the bucket is not in {_region(settings)}{_home(response)}; set AWS_REGION to its own")
    if code in _REFUSED or status == 403:
        return AwsError(
            f"{what}: access is refused ({code}); the credentials lack this permission, or the name is wrong"
        )
    if code in ("PreconditionFailed", "412"):
        return RetryableError(f"{what}: the object was replaced meanwhile; repeat the command")
    if _BUSY.search(code) or status >= 500 or status == 429:
        return RetryableError(f"{what}: AWS is not available ({code}); {_REPEAT}")
    if code in ("NoSuchKey", "404"):
        return AwsError(f"{what}: it is not there any more; repeat the command to list anew")
    return AwsError(f"{what}: AWS refused ({code}{': ' if message else ''}{message})")


def _region(settings: AwsSettings | None) -> str:
    return "the region asked" if settings is None or settings.region is None else settings.region


def _home(response: dict[str, Any]) -> str:
    """Return the region AWS says the bucket is in, as words that follow; nothing when it does not say."""
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = headers.get("x-amz-bucket-region") or response.get("Error", {}).get("Region")
    return f" but in {region}" if region and re.fullmatch(r"[a-z0-9-]{4,30}", str(region)) else ""
