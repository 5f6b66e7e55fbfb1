/** The dashboard in a real browser, as a person sees it: on a desk and on a phone. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { Browser, findChromium } from "../support/browser.ts";
import { GUILD, PASSWORD, TestNode, trackId } from "./harness.ts";

const chromium = findChromium();
const SIZES = { desk: [1280, 900], phone: [360, 740] } as const;

/** Texts whose contrast with the nearest ground behind them is below 4.5. */
const FAINT_TEXTS = `(() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = channels(color).map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    const color = getComputedStyle(element).backgroundColor;
    if (channels(color)[3] !== 0 || !element.parentElement) return color;
    return ground(element.parentElement);
  };
  const contrast = (element) => {
    const pair = [light(getComputedStyle(element).color), light(ground(element))];
    return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
  };
  return [...document.querySelectorAll("body *")]
    .filter((element) => element.checkVisibility() && element.tagName !== "SCRIPT")
    .filter((element) => [...element.childNodes].some(({ nodeType, data }) => nodeType === 3 && data.trim()))
    .filter((element) => contrast(element) < 4.5)
    .map((element) => element.tagName + "." + element.className + ": " + element.textContent);
})()`;

/** Looks back with the keyboard, and at now again. */
async function tellsAMoment(t: ExecutionContext, browser: Browser): Promise<void> {
  const text = `document.querySelector("#moment-text").textContent`;
  await browser.until(`document.querySelectorAll("#strip rect").length > 2`);
  t.regex(String(await browser.evaluate(text)), /^Now: \d+ playing/);
  await browser.evaluate(`document.querySelector("#moment").focus()`);
  await browser.press("ArrowLeft", 37);
  await browser.until(`/^\\d+:.*playing/.test(${text})`);
  await browser.press("End", 35);
  await browser.until(`${text}.startsWith("Now: ")`);
}

for (const [name, [width, height]] of Object.entries(SIZES)) {
  test.serial(`the page asks for the password, then shows what goes on: ${name}`, async (t) => {
    if (chromium === undefined) {
      t.log("there is no Chromium here");
      return t.pass();
    }
    await using node = await TestNode.start();
    const client = await node.connect();
    const hostile = encodeURIComponent("<img src=x onerror=alert(1)>");
    await client.send("play", {
      guild_id: GUILD,
      track_id: trackId(`https://x.example/${hostile}`),
    });
    await client.send("play", { guild_id: "2", track_id: trackId("https://x.example/lost.ogg") });
    node.call().become("ready");
    node.call("2").become("disconnected", { code: "kicked", message: "<b>Kicked</b>." });
    await using browser = await Browser.open(chromium, width, height);
    await browser.goTo(`http://127.0.0.1:${node.node.port}/dashboard`);
    const enter = (password: string) =>
      browser.evaluate(
        `document.querySelector("#password").value = ${JSON.stringify(password)};
         document.querySelector("form").requestSubmit()`,
      );
    await enter("not the password");
    await browser.until(`document.querySelector("#refused").textContent !== ""`);
    t.is(await browser.evaluate(`document.querySelector("#main").hidden`), true);
    await enter(PASSWORD);
    await browser.until(`document.querySelectorAll("#players article").length === 2`);
    await browser.until(`document.querySelectorAll("#charts path[d^=M]").length > 3`);
    const badges = `[...document.querySelectorAll("article.bad .badge")].map((it) => it.textContent)`;
    await browser.until(`${badges}.includes("waits for its source")`);
    t.deepEqual(await browser.evaluate(`${badges}.sort()`), [
      "voice disconnected",
      "waits for its source",
    ]);
    t.is(await browser.evaluate(`document.querySelectorAll("article img, li b").length`), 0);
    t.regex(
      String(await browser.evaluate(`document.querySelector("#errors").innerText`)),
      /kicked/,
    );
    const isWide = `document.documentElement.scrollWidth > innerWidth`;
    t.is(await browser.evaluate(isWide), false, "nothing sticks out sideways");
    const find = `const find = document.querySelector("#find"); find.value = "lost";
      find.dispatchEvent(new Event("input"))`;
    await browser.evaluate(find);
    await browser.until(`document.querySelectorAll("#players article").length === 1`);
    await tellsAMoment(t, browser);
    for (const scheme of ["dark", "light"] as const) {
      await browser.prefer(scheme);
      t.deepEqual(await browser.evaluate(FAINT_TEXTS), [], `texts that are faint: ${scheme}`);
    }
    if (process.env.CADENZA_SCREENSHOTS) {
      const path = join(process.env.CADENZA_SCREENSHOTS, `dashboard-${name}.png`);
      await writeFile(path, await browser.screenshot());
    }
    t.deepEqual(browser.errors, []);
    node.call().flow.finish();
    await client.send("destroy", { guild_id: GUILD });
    await client.send("destroy", { guild_id: "2" });
    await browser.until(`document.querySelectorAll("#players article").length === 0`);
  });
}
