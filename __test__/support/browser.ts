/** A headless Chromium, where one is installed, driven by its own debugging protocol. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** The browser's program, or undefined where there is none. `CADENZA_CHROMIUM` names another. */
export function findChromium(): string | undefined {
  const names = process.env.CADENZA_CHROMIUM ? [process.env.CADENZA_CHROMIUM] : NAMES;
  return names.find((name) => spawnSync(name, ["--version"]).status === 0);
}

type Result = Record<string, unknown>;

/** One page of a browser of its own. */
export class Browser implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #socket: WebSocket;
  readonly #folder: string;
  readonly #answers = new Map<
    number,
    { resolve: (r: Result) => void; reject: (e: Error) => void }
  >();
  #session: string | undefined;
  #requests = 0;
  /** What the page threw or logged as an error. */
  readonly errors: string[] = [];

  private constructor(child: ChildProcess, socket: WebSocket, folder: string) {
    this.#child = child;
    this.#socket = socket;
    this.#folder = folder;
    socket.on("message", (data) => this.#receive(JSON.parse(String(data))));
  }

  static async open(program: string, width: number, height: number): Promise<Browser> {
    const folder = await mkdtemp(join(tmpdir(), "cadenza-browser-"));
    const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
    const child = spawn(
      program,
      [...flags, "--remote-debugging-port=0", `--user-data-dir=${folder}`, "about:blank"],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    const socket = new WebSocket(await devTools(child));
    await once(socket, "open");
    const browser = new Browser(child, socket, folder);
    const { targetId } = await browser.#send("Target.createTarget", { url: "about:blank" });
    const attached = await browser.#send("Target.attachToTarget", { targetId, flatten: true });
    browser.#session = String(attached.sessionId);
    for (const domain of ["Page", "Runtime", "Log"]) await browser.#send(`${domain}.enable`, {});
    const mobile = width < 600;
    await browser.#send("Emulation.setDeviceMetricsOverride", {
      width,
      height,
      deviceScaleFactor: 1,
      mobile,
    });
    return browser;
  }

  async goTo(url: string): Promise<void> {
    await this.#send("Page.navigate", { url });
    await this.until("document.readyState === 'complete'");
  }

  /** The value of an expression in the page. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", {
      expression,
      returnByValue: true,
      awaitPromise: true,
    });
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
    return (result as Result).value;
  }

  /** Waits until an expression in the page is true. */
  async until(expression: string): Promise<void> {
    const deadline = Date.now() + 60_000;
    while ((await this.evaluate(expression)) !== true) {
      if (Date.now() > deadline) throw new Error(`it did not become true: ${expression}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Prefers dark pages, or light ones. */
  async prefer(scheme: "dark" | "light"): Promise<void> {
    const features = [{ name: "prefers-color-scheme", value: scheme }];
    await this.#send("Emulation.setEmulatedMedia", { features });
  }

  /** Presses a key where the focus is. */
  async press(key: string, code: number): Promise<void> {
    const event = { key, code: key, windowsVirtualKeyCode: code };
    await this.#send("Input.dispatchKeyEvent", { type: "rawKeyDown", ...event });
    await this.#send("Input.dispatchKeyEvent", { type: "keyUp", ...event });
  }

  /** The page as a PNG. */
  async screenshot(): Promise<Buffer> {
    const { data } = await this.#send("Page.captureScreenshot", { captureBeyondViewport: true });
    return Buffer.from(String(data), "base64");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.terminate();
    if (this.#child.exitCode === null) {
      const ended = once(this.#child, "exit");
      this.#child.kill("SIGKILL");
      await ended;
    }
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 10 });
  }

  #send(method: string, params: object): Promise<Result> {
    this.#requests += 1;
    const id = this.#requests;
    const sessionId = this.#session;
    return new Promise((resolve, reject) => {
      this.#answers.set(id, { resolve, reject });
      this.#socket.send(
        JSON.stringify({ id, method, params, ...(sessionId ? { sessionId } : {}) }),
      );
    });
  }

  #receive(message: Result & { params?: Result; error?: Result; result?: Result }): void {
    const { id, method, params, error, result } = message;
    if (method === "Runtime.exceptionThrown") this.errors.push(JSON.stringify(params));
    if (method === "Log.entryAdded") {
      const entry = params?.entry as Result;
      if (entry.level === "error") this.errors.push(String(entry.text));
    }
    const waiting = this.#answers.get(Number(id));
    this.#answers.delete(Number(id));
    if (error) waiting?.reject(new Error(JSON.stringify(error)));
    else waiting?.resolve(result ?? {});
  }
}

/** Where the browser listens, as it says on its standard error. */
function devTools(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stderr?.on("data", (chunk) => {
      text += chunk;
      const [, url] = /DevTools listening on (ws:\S+)/.exec(text) ?? [];
      if (url !== undefined) resolve(url);
    });
    child.once("exit", () => reject(new Error(`the browser ended: ${text}`)));
    child.once("error", reject);
  });
}
