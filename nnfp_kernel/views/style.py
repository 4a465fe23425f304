"""The house style as CSS: ink on paper, one colour per representation, light and dark.

The colours, and the underlines of representations, are those of language/palette.py.
Every piece of HTML this project shows stands in `<div class="nnfp">` after `STYLE`.
Pictures drawn with matplotlib have the same tokens, on light paper: `plt.style.use(FIGURE)`.
"""

from __future__ import annotations

import html
from typing import Any

from ..language import palette
from ..language.palette import INK, INK2, LINE, PAPER, REPRESENTATIONS, theme

# The colours by name, for pictures drawn in a notebook: `style.BLUE`.
HAIR, SIGN = palette.HAIR, palette.SIGN
ORANGE, BLUE, PURPLE, GREEN, VERMILLION, SKY = REPRESENTATIONS

_RULES = """
.nnfp{color:var(--nn-ink);font:13px/20px var(--nn-ui);max-width:760px}
.nnfp .hole{background:var(--nn-tint);border-radius:3px;font-weight:600}
.nnfp .small{font-size:11.5px;line-height:17px;color:var(--nn-ink2)}
.nnfp .code{font-family:var(--nn-code);font-size:12px}
.nnfp .ring{display:inline-block;box-sizing:border-box;width:8px;height:8px;margin-right:5px;
border:1.2px solid currentColor;border-radius:50%}
.nnfp .foot{margin-top:7px;display:flex;justify-content:space-between;gap:20px}
.nnfp table.rows{width:100%;margin:0;border-collapse:collapse;border:0;table-layout:auto;
font:12px/18px var(--nn-code)}
.nnfp table.rows tr,.nnfp table.rows tbody tr:nth-child(odd){background:none}
.nnfp table.rows td,.nnfp table.rows th{padding:4px 16px 4px 0;border:0;
border-bottom:1px solid var(--nn-hair);text-align:left;vertical-align:baseline;max-width:none}
.nnfp table.rows th{color:var(--nn-ink2);font:11.5px/17px var(--nn-ui)}
.nnfp table.rows tr:last-child td{border-bottom:0}
.nnfp table.rows td.name{font-weight:600;white-space:nowrap}
.nnfp table.rows td.more{color:var(--nn-ink2)}
.nnfp table.rows td.count,.nnfp table.rows th.count{padding-right:0;text-align:right;
font-family:var(--nn-ui);font-variant-numeric:tabular-nums}
.nnfp table.rows td.borrowed{color:var(--nn-ink3)}
.nnfp .value{display:flex;gap:20px;align-items:center;padding:10px 0;
border-bottom:1px solid var(--nn-hair)}
.nnfp .value:last-child{border-bottom:0}
.nnfp .value .label{flex:0 0 178px;line-height:17px}
.nnfp .value .shown{flex:1;min-width:0}
.nnfp .value pre{margin:0;padding:0;background:none;color:inherit;font:12px/18px var(--nn-code);
white-space:pre;overflow-x:auto}
.nnfp table.numbers{margin:0;border-collapse:separate;border-spacing:1px;border:0;
font:12px/18px var(--nn-ui);font-variant-numeric:tabular-nums}
.nnfp table.numbers tr,.nnfp table.numbers tbody tr:nth-child(odd){background:none}
.nnfp table.numbers td{position:relative;padding:1px 8px;border:0;text-align:right}
.nnfp table.numbers td i{position:absolute;inset:0;z-index:0}
.nnfp table.numbers td b{position:relative;font-weight:400}
.nnfp .strip{display:flex;height:22px;border-bottom:1px solid var(--nn-line)}
.nnfp .strip i{flex:1 1 0;min-width:3px;max-width:20px;margin-right:1px}
.nnfp i.neg{background:var(--neg)}.nnfp i.pos{background:var(--pos)}
.nnfp .bar{flex:1;height:3px;border-radius:2px;background:var(--nn-hair)}
.nnfp .bar i{display:block;height:100%;border-radius:2px;background:var(--nn-ink)}
.nnfp .line{display:flex;align-items:center;gap:12px}
.nnfp .stats{display:flex;flex-wrap:wrap;gap:6px 30px;margin-top:8px}
.nnfp .stats div{line-height:16px;font-size:11px;color:var(--nn-ink2)}
.nnfp .stats b{display:block;font-size:13px;font-weight:600;color:var(--nn-ink);
font-variant-numeric:tabular-nums}
.nnfp .head{padding:2px 0 8px;white-space:pre-wrap}
.nnfp .readings{display:flex;border:solid var(--nn-line);border-width:1px 0}
.nnfp .readings section{flex:1 1 auto;min-width:0;padding:8px 16px 12px;
border-left:1px solid var(--nn-hair);overflow-x:auto}
.nnfp .readings section:first-child{padding-left:0;border-left:0}
.nnfp .readings.rows-only{display:block}
.nnfp .readings.rows-only section{padding-left:0;border-left:0;
border-top:1px solid var(--nn-hair)}
.nnfp .readings.rows-only section:first-child{border-top:0}
.nnfp .readings.rows-only .maths{display:grid;gap:2px 36px;
grid-template-columns:repeat(auto-fit,minmax(320px,max-content))}
.nnfp .readings .title{font-weight:600;margin-bottom:6px}
.nnfp .readings pre{margin:0 0 12px;padding:0;background:none;color:inherit;
font:12px/18px var(--nn-code);white-space:pre}
.nnfp .readings math{font-size:15px}.nnfp .readings .small math{font-size:12px}
.nnfp .readings .formulas{margin:1px 0 9px}
.nnfp .readings .formulas>div{display:flex;align-items:baseline;gap:18px;padding:2px 0;
white-space:nowrap}
.nnfp .readings .folded{margin:10px 0 4px;padding-top:8px;border-top:1px solid var(--nn-hair);
font-weight:600}
.nnfp .structure{display:flex;align-items:center;gap:26px;padding-top:10px}
.nnfp .structure .patterns{display:flex;align-items:center;gap:10px}
.nnfp .structure svg rect{fill:var(--nn-ink2)}
.nnfp .structure svg rect.frame{fill:none;stroke:var(--nn-line)}
.nnfp .structure .patterns:empty{display:none}
.nnfp table.rows.steps td:first-child{min-width:230px;width:230px;
font-family:var(--nn-ui);white-space:normal}
.nnfp table.rows.steps td{font-family:var(--nn-ui)}
"""


_SHOWN = _RULES.replace("\n", "")
STYLE = f"<style>{theme('.nnfp')}{_SHOWN}</style>"

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
    """HTML for an output: the style and the body, which is HTML already."""
    return f'{STYLE}<div class="nnfp">{body}</div>'


def escape(text: str) -> str:
    return html.escape(text)
