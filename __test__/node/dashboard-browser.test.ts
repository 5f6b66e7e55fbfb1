/** The dashboard in a real browser, as a person sees it: on a desk and on a phone. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { Browser, findChromium } from "../support/browser.ts";
import { GUILD, PASSWORD, TestNode, trackId } from "./harness.ts";

const chromium = findChromium();
const SIZES = { desk: [1280, 900], phone: [390, 844] } as const;

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
    t.is(await browser.evaluate(`document.querySelectorAll("article.bad").length`), 1);
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
