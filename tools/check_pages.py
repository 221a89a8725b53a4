"""Look at built pages in Chromium: ``python tools/check_pages.py docs/_build/html``.

Each page is loaded at the width of a desktop and of a telephone. Said is what is wider
than the screen and cannot be scrolled by itself, what scripts complain of, what did not
load, and what was asked of another machine; then the exit code is 1.
"""

import argparse
import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WIDTHS = (1400, 390)
NAMES = ("chromium", "chromium-browser", "google-chrome")
LOOK = "look-at-pages.html"
SCRIPT = """<!doctype html><meta charset="utf-8"><body style="margin:0"><script>
const found = [];
async function look(page, width) {
  const frame = document.createElement("iframe");
  frame.style = `width:${width}px;height:900px;border:0`;
  document.body.append(frame);
  const loaded = new Promise((done) => { frame.onload = done; });
  frame.src = page;
  await loaded;
  const { contentDocument: pageDocument, contentWindow: view } = frame;
  const styleOf = (element) => view.getComputedStyle(element);
  const scrolls = (element) => ["auto", "scroll"].includes(styleOf(element).overflowX);
  const visit = (element) => {
    const { right } = element.getBoundingClientRect();
    if (right > width + 1) {
      const name = `${element.tagName}.${element.className}`;
      found.push(`${page}: ${name} reaches to ${Math.round(right)} of ${width} pixels`);
    } else if (!scrolls(element)) {
      for (const child of element.children) visit(child);
    }
  };
  for (const article of pageDocument.querySelectorAll("article")) visit(article);
  const { scrollWidth } = pageDocument.documentElement;
  if (scrollWidth > width) found.push(`${page}: ${scrollWidth} of ${width} pixels`);
  const entries = view.performance.getEntriesByType("resource");
  for (const { name, responseStatus } of entries) {
    if (!name.startsWith(location.origin)) found.push(`${page}: asks for ${name}`);
    if (responseStatus >= 400) found.push(`${page}: no ${name}`);
  }
  frame.remove();
}
(async () => {
  for (const page of PAGES) for (const width of WIDTHS) await look(page, width);
  const result = document.createElement("pre");
  result.id = "found";
  result.textContent = JSON.stringify(found);
  document.body.append(result);
})();
</script>"""


class Handler(SimpleHTTPRequestHandler):
    """Serves a directory, and the page that looks at the others."""

    def __init__(self, *arguments, look, **options):
        self.look = look
        super().__init__(*arguments, **options)

    def do_GET(self):
        """Send a file, or the page."""
        if self.path != f"/{LOOK}":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(self.look.encode())

    def log_message(self, *_):
        """Say nothing."""


def look_at(chromium, directory, pages):
    """Return what is wrong with pages of a directory, a line each."""
    look = SCRIPT.replace("PAGES", json.dumps(pages)).replace("WIDTHS", str([*WIDTHS]))
    handler = partial(Handler, look=look, directory=directory)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as profile:
        process = subprocess.run(
            [
                chromium,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--enable-logging=stderr",
                "--window-size=1500,1000",
                "--timeout=300000",
                "--virtual-time-budget=300000",
                f"--user-data-dir={profile}",
                "--dump-dom",
                f"http://127.0.0.1:{server.server_port}/{LOOK}",
            ],
            capture_output=True,
            encoding="utf-8",
            timeout=600,
            check=True,
        )
    server.shutdown()
    result = re.search(r'<pre id="found">(.*?)</pre>', process.stdout, re.DOTALL)
    if result is None:
        raise RuntimeError(f"Chromium did not get to the end:\n{process.stderr}")
    # The theme says there what it does, and that no mode was chosen before.
    of_theme = r"\[PST\]|Got invalid theme mode"
    errors = re.findall(rf'CONSOLE.*?\] ("(?!{of_theme}).*)', process.stderr)
    return json.loads(html.unescape(result[1])) + errors


def main():
    """Look at the pages; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path, help="what sphinx-build has written")
    directory = parser.parse_args().directory
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        print("pages not looked at: there is no Chromium")
        return 0
    pages = [
        page.relative_to(directory).as_posix()
        for page in sorted(directory.rglob("*.html"))
        if "_static" not in page.parts
    ]
    found = look_at(chromium, str(directory), pages)
    print(*found, f"{len(pages)} pages looked at, {len(found)} faults", sep="\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
