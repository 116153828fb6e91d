#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Opens the pages of `keju report` in a real Chromium: sorting, filters, languages, scripts off, both
widths, hostile names, contrast. Exits 77 (skipped) where there is no Chromium.

    page_test.py --keju build/release/keju --make-runs build/release/keju_make_runs [--screenshots DIR]
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import chromium  # noqa: E402

HOSTILE = "</title><script>window.hit=1</script><img src=x onerror=\"window.hit=2\">\u202eevil"
OPTIONS = None

# Of every text on the page that is seen: its contrast with what lies behind it, by WCAG 2.2.
CONTRAST = """(() => {
  const parse = c => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const lum = c => { const f = c.slice(0, 3).map(v => { v /= 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * f[0] + 0.7152 * f[1] + 0.0722 * f[2]; };
  const behind = e => { const stack = []; for (let n = e; n; n = n.parentElement) {
      const c = parse(getComputedStyle(n).backgroundColor); if (c[3] > 0) stack.push(c); if (c[3] === 1) break; }
    return stack.reverse().reduce((b, c) => over(c, b), [255, 255, 255, 1]); };
  const bad = {};
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    if (e.closest('script, .hidden') || !e.checkVisibility()) continue;
    const s = getComputedStyle(e), svg = e.namespaceURI.endsWith('svg');
    if (svg && (e.tagName !== 'text' || e.classList.contains('over'))) continue;
    const back = behind(e), fore = over(parse(svg ? s.fill : s.color), back);
    const [a, b] = [lum(fore), lum(back)], ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(s.fontSize) >= 24 || (parseFloat(s.fontSize) >= 18.66 && s.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) bad[e.tagName + '.' + e.getAttribute('class')] = ratio.toFixed(2);
  }
  return bad; })()"""


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="keju-page-")
        root = pathlib.Path(cls.folder.name)
        subprocess.run([OPTIONS.make_runs, root / "runs", "9", "3", "100"], check=True, stdout=subprocess.DEVNULL)
        results = root / "runs" / "run001" / "results.json"
        text = json.loads(results.read_text(encoding="utf-8"))
        text["model"]["name"] = HOSTILE
        text["exams"][0]["title"] = {"zh": "\"><svg onload=window.hit=3>", "en": "'`<b>suite"}
        results.write_text(json.dumps(text, ensure_ascii=False), encoding="utf-8")
        subprocess.run([OPTIONS.keju, "report", *sorted(map(str, (root / "runs").iterdir())), "--items", "20",
                        "--out", root / "out"], check=True, stdout=subprocess.DEVNULL)
        cls.url = (root / "out" / "leaderboard.html").as_uri()
        cls.page = chromium.Page("en-US")

    @classmethod
    def tearDownClass(cls):
        cls.page.close()
        cls.folder.cleanup()

    def setUp(self):
        self.page.scripts(True)
        self.page.dark(False)
        self.page.size(1400, 1000)
        self.page.open(self.url)

    def column(self, cell):
        return self.page.run(f"[...document.querySelectorAll('#overall tbody tr')].map(r => r.cells[{cell}].textContent)")

    def shown(self, selector):
        return self.page.run(f"getComputedStyle(document.querySelector({json.dumps(selector)})).display !== 'none'")

    def test_loads_nothing_else_and_complains_of_nothing(self):
        self.assertEqual(self.page.troubles(), [])

    def test_hostile_names_are_text(self):
        self.assertIsNone(self.page.run("window.hit"))
        self.assertEqual(self.page.run("document.querySelectorAll('img, iframe, object, b, [onload], [onerror]').length"), 0)
        self.assertEqual(self.page.run("document.querySelectorAll('script').length"), 1)
        self.assertIn("<script>window.hit=1</script>", " ".join(self.column(1)))
        self.assertNotIn("\u202e", self.page.run("document.documentElement.textContent"))

    def test_sorts_by_a_column_and_says_so(self):
        head = "#overall thead th:nth-child(4)"
        self.assertIn("Total", self.page.run(f"document.querySelector('{head}').textContent"))
        self.page.click(head + " button")
        falling = [float(t.split()[-1]) for t in self.column(3)]
        self.assertEqual(len(falling), 9)
        self.assertEqual(falling, sorted(falling, reverse=True))
        self.assertEqual(self.page.run(f"document.querySelector('{head}').ariaSort"), "descending")
        self.page.click(head + " button")
        self.assertEqual([float(t.split()[-1]) for t in self.column(3)], falling[::-1])
        self.assertEqual(self.page.run(f"document.querySelector('{head}').ariaSort"), "ascending")

    def test_rank_intervals_sort_by_their_better_end(self):
        heads = self.page.run("[...document.querySelectorAll('#overall thead th')].map(h => h.textContent)")
        at = next(i for i, head in enumerate(heads) if "Rank interval" in head)
        self.page.click(f"#overall thead th:nth-child({at + 1}) button")
        falling = [int(t.split("–")[0]) for t in self.column(at) if t != "—"]
        self.assertGreater(len(falling), 1)
        self.assertEqual(falling, sorted(falling, reverse=True))

    def test_kinship_is_a_heat_map(self):
        self.assertEqual(self.page.run("document.querySelectorAll('#kinship svg.chart rect.heat').length"), 9 * 8)
        self.assertTrue(self.page.run("!!document.querySelector('#kinship table')"))

    def test_sorts_by_keyboard(self):
        self.page.run("document.querySelector('#overall thead th:nth-child(2) button').focus()")
        self.page.key("Enter", "\r")
        names = self.column(1)
        self.assertEqual(names, sorted(names, key=str.lower))

    def test_filters_rows(self):
        self.page.run("(() => { const i = document.querySelector('#overall .tools input'); i.value = 'model-003';"
                      "i.dispatchEvent(new Event('input')); })()")
        visible = self.page.run("[...document.querySelectorAll('#overall tbody tr')].filter(r => !r.hidden).length")
        self.assertEqual(visible, 1)
        self.assertEqual(self.page.run("document.querySelector('#overall [aria-live]').textContent"), "1 / 9")

    def test_items_unfold_and_filter(self):
        self.page.run("document.querySelector('details.explorer').open = true")
        self.page.run("new Promise(done => setTimeout(done, 200))")
        for _ in range(20):
            if self.page.run("!!document.querySelector('details.explorer select')"):
                break
        self.page.run("(() => { const s = document.querySelector('details.explorer select'); s.value = 'differ';"
                      "s.dispatchEvent(new Event('change')); })()")
        kept = self.page.run("[...document.querySelectorAll('details.explorer')][0].querySelectorAll('details.item').length")
        differ = self.page.run("[...document.querySelector('details.explorer').querySelectorAll('details.item')]"
                               ".filter(i => !i.hidden).every(i => +i.dataset.right > 0 && +i.dataset.right < +i.dataset.judged)")
        self.assertEqual(kept, 20)
        self.assertTrue(differ)

    def test_switches_language_with_and_without_scripts(self):
        for on in (True, False):
            with self.subTest(scripts=on):
                self.page.scripts(on)
                self.page.open(self.url)
                if on:
                    self.assertTrue(self.shown("h1 [lang=en]"), "the reader's language is English")
                self.page.click("[for=lang-zh]")
                self.assertTrue(self.shown("h1 [lang=zh]"))
                self.assertFalse(self.shown("h1 [lang=en]"))
                self.assertFalse(self.shown("svg text[lang=en]"))
                self.page.click("[for=lang-en]")
                self.assertTrue(self.shown("h1 [lang=en]"))
                self.assertFalse(self.shown("svg text[lang=zh]"))

    def test_is_whole_without_scripts(self):
        self.page.scripts(False)
        self.page.open(self.url)
        self.assertEqual(self.page.run("document.querySelectorAll('#overall tbody tr').length"), 9)
        self.assertEqual(self.page.run("document.querySelectorAll('button, .tools').length"), 0)
        self.page.click("details.explorer summary")
        self.assertTrue(self.page.run("document.querySelector('details.explorer').open"))

    def test_fits_both_widths_in_both_languages(self):
        for width in (400, 1400):
            self.page.size(width, 1000)
            self.page.open(self.url)
            for language in ("zh", "en"):
                with self.subTest(width=width, language=language):
                    self.page.run(f"document.getElementById('lang-{language}').click()")
                    self.assertLessEqual(self.page.run("document.documentElement.scrollWidth"), width)
                    if OPTIONS.screenshots:
                        for dark in (False, True):
                            self.page.dark(dark)
                            self.page.screenshot(f"{OPTIONS.screenshots}/{width}-{language}{'-dark' if dark else ''}.png")
                        self.page.dark(False)

    def test_contrast_is_enough_in_light_and_dark(self):
        for dark in (False, True):
            with self.subTest(dark=dark):
                self.page.dark(dark)
                self.assertEqual(self.page.run(CONTRAST), {})

    def test_what_scrolls_is_reached_by_keyboard_and_every_table_has_its_name(self):
        self.assertEqual(self.page.run("document.querySelectorAll('.scroll:not([tabindex])').length"), 0)
        self.assertEqual(self.page.run("document.querySelectorAll('th:not([scope])').length"), 0)
        self.assertEqual(self.page.run("document.querySelectorAll('svg.chart:not([aria-label])').length"), 0)
        ids = self.page.run("[...document.querySelectorAll('[id]')].map(e => e.id)")
        self.assertEqual(len(ids), len(set(ids)))
        self.assertEqual(self.page.run("[...document.querySelectorAll('a[href^=\"#\"]')].filter(a => "
                                       "!document.getElementById(a.getAttribute('href').slice(1))).length"), 0)


def main():
    global OPTIONS
    parser = argparse.ArgumentParser()
    parser.add_argument("--keju", required=True)
    parser.add_argument("--make-runs", required=True)
    parser.add_argument("--screenshots")
    OPTIONS, rest = parser.parse_known_args()
    if chromium.find() is None:
        print("skipped: found no chromium, chromium-browser or google-chrome")
        return 77
    return 0 if unittest.main(argv=[sys.argv[0], *rest], exit=False, verbosity=2).result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
