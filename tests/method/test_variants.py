import pytest

from psa_tui.errors import ConfigError
from psa_tui.method.ablation import ABLATIONS, Ablation
from psa_tui.method.promotion import PROMOTIONS, StrictPromotion
from psa_tui.method.variants import (
    DECAY,
    DROPOUT,
    FIRST_STUDY,
    FULL,
    HIDDEN,
    NONE,
    OUTPUT,
    PUBLISHED,
    VARIANTS,
    Variant,
    describe_variant,
    distinct_variants,
    find_variant,
    ordered,
    scheduled,
    variant_names,
)


@pytest.fixture
def further(monkeypatch):
    """An ablation rule, a promotion rule and a variant from outside."""
    monkeypatch.setitem(ABLATIONS._items, "three", ABLATIONS.find("hidden"))
    monkeypatch.setitem(PROMOTIONS._items, "patient", StrictPromotion())
    monkeypatch.setitem(VARIANTS._items, "sham", Variant(name="sham", letter="S", colour="#123456"))


def test_the_published_six_differ_as_the_method_says():
    assert [variant.name for variant in PUBLISHED] == ["none", "decay", "dropout", "full", "hidden", "output"]
    assert [variant.name for variant in PUBLISHED if variant.ablates] == ["full", "hidden", "output"]
    assert [variant for variant in PUBLISHED if variant.weight_decay] == [DECAY]
    assert [variant for variant in PUBLISHED if variant.dropout] == [DROPOUT]
    assert FIRST_STUDY == (NONE, FULL, HIDDEN, OUTPUT)
    for variant in PUBLISHED:
        assert find_variant(variant.name) is variant
        assert variant.promotion_rule is PROMOTIONS.find("strict")
        assert variant.ablation == (Ablation(variant.name) if variant.ablates else None)


def test_a_rule_is_a_variant_by_its_name_and_a_promotion_goes_on_top(further):
    three = find_variant("three")
    assert (three.name, three.ablation, three.promotion) == ("three", Ablation("three"), "strict")
    both = find_variant("output+patient")
    assert (both.name, both.ablation, both.promotion) == ("output+patient", Ablation("output"), "patient")
    assert both.promotion_rule is PROMOTIONS.find("patient")
    assert find_variant("sham").letter == "S"
    assert variant_names()[:6] == tuple(variant.name for variant in PUBLISHED)
    assert {"sham", "three"} <= set(variant_names())


@pytest.mark.parametrize("text", ["", "nonesuch", "None", "+strict", "output+nonesuch"])
def test_a_name_that_is_none_is_refused_with_those_there_are(text):
    with pytest.raises(ConfigError, match="expected one of"):
        find_variant(text)


@pytest.mark.parametrize(
    ("part", "found"), [(("", ""), "''"), (("", "output"), "'output'"), (("none", "0"), "'none:0'")]
)
def test_a_part_of_a_schedule_that_is_none_is_shown_as_it_was_typed(part, found):
    with pytest.raises(ConfigError, match=f"as in dropout:50, found {found}$"):
        scheduled([("dropout", "50"), part])


def test_one_that_is_not_installed_can_be_shown_but_not_trained():
    shown = describe_variant("elsewhere")
    assert (shown.name, shown.letter, shown.ablates) == ("elsewhere", "E", False)
    assert shown == describe_variant("elsewhere")


def test_published_variants_come_first_and_others_by_name():
    names = ["zeta", "output", "alpha", "none", "output"]
    assert ordered(names) == ("none", "output", "alpha", "zeta")


def test_no_two_of_one_figure_look_alike():
    names = [*(variant.name for variant in PUBLISHED), *(f"other{number}" for number in range(6))]
    shown = distinct_variants(names)
    assert [variant.name for variant in shown] == names
    assert len({variant.letter for variant in shown}) == len(names)
    assert len({variant.marker for variant in shown}) == len(names)
    assert [variant for variant in shown[:6]] == list(PUBLISHED)
    assert HIDDEN in distinct_variants(["hidden", "other1"])
    assert OUTPUT not in distinct_variants(["other1"])
