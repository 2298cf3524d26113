"""The console and the playground in a real browser: a spoken conversation, what they show of it, who can use them."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect
from stack_harness import StackAddress
from watched import Watched

pytestmark = [pytest.mark.peers, pytest.mark.integration]
PHONE = {"width": 390, "height": 844}
SPOKEN_MS = 60_000
"""Milliseconds for a turn to be spoken: the microphone's file may have to come round again."""
SERIOUS = {"serious", "critical"}


async def test_a_conversation_is_held_and_interrupted_in_the_playground(watched: Watched, stack: StackAddress) -> None:
    """By a recorded voice; the page shows what was said, that it was interrupted, and where the time went."""
    page = watched.page
    await page.goto(f"{stack.url}/playground#key={quote(stack.api_key)}")
    assert stack.api_key not in page.url
    await page.get_by_label("Agent", exact=True).first.fill("guide")
    await page.get_by_role("button", name="Start talking").press("Enter")
    log = page.get_by_role("log")
    await expect(log).to_contain_text("balance of my checking account", timeout=SPOKEN_MS, ignore_case=True)
    await expect(log).to_contain_text("interrupted", timeout=SPOKEN_MS)
    await expect(log).to_contain_text("transfer you to a person now", timeout=SPOKEN_MS)
    answers = await log.locator("p.agent span").all_inner_texts()
    assert answers[0].startswith("Your")
    assert not answers[0].endswith("end of the week."), "it was interrupted: the page shows what was heard"
    await expect(page.get_by_role("listitem")).not_to_have_count(0)
    turns = await page.locator("#waterfall li").all_inner_texts()
    assert len(turns) >= 2
    assert all(re.search(r"Turn \d+\s+\d+ ms\s+end of turn \d+", turn, re.DOTALL) for turn in turns)
    await pictures(watched, "playground")
    await page.get_by_role("button", name="Hang up").click()
    await expect(page.locator("#state")).to_have_text("idle")
    await expect(log).to_contain_text("ended: hangup")
    await usable(page)
    assert watched.errors == []


async def test_the_console_shows_a_session_as_it_goes_on(watched: Watched, stack: StackAddress) -> None:
    """Its words, its caller's level, its latencies; workers, queues and the rest beside it."""
    talk = Watched(await watched.page.context.browser.new_page())  # type: ignore[union-attr] - it has one
    await talk.page.goto(f"{stack.url}/playground#key={quote(stack.api_key)}")
    await talk.page.get_by_label("Agent", exact=True).first.fill("guide")
    await talk.page.get_by_role("button", name="Start talking").click()
    await expect(talk.page.locator("#state")).to_have_text(re.compile("listening|processing|speaking"), timeout=20_000)
    page = watched.page
    await page.goto(f"{stack.url}/console#key={quote(stack.api_key)}")
    await page.locator("#sessions tr", has_text="active").get_by_role("button").first.click()
    await expect(page.get_by_role("log")).to_contain_text("checking account", timeout=SPOKEN_MS, ignore_case=True)
    await expect(page.locator("#waterfall li")).not_to_have_count(0, timeout=SPOKEN_MS)
    await expect(page.locator("#playout")).to_contain_text("s heard", timeout=SPOKEN_MS)
    await expect(page.locator("#caller-level")).to_have_attribute("value", re.compile(r"[3-8]\d.*"), timeout=SPOKEN_MS)
    await expect(page.locator("#workers tr")).to_have_count(1)
    await expect(page.locator("#queues")).to_contain_text("agents")
    await expect(page.locator("#health")).to_contain_text("of 1 workers take sessions")
    await pictures(watched, "console")
    await page.get_by_role("button", name="End session").click()
    await expect(talk.page.get_by_role("log")).to_contain_text("ended: closed", timeout=20_000)
    await expect(page.locator("#state")).to_have_text("ended")
    await usable(page)
    assert (watched.errors, talk.errors) == ([], [])


async def test_without_a_key_the_console_asks_for_one_and_tells_a_wrong_one(
    watched: Watched, stack: StackAddress
) -> None:
    """The right one is kept for the tab."""
    page = watched.page
    await page.goto(f"{stack.url}/")
    field = page.get_by_label("Key", exact=True)
    await field.fill("wrong")
    await field.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("authentication_failed")
    assert any("401" in error for error in watched.errors)
    watched.errors.clear()
    await field.fill(stack.api_key)
    await field.press("Enter")
    await expect(page.locator("#workers tr")).to_have_count(1)
    await page.reload()
    await expect(page.locator("#queues")).to_contain_text("agents")
    await page.get_by_label("Called number").fill("+12025550111")
    await page.get_by_role("button", name="Explain").click()
    await expect(page.locator("#explained")).to_contain_text("VOICEBACKEND_TELEPHONY")
    await expect(page.locator("#retention")).to_contain_text("VOICEBACKEND_RETENTION")


async def pictures(watched: Watched, name: str) -> None:
    """Take pictures: light, dark, and as on a phone, where nothing may be wider than the screen."""
    page, wide = watched.page, watched.page.viewport_size
    await page.emulate_media(color_scheme="light")
    await watched.shoot(f"{name}-light")
    await usable(page)
    await page.emulate_media(color_scheme="dark")
    await watched.shoot(f"{name}-dark")
    await usable(page)
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type] - a plain mapping
    await watched.shoot(f"{name}-phone")
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size(wide)  # type: ignore[arg-type] - it was set


async def usable(page: Page) -> None:
    """Fail if axe finds what keeps people out."""
    found = (await Axe().run(page)).response["violations"]
    assert [(it["id"], [node["html"] for node in it["nodes"]]) for it in found if it["impact"] in SERIOUS] == []
