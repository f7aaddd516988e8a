// Opens each page of a folder in headless Chromium, and fails for what scripts/test-report names.

const fs = require("node:fs");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const LARGEST = 1_000_000; // bytes
const SLOWEST = 300; // milliseconds until it is drawn, with a quiet machine
const ARGUMENTS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

async function main(folder) {
  const pages = ["index.html"];
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const page = path.join(entry.name, "index.html");
    if (entry.isDirectory() && fs.existsSync(path.join(folder, page))) pages.push(page);
  }
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ARGUMENTS,
  });
  const problems = [];
  for (const page of pages) {
    const found = await look(browser, folder, page);
    problems.push(...found.map((problem) => `${page}: ${problem}`));
  }
  await browser.close();
  problems.forEach((problem) => console.error(`error: ${problem}`));
  if (problems.length > 0) process.exit(1);
  console.log(`${pages.length} pages are well; the screenshots are in ${folder}`);
}

async function look(browser, folder, name) {
  const file = path.join(folder, name);
  const problems = [];
  const size = fs.statSync(file).size;
  if (size >= LARGEST) problems.push(`${size} bytes`);
  const times = [];
  for (const [scheme, width] of [["light", 1280], ["dark", 1280], ["light", 420]]) {
    const context = await browser.newContext({
      colorScheme: scheme,
      viewport: { width, height: 900 },
      bypassCSP: true, // for axe alone, which is a script
    });
    const page = await context.newPage();
    page.on("console", (message) => problems.push(`${scheme}: console: ${message.text()}`));
    page.on("pageerror", (error) => problems.push(`${scheme}: ${error}`));
    page.on("dialog", (dialog) => problems.push(`${scheme}: dialog: ${dialog.message()}`));
    page.on("request", (request) => {
      if (request.url() !== pathToFileURL(file).href) problems.push(`loads ${request.url()}`);
    });
    // The machine may be busy with something else: the fastest is the page's own time.
    for (let tries = 0; tries < 4; tries += 1) {
      await page.goto(pathToFileURL(file).href);
      times.push(await drawn(page));
      if (Math.min(...times) <= SLOWEST) break;
    }
    const shot = `${path.dirname(name).replace(/^\.$/, "index")}-${scheme}-${width}.png`;
    await page.screenshot({ path: path.join(folder, shot) });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wide > 0) problems.push(`${scheme} ${width}: ${wide} pixels too wide`);
    // What is folded is looked at too, of the first deployments.
    await page.evaluate(() => {
      [...document.querySelectorAll("details")].slice(0, 40).forEach((it) => (it.open = true));
    });
    const height = await page.evaluate(() => document.documentElement.scrollHeight);
    const open = path.join(folder, shot.replace(".png", "-open.png"));
    await page.screenshot({ path: open, fullPage: height < 8000 });
    await page.evaluate(axe);
    const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
    for (const violation of found.violations) {
      const where = violation.nodes.slice(0, 3).map((node) => node.target.join(" ")).join("; ");
      problems.push(`${scheme} ${width}: axe ${violation.id}: ${violation.help} (${where})`);
    }
    await context.close();
  }
  const fastest = Math.min(...times);
  if (fastest > SLOWEST) problems.push(`drawn after ${fastest.toFixed(0)} ms`);
  problems.push(...(await withoutScripts(browser, file)));
  console.log(`${name}: ${size} bytes, drawn after ${fastest.toFixed(0)} ms`);
  return problems;
}

// Milliseconds from the start of the navigation until the first page is painted.
async function drawn(page) {
  return page.evaluate(async () => {
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    const [navigation] = performance.getEntriesByType("navigation");
    return Math.max(paint?.startTime ?? 0, navigation.domComplete);
  });
}

// The page's own policy is in force here: nothing that broke out would run, and all is readable.
async function withoutScripts(browser, file) {
  const context = await browser.newContext({ javaScriptEnabled: true });
  const page = await context.newPage();
  const problems = [];
  page.on("dialog", (dialog) => problems.push(`a script ran: ${dialog.message()}`));
  page.on("console", (message) => problems.push(`console: ${message.text()}`));
  await page.goto(pathToFileURL(file).href);
  const scripts = await page.locator("script, iframe, img, object, form, base").count();
  if (scripts > 0) problems.push(`${scripts} elements that nyala did not write`);
  if (await page.evaluate(() => window.broken !== undefined)) problems.push("a script ran");
  await context.close();
  return problems;
}

main(process.argv[2]).catch((error) => {
  console.error(error);
  process.exit(1);
});
