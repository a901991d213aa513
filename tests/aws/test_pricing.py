import json
from decimal import Decimal

import boto3
import pytest
from botocore.stub import Stubber

from psa_tui.aws.pricing import cost_usd, parse_price, training_price
from psa_tui.errors import ConfigError, PsaError
from tests.cli.aws.cloud import price_list_entry


def price_of(entries):
    client = boto3.client("pricing", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y")
    with Stubber(client) as stubber:
        stubber.add_response(
            "get_products",
            {"FormatVersion": "aws_v1", "PriceList": entries},
            {
                "ServiceCode": "AmazonSageMaker",
                "Filters": [
                    {"Type": "TERM_MATCH", "Field": "instanceName", "Value": "ml.g4dn.xlarge"},
                    {"Type": "TERM_MATCH", "Field": "component", "Value": "Training"},
                    {"Type": "TERM_MATCH", "Field": "regionCode", "Value": "eu-west-1"},
                ],
            },
        )
        return training_price(client, "ml.g4dn.xlarge", "eu-west-1")


def test_the_hourly_on_demand_price_is_read_from_the_list():
    entries = [price_list_entry("0.736"), price_list_entry("0.7360000"), price_list_entry("0.0000")]
    assert price_of([*entries, price_list_entry("5.0", unit="Quantity"), '{"terms": {"Reserved": {}}}']) == Decimal(
        "0.736"
    )


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [price_list_entry("0")],
        [price_list_entry("0.7"), price_list_entry("0.8")],
        ["not json"],
        ["[]"],
        ['{"terms": {"OnDemand": {"a": {}}}}'],
        [price_list_entry("much")],
        [json.dumps({"product": {}})],
    ],
)
def test_a_list_without_exactly_one_price_is_never_guessed_from(entries):
    with pytest.raises(PsaError, match="say --price"):
        price_of(entries)


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "1_0", "１", "free", "1e999999999"])
def test_a_price_is_a_positive_amount(text):
    with pytest.raises(ConfigError, match="--price"):
        parse_price(text)


def test_seconds_cost_their_share_of_an_hour():
    assert cost_usd(1800, Decimal("0.736")) == Decimal("0.368")
