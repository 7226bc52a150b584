"""JupyterLab's light and dark theme, as far as our style sheets ask for it, and how far two colours stand apart."""

from __future__ import annotations

LIGHT = {
    "jp-layout-color0": "#ffffff",
    "jp-layout-color1": "#ffffff",
    "jp-layout-color2": "#eeeeee",
    "jp-ui-font-color1": "rgba(0, 0, 0, 0.87)",
    "jp-border-color2": "#e0e0e0",
    "jp-brand-color1": "#1976d2",
    "jp-error-color1": "#d32f2f",
    "jp-warn-color1": "#f57c00",
    "jp-success-color1": "#388e3c",
}
DARK = {
    "jp-layout-color0": "#111111",
    "jp-layout-color1": "#212121",
    "jp-layout-color2": "#424242",
    "jp-ui-font-color1": "rgba(255, 255, 255, 0.87)",
    "jp-border-color2": "#424242",
    "jp-brand-color1": "#2196f3",
    "jp-error-color1": "#f44336",
    "jp-warn-color1": "#ff9800",
    "jp-success-color1": "#4caf50",
}
THEMES = {"light": LIGHT, "dark": DARK}

Colour = tuple[float, float, float, float]


def colour(text: str) -> Colour:
    """Return a colour as CSS writes it, each part in 0..1: #rgb, #rrggbb, #rrggbbaa, rgb(), rgba()."""
    if text.startswith("#"):
        digits = "".join(2 * one for one in text[1:]) if len(text) in (4, 5) else text[1:]
        parts = [int(digits[at : at + 2], 16) / 255 for at in range(0, len(digits), 2)]
        return (*parts[:3], parts[3] if len(parts) == 4 else 1.0)
    numbers = [float(one) for one in text[text.index("(") + 1 : -1].replace("/", ",").split(",")]
    return (*(one / 255 for one in numbers[:3]), numbers[3] if len(numbers) == 4 else 1.0)


def mixed(one: Colour, share: float, other: Colour) -> Colour:
    """Return ``color-mix(in srgb, one share, other)``."""
    alpha = one[3] * share + other[3] * (1 - share)
    parts = [(a * one[3] * share + b * other[3] * (1 - share)) / (alpha or 1) for a, b in zip(one, other, strict=True)]
    return (*parts[:3], alpha)


def over(top: Colour, ground: Colour) -> Colour:
    """Return what is seen of a colour on an opaque ground."""
    return (*(a * top[3] + b * (1 - top[3]) for a, b in zip(top[:3], ground[:3], strict=True)), 1.0)


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio of two opaque colours by WCAG 2: 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(shown: Colour) -> float:
    parts = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in shown[:3]]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))
