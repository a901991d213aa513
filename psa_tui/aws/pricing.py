"""What an instance costs: the on-demand price of an hour of training, from the AWS price list."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from psa_tui.aws.client import aws_errors, open_client
from psa_tui.aws.settings import AwsSettings
from psa_tui.errors import ConfigError, PsaError
from psa_tui.outside import outside_json

PRICE_LIST_REGION = "us-east-1"
"""Where the price list is served; it has the prices of every region."""
_SECONDS_PER_HOUR = 3600
_MOST_USD = 1_000_000


def parse_price(text: str, option: str = "--price") -> Decimal:
    """Return a price or limit in US dollars, above 0 and at most a million.

    Raises:
        ConfigError: ``text`` is anything else.
    """
    try:
        price = Decimal(text) if text.isascii() and "_" not in text else None
    except InvalidOperation:
        price = None
    if price is None or not price.is_finite() or not 0 < price <= _MOST_USD:
        raise ConfigError(f"{option}: expected US dollars such as 0.736, found {text[:40]!r}")
    return price


def cost_usd(seconds: int, price_usd_per_hour: Decimal) -> Decimal:
    """Return what ``seconds`` of an instance cost, unrounded."""
    return Decimal(seconds) * price_usd_per_hour / _SECONDS_PER_HOUR


def find_price(text: str | None, settings: AwsSettings, instance: str) -> Decimal:
    """Return the US dollars an hour of ``instance``: ``text`` where the user gave it, else from the price list.

    Raises:
        ConfigError: ``text`` is no price, or no region is set.
        PsaError: the price list cannot be asked, or has no such price.
    """
    if text is not None:
        return parse_price(text)
    settings.require("AWS_REGION")
    elsewhere = replace(settings, region=PRICE_LIST_REGION)
    with aws_errors("asking the AWS price list (or say --price)", elsewhere):
        return training_price(open_client("pricing", elsewhere), instance, str(settings.region))


def training_price(client: Any, instance: str, region: str) -> Decimal:
    """Return the US dollars an hour of training on one ``instance`` in ``region``, on demand.

    ``client`` is a client of the price list service (region ``PRICE_LIST_REGION``).

    Raises:
        PsaError: the list has no such price, or more than one; it is never guessed.
    """
    pages = client.get_paginator("get_products").paginate(
        ServiceCode="AmazonSageMaker",
        Filters=[
            {"Type": "TERM_MATCH", "Field": field, "Value": value}
            for field, value in (("instanceName", instance), ("component", "Training"), ("regionCode", region))
        ],
    )
    try:
        prices = {price for page in pages for text in page["PriceList"] for price in _hourly_prices(outside_json(text))}
    except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation):
        prices = set()
    if len(prices) != 1:
        raise PsaError(
            f"the AWS price list has {len(prices)} prices of training on {instance} in {region}, expected one; "
            "say --price USD_PER_HOUR"
        )
    return prices.pop()


def _hourly_prices(product: dict[str, Any]) -> list[Decimal]:
    """Return the prices above 0 in a product's on-demand terms that are by the hour."""
    dimensions = [
        dimension
        for term in product["terms"].get("OnDemand", {}).values()
        for dimension in term["priceDimensions"].values()
        if dimension["unit"].lower() in ("hrs", "hour", "hours")
    ]
    return [price for dimension in dimensions if (price := Decimal(dimension["pricePerUnit"]["USD"])) > 0]
