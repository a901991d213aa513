import re
from contextlib import contextmanager

import pytest

pytest.importorskip("jinja2")

from psa_tui.analysis.figures.study_results import load_study_results
from psa_tui.analysis.report.builder import build_page
from tests.analysis.conftest import write_study

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The page of a study."""
    folder = write_study(tmp_path_factory.mktemp("study"), trials=3, meta_loops=12)
    path = folder / "report.html"
    path.write_bytes(build_page(load_study_results("local", None, folder), folder))
    return path


@pytest.fixture
def opened(browser, path):
    """Open the page in the browser; what the console and the network saw comes with it."""

    @contextmanager
    def open_page(**options):
        context = browser.new_context(**options)
        page = context.new_page()
        said, requests = [], []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        yield page, said, requests
        context.close()

    return open_page


def test_the_page_renders_with_no_console_message_and_no_request_but_itself(opened):
    with opened() as (page, said, requests):
        assert page.locator("figure svg").count() == 13
        assert all(box["height"] > 100 for box in (svg.bounding_box() for svg in page.locator("figure svg").all()))
        assert page.locator("#findings li").count() > 5
        assert said == []
        assert [url for url in requests if not url.endswith("report.html")] == []


def test_the_policy_stops_foreign_scripts_and_requests(opened):
    with opened() as (page, said, requests):
        page.evaluate(
            "() => { const s = document.createElement('script'); s.textContent = 'window.foreign = 1';"
            " document.body.append(s); const i = new Image(); i.src = 'http://127.0.0.1:9/x'; }"
        )
        page.wait_for_timeout(200)
        assert page.evaluate("window.foreign") is None
        assert any("Content Security Policy" in message for message in said)
        assert not [url for url in requests if "127.0.0.1" in url and not any("violates" in m for m in said)]


def column(page, index):
    return page.evaluate(
        "index => [...document.querySelectorAll('#table-shapes tbody tr')].map(row => row.cells[index].textContent)",
        index,
    )


def test_a_click_on_a_heading_sorts_numbers_as_numbers_and_a_second_click_turns_the_order(opened):
    with opened() as (page, _, _):
        heading = page.locator("#table-shapes th").nth(1)
        before = [int(text.replace(",", "")) for text in column(page, 1)]
        heading.locator("button").click()
        assert [int(text.replace(",", "")) for text in column(page, 1)] == sorted(before)
        assert heading.get_attribute("aria-sort") == "ascending"
        heading.locator("button").press("Enter")
        assert [int(text.replace(",", "")) for text in column(page, 1)] == sorted(before, reverse=True)
        assert heading.get_attribute("aria-sort") == "descending"


def test_pointing_at_the_curves_reads_the_values_there_and_the_arrow_keys_move_on(opened):
    with opened() as (page, _, _):
        plot = page.locator("#chart-plot svg")
        plot.scroll_into_view_if_needed()
        box = plot.bounding_box()
        page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 50)
        shown = page.locator("#chart-values .at").inner_text()
        loop = int(re.fullmatch(r"\d+\*\d+, meta-loop (\d+)", shown)[1])
        assert 5 <= loop <= 8
        assert page.locator("#chart-values > span").count() == 7
        plot.focus()
        plot.press("ArrowRight")
        assert page.locator("#chart-values .at").inner_text().endswith(f"meta-loop {loop + 1}")
        page.select_option("#chart-shape", "18*18")
        assert page.locator("#chart-values .at").inner_text().startswith("18*18")


@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_never_scrolls_sideways(opened, width):
    with opened(viewport={"width": width, "height": 844}) as (page, _, _):
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_dark_scheme_turns_page_and_figures_dark(opened):
    with opened(color_scheme="dark") as (page, _, _):
        colours = page.evaluate(
            "() => [getComputedStyle(document.body).backgroundColor, getComputedStyle("
            "document.querySelector('#regimes-patch_1 path, [id$=patch_1] path')).fill]"
        )
        assert colours == ["rgb(20, 24, 28)"] * 2


def test_on_paper_headings_are_no_buttons_so_that_every_page_has_them(opened):
    with opened() as (page, _, _):
        page.emulate_media(media="print")
        shown = "() => getComputedStyle(document.querySelector('#table-contrasts-shapes th button')).display"
        assert page.evaluate(shown) == "contents"


def test_without_javascript_tables_and_figures_are_all_there(opened):
    with opened(java_script_enabled=False) as (page, _, _):
        assert page.locator("#table-shapes tbody tr").count() == 2
        assert page.locator("figure svg").count() == 13
        assert page.locator("#chart").is_hidden()
        assert page.locator(".without-script").is_visible()
