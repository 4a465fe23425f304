"""The house style as CSS: ink on paper, one colour per representation, light and dark.

The colours, and the underlines of representations, are those of language/palette.py.
Every piece of HTML this project shows is a `page`: a `<div class="nnfp">` after the rules
and the colours that it uses.
Pictures drawn with matplotlib have the same tokens, on light paper: `plt.style.use(FIGURE)`.
"""

from __future__ import annotations

import html
import re
from typing import Any

from ..language import palette
from ..language.palette import INK, INK2, LINE, PAPER, REPRESENTATIONS, sheet, styled

# The colours by name, for pictures drawn in a notebook: `style.BLUE`.
HAIR, SIGN = palette.HAIR, palette.SIGN
ORANGE, BLUE, PURPLE, GREEN, VERMILLION, SKY = REPRESENTATIONS

RULES = """
&{color:var(--nn-ink);font:13px/20px var(--nn-ui);max-width:760px}
.hole{background:var(--nn-tint);border-radius:3px;font-weight:600}
.small{font-size:11.5px;line-height:17px;color:var(--nn-ink2)}
.code{font-family:var(--nn-code);font-size:12px}
.ring{display:inline-block;box-sizing:border-box;width:8px;height:8px;margin-right:5px;
border:1.2px solid currentColor;border-radius:50%}
.foot{margin-top:7px;display:flex;justify-content:space-between;gap:20px}
table.rows{width:100%;margin:0;border-collapse:collapse;border:0;table-layout:auto;
font:12px/18px var(--nn-code)}
table.rows tr,table.rows tbody tr:nth-child(odd){background:none}
table.rows td,table.rows th{padding:4px 16px 4px 0;border:0;
border-bottom:1px solid var(--nn-hair);text-align:left;vertical-align:baseline;max-width:none}
table.rows th{color:var(--nn-ink2);font:11.5px/17px var(--nn-ui)}
table.rows tr:last-child td{border-bottom:0}
table.rows td.name{font-weight:600;white-space:nowrap}
table.rows td.more{color:var(--nn-ink2)}
table.rows td.count,table.rows th.count{padding-right:28px;text-align:right;white-space:nowrap;
font-family:var(--nn-ui);font-variant-numeric:tabular-nums}
table.rows td.count:last-child,table.rows th.count:last-child{padding-right:0}
table.rows td.borrowed{color:var(--nn-ink3)}
.value{display:flex;gap:20px;align-items:center;padding:10px 0;
border-bottom:1px solid var(--nn-hair)}
.value:last-child{border-bottom:0}
.value .label{flex:0 0 178px;line-height:17px}
.value .shown{flex:1;min-width:0}
.value pre{margin:0;padding:0;background:none;color:inherit;font:12px/18px var(--nn-code);
white-space:pre;overflow-x:auto}
table.numbers{margin:0;border-collapse:separate;border-spacing:1px;border:0;
font:12px/18px var(--nn-ui);font-variant-numeric:tabular-nums}
table.numbers tr,table.numbers tbody tr:nth-child(odd){background:none}
table.numbers td{position:relative;padding:1px 8px;border:0;text-align:right}
table.numbers td i{position:absolute;inset:0;z-index:0}
table.numbers td b{position:relative;font-weight:400}
.strip{display:flex;height:22px;border-bottom:1px solid var(--nn-line)}
.strip i{flex:1 1 0;min-width:3px;max-width:20px;margin-right:1px}
i.neg{background:var(--neg)}i.pos{background:var(--pos)}
.bar{flex:1;height:3px;border-radius:2px;background:var(--nn-hair)}
.bar i{display:block;height:100%;border-radius:2px;background:var(--nn-ink)}
.at:hover path,.at:hover text{visibility:visible}
.line{display:flex;align-items:center;gap:12px}
.stats{display:flex;flex-wrap:wrap;gap:6px 30px;margin-top:8px}
.stats div{line-height:16px;font-size:11px;color:var(--nn-ink2)}
.stats b{display:block;font-size:13px;font-weight:600;color:var(--nn-ink);
font-variant-numeric:tabular-nums}
.head{padding:2px 0 8px;white-space:pre-wrap}
.readings{overflow:hidden;border:solid var(--nn-line);border-width:1px 0}
.readings>div{display:flex;flex-wrap:wrap;margin:-1px 0 0 -17px}
.readings section{flex:1 1 auto;min-width:0;max-width:100%;box-sizing:border-box;
padding:8px 16px 12px;overflow-x:auto;border:solid var(--nn-hair);border-width:1px 0 0 1px}
.readings.rows-only section{flex-basis:100%}
.readings .drawn{margin:2px 0 14px}
.readings .maths{display:grid;gap:2px 36px;
grid-template-columns:repeat(auto-fit,minmax(190px,max-content))}
.readings.rows-only .maths{grid-template-columns:repeat(auto-fit,minmax(320px,max-content))}
.readings .maths>div{min-width:0}.readings .maths>.whole{grid-column:1/-1}
.readings .title{font-weight:600;margin-bottom:6px}
.readings pre{margin:0 0 12px;padding:0;background:none;color:inherit;
font:12px/18px var(--nn-code);white-space:pre}
.readings math{font-size:15px;font-family:"Latin Modern Math","STIX Two Math","Cambria Math",
"Libertinus Math","DejaVu Math TeX Gyre",math}.readings .small math{font-size:12px}
.readings .formulas{margin:1px 0 9px}
.readings .formulas>div{padding:2px 0 2px 1.6em}
.readings .long{padding-left:1.6em;text-indent:-1.6em}
.readings .long math{text-indent:0}.readings .maths .long{margin:3px 0}
.readings .long .range{margin-left:18px;text-indent:0;display:inline-block}
.readings .long .range span{white-space:nowrap;margin-right:.8em}
.readings details{padding:3px 0;border-bottom:1px solid var(--nn-hair)}
.readings summary{cursor:pointer;line-height:26px}
.readings details[open] summary{margin-bottom:4px}
.readings .folded{margin:10px 0 4px;padding-top:8px;border-top:1px solid var(--nn-hair);
font-weight:600}
.structure{display:flex;align-items:center;gap:26px;padding-top:10px}
.structure .patterns{display:flex;align-items:center;gap:10px}
.structure svg rect{fill:var(--nn-ink2)}
.structure svg rect.frame{fill:none;stroke:var(--nn-line)}
.structure .patterns:empty{display:none}
.structure .drawn[hidden]{display:flex!important;align-items:center;gap:10px}
table.rows.steps{table-layout:fixed}
table.rows.steps td:first-child{width:30%;white-space:normal}
table.rows.steps td{font-family:var(--nn-ui)}
svg.wiring{display:block;max-width:100%;height:auto;overflow:visible;font:12px var(--nn-code)}
.wiring text{fill:var(--nn-ink)}
.wiring .port,.wiring .type{font-size:10.5px}
.wiring .type,.wiring .name{fill:var(--nn-ink2)}
.wiring .note{font:11.5px var(--nn-ui);fill:var(--nn-ink3)}
.wiring path{fill:none;stroke-width:2;stroke-linejoin:round}
.wiring .gap{stroke:var(--nn-paper);stroke-width:7}
.wiring .mid{stroke:var(--nn-paper);stroke-width:1.4}
.wiring .tie,.wiring .value{stroke:var(--nn-ink3);stroke-width:1.3;stroke-dasharray:1.5 3}
.wiring .edge{fill:var(--nn-paper);stroke:var(--nn-ink);stroke-width:1.2}
.wiring .thin{fill:var(--nn-paper);stroke:var(--nn-ink2);stroke-width:1}
.wiring .group{fill:var(--nn-tint)}
.wiring .frame{fill:none;stroke:var(--nn-ink);stroke-width:1.2}
.drawing{display:block;max-width:100%;overflow:visible}
.drawing .line,.drawing .frame{fill:none;stroke:var(--nn-line)}
.drawing .curve{fill:none;stroke:var(--nn-ink);stroke-width:1.3;stroke-linejoin:round}
.drawing .branch{fill:none;stroke:var(--nn-ink2);stroke-width:1.1}
.drawing .neg{fill:var(--neg)}
.drawing .pos{fill:var(--pos)}
.drawing .ink{fill:var(--nn-ink)}
.drawing .entries{fill:var(--nn-ink2)}
.drawing .tick{font:10.5px var(--nn-ui);fill:var(--nn-ink3)}
.drawing .name{font:12px var(--nn-code);fill:var(--nn-ink)}
.drawing .leaf{font:11px var(--nn-code);fill:var(--nn-ink2)}
.value details{margin-top:4px}
summary{cursor:pointer}
.images{display:flex;flex-wrap:wrap;gap:10px;align-items:center}
.images img{display:block;margin:0;max-width:100%}
.images>span{box-shadow:0 0 0 1px var(--nn-line)}
.images .drawn{margin-left:14px}
.part{display:flex;gap:16px;align-items:center;padding:3px 0}
.part>div:first-child{flex:0 0 96px}
"""

# matplotlib's settings for a picture: ink on paper, hairlines, no box around a plot.
FIGURE: dict[str, Any] = {
    "figure.dpi": 144,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK2,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.edgecolor": LINE,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": f"cycler('color', {list(REPRESENTATIONS)})",
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": INK2,
    "ytick.labelcolor": INK2,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
}


def page(body: str) -> str:
    """HTML for an output: the style that it uses, and the body, which is HTML already."""
    return styled("nnfp", RULES, body)


def rules(scope: str, name: str) -> str:
    """The rules of one kind of picture, `.wiring`, for what is in elements of class `scope`.

    >>> ".nnfp-view .wiring .group{fill:var(--nn-tint)}" in rules("nnfp-view", "wiring")
    True
    """
    found = re.findall(r"([^{}]+)\{([^{}]*)\}", RULES)
    own = [(each.strip(), said) for each, said in found if f".{name}" in each]
    return "\n".join(
        ",".join(f".{scope} {one.strip()}" for one in each.split(",")) + f"{{{said.strip()}}}"
        for each, said in own
    )


def escape(text: str) -> str:
    return html.escape(text)


def coded(text: str) -> str:
    """Words as HTML, what stands in backticks in the letters of code.

    >>> coded("only `cata alg` is so")
    'only <span class="code">cata alg</span> is so'
    """
    return re.sub("`([^`]*)`", r'<span class="code">\1</span>', escape(text))


def alone(body: str, width: str, height: str) -> str:
    """SVG as a file of its own, on light paper: `body` is what stands in it."""
    drawn = f'<g class="drawing">{body}</g>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="nnfp" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{sheet("nnfp", RULES, drawn, dark=False)}'
        f'<rect width="100%" height="100%" fill="{PAPER}"/>{drawn}</svg>'
    )
