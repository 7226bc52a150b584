"""The colours of widgets, out of those of JupyterLab's themes: WCAG 2.2 AA, computed from the style sheet itself."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from lmops.widgets.kit.assets import text_of
from tests.page_themes import THEMES, colour, contrast, mixed, over

TOKENS = dict(re.findall(r"--lm-([\w-]+): ([^;]+);", text_of("kit/skin.css")))
TEXTS = ("fg", "fg2", "accent", "bad", "good", "warn")
WIDGETS = Path(str(files("lmops.widgets")))


def seen(text, theme):
    """What a value of the style sheet comes to in a theme."""
    if found := re.fullmatch(r"var\(--(jp|lm)-([\w-]+)(?:, .+)?\)", text):
        kind, name = found.groups()
        return seen(TOKENS[name], theme) if kind == "lm" else colour(THEMES[theme][f"jp-{name}"])
    if found := re.fullmatch(r"color-mix\(in srgb, (var\(.+?\)|#\w+)(?<!,) (\d+)%, (.+)\)", text):
        one, share, other = found.groups()
        mate = (0.0, 0.0, 0.0, 0.0) if other == "transparent" else seen(other, theme)
        return mixed(seen(one, theme), int(share) / 100, mate)
    return colour(text)


def grounds(theme):
    """Everything that texts stand on."""
    page = seen(TOKENS["bg"], theme)
    tinted = {name: over(seen(TOKENS[name], theme), page) for name in ("hover", "pick", "faint")}
    return {"bg": page, "bg0": seen(TOKENS["bg0"], theme), **tinted}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", TEXTS)
def test_every_text_is_read_on_every_ground(name, theme):
    """4.5 : 1, also on a ground tinted with the text's own colour."""
    shown = seen(TOKENS[name], theme)
    own = over((*shown[:3], shown[3] * 0.13), seen(TOKENS["bg"], theme))
    for ground, behind in {**grounds(theme), "its own": own}.items():
        assert contrast(over(shown, behind), behind) >= 4.5, ground


@pytest.mark.parametrize("theme", THEMES)
def test_edges_of_fields_and_marks_are_seen(theme):
    """3 : 1 on every ground; keys in the help stand on a ground of their own."""
    for ground, behind in grounds(theme).items():
        assert contrast(over(seen(TOKENS["edge"], theme), behind), behind) >= 3, ground
    kinds = re.findall(r"--lm-kind: (#\w+)", text_of("traces/browser.css"))
    share = int(re.search(r"--lm-kind, #8b93a1\) (\d+)%", text_of("traces/browser.css"))[1]) / 100
    for kind in kinds:
        shown = mixed(colour(kind), share, seen(TOKENS["fg"], theme))
        for ground, behind in grounds(theme).items():
            assert contrast(over(shown, behind), behind) >= 3, (kind, ground)
    keys = seen(TOKENS["bg2"], theme)
    assert contrast(over(seen(TOKENS["fg"], theme), keys), keys) >= 4.5


def test_texts_have_no_colour_but_these():
    """What a style sheet says of the colour of a text is one of the tested ones, or comes from what is around it."""
    known = {f"var(--lm-{name})" for name in (*TEXTS, "edge", "bg", "kind")} | {
        "inherit",
        "transparent",
        "var(--lm-var, #7b4fc9)",
    }
    found = set()
    for sheet in WIDGETS.glob("*/*.css"):
        found |= set(re.findall(r"[{; ]color: ([^;}]+?)(?: !important)?\s*[;}]", sheet.read_text("utf-8")))
    known |= {value for value in found if "var(--lm-kind" in value}
    for value in found:
        if re.fullmatch(r"color-mix\(in srgb, #\w+ \d+%, var\(--lm-fg\)\)", value):
            known.add(value)
            for theme in THEMES:
                page = seen(TOKENS["bg"], theme)
                assert contrast(over(seen(value, theme), page), page) >= 4.5, (value, theme)
    assert found <= known | {"var(--jp-warn-color1, #c77700)"}  # of a caveat's icon, which the skin overrules


def test_the_table_of_themes_is_jupyterlabs():
    """Where it is installed."""
    jupyterlab = pytest.importorskip("jupyterlab.commands", reason="jupyterlab is not installed")
    folder = Path(jupyterlab.get_app_dir()) / "themes" / "@jupyterlab"
    for name, theme in THEMES.items():
        css = (folder / f"theme-{name}-extension" / "index.css").read_text("utf-8")
        for token, value in theme.items():
            said = re.search(rf"--{token}: ?([^;}}]+)", css)[1]
            said = re.sub(r"var\(--md-[\w-]+, ?(.+)\)", r"\1", said).replace("white", "#fff")
            assert colour(said) == pytest.approx(colour(value)), (name, token)
